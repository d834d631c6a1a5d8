"""Requests that end undecided."""

from collections.abc import Iterable

from jitd.core.choices import Status
from jitd.core.events import Comment, EventKind
from jitd.core.model import NOBODY_DECIDED, Account, Ending, Now, Request
from jitd.store import requests
from jitd.store.database import Rows
from jitd.store.events import Recorder


def lapse(rows: Rows, now: Now) -> None:
    """Record that nobody has decided requests in time."""
    _lapse(rows, requests.lapsed(rows, now.wall_ms), NOBODY_DECIDED, now)


def lapse_of(rows: Rows, account: Account, why: str, now: Now) -> None:
    """Lapse what an account has asked for, because of `why`."""
    pending = [one for one in requests.open_of(rows, account.id) if one.status(now) is Status.PENDING]
    _lapse(rows, pending, why, now)


def _lapse(rows: Rows, found: Iterable[Request], why: str, now: Now) -> None:
    record = Recorder(rows, now.wall_ms)
    for request in found:
        ending = Ending(how=Status.LAPSED, at_ms=now.wall_ms, by="", comment=why)
        if requests.end(rows, request.id, ending):
            record(EventKind.LAPSED, Comment(comment=why), request=request)
