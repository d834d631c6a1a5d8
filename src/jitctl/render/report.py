"""A report on the terminal: sums, tables with bars, and rules that may fit better."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from jitctl.render import times
from jitctl.render.charts import bar, sparkline
from jitctl.render.output import BOLD, DIM, clean, out, paint
from jitctl.render.statuses import STATUS
from jitd.core.cells import wrap
from jitd.core.commandline import command
from jitd.core.durations import DAY, HOUR, MINUTE, SECOND

if TYPE_CHECKING:
    from jitd import wire

#: Width of what goes into a file or another program, characters.
PIPED: Final = 100
#: So many rows are told at once.
MOST: Final = 1000
TITLES: Final = {"user": "USER", "network": "NETWORK", "approver": "DECIDED BY"}


def show(reply: wire.ReportReply, filters: Mapping[str, object] = MappingProxyType({})) -> None:
    """Print all of it. `filters` are the options that it was asked for with."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPED
    for line in wrap(f"{period(reply)}, {scope(reply)}", width, whole=True):
        out(line, style=BOLD)
    out()
    for line in _summary(reply, width):
        out(line)
    for by, table in reply["by"].items():
        if table["rows"]:
            out()
            _table(by, table, width, filters)
    if reply["emergencies"]:
        out()
        _emergencies(reply)
    if reply["suggestions"]:
        out()
        by_whom = "" if reply["scope"] == "gateway" else " (administrators change them)"
        out(f"rules that may fit better{by_whom}", style=BOLD)
        for one in reply["suggestions"]:
            for line in wrap(clean(one["why"]), width - 2, whole=True):
                out(f"  {line}")
            # To be typed: never broken.
            out(f"    > {clean(one['command'])}")


def period(reply: wire.ReportReply) -> str:
    """`30 days until 2026-11-23 18:50:00 UTC`."""
    span = reply["until"] - reply["since"]
    return f"{length(span)} until {times.local(reply['until'] - 1)}"


def length(ms: int) -> str:
    """A length of time in its biggest unit that is whole, or the two biggest: `30 days`, `6 hours`, `1d 12h`."""
    for size, unit in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")):
        if ms >= size and ms % size < SECOND:
            return f"{ms // size} {unit}{'s' if ms // size != 1 else ''}"
    return times.left(ms // SECOND * SECOND)


def scope(reply: wire.ReportReply) -> str:
    """Of what it is all."""
    match reply["scope"]:
        case "gateway":
            return "the whole gateway"
        case "networks":
            return f"the networks that you decide about: {clean(', '.join(reply['about']))}"
        case _:
            return "your own requests"


def percent(part: float, whole: float) -> str:
    """`28%`; `<1%` for what is not nothing, "" of nothing."""
    if whole <= 0:
        return ""
    return "<1%" if 0 < part / whole < 0.005 else f"{part / whole:.0%}"


def rate(share: float | None) -> str:
    """`75%`, "" where nobody decided anything."""
    return "" if share is None else f"{share:.0%}"


def hours(ms: int) -> str:
    """A sum of time: `412h`, `3.5h`, `12m 00s`."""
    if ms < HOUR:
        return times.left(ms) if ms else "0"
    return f"{ms / HOUR:.1f}h" if ms < 10 * HOUR else f"{round(ms / HOUR)}h"


def parts(total: wire.ReportNumbers) -> list[tuple[str, int, str]]:
    """(what became of requests, how many, a word beside it)."""
    return [
        ("granted", total["granted"], ""),
        ("by a rule", total["automatic"], ""),
        ("unasked", total["direct"], "given by an administrator without a request"),
        ("break-glass", total["break_glass"], "opened by their users"),
        ("denied", total["denied"], ""),
        ("lapsed", total["lapsed"], "nobody decided in time"),
        ("cancelled", total["cancelled"], ""),
        ("pending", total["pending"], ""),
    ]


_STYLES: Final = {
    "granted": STATUS["active"][1],
    "by a rule": STATUS["active"][1],
    "denied": STATUS["denied"][1],
    "break-glass": "red",
    "pending": STATUS["pending"][1],
}


def _summary(reply: wire.ReportReply, width: int) -> Iterator[str]:
    total = reply["total"]
    asked = [mark["asked"] for mark in reply["marks"]]
    line = f"{'requests':<12}{total['asked']:>7}  "
    note = f"  each mark {length(reply['mark'])}, at most {max(asked, default=0)}"
    # As many marks as there is room for, the newest: what is left away is in the numbers.
    yield f"{line}{paint(sparkline(asked[-max(1, width - len(line) - len(note)) :]), 'cyan')}{note}"
    if sum(reply["hours"]):
        by_hour = [sum(reply["hours"][hour::24]) for hour in range(24)]
        by_day = [sum(reply["hours"][day * 24 : day * 24 + 24]) for day in range(7)]
        yield f"{'':<21}0h {paint(sparkline(by_hour), 'cyan')} 24h  Mon {paint(sparkline(by_day), 'cyan')} Sun"
    room = max(10, min(60, width - 40))
    for name, number, word in parts(total):
        if number:
            drawn = bar(number, total["asked"], room)
            share = percent(number, total["asked"])
            yield (
                f"  {name:<11}{number:>6}  {paint(drawn, _STYLES.get(name, DIM))} {share}"
                + (f"  {word}" if word and len(drawn) + len(word) + 30 <= width else "")
            )
    if total["approval_rate"] is not None:
        decided = total["granted"] + total["denied"]
        yield f"{'decisions':<12}{decided:>7}  {rate(total['approval_rate'])} granted{_waits(total)}"
    if total["grants"]:
        yield f"{'access':<12}{hours(total['open']):>7}  open, of {hours(total['given'])} that were given"
        yield (
            f"{'':<12}{hours(total['used']):>7}  used, {percent(total['used'], total['open']) or '0%'} of what was open;"
            f" {total['unused']} of {total['grants']} grants never"
        )


def _waits(total: wire.ReportNumbers) -> str:
    if total["median"] is None or total["p90"] is None:
        return ""
    return f"; half within {wait(total['median'])}, 9 of 10 within {wait(total['p90'])}"


def wait(ms: int | None) -> str:
    """How long something was waited for, "" where nothing was."""
    return "" if ms is None else times.left(ms)


def _table(by: str, table: wire.ReportTable, width: int, filters: Mapping[str, object]) -> None:
    from jitctl.render.tables import Cell, Column, draw_each

    rows = table["rows"]
    most = max(one["asked"] for one in rows)
    room = max(8, min(40, width - 84))
    draw_each(
        rows,
        (Column(TITLES[by], least=16), lambda one: one["name"]),
        (Column("DECIDED" if by == "approver" else "ASKED", right=True), lambda one: str(one["asked"])),
        (Column("", spare=1), lambda one: Cell(bar(one["asked"], most, room), "cyan")),
        (Column("GRANTED", right=True), lambda one: rate(one["approval_rate"])),
        (Column("HALF IN", right=True), lambda one: wait(one["median"])),
        (Column("9 OF 10 IN", right=True, spare=2), lambda one: wait(one["p90"])),
        (
            Column("BREAK-GLASS", right=True, spare=5)
            if by != "approver"
            else Column("UNASKED", right=True, spare=5),
            lambda one: _some(one["break_glass"] if by != "approver" else one["direct"]),
        ),
        *(
            [(Column("LAPSED", right=True, spare=6), lambda one: _some(one["lapsed"]))]
            if by != "approver"
            else []
        ),
        (Column("OPEN", right=True, spare=3), lambda one: hours(one["open"]) if one["grants"] else ""),
        (Column("USED", right=True), lambda one: percent(one["used"], one["open"])),
    )
    if table["of"] > len(rows):
        again = command("report", by=by, limit=min(table["of"], MOST), **filters)
        out(f"and {table['of'] - len(rows)} more: {again}", style=DIM)


def _some(number: int) -> str:
    return str(number) if number else ""


def _emergencies(reply: wire.ReportReply) -> None:
    from jitctl.render.tables import Cell, Column, draw_each

    draw_each(
        reply["emergencies"],
        (Column("BREAK-GLASS", right=True), lambda one: str(one["id"])),
        (Column("USER", least=6), lambda one: one["user"]),
        (Column("NETWORK", least=7), lambda one: one["network"]),
        (Column("WHEN", spare=1), lambda one: times.ago(one["at"], reply["now"])),
        (Column("LOOKED AT BY", least=8), lambda one: one["reviewed_by"] or Cell("! nobody yet", "bold red")),
        (Column("REASON", squeezed=True, least=12), lambda one: one["reason"]),
    )
    more = reply["total"]["break_glass"] - len(reply["emergencies"])
    if more > 0:
        out(f"and {more} more; what nobody has looked at comes first in jitctl list", style=DIM)
