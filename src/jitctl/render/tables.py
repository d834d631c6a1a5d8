"""Tables. Rich is loaded here, so only where a table is really drawn."""

import io
import sys
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, NamedTuple, TypeVar

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from jitctl.render.output import Painted, clean, out
from jitctl.render.output import columns as terminal_columns

T = TypeVar("T")

#: Width of a table that goes into a file or another program: nothing is cut there.
WIDE: Final = 1000
#: Lines; nothing is ever cut by it.
_HEIGHT: Final = 1000
#: Blanks between two columns.
GAP: Final = 2
#: Behind words that are read from right to left: what follows on the line stays where it is.
_LEFT_TO_RIGHT: Final = "\u200e"


class Column(NamedTuple):
    """A column.

    Where the terminal is too narrow, columns with nothing in them are left away. Then `squeezed` columns give way, then
    those with a `least` width (in characters), the widest first. Columns without one are never cut. What still does not
    fit is left away, the highest `spare` first.
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
    out(*lines(columns, rows))


def draw_each(rows: Iterable[T], *parts: tuple[Column, Callable[[T], str | Cell]]) -> None:
    """Draw a table with a row for each of these. Beside each column stands what it shows of one."""
    draw([column for column, _ in parts], [[show(one) for _, show in parts] for one in rows])


def lines(columns: Sequence[Column], rows: Iterable[Sequence[str | Cell]]) -> list[Painted]:
    """The lines that `draw` would draw, with their styles."""
    drawn = io.StringIO()
    console = _console(drawn)
    console.print(_table(columns, rows, console.width))
    return [Painted(line.rstrip(" ")) for line in drawn.getvalue().splitlines()]


def _console(drawn: io.StringIO) -> Console:
    # Without a terminal the width must not come from the environment: a pipe is as wide as it has to be.
    # Without both, rich takes 80 columns wherever the terminal is a dumb one.
    width = terminal_columns() if sys.stdout.isatty() else WIDE
    return Console(
        file=drawn,
        force_terminal=sys.stdout.isatty(),
        width=width,
        height=_HEIGHT,
        highlight=False,
        markup=False,
        emoji=False,
    )


def _table(columns: Sequence[Column], rows: Iterable[Sequence[str | Cell]], width: int) -> Table:
    cells = [[_text(cell) for cell in row] for row in rows]
    natural = [
        max([cell_len(column.title), *(row[place].cell_len for row in cells)])
        for place, column in enumerate(columns)
    ]
    empty = [place for place in range(len(columns)) if not any(row[place].cell_len for row in cells)]
    widths = fit(columns, natural, width, empty if cells else ())
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
        for place, cell in enumerate(row):
            if sys.stdout.isatty() and any(
                unicodedata.bidirectional(char) in ("R", "AL") for char in cell.plain
            ):
                cell.truncate(widths[place], overflow="ellipsis")
                cell.append(_LEFT_TO_RIGHT)
        table.add_row(*(cell for place, cell in enumerate(row) if widths[place]))
    return table


def fit(
    columns: Sequence[Column], natural: Sequence[int], width: int, empty: Collection[int] = ()
) -> list[int]:
    """The width of each column in characters so that all fit into `width`; 0 leaves a column away.

    `empty` are the places of those that have nothing below their title.
    """
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

    for place in empty:
        if excess() > 0:
            widths[place] = 0
    shrink([place for place, column in enumerate(columns) if column.squeezed])
    shrink([place for place, column in enumerate(columns) if column.least])
    for place in sorted(range(len(columns)), key=lambda place: -columns[place].spare):
        if excess() > 0 and columns[place].spare:
            widths[place] = 0
    # What was left away may have made more room than was missing: for names first.
    for place in sorted(range(len(columns)), key=lambda place: columns[place].squeezed):
        if (columns[place].least or columns[place].squeezed) and widths[place]:
            widths[place] = min(natural[place], widths[place] - excess())
    return widths


def _text(cell: str | Cell) -> Text:
    words, style = (cell.text, cell.style) if isinstance(cell, Cell) else (cell, "")
    return Text(clean(words), style=style, no_wrap=True, overflow="ellipsis")
