"""A QR code on a terminal: black on white whatever the terminal's colours are, two rows of it in each line."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Final

#: Free modules around it, as ISO/IEC 18004 asks for.
_QUIET: Final = 4
#: Black letters on white of the 256 colours, which no theme changes; light or dark, the code is dark on light.
_BEGIN: Final = "\x1b[38;5;16;48;5;231m"
_END: Final = "\x1b[0m"
#: (upper is dark, lower is dark) as one character.
_BLOCKS: Final = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}


class Code:
    """A text as a code. Raises OverflowError when it is too long for one."""

    def __init__(self, text: str) -> None:
        import segno
        from segno.encoder import DataOverflowError

        # The lowest level of correction: a screen has no scratches, and the code is the smaller for it.
        try:
            made = segno.make(text, error="l", micro=False)
        except DataOverflowError as error:
            raise OverflowError(str(error)) from error
        self._rows = [[bool(dark) for dark in row] for row in made.matrix_iter(border=_QUIET)]

    @property
    def columns(self) -> int:
        """How many columns of a terminal it takes."""
        return len(self._rows)

    @property
    def lines(self) -> int:
        """How many lines of a terminal it takes."""
        return (len(self._rows) + 1) // 2

    def drawn(self) -> Iterator[str]:
        """Its lines, with colours."""
        light = [False] * len(self._rows)
        pairs = zip_longest(self._rows[::2], self._rows[1::2], fillvalue=light)
        for upper, lower in pairs:
            yield f"{_BEGIN}{''.join(map(_BLOCKS.__getitem__, zip(upper, lower, strict=True)))}{_END}"
