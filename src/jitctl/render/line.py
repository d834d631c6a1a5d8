"""One line at the bottom of a terminal that is drawn again and again, and leaves nothing behind."""

import os
import shutil
import sys
from typing import Final

from jitctl.render.output import beside, clean
from jitd.core import cells

#: How often it is drawn, seconds.
EVERY: Final = 0.25
_TURNS: Final = "|/-\\"
_CLEAR: Final = "\r\x1b[K"


class Line:
    """On standard error, and nowhere but at a terminal."""

    def __init__(self) -> None:
        self.is_shown = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._drawn = False
        self._turn = 0

    def draw(self, words: str) -> None:
        """Show these words behind something that turns."""
        if not self.is_shown:
            return
        # A line that is as wide as the terminal would not be there alone any more.
        width = shutil.get_terminal_size().columns - 1
        shown = cells.cut(f"{_TURNS[self._turn % len(_TURNS)]} {clean(words)}", width)
        self._turn += 1
        self._drawn = True
        beside(f"{_CLEAR}{shown}")

    def begin(self) -> None:
        """Have a line for what comes next, where a ^C stands in this one."""
        if self.is_shown:
            beside(_CLEAR)
        elif sys.stderr.isatty():
            beside("\n")

    def clear(self) -> None:
        """Take it away, so that something else can be printed."""
        if self._drawn:
            self._drawn = False
            beside(_CLEAR)
