"""A phone's configuration as a QR code: shown once at a terminal, read by a scanner, and not stored."""

import re
import subprocess
from pathlib import Path

import pytest

from support.command_result import RunCommand
from support.in_process_daemon import KEY_OF, InProcessDaemon
from support.terminal import Terminal

KEY = re.compile(r"[A-Za-z0-9+/]{43}=")
BEGIN = "\x1b[38;5;16;48;5;231m"  # black on white
ADD = ("device", "add", "phone", "--qr", "-u", "alice")
#: (dark above, dark below) of each character of a code.
HALVES = {" ": (0, 0), "▀": (1, 0), "▄": (0, 1), "█": (1, 1)}


def devices(daemon: InProcessDaemon) -> dict[str, str]:
    """alice's devices: their public keys by name."""
    found = daemon.get("/v1/device/list?user=alice")[1]["devices"]
    return {one["name"]: one["public_key"] for one in found}


def drawn(seen: str) -> list[str]:
    """The lines of a code on a terminal, that say themselves which colours they have."""
    return re.findall(rf"{re.escape(BEGIN)}([ ▀▄█]+)\x1b\[0m", seen)


def scanned(lines: list[str], file: Path) -> str:
    """What a scanner reads of a code: it is photographed, four points for each module."""
    rows = [[HALVES[one][half] for one in line] for line in lines for half in (0, 1)]
    points = [[bit for bit in row for _ in range(4)] for row in rows for _ in range(4)]
    picture = "\n".join(" ".join(map(str, row)) for row in points)
    file.write_text(f"P1\n{len(points[0])} {len(points)}\n{picture}\n")
    done = subprocess.run(["zbarimg", "--quiet", "--raw", file], capture_output=True, text=True, check=True)
    return done.stdout.removesuffix("\n")


def public(private: str) -> str:
    """The public half."""
    return subprocess.run(
        ["wg", "pubkey"], input=private, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_a_phone_is_added_by_a_code_and_gets_another(daemon: InProcessDaemon, tmp_path: Path) -> None:
    """At 80 columns a scanner reads just the file of wg-quick with the key whose other half is registered; the key stands
    nowhere in words, and the code is gone when Enter was pressed. The same with another key afterwards.
    """
    keys = []
    for words in (ADD, ("device", "rotate", "phone", "--qr", "-u", "alice")):
        terminal = Terminal(daemon, *words, columns=80, rows=50)
        terminal.until("press Enter")
        code = drawn(terminal.seen)
        assert {len(line) for line in code} == {len(code) * 2 - 1}
        read = scanned(code, tmp_path / "code.pbm")
        terminal.type("\n")
        assert terminal.end() == 0
        (private,) = re.findall("PrivateKey = (.*)", read)
        assert public(private) == devices(daemon)["phone"]
        config = daemon.post("/v1/device/config", name="phone", user="alice")[1]["config"]
        plain = [line for line in config.splitlines() if line and not line.startswith("#")]
        assert read.splitlines() == [line.replace("REPLACE_WITH_PRIVATE_KEY", private) for line in plain]
        before, _, after = terminal.seen.rpartition("\x1b[?1049l")
        assert "\x1b[?1049h" in before.partition(BEGIN)[0]
        assert "not stored" in after
        assert (drawn(after), KEY.findall(terminal.seen)) == ([], [])
        keys.append(private)
    assert keys[0] != keys[1]
    assert set(devices(daemon)) == {"laptop", "phone"}


def test_ctrl_c_takes_the_code_away_too(daemon: InProcessDaemon) -> None:
    """Whoever has seen it may end it as he likes: the device is registered, and the screen is as it was."""
    terminal = Terminal(daemon, *ADD, columns=80, rows=50)
    terminal.until("press Enter")
    terminal.type("\x03")
    assert terminal.end() == 0
    assert terminal.seen.count("\x1b[?1049h") == terminal.seen.count("\x1b[?1049l") == 1
    assert "phone" in devices(daemon)


@pytest.mark.parametrize(("columns", "rows"), [(60, 50), (80, 24)])
def test_a_terminal_that_is_too_small(daemon: InProcessDaemon, columns: int, rows: int) -> None:
    """A code that would be broken or cut is not shown: nothing is registered or changed, and it is told how large it is."""
    before = devices(daemon)
    for words in (ADD, ("device", "rotate", "laptop", "--qr", "-u", "alice")):
        terminal = Terminal(daemon, *words, columns=columns, rows=rows)
        assert terminal.end() == 2
        assert f"and this terminal has {columns} and {rows}; nothing was changed" in terminal.seen
        assert "Make the window larger" in terminal.seen
        assert devices(daemon) == before


def test_a_code_needs_a_terminal(daemon: InProcessDaemon, jitctl: RunCommand) -> None:
    """It is not written into a file or a pipe by a slip, nor to a terminal without colours; nothing is registered."""
    for words in (ADD, (*ADD, "--json"), ("device", "rotate", "laptop", "--qr", "-u", "alice")):
        said = jitctl(*words)
        assert (said.status, "▀" in said.out) == (2, False)
        assert "cannot show a QR code without a terminal" in said.err
    assert jitctl("device", "add", "phone", "-u", "alice").status == 2
    terminal = Terminal(daemon, *ADD, rows=50, TERM="dumb")
    assert terminal.end() == 2
    assert devices(daemon) == {"laptop": KEY_OF["alice"]}


def test_a_phone_that_cannot_be_set_up_is_not_left_behind(daemon: InProcessDaemon) -> None:
    """Where there is no file for it, there is no device of which nobody has the key."""
    terminal = Terminal(daemon, *ADD, "-i", "nowhere", rows=50)
    assert terminal.end() != 0
    assert "cannot" in terminal.seen
    assert set(devices(daemon)) == {"laptop"}
