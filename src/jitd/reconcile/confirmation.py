"""Whether the kernel was seen to follow the end of a grant, and how late that was."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jitd.core.events import Confirmation, EventKind
from jitd.core.model import Now, Request
from jitd.reconcile.drift import Drift
from jitd.store import events, requests
from jitd.store.database import Rows
from jitd.store.events import Recorder


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A grant whose end the kernel was seen to follow, at `seen_ms`; `due_ms` is when access had to be over."""

    request: Request
    due_ms: int
    seen_ms: int


def confirmed(
    rows: Rows, ended: Iterable[Request], drift: Drift, now: Now, seen_ms: Mapping[int, int]
) -> list[Confirmed]:
    """Those of the ended grants that the kernel agrees with, as far as they were open before.

    It does now; `seen_ms` are the grants of which that was seen before, and when.
    """
    found, ended = [], list(ended)
    open_ = drift.open
    endings = requests.by_ids(rows, [before.id for before in ended])
    for before in ended:
        after = endings.get(before.id)
        if after is None or after.ending is None or before.grant is None:
            continue
        due_ms = min(after.ending.at_ms, before.grant.ends_ms)
        if not open_ or open_.isdisjoint(requests.keys_of(rows, before.id)):
            found.append(Confirmed(before, due_ms, seen_ms.get(before.id, now.wall_ms)))
    return found


def unconfirmed(rows: Rows) -> list[Request]:
    """The grants that ended not long ago and of which nobody has recorded that the kernel was seen to agree: jitd was
    killed in between.
    """
    return list(requests.by_ids(rows, events.unconfirmed(rows)).values())


def record(rows: Rows, confirmed: Iterable[Confirmed], now: Now) -> None:
    """Record when the kernel was seen to agree, and how late that was. Milliseconds, negative: early."""
    record = Recorder(rows, now.wall_ms)
    for one in confirmed:
        record(
            EventKind.CUT_CONFIRMED,
            Confirmation(due=one.due_ms, confirmed=one.seen_ms, lateness=one.seen_ms - one.due_ms),
            request=one.request,
        )
