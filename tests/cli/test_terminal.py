"""jitctl at a real terminal (a pseudo one): choices, questions, colours, widths."""

import codecs
import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time

from jitctl.keys import ALONE_SECONDS
from support.running import Running
from support.typed import Typed


class Terminal:
    """A command at a terminal of a given width."""

    def __init__(
        self, daemon: Running, *words: str, columns: int = 80, rows: int = 24, **environment: str
    ) -> None:
        self._main, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        inherited = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jitctl", *words],
            stdin=side,
            stdout=side,
            stderr=side,
            start_new_session=True,
            # The terminal belongs to it, so that Ctrl-C reaches it.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no threads run yet
            env={
                **inherited,
                "JITCTL_SOCKET": os.fspath(daemon.socket),
                "TZ": "UTC",
                "TERM": "xterm-256color",
                **environment,
            },
        )
        os.close(side)
        self.modes = termios.tcgetattr(self._main)
        self.seen = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def until(self, text: str, seconds: float = 30, *, after: str = "") -> None:
        """Read until this text was printed, behind the last of another one."""
        deadline = time.monotonic() + seconds
        while after not in self.seen or text not in (self.seen.rpartition(after)[2] if after else self.seen):
            assert time.monotonic() < deadline, f"waited in vain for {text!r}; there is: {self.seen!r}"
            if select.select([self._main], [], [], 0.2)[0]:
                self.seen += self._read()

    def type(self, text: str) -> None:
        """Type something as people do: Enter comes alone."""
        words = text.rstrip("\r\n")
        for part in (words, text[len(words) :]):
            if part:
                time.sleep(ALONE_SECONDS * 2)
                self.send(part)

    def send(self, text: str) -> None:
        """All of it at once, as a terminal's answers and what is pasted come."""
        os.write(self._main, text.encode())

    def more(self) -> str:
        """All that was printed, with what there is by now."""
        while select.select([self._main], [], [], 0)[0]:
            self.seen += self._read()
        return self.seen

    def end(self) -> int:
        """Read to the end; returns the exit status. The terminal's modes must be what they were."""
        while chunk := self._read():
            self.seen += chunk
        assert termios.tcgetattr(self._main) == self.modes
        os.close(self._main)
        return self._process.wait(30)

    def _read(self) -> str:
        # What is read may end in the middle of a character. An error is the other side being closed: terminals end so.
        with contextlib.suppress(OSError):
            while data := os.read(self._main, 65536):
                if chars := self._decoder.decode(data):
                    return chars
        return ""

    @property
    def plain(self) -> list[str]:
        """The lines without colours."""
        return [
            line.rstrip() for line in re.sub(r"\x1b\[(?:[0-9;]*m|\?2004[hl])", "", self.seen).splitlines()
        ]


def test_grant_offers_a_choice_and_shows_it_before_it_acts(daemon: Running) -> None:
    """Without an id: the pending ones, a question, user, network, reason and end, and nothing without a yes."""
    for user in ("alice", "bob"):
        daemon.post("/v1/request", network="office", reason=f"{user}'s reason", user=user, duration=3_600_000)
    terminal = Terminal(daemon, "grant")
    terminal.until("Which one (2)? ")
    assert "    2  bob wants office for 1h, just now: bob's reason" in terminal.plain
    terminal.type("1\n")
    terminal.until("Grant it? [y/N] ")
    assert "  user     alice" in terminal.plain
    assert "  network  office" in terminal.plain
    assert "  reason   alice's reason" in terminal.plain
    assert any(line.startswith("  until    15:13:20 UTC (1h 00m)") for line in terminal.plain)
    assert daemon.get("/v1/show?id=1")[1]["request"]["status"] == "pending"
    terminal.type("no\n")
    assert terminal.end() == 1
    assert daemon.get("/v1/show?id=1")[1]["request"]["status"] == "pending"

    terminal = Terminal(daemon, "grant", "--duration", "8h")
    terminal.until("Which one")
    terminal.type("1\n")
    terminal.until("(8h 00m)")
    terminal.type("y\n")
    assert terminal.end() == 0
    assert daemon.get("/v1/show?id=1")[1]["request"]["status"] == "active"


def test_a_missing_reason_is_asked_for(daemon: Running) -> None:
    """request without --reason asks at a terminal."""
    terminal = Terminal(daemon, "request", "office", "--user", "alice")
    terminal.until("Why do you need access? ")
    terminal.type("because\n")
    assert terminal.end() == 0
    assert daemon.get("/v1/show?id=1")[1]["request"]["reason"] == "because"


def test_an_interrupted_question_is_130(daemon: Running) -> None:
    """Ctrl-C and the end of the input at a question change nothing, and exit with 130."""
    for key in ("\x03", "\x04"):
        terminal = Terminal(daemon, "request", "office", "--user", "alice")
        terminal.until("Why do you need access? ")
        terminal.type(key)
        assert terminal.end() == 130
    assert daemon.get("/v1/list")[1]["requests"] == []


def test_a_table_fits_the_terminal(daemon: Running) -> None:
    """At 80 and at 160 columns no line is wider; ID, status and time left are always whole; the reason gives way."""
    daemon.post("/v1/request", network="office", reason="x" * 300, user="alice", duration=3_600_000)
    daemon.post("/v1/grant", id=1)
    for columns in (60, 80, 160):
        terminal = Terminal(daemon, "list", columns=columns)
        assert terminal.end() == 0
        assert max(map(len, terminal.plain)) <= columns
        assert "* active" in terminal.plain[1]
        assert terminal.plain[1].endswith("1h 00m  ██████" if columns == 160 else "1h 00m")
        assert "…" in terminal.plain[1]
        assert terminal.plain[2:] == ["0 pending, 1 approved, 0 denied, 0 ended", "  jitctl show 1"]


def test_words_from_right_to_left_move_nothing_behind_them(daemon: Running, jitctl: Typed) -> None:
    """Whole or cut, a reason in Arabic ends with a mark, so that the time left stays in its column; a file has no marks."""
    daemon.post("/v1/request", network="office", reason="صباح الخير " * 9, user="alice", duration=3_600_000)
    daemon.post("/v1/grant", id=1)
    for columns, end in ((80, "…\u200e"), (200, "الخير\u200e")):
        terminal = Terminal(daemon, "list", columns=columns)
        assert terminal.end() == 0
        row = terminal.plain[1]
        assert end in row
        assert row.rstrip(" █").endswith("  admin  1h 00m")
    assert "\u200e" not in jitctl("list").out


def test_colours_only_where_they_are_wanted(daemon: Running) -> None:
    """Status has a colour at a terminal, none with NO_COLOR, and the words are the same."""
    daemon.post("/v1/request", network="office", reason="x", user="alice")
    coloured, plain = Terminal(daemon, "list"), Terminal(daemon, "list", NO_COLOR="1")
    assert (coloured.end(), plain.end()) == (0, 0)
    assert "\x1b[33m" in coloured.seen
    assert "\x1b[33m" not in plain.seen
    assert coloured.plain == plain.plain


def test_a_lost_device_stands_out_among_events(daemon: Running) -> None:
    """Its line is bold red at a terminal, and that of a device that was added is not."""
    daemon.post("/v1/device/remove", name="laptop", user="alice", lost=True)
    terminal = Terminal(daemon, "events", columns=200)
    assert terminal.end() == 0
    assert [line for line in terminal.seen.splitlines() if "\x1b[1;31m" in line] == [
        line for line in terminal.seen.splitlines() if "reported alice's device laptop lost" in line
    ]
    assert terminal.seen.count("\x1b[1;31m") == 1
