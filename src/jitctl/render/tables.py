"""Tables. Rich is loaded here, so only where a table is really drawn."""

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from jitctl.output import clean

#: Width of a table that goes into a file or another program: nothing is cut there.
WIDE: Final = 1000


class Column(NamedTuple):
    """A column. The least important one gives way first; `squeezed` ones are cut with an ellipsis before others."""

    title: str
    squeezed: bool = False
    right: bool = False
    least: int = 1  # width in characters below which it is not cut


class Cell(NamedTuple):
    """Text with a style of rich's; the text itself is never read as markup."""

    text: str
    style: str = ""


def draw(columns: Sequence[Column], rows: Iterable[Sequence[str | Cell]], width: int | None = None) -> None:
    """Draw a table to standard output, as wide as the terminal, or uncut where it is none.

    `width` is in characters; None takes the terminal's.
    """
    on_terminal = sys.stdout.isatty()
    console = Console(
        width=width or (None if on_terminal or os.environ.get("COLUMNS") else WIDE),
        highlight=False,
        markup=False,
        emoji=False,
    )
    table = Table(box=None, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(
            column.title,
            no_wrap=True,
            overflow="ellipsis",
            justify="right" if column.right else "left",
            ratio=1 if column.squeezed and on_terminal else None,
            min_width=column.least,
        )
    for row in rows:
        table.add_row(*(_text(cell) for cell in row))
    console.print(table)


def _text(cell: str | Cell) -> Text:
    words, style = (cell.text, cell.style) if isinstance(cell, Cell) else (cell, "")
    return Text(clean(words), style=style, no_wrap=True, overflow="ellipsis")
