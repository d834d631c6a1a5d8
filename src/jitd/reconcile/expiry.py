"""Grants whose time is over."""

from collections.abc import Iterable
from typing import Final

from jitd.core.choices import Status
from jitd.core.events import Ends, EventKind
from jitd.core.model import Ending, Grant, Now, Request
from jitd.store import requests
from jitd.store.database import Rows
from jitd.store.events import Recorder

#: Clocks that nobody has set differ by less, milliseconds.
_CLOCKS_APART_MS: Final = 1000


def due(rows: Rows, now: Now) -> list[Request]:
    """The grants that are over by either clock."""
    return requests.due(rows, now.wall_ms, now.boot_id, now.boot_ms)


def next_end(rows: Rows, now: Now) -> tuple[int | None, int | None]:
    """(wall ms, boot ms) of the next grant that ends."""
    return requests.next_end(rows, now.boot_id)


def expire(rows: Rows, over: Iterable[Request], now: Now) -> None:
    """Record that the time of these grants is over, and which clock decided."""
    record = Recorder(rows, now.wall_ms)
    for request in over:
        grant = request.grant
        assert grant is not None
        ending = Ending(how=Status.EXPIRED, at_ms=now.wall_ms, by="", comment="")
        if requests.end(rows, request.id, ending):
            record(EventKind.EXPIRED, Ends(ends=grant.ends_ms, clock=_clock(grant, now)), request=request)


def _clock(grant: Grant, now: Now) -> str:
    """Which clock ended a grant: `both`, or the one that is well ahead of the other because one of them was set."""
    if now.wall_ms < grant.ends_ms - _CLOCKS_APART_MS:
        return "boot"
    same_boot = now.boot_id == grant.boot_id
    return "wall" if same_boot and now.boot_ms < grant.ends_boot_ms - _CLOCKS_APART_MS else "both"
