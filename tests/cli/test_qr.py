"""A phone's configuration as a QR code: shown once at a terminal, and kept nowhere."""

import re

from test_terminal import Terminal

from support.running import Running
from support.typed import Typed

KEY = re.compile(r"[A-Za-z0-9+/]{43}=")


def devices(daemon: Running) -> set[str]:
    """The names of alice's devices."""
    return {one["name"] for one in daemon.get("/v1/device/list?user=alice")[1]["devices"]}


def test_a_phone_is_added_by_a_code(daemon: Running) -> None:
    """The code is drawn, the device is registered, and the key stands nowhere in words."""
    terminal = Terminal(daemon, "device", "add", "phone", "--qr", "-u", "alice", columns=120)
    assert terminal.end() == 0
    drawn = [line for line in terminal.plain if re.search("[▀▄█]{5}", line)]
    assert len(drawn) > 20
    assert "kept nowhere" in terminal.seen
    assert not KEY.search(terminal.seen)
    assert devices(daemon) == {"laptop", "phone"}


def test_a_code_needs_a_terminal(daemon: Running, jitctl: Typed) -> None:
    """It is not written into a file or a pipe by a slip; nothing is registered."""
    said = jitctl("device", "add", "phone", "--qr", "-u", "alice")
    assert (said.status, said.out) == (2, "")
    assert "cannot show a QR code without a terminal" in said.err
    assert jitctl("device", "add", "phone", "-u", "alice").status == 2
    assert devices(daemon) == {"laptop"}


def test_a_phone_that_cannot_be_set_up_is_not_left_behind(daemon: Running) -> None:
    """Where there is no file for it, there is no device of which nobody has the key."""
    terminal = Terminal(daemon, "device", "add", "phone", "--qr", "-i", "nowhere", "-u", "alice")
    assert terminal.end() != 0
    assert "cannot" in terminal.seen
    assert devices(daemon) == {"laptop"}
