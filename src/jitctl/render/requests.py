"""A list of requests as a table: which columns there are, and what gives way where the terminal is narrow."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from jitctl.render import sentences, times
from jitctl.render.tables import Cell, Column, draw

if TYPE_CHECKING:
    from jitd import wire

Show: TypeAlias = "Callable[[wire.RequestView, int], str | Cell]"

#: Characters of the bar beside the time left.
BAR: Final = 6


def bar(request: wire.RequestView, now: int) -> str:
    """How much of an active grant is left, as a small bar; "" for others."""
    starts, ends = request["starts"], request["ends"]
    if request["status"] != "active" or starts is None or ends is None:
        return ""
    share = min(max((ends - now) / max(ends - starts, 1), 0), 1)
    # What is left at all is never shown as nothing.
    full = max(round(share * BAR), 1 if ends > now else 0)
    on, off = ("█", "░") if _can("█░") else ("#", ".")
    return on * full + off * (BAR - full)


def _can(characters: str) -> bool:
    try:
        characters.encode(getattr(sys.__stdout__, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _at(name: str) -> Show:
    def show(one: wire.RequestView, now: int) -> str:
        at = one.get(name)
        return times.local(at, now) if isinstance(at, int) else ""

    return show


#: By name as `--columns` takes it: title, how it gives way, and what it shows.
COLUMNS: Final[Mapping[str, tuple[Column, Show]]] = {
    "id": (Column("ID", right=True), lambda one, _: str(one["id"])),
    "user": (Column("USER", least=6), lambda one, _: one["user"]),
    "network": (Column("NETWORK", least=7), lambda one, _: one["network"]),
    "status": (Column("STATUS"), lambda one, _: Cell(sentences.status(one), sentences.style(one))),
    "requested": (Column("REQUESTED", spare=3), lambda one, now: times.ago(one["requested"], now)),
    "wants": (Column("WANTS", spare=4), lambda one, _: sentences.wants(one)),
    "granted": (Column("GRANTED", spare=5), lambda one, _: sentences.granted(one)),
    "reason": (Column("REASON", squeezed=True, least=8, spare=1), lambda one, _: one["reason"]),
    "managed-by": (Column("BY", least=4, spare=2), lambda one, _: one["managed_by"]),
    "left": (Column("LEFT", right=True), sentences.time_left),
    "bar": (Column("", spare=6), bar),
    "comment": (Column("COMMENT", squeezed=True, least=12), lambda one, _: one["comment"]),
    "devices": (Column("DEVICES", least=8), lambda one, _: ", ".join(one["devices"])),
    "asked-by": (Column("ASKED BY", least=6), lambda one, _: one["requested_by"]),
    "starts": (Column("STARTS"), _at("starts")),
    "ends": (Column("ENDS"), _at("ends")),
    "ended": (Column("ENDED"), _at("ended")),
    "why-ended": (Column("WHY", squeezed=True, least=12), lambda one, _: one["ended_comment"]),
}
#: What is shown where nobody names columns.
USUAL: Final = tuple(COLUMNS)[: list(COLUMNS).index("bar") + 1]


def draw_list(requests: Sequence[wire.RequestView], now: int, columns: Sequence[str] | None = None) -> None:
    """Draw requests to standard output; `now` is the daemon's, milliseconds UTC."""
    chosen = [COLUMNS[name] for name in columns or USUAL]
    # Named columns are all wanted: they give way, and are not left away.
    kept = [column._replace(spare=0) if columns else column for column, _ in chosen]
    draw(kept, [[show(one, now) for _, show in chosen] for one in requests])
