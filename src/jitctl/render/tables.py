"""Tables. Rich is loaded here, so only where a table is really drawn."""

import sys
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from jitctl.output import clean

#: Width of a table that goes into a file or another program: nothing is cut there.
WIDE: Final = 1000
#: Blanks between two columns.
GAP: Final = 2


class Column(NamedTuple):
    """A column.

    Where the terminal is too narrow, `squeezed` columns give way first, then those with a `least` width (in
    characters), the widest first. Columns without one are never cut. What still does not fit is left away, the highest
    `spare` first.
    """

    title: str
    squeezed: bool = False
    right: bool = False
    least: int = 0
    spare: int = 0


class Cell(NamedTuple):
    """Text with a style of rich's; the text itself is never read as markup."""

    text: str
    style: str = ""


def draw(columns: Sequence[Column], rows: Iterable[Sequence[str | Cell]]) -> None:
    """Draw a table to standard output, as wide as the terminal, or uncut where it is none."""
    console = _console()
    console.print(_table(columns, rows, console.width))


def lines(columns: Sequence[Column], rows: Iterable[Sequence[str | Cell]]) -> list[str]:
    """The lines that `draw` would draw, with their styles."""
    console = _console()
    with console.capture() as captured:
        console.print(_table(columns, rows, console.width))
    return captured.get().splitlines()


def _console() -> Console:
    # Without a terminal the width must not come from the environment: a pipe is as wide as it has to be.
    return Console(width=None if sys.stdout.isatty() else WIDE, highlight=False, markup=False, emoji=False)


def _table(columns: Sequence[Column], rows: Iterable[Sequence[str | Cell]], width: int) -> Table:
    cells = [[_text(cell) for cell in row] for row in rows]
    natural = [
        max([cell_len(column.title), *(row[place].cell_len for row in cells)])
        for place, column in enumerate(columns)
    ]
    widths = fit(columns, natural, width)
    table = Table(box=None, show_edge=False, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for place, column in enumerate(columns):
        if widths[place]:
            table.add_column(
                column.title,
                width=widths[place],
                no_wrap=True,
                overflow="ellipsis",
                justify="right" if column.right else "left",
            )
    for row in cells:
        table.add_row(*(cell for place, cell in enumerate(row) if widths[place]))
    return table


def fit(columns: Sequence[Column], natural: Sequence[int], width: int) -> list[int]:
    """The width of each column in characters so that all fit into `width`; 0 leaves a column away."""
    widths = list(natural)

    def excess() -> int:
        shown = [one for one in widths if one]
        return sum(shown) + GAP * (len(shown) - 1) - width

    def shrink(places: list[int]) -> None:
        while excess() > 0:
            able = [place for place in places if widths[place] > columns[place].least]
            if not able:
                return
            widths[max(able, key=lambda place: widths[place])] -= 1

    shrink([place for place, column in enumerate(columns) if column.squeezed])
    shrink([place for place, column in enumerate(columns) if column.least])
    for place in sorted(range(len(columns)), key=lambda place: -columns[place].spare):
        if excess() > 0 and columns[place].spare:
            widths[place] = 0
    # What was left away may have made more room than was missing.
    for place, column in enumerate(columns):
        if column.squeezed and widths[place]:
            widths[place] = min(natural[place], widths[place] - excess())
    return widths


def _text(cell: str | Cell) -> Text:
    words, style = (cell.text, cell.style) if isinstance(cell, Cell) else (cell, "")
    return Text(clean(words), style=style, no_wrap=True, overflow="ellipsis")
