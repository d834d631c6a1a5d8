"""Lines that are drawn over and over in the same place of a terminal. What was drawn last stays there."""

import re
import shutil
from typing import Final

from jitctl.render.output import DIM, control, joined, paint
from jitd.core import cells

_STYLE: Final = re.compile(r"\x1b\[[0-9;]*m")


class Frame:
    """On standard output, which is a terminal. Neither its modes nor its cursor are changed, so that nothing has to be
    put right when it ends, however it ends.
    """

    def __init__(self) -> None:
        self._drawn: list[int] = []  # the width of each line that is there, in cells

    def draw(self, lines: list[str]) -> None:
        """Put these lines in the place of those before; they may have styles, and nothing else that is invisible."""
        columns, rows = shutil.get_terminal_size()
        # Broken ones would not be where they are looked for.
        shown = [
            line if _width(line) <= columns else paint(cells.cut(_STYLE.sub("", line), columns), "")
            for line in map(joined, lines)
        ]
        if len(shown) >= rows:
            more = cells.cut(f"… and {len(shown) - rows + 2} lines more", columns - 1)
            shown = [*shown[: max(0, rows - 2)], paint(more, "")]
        # A terminal that has become narrower has broken them.
        above = sum(max(1, -(-width // columns)) for width in self._drawn)
        up = f"\x1b[{min(above, rows - 1)}A" if above else ""
        control(f"\r{up}\x1b[J" + "".join(f"{line}\n" for line in shown))
        self._drawn = [_width(line) for line in shown]

    def dim(self, words: str) -> str:
        """Something that is there beside the rest."""
        return paint(words, DIM)


def _width(line: str) -> int:
    return cells.width(_STYLE.sub("", line))
