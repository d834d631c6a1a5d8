"""What a user is told on the desktop, and when: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from jitctl.render import events, times
from jitd.core import notices
from jitd.core.events import EventKind

if TYPE_CHECKING:
    from jitd import wire


class Word(NamedTuple):
    """A notification."""

    title: str
    body: str
    urgent: bool = False


def of_event(event: wire.EventView, user: str) -> Word | None:
    """What `user` is told of an event; None for what is not theirs, and for what they did themselves."""
    kind = EventKind.of(event["kind"])
    if kind is None or not kind.row.desktop or event["user"] not in (user, None):
        return None
    if event["actor"] is not None and event["actor"]["user"] == user:
        return None
    body = f"{events.by(event)}: {events.sentence(event)}"
    return Word(kind.row.desktop.format(event["network"] or ""), body, kind.row.urgent)


def next_ending(reply: wire.StatusReply, after_ms: int) -> int | None:
    """When something is to be told next that no event tells, by the gateway's clock: that an end is near."""
    moments = [at for one in reply["networks"] if (at := _warning(one, after_ms)) is not None]
    return min(moments, default=None)


def endings(reply: wire.StatusReply, after_ms: int, now: int) -> list[Word]:
    """What was to be told between two moments: of each end that is near, once."""
    found = []
    for one in reply["networks"]:
        at, ends = _warning(one, after_ms), one["ends"] or 0
        if at is None or at > now or ends <= now:
            continue
        name, left = one["network"], times.left(ends - now)
        found.append(
            Word(f"{name}: {left} left", f"jitctl extend {one['id']} -d 1h asks for more.", urgent=True)
        )
    return found


def is_needed(reply: wire.StatusReply) -> bool:
    """Whether something is open, or will be, or waits for a decision."""
    return any(one["state"] in ("pending", "scheduled", "active") for one in reply["networks"])


def _warning(network: wire.NetworkStatus, after_ms: int) -> int | None:
    starts, ends = network["starts"], network["ends"]
    if network["state"] != "active" or starts is None or ends is None:
        return None
    return notices.next_warning(starts, ends, after_ms)
