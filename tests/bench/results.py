"""Samples and tables: what was measured, how often, and how many times the floor that is."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

HEADER = ("what", "n", "p50 ms", "p99 ms", "max ms", "x floor")


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that at least this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


@dataclass(frozen=True)
class Row:
    """Samples in milliseconds; `floors` name the rows of the same table that together are the floor."""

    what: str
    values: tuple[float, ...]
    floors: tuple[str, ...] = ()

    @property
    def p50(self) -> float:
        """The median, milliseconds."""
        return statistics.median(self.values)


@dataclass
class Table:
    """One measurement's numbers. `notes` are sentences that stand below it."""

    title: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, what: str, values: Iterable[float], *floors: str) -> Row:
        """Add a row of samples in milliseconds. Raises AssertionError when there are none."""
        row = Row(what, tuple(values), floors)
        assert row.values, f"nothing was measured: {what}"
        self.rows.append(row)
        return row

    def row(self, what: str) -> Row:
        """The row of this name."""
        return next(row for row in self.rows if row.what == what)

    def ratio(self, row: Row) -> float | None:
        """The median as a multiple of the medians of its floors; None where there is nothing to compare with."""
        floor = sum(self.row(name).p50 for name in row.floors)
        return row.p50 / floor if floor > 0 and row.p50 >= 0 else None

    def text(self) -> str:
        """As Markdown, aligned so that it can be read as it is."""
        lines: list[tuple[str, ...]] = [HEADER]
        floors = {name for row in self.rows for name in row.floors}
        for row in self.rows:
            ratio = self.ratio(row)
            lines.append(
                (
                    row.what,
                    f"{len(row.values):,}",
                    *(shown(value) for value in (row.p50, percentile(row.values, 0.99), max(row.values))),
                    "floor"
                    if row.what in floors and ratio is None
                    else ""
                    if ratio is None
                    else f"{ratio:.1f}",
                )
            )
        widths = [max(2, *(len(line[column]) for line in lines)) for column in range(len(HEADER))]
        rule = ["-" * width if not column else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
        found = [f"## {self.title}", ""]
        for number, line in enumerate(lines):
            cells = [
                cell.ljust(widths[0]) if not column else cell.rjust(widths[column])
                for column, cell in enumerate(line)
            ]
            found.append(f"| {' | '.join(cells)} |")
            if number == 0:
                found.append(f"| {' | '.join(rule)} |")
        return "\n".join([*found, *(["", *self.notes] if self.notes else []), ""])


def shown(ms: float) -> str:
    """Milliseconds with as many digits as mean something."""
    return f"{ms:,.0f}" if abs(ms) >= 100 else f"{ms:.1f}" if abs(ms) >= 10 else f"{ms:.2f}"


@dataclass
class Result:
    """What a measurement found: its tables, and for the summary one line each."""

    tables: list[Table] = field(default_factory=list)
    summary: list[str] = field(default_factory=list)

    def judge(self, what: str, *, reached: bool) -> None:
        """Add a line to the summary about something that is wanted. Times are told, never asserted."""
        self.summary.append(f"{'reached    ' if reached else 'NOT reached'}  {what}")

    def tell(self, what: str) -> None:
        """Add a line to the summary about something that is just told."""
        self.summary.append(f"told         {what}")
