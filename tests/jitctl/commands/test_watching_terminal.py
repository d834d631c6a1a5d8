"""Waiting and watching at a terminal: what moves, and what it leaves behind."""

import re

import pytest

from support.in_process_daemon import InProcessDaemon
from support.terminal import Terminal

HOUR = 3_600_000


def test_a_spinner_while_it_waits(daemon: InProcessDaemon) -> None:
    """With the time that has passed; it is gone when there is something to say, and at the end."""
    terminal = Terminal(daemon, "request", "office", "-r", "x", "-u", "alice", "--wait")
    for turn in "|/-\\":
        terminal.until(f"{turn} request 1: waiting for a decision, ")
    terminal.until("decision, 2s")
    daemon.post("/v1/grant", id=1)
    assert terminal.end() == 0
    shown = screen(terminal.seen)
    assert shown[0] == "request 1: alice asks for office, pending"
    assert shown[1].startswith("office is open for alice until ")
    assert shown[2:] == [""]


def test_no_spinner_on_a_dumb_terminal(daemon: InProcessDaemon) -> None:
    """Where nothing can be drawn over, nothing is."""
    terminal = Terminal(daemon, "request", "office", "-r", "x", "-u", "alice", "--wait", TERM="dumb")
    terminal.until("pending")
    daemon.post("/v1/deny", id=1)
    assert terminal.end() == 3
    assert "\x1b" not in terminal.seen
    assert "waiting" not in terminal.seen


def test_ctrl_c_at_a_terminal(daemon: InProcessDaemon) -> None:
    """The key ends the waiting and not the request, which is said on a line of its own."""
    terminal = Terminal(daemon, "request", "office", "-r", "x", "-u", "alice", "--wait")
    terminal.until("waiting for a decision")
    terminal.type("\x03")
    assert terminal.end() == 130
    assert screen(terminal.seen)[-2:] == ["request 1 stands: jitctl wait 1 | jitctl cancel 1", ""]


def test_watch_has_colours_and_a_bell(daemon: InProcessDaemon) -> None:
    """At a terminal what matters is coloured, with --bell it rings; NO_COLOR takes only the colours away."""
    daemon.post("/v1/request", network="office", reason="x", user="alice")
    for colours in (True, False):
        words = ("watch", "--after", "0", "--bell")
        terminal = Terminal(daemon, *words) if colours else Terminal(daemon, *words, NO_COLOR="1")
        terminal.until("asked for office")
        terminal.type("\x03")
        assert terminal.end() == 130
        assert ("\a" in terminal.seen, "\x1b[33m" in terminal.seen) == (True, colours)


@pytest.mark.parametrize("columns", [80, 160])
def test_the_status_is_redrawn_in_place(daemon: InProcessDaemon, columns: int) -> None:
    """Each picture goes just over the one before, is no wider than the terminal, and the last one stays."""
    terminal = Terminal(daemon, "status", "--watch", columns=columns, NO_COLOR="1")
    terminal.until("running for ")
    for _ in range(3):
        seconds = re.findall(r"running for (\d+)s", terminal.seen)
        # The next one, or on a busy machine one that is later.
        terminal.until("running for ", after=f"running for {seconds[-1]}s")
    daemon.post("/v1/request", network="office", reason="x", user="alice")
    terminal.until("requests: 1 pending")
    daemon.stop()
    terminal.until("jitd does not answer; last update")
    daemon.start_again()
    daemon.post("/v1/deny", id=1)
    terminal.until("requests: 0 pending", after="does not answer")
    terminal.type("\x03")
    assert terminal.end() == 130
    assert "\x1b[?" not in terminal.seen  # no mode of the terminal is touched
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", terminal.seen)
    shown = screen(terminal.seen)
    assert shown[0].split() == ["NETWORK", "ACCESS", "DEVICES"]
    assert max(map(len, shown)) <= columns
    assert sum(line.startswith("requests: ") for line in shown) == 1
    assert shown[-4:-1] == ["  Ctrl-C ends this", "^C", "jitctl: interrupted"]


def screen(seen: str) -> list[str]:
    """What is to be seen at the end, on a terminal that can go up, and clear to the end of the line or of the screen."""
    lines, row, column = [""], 0, 0
    for piece in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[^\x1b]", seen):
        if piece == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif piece == "\r":
            column = 0
        elif piece == "\a":
            continue
        elif not piece.startswith("\x1b"):
            lines[row] = lines[row][:column].ljust(column) + piece + lines[row][column + 1 :]
            column += 1
        elif piece.endswith("A"):
            row -= int(piece[2:-1])
            assert row >= 0, "it goes above its own lines"
        elif piece.endswith(("K", "J")):
            lines[row] = lines[row][:column]
            if piece.endswith("J"):
                lines = lines[: row + 1]
        else:
            assert piece.endswith("m"), repr(piece)
    return [line.rstrip() for line in lines]
