"""What is told on the desktop, and when."""

import pytest

from jitctl.desktop import attending
from jitd import wire
from support.status_reply import HOUR, NOW, reply

MINUTE = 60_000


def event(kind: str, user: str | None = "alice", by: str | None = "carol", **data: object) -> wire.EventView:
    actor: wire.ActorView | None = None
    if by is not None:
        actor = {
            "uid": 1,
            "user": by,
            "login_uid": 1,
            "login_user": by,
            "login_claimed": False,
            "pid": 1,
            "origin": "",
        }
    return {
        "seq": 1,
        "at": NOW,
        "kind": kind,
        "actor": actor,
        "id": 1,
        "user": user,
        "network": "office",
        "interface": None,
        "device": None,
        "data": dict(data),
    }


def test_decisions_and_ends_are_told() -> None:
    """A denial with its reason, an end, a freeze; what others or the user did is not."""
    told = attending.of_event(event("denied", comment="ask your lead"), "alice")
    assert told == ("office: denied", "carol: denied office: ask your lead", False)
    ended = attending.of_event(event("expired", by=None), "alice")
    assert ended == ("office: access has ended", "jitd: access to office has ended", False)
    frozen = attending.of_event(event("frozen", user=None, reason="stolen laptop"), "alice")
    assert frozen is not None
    assert frozen.urgent
    for other in (
        event("denied", user="bob"),
        event("released", by="alice"),
        event("break_glass", by="alice"),
        event("requested", by="alice"),
    ):
        assert attending.of_event(other, "alice") is None


def test_an_end_is_told_ten_and_two_minutes_before() -> None:
    """Once each; what was slept over is told with the time that is really left, and not when that is over."""
    status = reply(starts=NOW - HOUR, ends=NOW + HOUR)
    at = attending.next_ending(status, NOW)
    assert at == NOW + HOUR - 10 * MINUTE
    assert attending.endings(status, NOW, at - 1) == []
    (word,) = attending.endings(status, NOW, at)
    assert (word.title, word.urgent) == ("office: 10m 00s left", True)
    assert attending.next_ending(status, at) == NOW + HOUR - 2 * MINUTE
    (late,) = attending.endings(status, NOW, NOW + HOUR - 30_000)
    assert late.title == "office: 30s left"
    assert attending.endings(status, NOW, NOW + HOUR) == []
    assert attending.next_ending(status, NOW + HOUR) is None


@pytest.mark.parametrize(
    ("state", "needed"),
    [("active", True), ("pending", True), ("scheduled", True), ("request", False), ("standing", False)],
)
def test_it_is_needed_while_something_is_open_or_asked_for(state: str, needed: bool) -> None:
    """An agent that was started by connect ends with what it was started for."""
    assert attending.is_needed(reply(state=state)) is needed
