"""CSV that no spreadsheet takes for formulas."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from jitctl.render.output import clean, csv_line

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def write(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> None:
    """A line of titles, and one for each row, to standard output."""
    csv_line(list(columns))
    for row in rows:
        csv_line([cell(row[column]) for column in columns])


def cell(value: object) -> str:
    """A cell that no spreadsheet takes for a formula; lists with blanks between."""
    shown = "" if value is None else clean(" ".join(map(str, value)) if isinstance(value, list) else value)
    return f"'{shown}" if shown.startswith(_FORMULA) and not isinstance(value, int) else shown
