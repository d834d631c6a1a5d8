"""The status of a machine that was set up for gateways: tunnels, bars, prompts, several gateways side by side.

What carries it is a stand-in for ssh that runs dial-stdio here, for speed; tests/e2e/test_connect.py has the real one.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.background_command import BackgroundCommand
from support.command_result import CommandResult
from support.in_process_daemon import InProcessDaemon
from support.wait import until

PROFILES = """\
default = "office"

[profile.office]
host = "ssh://gateway"
device = "laptop"

[profile.lab]
host = "ssh://nowhere"
device = "laptop"
"""
SSH = """\
#!/bin/sh
case " $* " in
*" nowhere "*) echo "ssh: Could not resolve hostname nowhere: Name or service not known" >&2; exit 255 ;;
*" -G "*) exit 0 ;;
esac
exec {python} -m jitctl --socket {socket} dial-stdio
"""
Laptop = Callable[..., CommandResult]


@pytest.fixture
def environment(daemon: InProcessDaemon, tmp_path: Path) -> dict[str, str]:
    """A home with two gateways, of which one cannot be reached."""
    ssh = tmp_path / "ssh"
    ssh.write_text(SSH.format(python=sys.executable, socket=daemon.socket))
    ssh.chmod(0o755)
    config = tmp_path / "config" / "jitctl"
    config.mkdir(parents=True)
    (config / "config.toml").write_text(PROFILES)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("JITCTL", "DBUS", "XDG"))}
    return kept | {
        "JITCTL_SSH": str(ssh),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
        "TZ": "UTC",
    }


@pytest.fixture
def laptop(environment: dict[str, str]) -> Laptop:
    """Run jitctl there."""

    def typed(*words: str) -> CommandResult:
        done = subprocess.run(
            [sys.executable, "-m", "jitctl", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environment,
        )
        return CommandResult(done.returncode, done.stdout, done.stderr)

    return typed


def test_status_says_whether_the_tunnel_is_up(laptop: Laptop) -> None:
    """A column for the tunnel, and in JSON what it is called here."""
    said = laptop("status")
    assert said.status == 0
    assert said.out.splitlines()[0].split() == ["NETWORK", "ACCESS", "TUNNEL", "DEVICES"]
    assert "down" in said.out
    told = json.loads(laptop("status", "--json").out)
    assert told["profile"] == "office"
    assert told["tunnels"]["office"] == {"interface": "jit-office-wg0", "up": False, "last_handshake": 0}


def test_one_gateway_that_does_not_answer_hides_no_other(laptop: Laptop) -> None:
    """status --all shows both, says of the one why, and exits as for a daemon that cannot be reached."""
    said = laptop("status", "--all")
    assert said.status == 6
    lines = said.out.splitlines()
    assert lines[0].split() == ["GATEWAY", "NETWORK", "ACCESS", "TUNNEL"]
    assert lines[1].split()[0] == "lab"
    assert "x does not answer" in lines[1]
    assert lines[2].split()[:2] == ["office", "office"]
    assert "lab: cannot reach" in said.err
    told = json.loads(laptop("status", "--all", "--json").out)["gateways"]
    assert [one["profile"] for one in told] == ["lab", "office"]
    assert told[0]["error"]["code"] == "unreachable"
    assert told[1]["networks"][0]["network"] == "office"
    assert laptop("status", "--all", "-o", "prompt").out == "lab ?\n"


def test_a_bar_is_told_each_change_on_a_line(environment: dict[str, str], daemon: InProcessDaemon) -> None:
    """waybar gets a line at once and one when it changes, i3bar its whole protocol; neither needs a terminal."""
    waybar = BackgroundCommand(
        [sys.executable, "-m", "jitctl", "status", "--watch", "-o", "waybar"], environment
    )
    i3bar = BackgroundCommand(
        [sys.executable, "-m", "jitctl", "status", "--watch", "-o", "i3bar"], environment
    )
    try:
        waybar.until('"class": "idle"')
        i3bar.until('{"version":1}\n[\n[{"name": "jitctl", "full_text": ""}],\n')
        daemon.post("/v1/freeze", reason="a stolen laptop")
        waybar.until('"text": "office frozen"')
        i3bar.until('[{"name": "jitctl", "full_text": "office frozen", "color": "#ff5555"}],\n')
    finally:
        waybar.kill()
        i3bar.kill()


def test_a_prompt_takes_what_was_answered_lately(
    laptop: Laptop, daemon: InProcessDaemon, tmp_path: Path
) -> None:
    """It does not ask again within a minute; what is kept is its user's alone; without it the gateway is asked."""
    assert laptop("status", "-o", "prompt") == CommandResult(0, "", "")
    kept = tmp_path / "run" / "jitctl" / "office.status.json"
    until(kept.exists, "the answer is kept")
    assert kept.stat().st_mode & 0o077 == 0
    daemon.stop()
    assert laptop("status", "-o", "prompt") == CommandResult(0, "", "")
    kept.unlink()
    said = laptop("status", "-o", "prompt")
    assert (said.status, said.out) == (6, "")


@pytest.mark.parametrize(
    ("words", "status", "error"),
    [
        (("status", "-o", "xml"), 2, "cannot print as 'xml'"),
        (("status", "-o", "waybar", "--json"), 2, "cannot print as JSON and for waybar at once"),
        (("status", "--all", "--watch"), 2, "cannot watch all gateways at once"),
        (("connect", "office"), 10, "the private key of laptop is in no file of this machine"),
        (("connect", "--socket", "/x"), 2, "no gateway was set up on this machine"),
        (("connect", "office", "-r", "x", "--again"), 2, "cannot use --again together with --reason"),
        (("connect", "office", "-d", "soon"), 2, "cannot read"),
        (("disconnect", "ofice"), 10, "cannot find the network 'ofice'"),
        (("disconnect", "--profile", "home"), 10, "cannot find the profile 'home'"),
    ],
)
def test_what_cannot_be_done_is_said(laptop: Laptop, words: tuple[str, ...], status: int, error: str) -> None:
    """The right exit status, and a sentence that says what to type."""
    said = laptop(*words)
    assert (said.status, said.out.startswith("{")) == (status, "--json" in words)
    assert error in said.err


def test_disconnect_where_nothing_is_connected(laptop: Laptop) -> None:
    """It changes nothing, and says so."""
    assert laptop("disconnect") == CommandResult(0, "there was nothing to disconnect\n", "")
