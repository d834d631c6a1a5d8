"""Break-glass and the emergency stop."""

from typing import Any

import pytest

from jitd.core.errors import JitError
from jitd.core.model import Actor
from jitd.queries import eventlog, listing, overview, show
from jitd.verbs import devices, freezing, grants, networks, requests
from support.service import ALICE, BOB, CAROL, HOUR, ROOT, World, key

DAY = 24 * HOUR
REASON = "the database is on fire"


@pytest.fixture
async def glass(office: World) -> World:
    """Alice may break the glass of office, twice a week, for an hour."""
    changes = ["jit.break_glass=@staff", "jit.break_glass_quota=2", "jit.break_glass_reason_min_length=15"]
    await office.do(networks.set_, ROOT, name="office", changes=changes)
    return office


async def broken(world: World, actor: Actor = ALICE, **more: object) -> dict[str, Any]:
    """A use of break-glass."""
    body = {"network": "office", "reason": REASON, "break_glass": True, **more}
    made: dict[str, Any] = (await world.do(requests.request, actor, **body))["request"]
    return made


async def test_it_opens_at_once_and_is_unreviewed(glass: World) -> None:
    """For its own maximum; listed first until somebody else has acknowledged it with a comment; told in status."""
    made = await broken(glass)
    assert (made["status"], made["marks"]) == ("active", ["unreviewed"])
    assert made["ends"] - made["starts"] == HOUR
    assert set(glass.peers()) == {"alice"}
    await glass.asked(BOB)
    assert [one["id"] for one in (await glass.ask(listing.list_, ROOT))["requests"]] == [
        made["id"],
        made["id"] + 1,
    ]
    warnings = (await glass.ask(overview.status, ROOT))["gateway"]["warnings"]
    assert any(
        "not acknowledged by another approver (break-glass, or decided by the person who registered "
        "the device): 1" in one
        for one in warnings
    )
    await glass.advance(HOUR)
    assert glass.peers() == {}
    assert (await glass.ask(show.show, ROOT, id=made["id"]))["request"]["marks"] == ["unreviewed"]
    after = (await glass.do(grants.acknowledge, CAROL, id=made["id"], comment="it was"))["request"]
    assert (after["marks"], after["reviewed_by"], after["reviewed_comment"]) == ([], "carol", "it was")
    with pytest.raises(JitError, match="carol has acknowledged it already"):
        await glass.do(grants.acknowledge, ROOT, id=made["id"], comment="again")


async def test_nobody_acknowledges_their_own(glass: World) -> None:
    """Not as an administrator either, and not without a comment."""
    number = (await broken(glass))["id"]
    glass.people.put_into("alice", "admins")
    with pytest.raises(JitError, match="nobody decides on their own"):
        await glass.do(grants.acknowledge, ALICE, id=number, comment="fine")
    with pytest.raises(JitError, match="without a comment"):
        await glass.do(grants.acknowledge, CAROL, id=number, comment="")


async def test_a_quota_limits_it(glass: World) -> None:
    """Twice a week; the third is refused and names what to do; a week later it is possible again."""
    for _ in range(2):
        await broken(glass)
        await glass.advance(HOUR)
    with pytest.raises(JitError) as caught:
        await broken(glass)
    assert (caught.value.code, "the limit is 2" in caught.value.message) == ("limit", True)
    await glass.advance(7 * DAY)
    assert (await broken(glass))["status"] == "active"


@pytest.mark.parametrize(
    ("actor", "more", "message"),
    [
        (BOB, {}, "break-glass on office is for @staff"),
        (ALICE, {"reason": "quickly"}, "at least 15"),
        (ALICE, {"duration": 2 * HOUR}, "break_glass_max is 1h"),
        (ALICE, {"start": 4_000_000_000_000}, "in more than 365 days"),
        (CAROL, {"user": "alice"}, "only the user may use it"),
    ],
)
async def test_who_may_not(glass: World, actor: Actor, more: dict[str, object], message: str) -> None:
    """Others, short reasons, long durations, starts in advance and use for somebody else are refused."""
    with pytest.raises(JitError, match=message):
        await broken(glass, actor, **more)
    assert glass.peers() == {}


async def test_what_waits_is_replaced(glass: World) -> None:
    """A pending request of the same user is cancelled by it, and says so."""
    number = await glass.asked(ALICE)
    await broken(glass)
    after = (await glass.ask(show.show, ROOT, id=number))["request"]
    assert (after["status"], after["ended_comment"]) == ("cancelled", "break-glass instead")


async def test_urgent_only_marks(glass: World) -> None:
    """An urgent request opens nothing; it is listed before the other ones that wait."""
    first = await glass.asked(ALICE, urgent=True)
    second = await glass.asked(BOB)
    listed = (await glass.ask(listing.list_, ROOT))["requests"]
    assert [(one["id"], one["marks"]) for one in listed] == [(first, ["urgent"]), (second, [])]
    page = await glass.ask(listing.list_, ROOT, limit=1)
    after = await glass.ask(listing.list_, ROOT, limit=1, after=page["next"])
    assert [one["id"] for one in (*page["requests"], *after["requests"])] == [first, second]
    assert glass.peers() == {}


async def test_freeze_closes_everything(glass: World) -> None:
    """Grants, break-glass and standing access, at once and over a restart; nothing opens until thaw; clocks run on."""
    await glass.do(devices.add, CAROL, name="laptop", public_key=key("carol"))
    number = await glass.granted(BOB, duration=2 * HOUR)
    await broken(glass)
    assert set(glass.peers()) == {"alice", "bob", "carol"}
    reply = await glass.do(freezing.freeze, CAROL, reason="intruder")
    assert (reply["agrees"], reply["freeze"]["by"], reply["kept"]) == (True, "carol", [])
    assert (glass.peers(), glass.entries()) == ({}, {})
    assert "frozen" in (await glass.ask(show.show, ROOT, id=number))["request"]["marks"]
    assert (await glass.do(freezing.freeze, ROOT, reason="again"))["already"] is True
    await glass.restart()
    await glass.advance(HOUR)
    assert (glass.peers(), glass.entries()) == ({}, {})
    await glass.do(freezing.thaw, ROOT)
    assert set(glass.peers()) == {"bob", "carol"}
    assert glass.entries()["1 10.9.0.3"] == HOUR
    kinds = [one["kind"] for one in (await glass.ask(eventlog.events_, ROOT))["events"]]
    assert (kinds.count("frozen"), kinds.count("thawed")) == (1, 1)


async def test_nothing_opens_while_frozen(glass: World) -> None:
    """No grant, no break-glass, no automatic approval, no extension of time that is over; asking is possible."""
    await glass.do(networks.set_, ROOT, name="office", changes=["jit.auto_approve=bob up to 1h, 9 a week"])
    await glass.do(freezing.freeze, ROOT, reason="intruder")
    asked = await glass.do(requests.request, BOB, network="office", reason="logs", duration=HOUR)
    assert asked["request"]["status"] == "pending"
    for actor, verb, body in (
        (CAROL, grants.grant, {"id": asked["request"]["id"]}),
        (ALICE, requests.request, {"network": "office", "reason": REASON, "break_glass": True}),
    ):
        with pytest.raises(JitError, match="root has frozen all access: intruder"):
            await glass.do(verb, actor, **body)
    assert glass.peers() == {}


async def test_some_administrators_are_kept(glass: World) -> None:
    """Those whom the configuration names keep their access, as long as they are administrators."""
    from dataclasses import replace

    config = glass.config
    glass.service.reload(replace(config, daemon=replace(config.daemon, kept_when_frozen=("carol", "bob"))))
    await glass.do(devices.add, CAROL, name="laptop", public_key=key("carol"))
    await glass.granted(BOB)
    await glass.do(freezing.freeze, ROOT, reason="intruder")
    assert set(glass.peers()) == {"carol"}


async def test_freeze_is_for_administrators(glass: World) -> None:
    """Nobody else closes everything, or opens it again."""
    for verb, body in ((freezing.freeze, {"reason": "x"}), (freezing.thaw, {})):
        with pytest.raises(JitError) as caught:
            await glass.do(verb, BOB, **body)
        assert caught.value.code == "not_permitted"
