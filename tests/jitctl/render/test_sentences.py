"""Requests and events in words, as recorded replies tell them."""

from collections.abc import Callable

import pytest

from jitctl.render import events, sentences
from jitd import wire

NOW = 1_790_000_000_000  # 2026-09-21 14:13:20 UTC
HOUR = 3_600_000


@pytest.fixture(autouse=True)
def utc(zone: Callable[[str], None]) -> None:
    """Local times are UTC."""
    zone("UTC")


def request(**given: object) -> wire.RequestView:
    """Alice's pending request for office, changed by what is given."""
    made: wire.RequestView = {
        "id": 7,
        "user": "alice",
        "network": "office",
        "status": "pending",
        "tab": "pending",
        "marks": [],
        "reason": "ticket 42",
        "requested": NOW,
        "requested_by": "alice",
        "wanted": None,
        "lapses": 0,
        "start": None,
        "until": None,
        "extends": None,
        "break_glass": False,
        "approvals": 1,
        "approved_by": [],
        "reviewed": None,
        "reviewed_by": "",
        "reviewed_comment": "",
        "decided": None,
        "decided_by": "",
        "comment": "",
        "starts": None,
        "ends": None,
        "ended": None,
        "ended_by": "",
        "ended_comment": "",
        "managed_by": "",
        "devices": [],
    }
    made.update(given)  # type: ignore[typeddict-item]  # usual values, some replaced
    return made


def event(kind: str, **data: object) -> wire.EventView:
    """An event about alice's laptop, office and wg0."""
    return {
        "seq": 1,
        "at": NOW,
        "kind": kind,
        "actor": None,
        "id": 7,
        "user": "alice",
        "network": "office",
        "interface": "wg0",
        "device": "laptop",
        "data": data,
    }


def test_each_status_has_a_symbol_of_its_own_kind() -> None:
    """Symbol, word and marks: what colour says is said without it too."""
    assert sentences.status(request()) == "? pending"
    assert (
        sentences.status(request(status="active", marks=["paused", "cutting"]))
        == "* active (paused, cutting)"
    )
    assert sentences.status(request(status="frozen-by-a-newer-daemon")) == "frozen-by-a-newer-daemon"


def test_wants_stays_what_was_wished() -> None:
    """Also once something else is granted, which stands beside it."""
    assert sentences.wants(request()) == "default"
    assert sentences.wants(request(wanted=HOUR)) == "1h"
    given = request(wanted=HOUR, starts=NOW, ends=NOW + 2 * HOUR)
    assert (sentences.wants(given), sentences.granted(given)) == ("1h", "2h")
    assert sentences.granted(request(wanted=HOUR)) == ""


def test_an_end_is_told_with_whoever_made_it() -> None:
    """And why, where somebody said so; there is no blank before the colon where nobody ended it."""
    assert sentences.ended(request()) == ""
    assert sentences.ended(request(ended=NOW)) == "2026-09-21 14:13:20 UTC"
    assert sentences.ended(request(ended=NOW, ended_comment="lost")) == "2026-09-21 14:13:20 UTC: lost"
    told = sentences.ended(request(ended=NOW, ended_by="carol", ended_comment="lost"))
    assert told == "2026-09-21 14:13:20 UTC by carol: lost"


def test_time_left_comes_from_the_reply() -> None:
    """It is counted from the daemon's now, and only for a grant that lives."""
    active = request(status="active", starts=NOW, ends=NOW + 2 * HOUR)
    assert sentences.time_left(active, NOW + 1) == "2h 00m"
    assert sentences.time_left(active, NOW + 2 * HOUR - 9000) == "9s"
    assert sentences.time_left(request(status="expired", starts=NOW, ends=NOW), NOW) == ""
    later = request(status="scheduled", starts=NOW + HOUR, ends=NOW + 3 * HOUR)
    assert sentences.time_left(later, NOW) == "in 1h 00m"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "request 7: alice asks for office, pending"),
        (
            {"status": "active", "starts": NOW, "ends": NOW + HOUR},
            "office is open for alice until 15:13:20 UTC (1h 00m), grant 7",
        ),
        (
            {"status": "active", "starts": NOW, "ends": NOW + HOUR, "marks": ["paused"]},
            "office is paused; grant 7 runs on until 15:13:20 UTC",
        ),
        ({"status": "denied"}, "request 7 of alice for office is denied"),
        ({"status": "cancelled"}, "request 7 of alice for office is cancelled"),
        ({"status": "released", "starts": NOW, "ends": NOW}, "grant 7 of alice for office is released"),
        ({"status": "revoked", "starts": NOW, "ends": NOW}, "grant 7 of alice for office is revoked"),
        (
            {"status": "scheduled", "starts": NOW + 24 * HOUR, "ends": NOW + 25 * HOUR},
            "office opens for alice at 2026-09-22 14:13:20 UTC, grant 7",
        ),
    ],
)
def test_what_a_verb_has_done_is_one_sentence(given: dict[str, object], told: str) -> None:
    """Each status that a verb can lead to."""
    assert sentences.outcome(request(**given), NOW) == told


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (event("requested", reason="x", wanted=HOUR), "asked for office for 1h: x"),
        (event("requested", reason="x", wanted=None), "asked for office: x"),
        (event("cancelled"), "withdrew the request"),
        (event("granted", duration=HOUR, comment=""), "granted office for 1h"),
        (event("granted", duration=HOUR, comment="ok"), "granted office for 1h: ok"),
        (event("denied", comment="no"), "denied office: no"),
        (event("revoked", comment="stolen"), "revoked office: stolen"),
        (event("released"), "released office"),
        (event("paused"), "paused office"),
        (event("resumed"), "resumed office"),
        (event("expired"), "access to office has ended"),
        (event("lapsed", comment="nobody decided"), "the request for office lapsed: nobody decided"),
        (
            event("cut_confirmed", lateness=2),
            "access is cut, confirmed by the kernel (2 ms after its end)",
        ),
        (event("network_added"), "added the network office on wg0"),
        (
            event(
                "network_changed", before={"members": [], "max": 1}, after={"members": ["@staff"], "max": 1}
            ),
            "changed the network office: members none -> @staff",
        ),
        (event("network_removed"), "removed the network office"),
        (
            event("jit_on", loses=["bob/laptop"]),
            "switched just-in-time access on for office: bob/laptop lost access",
        ),
        (
            event("jit_off", gains=["bob/laptop"]),
            "switched just-in-time access off for office: bob/laptop gained access",
        ),
        (event("interface_added"), "created the interface wg0"),
        (
            event("interface_changed", before={"mtu": 0}, after={"mtu": 1420}),
            "changed the interface wg0: mtu 0 -> 1420",
        ),
        (event("interface_removed"), "removed the interface wg0"),
        (
            event("interface_adopted", owner="wg-quick", unmanaged=["k"]),
            "adopted wg0 (wg-quick) with 1 unmanaged peers",
        ),
        (event("interface_recreated"), "created wg0 again: it had been removed"),
        (event("enforce_on", loses=["k"]), "enforces wg0 now: 1 peers lost access"),
        (event("enforce_off", gains=[]), "stopped enforcing wg0: 0 peers have access again"),
        (event("device_added"), "added alice's device laptop"),
        (event("device_removed"), "removed alice's device laptop"),
        (event("device_rotated"), "replaced the key of alice's device laptop"),
        (
            event("device_rotated", preshared_key_dropped=True),
            "replaced the key of alice's device laptop; its preshared key is dropped",
        ),
        (
            event("device_lost", networks=["lab", "office"], recorded_later=True),
            "reported alice's device laptop lost: its access to lab, office is cut, and its key can never be "
            "registered again"
            " (recorded later: the store could not be written then)",
        ),
        (
            event("device_lost", networks=[]),
            "reported alice's device laptop lost: it had no access, and its key can never be registered "
            "again",
        ),
        (event("device_imported"), "assigned a peer of wg0 to alice as laptop"),
        (event("stranger_removed", public_key="KEY="), "removed an unknown peer from wg0: KEY="),
        (
            event("stranger_removed", public_key="KEY=", device="laptop"),
            "removed alice's laptop, which has no access, from wg0: KEY=",
        ),
        (event("unmanaged_seen", public_key="KEY="), "a new unmanaged peer is on wg0: KEY="),
        (event("unmanaged_gone", public_key="KEY="), "an unmanaged peer has left wg0: KEY="),
        (event("started", backend="kernel"), "jitd started (kernel backend)"),
        (event("stopped"), "jitd stopped"),
        (
            event("closing_undone", verb="revoke", what="the end of 7", by="bob", why="he may not"),
            "reopened access that bob had cut (the end of 7): he may not",
        ),
        (
            event("mark_missing"),
            "the mark of the last closing is missing: jitd cannot tell whether the store was restored from "
            "an older copy",
        ),
        (
            event("store_restored", seq=40, mark=52),
            "the store was restored from an older copy: 12 events are missing, and its grants and keys stay "
            "closed"
            " (jitctl accept-restored)",
        ),
        (
            event("restored_accepted", gains=["alice/laptop"]),
            "accepted the restored store: alice/laptop has access again",
        ),
        (
            event("enforcement_failed", error="no such device"),
            "wg0 does not agree with the store: no such device",
        ),
        (event("enforcement_recovered"), "wg0 agrees with the store again"),
    ],
    ids=lambda given: given["kind"] if isinstance(given, dict) else "",
)
def test_each_kind_of_event_is_a_sentence(told: wire.EventView, sentence: str) -> None:
    """What happened, with the facts that the event carries."""
    assert events.sentence(told) == sentence


def test_an_unknown_kind_is_named() -> None:
    """Events of a newer daemon, and known ones with other facts, are told by their name."""
    assert events.sentence(event("moon_landing")) == "moon landing"
    assert events.sentence(event("cut_confirmed")) == "cut confirmed"


def test_what_others_typed_moves_no_terminal() -> None:
    """Escapes, bidi marks and line ends in an event's facts are gone from its sentence."""
    assert events.sentence(event("denied", comment="a\x1b[2Jb\u202ec\nd")) == "denied office: a[2Jbc d"


def test_who_acted_names_the_person_behind_sudo() -> None:
    """The user, the login user behind another one, and jitd where nobody acted."""
    actor: wire.ActorView = {
        "uid": 0,
        "user": "root",
        "login_uid": 1000,
        "login_user": "carol",
        "login_claimed": False,
        "pid": 1,
        "origin": "",
    }
    assert events.by(event("stopped")) == "jitd"
    assert events.by({**event("granted"), "actor": actor}) == "root (carol)"
    assert events.by({**event("granted"), "actor": {**actor, "user": "carol"}}) == "carol"
    assert events.by({**event("granted"), "actor": {**actor, "login_user": None}}) == "root"
    # Only root's own login is sure: everybody else's may have been written by themselves.
    svc: wire.ActorView = {**actor, "uid": 999, "user": "svc", "login_claimed": True}
    assert events.by({**event("granted"), "actor": svc}) == "svc (login claimed: carol)"


def test_an_event_among_others_says_whose_it_is() -> None:
    """In a log of everything each line names its request and whose that is; in the history of one it does not."""
    made = event("denied", comment="no")
    carol: wire.ActorView = {
        "uid": 1,
        "user": "carol",
        "login_uid": None,
        "login_user": None,
        "login_claimed": False,
        "pid": 1,
        "origin": "",
    }
    made["actor"] = carol
    assert events.line(made) == "2026-09-21 14:13:20 UTC  carol: denied office: no"
    assert events.entry(made) == "2026-09-21 14:13:20 UTC  carol, 7 of alice: denied office: no"
    carol["user"] = "alice"
    assert events.entry(made) == "2026-09-21 14:13:20 UTC  alice, 7: denied office: no"
    assert events.entry({**made, "id": None}) == "2026-09-21 14:13:20 UTC  alice: denied office: no"
