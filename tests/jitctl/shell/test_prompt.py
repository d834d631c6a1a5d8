"""docs/prompt.md: what stands there is run, with jitd and without."""

import os
import re
import subprocess
import sys
from pathlib import Path

from support.in_process_daemon import InProcessDaemon

DOCUMENT = Path(__file__).parents[3] / "docs" / "prompt.md"


def snippet(language: str) -> str:
    """The one block of the document that is in this language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    return str(found)


def said(shell: list[str], script: str, socket: Path, tmp_path: Path) -> str:
    """What a shell prints that finds jitctl in its PATH."""
    command = tmp_path / "jitctl"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m jitctl "$@"\n')
    command.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "JITCTL_SOCKET": os.fspath(socket),
    }
    done = subprocess.run(
        [*shell, script], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


def ask(daemon: InProcessDaemon) -> None:
    """Something that waits for a decision."""
    status, reply = daemon.post("/v1/request", network="office", reason="ticket 42", user="alice")
    assert status == 200, reply


def prompt() -> str:
    """The snippet with a plain prompt of which the shell shows what it makes."""
    return "PS1='> '\n" + snippet("bash") + '\neval "$PROMPT_COMMAND"\nprintf \'%s\' "${PS1@P}"\n'


def test_the_prompt_says_what_is_pending(daemon: InProcessDaemon, tmp_path: Path) -> None:
    """Nothing while nothing waits, a number while something does, and nothing where jitd is away."""
    bash = ["bash", "--norc", "-c"]
    assert said(bash, prompt(), daemon.socket, tmp_path) == "> "
    ask(daemon)
    assert said(bash, prompt(), daemon.socket, tmp_path) == "[1 pending] > "
    assert said(bash, prompt(), tmp_path / "nothing.sock", tmp_path) == "> "


def test_the_login_says_what_is_pending(daemon: InProcessDaemon, tmp_path: Path) -> None:
    """With the command that lists it; only where somebody sits in front of it."""
    profile = tmp_path / "profile.sh"
    profile.write_text(snippet("sh"))
    ask(daemon)
    shown = "jitctl: 1 pending (jitctl list --status pending)\n"
    assert said(["sh", "-i", "-c"], f". {profile}", daemon.socket, tmp_path) == shown
    assert said(["sh", "-c"], f". {profile}", daemon.socket, tmp_path) == ""
    assert said(["sh", "-i", "-c"], f". {profile}", tmp_path / "nothing.sock", tmp_path) == ""
