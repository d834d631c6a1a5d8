"""More time of a grant, starts in advance, shifts: what moves the ends."""

from typing import Any

import pytest

from jitd.core.errors import JitError
from jitd.queries import eventlog, overview, show
from jitd.verbs import devices, grants, networks, removal, requests
from support.service import ALICE, BOB, HOUR, ROOT, World, key

MINUTE = 60_000
DAY = 24 * HOUR


async def shown(world: World, number: int) -> dict[str, Any]:
    """A request as it is shown."""
    found: dict[str, Any] = (await world.ask(show.show, ROOT, id=number))["request"]
    return found


async def test_its_user_asks_for_more(office: World) -> None:
    """The request shows what it extends; granted, the same grant goes on without a gap, and ends once."""
    number = await office.granted(ALICE, duration=HOUR)
    reply = await office.do(grants.extend, ALICE, id=number, duration=HOUR, comment="not done yet")
    more = reply["request"]
    assert (more["status"], more["extends"], more["wanted"]) == ("pending", number, HOUR)
    assert (await office.ask(overview.status, ALICE))["networks"][0]["asked"] == more["id"]
    await office.advance(HOUR - MINUTE)
    await office.do(grants.grant, ROOT, id=more["id"])
    assert (await shown(office, more["id"]))["status"] == "active"
    assert office.entries()["1 10.9.0.2"] == HOUR + MINUTE
    await office.advance(2 * MINUTE)
    assert set(office.peers()) == {"alice"}
    await office.advance(HOUR - MINUTE)
    assert office.peers() == {}
    assert [(await shown(office, one))["status"] for one in (number, more["id"])] == ["expired", "expired"]
    cut = (await office.ask(eventlog.events_, ROOT, kind="cut_confirmed"))["events"]
    assert [one["id"] for one in cut] == [number]


async def test_an_extension_racing_the_end(office: World) -> None:
    """What nobody decides before the end lapses with it, and cannot be granted any more."""
    number = await office.granted(ALICE, duration=HOUR)
    more = (await office.do(grants.extend, ALICE, id=number, duration=HOUR))["request"]["id"]
    await office.advance(HOUR)
    assert office.peers() == {}
    assert (await shown(office, more))["status"] == "lapsed"
    with pytest.raises(JitError) as caught:
        await office.do(grants.grant, ROOT, id=more)
    assert caught.value.code == "ended"


async def test_a_revoked_grant_takes_its_extensions_with_it(office: World) -> None:
    """What was given ends with it, what waits lapses; a new request is possible at once."""
    number = await office.granted(ALICE, duration=HOUR)
    first = (await office.do(grants.extend, ALICE, id=number, duration=HOUR))["request"]["id"]
    await office.do(grants.grant, ROOT, id=first)
    second = (await office.do(grants.extend, ALICE, id=number, duration=HOUR))["request"]["id"]
    with pytest.raises(JitError) as caught:
        await office.do(grants.revoke, ROOT, id=first)
    assert caught.value.hint == f"Revoke that grant: jitctl revoke {number}"
    await office.do(grants.revoke, ROOT, id=number)
    await office.asked(ALICE)
    statuses = [(await shown(office, one))["status"] for one in (number, first, second)]
    assert statuses == ["revoked", "revoked", "lapsed"]


async def test_one_extension_waits_at_a_time(office: World) -> None:
    """A second one is refused and names the first; somebody else's grant does not exist for a user."""
    number = await office.granted(ALICE, duration=HOUR)
    more = (await office.do(grants.extend, ALICE, id=number, duration=HOUR))["request"]["id"]
    with pytest.raises(JitError) as caught:
        await office.do(grants.extend, ALICE, id=number, duration=HOUR)
    assert f"request {more} is pending" in caught.value.message
    with pytest.raises(JitError) as caught:
        await office.do(grants.extend, BOB, id=number, duration=HOUR)
    assert caught.value.code == "not_found"


async def test_until_a_moment(office: World) -> None:
    """An end in place of a duration is kept however long the decision takes; a decider may give another one."""
    until = office.clock.now_ms() + 3 * HOUR
    number = await office.asked(ALICE, until=until)
    await office.advance(HOUR)
    assert (await office.do(grants.grant, ROOT, id=number))["request"]["ends"] == until
    number = await office.asked(BOB, until=until)
    reply = await office.do(grants.grant, ROOT, id=number, until=until - HOUR)
    assert reply["request"]["ends"] == until - HOUR
    await office.do(grants.extend, ROOT, id=number, until=until)
    assert (await shown(office, number))["ends"] == until


async def test_a_wish_that_is_over_lapses(office: World) -> None:
    """Nobody needs to decide about access that would be over."""
    number = await office.asked(ALICE, until=office.clock.now_ms() + HOUR)
    await office.advance(HOUR)
    assert (await shown(office, number))["status"] == "lapsed"


async def test_access_in_advance(office: World) -> None:
    """It is scheduled, opens by itself at its start for its full duration, and says so; not a moment before."""
    start = office.clock.now_ms() + 2 * HOUR
    number = await office.asked(ALICE, start=start, duration=HOUR)
    granted = (await office.do(grants.grant, ROOT, id=number))["request"]
    assert (granted["status"], granted["starts"], granted["ends"]) == ("scheduled", start, start + HOUR)
    assert office.peers() == {}
    assert office.service.next_deadline()[0] == start
    await office.advance(2 * HOUR - 1)
    assert office.peers() == {}
    await office.advance(1)
    assert set(office.peers()) == {"alice"}
    assert office.entries()["1 10.9.0.2"] == HOUR
    assert [one["id"] for one in (await office.ask(eventlog.events_, ROOT, kind="activated"))["events"]] == [
        number
    ]
    await office.advance(HOUR)
    assert office.peers() == {}
    assert (await shown(office, number))["status"] == "expired"


async def test_what_is_scheduled_can_be_revoked(office: World) -> None:
    """Before its start, too; then it never opens, over a restart neither."""
    start = office.clock.now_ms() + HOUR
    number = await office.asked(ALICE, start=start)
    await office.do(grants.grant, ROOT, id=number)
    await office.restart()
    await office.do(grants.revoke, ROOT, id=number)
    await office.advance(HOUR)
    assert office.peers() == {}


async def test_a_decision_after_the_start_begins_at_once(office: World) -> None:
    """The clock of access starts at the grant when the wished start is over."""
    number = await office.asked(ALICE, start=office.clock.now_ms() + HOUR, duration=HOUR)
    await office.advance(2 * HOUR)
    granted = (await office.do(grants.grant, ROOT, id=number))["request"]
    assert (granted["status"], granted["ends"]) == ("active", office.clock.now_ms() + HOUR)


@pytest.mark.parametrize(("ms", "message"), [(-2 * MINUTE, "in the past"), (366 * DAY, "more than 365 days")])
async def test_starts_that_cannot_be(office: World, ms: int, message: str) -> None:
    """In the past, or too far ahead: refused."""
    with pytest.raises(JitError, match=message):
        await office.asked(ALICE, start=office.clock.now_ms() + ms)


async def test_a_shift(office: World) -> None:
    """Asked for only within the hours or with a start inside them, and over with the shift at the latest."""
    # The test's clock begins at some moment of a day: the shift is an hour around it.
    day = office.clock.now_ms() % DAY // MINUTE
    begins, ends = day - 30, day + 30
    window = f"daily {begins // 60:02}:{begins % 60:02}-{ends // 60:02}:{ends % 60:02} UTC"
    await office.do(networks.set_, ROOT, name="office", changes=[f"jit.hours={window}"])
    number = await office.asked(ALICE, duration=2 * HOUR)
    reply = await office.do(grants.grant, ROOT, id=number)
    left = reply["request"]["ends"] - office.clock.now_ms()
    assert 29 * MINUTE <= left <= 30 * MINUTE
    assert reply["note"].startswith("the shift ends at")
    await office.advance(HOUR)
    assert office.peers() == {}
    with pytest.raises(JitError, match="its hours are daily") as caught:
        await office.asked(ALICE)
    assert "It opens at" in caught.value.hint
    tomorrow = office.clock.now_ms() + DAY - HOUR
    assert (await office.do(requests.request, ALICE, network="office", reason="x", start=tomorrow))["request"]


async def test_grants_of_one_device_end_apart(office: World) -> None:
    """An old grant's end never cuts a newer one on another network of the same interface."""
    await office.do(networks.add, ROOT, name="db", routes=["192.168.7.0/24"])
    first = await office.granted(ALICE, duration=HOUR)
    second = await office.asked(ALICE, network="db")
    await office.do(grants.grant, ROOT, id=second, duration=2 * HOUR)
    await office.advance(HOUR)
    assert (await shown(office, first))["status"] == "expired"
    assert list(office.entries()) == ["2 10.9.0.2"]
    await office.advance(HOUR)
    assert office.entries() == {}


async def test_a_device_with_an_end(office: World) -> None:
    """It is removed at its end, its grant is released with the reason, and nothing outlives it before."""
    ends = office.clock.now_ms() + HOUR
    await office.do(removal.remove, ALICE, name="laptop")
    await office.do(devices.add, ALICE, name="borrowed", public_key=key("phone"), until=ends)
    number = await office.granted(ALICE, duration=2 * HOUR)
    assert list(office.entries().values()) == [HOUR]
    await office.advance(HOUR)
    assert (office.peers(), office.entries()) == ({}, {})
    after = await shown(office, number)
    assert (after["status"], after["ended_comment"]) == ("released", "its device borrowed had its end")
