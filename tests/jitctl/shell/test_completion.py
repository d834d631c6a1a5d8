"""Completion in real shells, with a daemon and without: what Tab offers, and that nothing on offer is ever run."""

import ast
import base64
import os
import pty
import select
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jitctl.cli.verbs import GROUPS, VERBS
from jitd.core.people import Answer, Person
from support.command_result import RunCommand
from support.in_process_daemon import KEY_OF, InProcessDaemon

COMPLETIONS = Path(__file__).parents[3] / "completions"
SHELLS = ("bash", "zsh", "fish")
Tab = Callable[..., list[str]]

BASH = """
source {file}
COMP_WORDS=({words}); COMP_CWORD=$(({count} - 1)); COMP_TYPE={listing}; COMP_LINE=
compopt() {{ :; }}
_jitctl
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
#: compadd says what it would have offered: zle has no terminal here.
ZSH = """
compdef() {{ :; }}
_message() {{ :; }}
_files() {{ echo FILES; }}
compadd() {{
  local array= one show=
  while (($#)); do
    case $1 in
      -d) show=$2; shift ;;
      -S) shift ;;
      -a) ;;
      -*) ;;
      *) array=$1 ;;
    esac
    shift
  done
  if [[ {listing} == 63 && -n $show ]]; then
    print -rl -- "${{(@P)show}}"
    return
  fi
  for one in "${{(@P)array}}"; do [[ $one == "$PREFIX"* ]] && print -r -- "$one"; done
}}
compset() {{ PREFIX=${{PREFIX#*=}}; }}
source {file}
words=({words}); CURRENT={count}; PREFIX=$words[CURRENT]
_jitctl
"""
FISH = "source {file}; complete --do-complete={line}"


@pytest.fixture
def tab(daemon: InProcessDaemon, tmp_path: Path) -> Tab:
    """What a shell offers for the words that were typed; the last one is not ended yet."""
    command = tmp_path / "jitctl"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m jitctl "$@"\n')
    command.chmod(0o755)

    def offered(shell: str, *words: str, socket: Path | None = None, wide: bool = False) -> list[str]:
        assert shutil.which(shell), f"{shell} is not installed: make packages"
        typed = ["jitctl", *words]
        quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in typed)
        name = {"bash": "jitctl.bash", "zsh": "_jitctl", "fish": "jitctl.fish"}[shell]
        script = {"bash": BASH, "zsh": ZSH, "fish": FISH}[shell].format(
            file=COMPLETIONS / name,
            words=quoted,
            count=len(typed),
            listing=63 if wide else 9,
            line="'" + " ".join(typed).replace("'", "\\'") + "'",
        )
        options = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
        done = subprocess.run(
            [shell, *options, "-c", script],
            env={
                **os.environ,
                "PATH": f"{tmp_path}:{os.environ['PATH']}",
                "JITCTL_SOCKET": str(socket or daemon.socket),
                "HOME": str(tmp_path),
                "LC_ALL": "C.UTF-8",
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stderr == ""
        found = [line for line in done.stdout.splitlines() if line]
        return found if wide else [line.split("\t")[0].split(":")[0] for line in found]

    return offered


def test_the_files_are_what_the_program_says() -> None:
    """completions.json is what packaging/completions.py writes: every verb, every option, and what their values are."""
    sys.path.insert(0, str(COMPLETIONS.parent / "packaging"))
    try:
        import completions
    finally:
        sys.path.pop(0)
    assert completions.FILE_NAME.read_text() == completions.text(), "run python packaging/completions.py"


@pytest.mark.parametrize("shell", SHELLS)
def test_verbs_and_their_groups(tab: Tab, shell: str) -> None:
    """Every verb and group at the first place, the verbs of a group behind it, and what was begun narrows it down."""
    first = {verb.name.partition(" ")[0] for verb in VERBS}
    assert set(tab(shell, "")) == first
    assert set(tab(shell, "re")) == {name for name in first if name.startswith("re")}
    for group in GROUPS:
        inside = {verb.name.partition(" ")[2] for verb in VERBS if verb.name.startswith(f"{group} ")}
        assert set(tab(shell, group, "")) == inside
    assert set(tab(shell, "--json", "--socket", "/tmp/x", "gran")) == {"grant"}


@pytest.mark.parametrize("shell", SHELLS)
def test_options_and_choices(tab: Tab, shell: str) -> None:
    """The options of the verb, and the values of those that have a list."""
    offered = tab(shell, "grant", "--")
    assert {"--duration", "--comment", "--all", "--json"} <= set(offered)
    assert "--search" not in offered
    assert set(tab(shell, "list", "--status", "p")) == {"pending"}
    assert set(tab(shell, "list", "-o", "")) == {"table", "json", "jsonl", "csv"}
    assert "jit.exempt=" in tab(shell, "network", "set", "office", "jit.")
    assert set(tab(shell, "network", "jit", "office", "")) == {"on", "off"}
    assert tab(shell, "request", "office", "--reason", "") == []


@pytest.mark.parametrize("shell", SHELLS)
def test_what_jitd_knows(daemon: InProcessDaemon, tab: Tab, shell: str) -> None:
    """Requests that can be decided, networks, users, devices and interfaces; another word of a list, too."""
    for user in ("alice", "bob"):
        daemon.post("/v1/request", network="office", reason="ticket 42", user=user)
    daemon.post("/v1/grant", id=1)
    assert tab(shell, "grant", "") == ["2"]
    assert tab(shell, "deny", "1", "") == ["2"]
    assert tab(shell, "revoke", "") == ["1"]
    assert set(tab(shell, "show", "")) == {"1", "2"}
    assert tab(shell, "request", "o") == ["office"]
    assert tab(shell, "list", "--user", "al") == ["alice"]
    assert tab(shell, "list", "--mine", "--network", "") == ["office"]
    assert set(tab(shell, "device", "config", "")) == {"laptop"}
    assert tab(shell, "interface", "show", "w") == ["wg0"]


@pytest.mark.parametrize("shell", SHELLS)
def test_reasons_stand_beside_the_numbers(daemon: InProcessDaemon, tab: Tab, shell: str) -> None:
    """Who asks for what, and why, where several are listed; a single one in bash is put on the line, and is bare."""
    daemon.post("/v1/request", network="office", reason="ticket 42", user="alice")
    if shell == "bash":
        assert tab(shell, "grant", "", wide=True) == ["1"]
    daemon.post("/v1/request", network="office", reason="the $(disk) is full", user="bob")
    told = "\n".join(tab(shell, "grant", "", wide=True))
    assert "alice office (pending): ticket 42" in told
    assert "bob office (pending): the $(disk) is full" in told


@pytest.mark.parametrize("shell", SHELLS)
def test_users_as_directories_have_them(daemon: InProcessDaemon, tab: Tab, shell: str) -> None:
    """Attack: somebody is called so that a Tab puts a command on the line. Names are offered as one word, or not at all."""
    names = {"DOM\\anna lee", "DOM\\bob$", "DOM\\zoë"}
    for number, name in enumerate((*names, "DOM\\$(reboot)", "DOM\\x; reboot", "DOM\\`reboot`")):
        daemon.people.people[name] = Person(name=name, exists=Answer.YES, uid=70_000 + number)
        key = base64.b64encode(bytes([number + 40]) * 32).decode()
        assert daemon.post("/v1/device/add", name="laptop", public_key=key, user=name)[0] == 200
    found = tab(shell, "list", "--user", "DOM")
    if shell == "bash":  # which puts on the line what it is given; the others quote by themselves
        found = [word for one in found for word in shlex.split(one)]
    assert set(found) == names


@pytest.mark.parametrize("shell", SHELLS)
def test_nothing_is_said_where_jitd_is_away(tab: Tab, shell: str, tmp_path: Path) -> None:
    """No offer and no complaint."""
    assert tab(shell, "grant", "", socket=tmp_path / "nothing.sock") == []
    assert tab(shell, "request", "", socket=tmp_path / "nothing.sock") == []


@pytest.mark.parametrize("shell", SHELLS)
def test_a_hostile_reason_is_not_run(daemon: InProcessDaemon, tab: Tab, shell: str, tmp_path: Path) -> None:
    """What a user typed is a description at most: it is neither run nor expanded, and moves no terminal."""
    trap = tmp_path / "trapped"
    reason = f"$(touch {trap}) `touch {trap}` ; touch {trap} \x1b]0;x\x07 ${{HOME}} * 'x\"\\"
    status, reply = daemon.post("/v1/request", network="office", reason=reason, user="alice")
    assert status == 200, reply
    offered = tab(shell, "grant", "", wide=True)
    assert len(offered) == 1
    assert offered[0].startswith("1")
    assert "\x1b" not in offered[0]
    tab(shell, f"$(touch {trap})", "")
    assert not trap.exists()


def test_values_have_a_safe_form(daemon: InProcessDaemon, jitctl: RunCommand) -> None:
    """A line is a value, a tab and a description of one line; an unknown kind, and other words, say nothing."""
    daemon.post("/v1/request", network="office", reason="a\tb\nc" + "x" * 200, user="alice")
    said = jitctl("__complete", "grant", "")
    (line,) = said.out.splitlines()
    value, words = line.split("\t")
    assert value == "1"
    assert words.startswith("alice office (pending): a b c")
    assert len(words) == 60
    assert (jitctl("__complete", "nonsense", "").out, jitctl("__complete", "nonsense", "").status) == ("", 0)
    assert jitctl("__complete", "grant", "", JITCTL_HOST="ssh://nobody@nowhere.invalid").out == ""


@pytest.mark.parametrize("shell", SHELLS)
def test_the_gateway_that_the_line_names(daemon: InProcessDaemon, tab: Tab, shell: str) -> None:
    """Requests of another jitd are not offered where the line names one that does not answer, or one over ssh."""
    daemon.post("/v1/request", network="office", reason="ticket 42", user="alice")
    nowhere = Path("/nowhere/jitd.sock")
    assert tab(shell, "--socket", str(daemon.socket), "grant", "", socket=nowhere) == ["1"]
    assert tab(shell, f"--socket={daemon.socket}", "grant", "", socket=nowhere) == ["1"]
    assert tab(shell, "--socket", str(nowhere), "grant", "") == []
    assert tab(shell, "grant", "--host", "ssh://gateway", "") == []
    assert tab(shell, "--profile", "home", "grant", "") == []


@pytest.mark.parametrize("shell", SHELLS)
def test_a_value_behind_its_sign(daemon: InProcessDaemon, tab: Tab, shell: str) -> None:
    """--user=al is completed as --user al is."""
    daemon.post("/v1/request", network="office", reason="ticket 42", user="alice")
    assert [one.rpartition("=")[2] for one in tab(shell, "list", "--user=al")] == ["alice"]


@pytest.mark.parametrize("shell", SHELLS)
def test_files_are_left_to_the_shell(tab: Tab, shell: str, tmp_path: Path) -> None:
    """Where a file is wanted, the shell offers what there is."""
    (tmp_path / "office.toml").write_text("")
    offered = tab(shell, "policy", "apply", "off")
    # bash is told by compopt to offer files itself, which has no line here.
    assert offered == {"bash": [], "zsh": ["FILES"], "fish": ["office.toml"]}[shell]


def test_a_tab_does_not_start_typer(daemon: InProcessDaemon) -> None:
    """What a Tab loads is neither Typer nor rich nor the commands: it is to be answered at once."""
    program = (
        "import sys; from jitctl.cli.run import main; main(); print(sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "__complete", "grant", ""],
        env={**os.environ, "JITCTL_SOCKET": str(daemon.socket)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    loaded = set(ast.literal_eval(done.stderr))
    assert "jitctl.shell.completing" in loaded
    assert not {"typer", "rich", "msgspec", "jitctl.cli.app"} & loaded


def drawn(seen: str) -> str:
    """What stands on a terminal that knows how to go one column back."""
    shown: list[str] = []
    at = 0
    for char in seen:
        at = at - 1 if char == "\b" else at
        if char != "\b":
            shown[at : at + 1] = [char]
            at += 1
    return "".join(shown)


@pytest.mark.parametrize(
    ("typed", "whole"),
    [("list -u erin@c", "list -u erin@corp.example"), ("list --user=ali", "list --user=alice")],
)
def test_bash_breaks_words_at_signs(daemon: InProcessDaemon, tmp_path: Path, typed: str, whole: str) -> None:
    """At a real prompt: what stands in front of an @ or a = stays, and is not put there twice."""
    daemon.people.people["erin@corp.example"] = replace(
        daemon.people.people["alice"], name="erin@corp.example", uid=os.getuid() + 30_055
    )
    daemon.post("/v1/device/add", name="laptop", public_key=KEY_OF["third"], user="erin@corp.example")
    command = tmp_path / "jitctl"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m jitctl "$@"\n')
    command.chmod(0o755)
    main, side = pty.openpty()
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "JITCTL_SOCKET": str(daemon.socket),
        "HOME": str(tmp_path),
        "PS1": "> ",
        "TERM": "dumb",
    }
    process = subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],
        stdin=side,
        stdout=side,
        stderr=side,
        start_new_session=True,
        env=environment,
    )
    os.close(side)
    seen = b""

    def until(text: str) -> None:
        nonlocal seen
        # What is redrawn is drawn over what is there.
        while text not in drawn(seen.decode()):
            assert select.select([main], [], [], 20)[0], seen
            seen += os.read(main, 4096)

    os.write(main, f"source {COMPLETIONS}/jitctl.bash; echo rea''dy\n".encode())
    until("ready\r\n")
    os.write(main, f"jitctl {typed}\t".encode())
    until(f"jitctl {whole} ")
    os.write(main, b"\x15exit\n")
    assert process.wait(20) == 0
    os.close(main)
