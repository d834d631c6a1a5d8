"""How the session looks: prompts, answers, times. Colour only on a terminal that wants it."""

import os
from typing import TextIO

WIDTH = 100


class Screen:
    """Writes a session to a stream, line by line as it happens."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.colour = stream.isatty() and not os.environ.get("NO_COLOR")

    def _write(self, text: str, style: str = "") -> None:
        self.stream.write(f"\x1b[{style}m{text}\x1b[0m" if style and self.colour else text)
        self.stream.flush()

    def chapter(self, text: str) -> None:
        """A heading."""
        self._write(f"\n== {text} {'=' * max(WIDTH - len(text) - 4, 2)}\n", "1")

    def typed(self, user: str, where: str, line: str) -> None:
        """A prompt with what is typed behind it; `where` is the machine's name."""
        machine = where if where == "gateway" else f"{where}s-laptop"
        self._write(f"\n{user}@{machine}{'#' if user == 'root' else '$'} ", "36")
        self._write(f"{line}\n", "1")

    def answered(self, text: str, seconds: float) -> None:
        """What came back, and after how long."""
        if text.strip():
            self._write(text.rstrip("\n") + "\n")
        self._write(f"{f'[{seconds:.2f} s]':>{WIDTH}}\n", "2")

    def said(self, text: str) -> None:
        """A remark of the demo's own."""
        self._write(f"{text}\n")

    def second(self, left: int, out: int, back: int) -> None:
        """One line of the countdown: seconds left (negative: since the end), packets that arrived meanwhile."""
        bar = "#" * min(out // 50, 20)
        when = f"{left:3} s left " if left >= 0 else f"{-left:3} s after"
        self._write(f"  {when}   laptop->office {out:5}   office->laptop {back:5}   {bar}\n")
