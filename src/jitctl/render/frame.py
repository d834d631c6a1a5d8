"""Lines that are drawn over and over in the same place of a terminal. What was drawn last stays there."""

import re
import shutil
import sys
from typing import Final

from rich.cells import cell_len

from jitctl.output import is_coloured

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
        shown = [line if _width(line) <= columns else _STYLE.sub("", line)[:columns] for line in lines]
        if len(shown) >= rows:
            shown = [*shown[: max(0, rows - 2)], f"… and {len(shown) - rows + 2} lines more"[: columns - 1]]
        # A terminal that has become narrower has broken them.
        above = sum(max(1, -(-width // columns)) for width in self._drawn)
        up = f"\x1b[{min(above, rows - 1)}A" if above else ""
        sys.stdout.write(f"\r{up}\x1b[J" + "".join(f"{line}\n" for line in shown))
        sys.stdout.flush()
        self._drawn = [_width(line) for line in shown]

    def dim(self, words: str) -> str:
        """Something that is there beside the rest."""
        return f"\x1b[2m{words}\x1b[0m" if is_coloured(sys.stdout) else words


def _width(line: str) -> int:
    return cell_len(_STYLE.sub("", line))
