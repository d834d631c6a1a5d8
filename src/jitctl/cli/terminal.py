"""Asking somebody at a terminal: a line, or a single key. What came before the question, together with something else, or
from the terminal itself answers nothing; see keys.py.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from jitctl.cli.keys import ALONE_SECONDS, Keys
from jitctl.render.output import beside
from jitd.core.cells import width
from jitd.core.text import visible, visible_lines

_ENTER: Final = ("\n", "\r")
_ERASE: Final = ("\x7f", "\b")
_ERASE_LINE, _ERASE_WORD, _END_OF_INPUT = "\x15", "\x17", "\x04"
#: The terminal marks what is pasted from now on, and no longer.
_MARK, _NO_MARKS = "\x1b[?2004h", "\x1b[?2004l"


def key(prompt: str) -> str:
    """One key that came alone, without Enter: a line end for Enter, "" at the end of the input.

    Raises KeyboardInterrupt at Ctrl-C.
    """
    with _unbuffered(lambda: beside(visible_lines(prompt))):
        keys = Keys()
        while True:
            data = _read(None)
            while data:
                keys.feed(data)
                data = _read(keys.wait)
            if data is not None:
                return ""
            if found := keys.end():
                return "\n" if found in _ENTER else "" if found == _END_OF_INPUT else found


def line(question: str) -> str:
    """A line of text, stripped. Raises KeyboardInterrupt at Ctrl-C and at the end of the input.

    Enter ends it when it came alone: the line ends of what is pasted are blanks.
    """
    typed = _Line(question)
    with _unbuffered(typed.show):
        keys = Keys()
        try:
            while True:
                data = _read(None)
                while data:
                    typed.take(keys.feed(data))
                    data = _read(keys.wait)
                found = keys.end()
                if found in _ENTER:
                    return typed.text.strip()
                if data is not None or (found == _END_OF_INPUT and not typed.text):
                    raise KeyboardInterrupt
        finally:
            beside("\n")


class _Line:
    """What was typed so far, as it stands behind the question."""

    def __init__(self, question: str) -> None:
        self.text = ""
        self._question = visible(question)
        self._ended = False  # by a line end, which is a blank where more comes behind it

    def show(self) -> None:
        """The question and what was typed so far."""
        beside(f"{self._question}{self.text}")

    def take(self, chars: str) -> None:
        for char in chars:
            if char in _ENTER:
                self._ended = True
                continue
            if self._ended:
                self._ended = False
                self._add(" ")
            if char in _ERASE:
                self._cut(len(self.text) - 1)
            elif char == _ERASE_LINE:
                self._cut(0)
            elif char == _ERASE_WORD:
                self._cut(self.text.rstrip().rfind(" ") + 1)
            elif char == "\t" or char.isprintable():
                self._add(" " if char == "\t" else char)

    def _add(self, char: str) -> None:
        self.text += char
        beside(char)

    def _cut(self, length: int) -> None:
        gone, self.text = self.text[max(length, 0) :], self.text[: max(length, 0)]
        if width(self._question + self.text + gone) < os.get_terminal_size(sys.stderr.fileno()).columns:
            beside("\b \b" * width(gone))
        else:  # a cursor does not go back over the beginning of a line
            beside(f"\n{self._question}{self.text}")


def _read(seconds: float | None) -> bytes | None:
    """What comes within so many seconds (None: whenever); b"" at the end of the input, None when nothing comes."""
    fd = sys.stdin.fileno()
    if not select.select([fd], [], [], seconds)[0]:
        return None
    return os.read(fd, 4096)


@contextmanager
def _unbuffered(show: Callable[[], None]) -> Iterator[None]:
    """The terminal gives each key at once, and shows none. What was typed before does not count.

    `show` the question: at the beginning, and again where it was stopped (Ctrl-Z), because a shell leaves its own
    settings behind.
    """
    import signal
    import termios
    import tty

    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    marks = os.environ.get("TERM", "dumb") != "dumb"

    def begin(*_: object) -> None:
        tty.setcbreak(fd)
        while _read(ALONE_SECONDS):
            termios.tcflush(fd, termios.TCIFLUSH)
        beside(_MARK if marks else "")
        show()

    stopped = signal.signal(signal.SIGCONT, begin)
    try:
        begin()
        yield
    finally:
        signal.signal(signal.SIGCONT, stopped)
        beside(_NO_MARKS if marks else "")
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
