"""A command at a real terminal (a pseudo one)."""

import codecs
import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

from jitctl.cli.keys import ALONE_SECONDS
from support.in_process_daemon import InProcessDaemon


class Terminal:
    """A command at a terminal of a given width."""

    def __init__(
        self, daemon: InProcessDaemon, *words: str, columns: int = 80, rows: int = 24, **environment: str
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

    def stop(self) -> None:
        """Ctrl-Z and `fg`: a shell takes the terminal with settings of its own, and gives it back without them.

        What was seen before is forgotten.
        """
        self.more()
        self._process.send_signal(signal.SIGSTOP)
        os.waitpid(self._process.pid, os.WUNTRACED)
        termios.tcsetattr(self._main, termios.TCSANOW, self.modes)
        self.seen = ""
        self._process.send_signal(signal.SIGCONT)

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
