"""Looking."""

import pytest

from jitd.core.errors import JitError
from jitd.queries import eventlog, listing, overview, show
from jitd.verbs import devices, freezing, grants, holding, requests
from support.service import ALICE, BOB, CAROL, HOUR, ROOT, World, key


async def test_status_shows_each_state(office: World) -> None:
    """From request over pending to active and back; paused is a mark."""

    async def state() -> tuple[str, bool]:
        (only,) = (await office.ask(overview.status, ALICE))["networks"]
        return only["state"], only["paused"]

    assert await state() == ("request", False)
    number = await office.asked()
    assert await state() == ("pending", False)
    await office.do(grants.grant, ROOT, id=number, duration=HOUR)
    assert await state() == ("active", False)
    await office.do(holding.pause, ALICE)
    assert await state() == ("active", True)
    await office.advance(HOUR)
    assert await state() == ("request", False)


async def test_status_of_an_administrator_has_the_gateway(office: World) -> None:
    """Backend, counts and warnings are for administrators only."""
    await office.granted(ALICE)
    await office.asked(BOB)
    gateway = (await office.ask(overview.status, ROOT))["gateway"]
    assert (gateway["backend"], gateway["pending"], gateway["active"]) == ("memory", 1, 1)
    assert gateway["warnings"] == ["the memory backend enforces nothing: it is for dry runs"]
    assert "gateway" not in await office.ask(overview.status, ALICE)


async def test_list_has_pending_first_then_newest(office: World) -> None:
    """The oldest of three is pending and comes first; the others follow, newest first."""
    pending = await office.asked(BOB)
    first = await office.asked(ALICE)
    await office.do(grants.deny, ROOT, id=first)
    second = await office.granted(ALICE)
    listed = await office.ask(listing.list_, ROOT)
    assert [one["id"] for one in listed["requests"]] == [pending, second, first]
    assert listed["counts"] == {"pending": 1, "approved": 1, "denied": 1, "ended": 0}


async def test_users_list_their_own(office: World) -> None:
    """A user sees only their own requests and counts."""
    mine = await office.asked(ALICE)
    await office.asked(BOB)
    listed = await office.ask(listing.list_, ALICE)
    assert [one["id"] for one in listed["requests"]] == [mine]
    assert listed["counts"]["pending"] == 1
    assert (await office.ask(listing.list_, CAROL))["counts"]["pending"] == 2


async def test_pages_have_everything_once(office: World) -> None:
    """Pages of two, one after the other, hold every request once and in order."""
    numbers = []
    for _ in range(5):
        number = await office.asked(ALICE)
        await office.do(requests.cancel, ALICE, id=number)
        numbers.append(number)
    numbers.append(await office.asked(ALICE))
    numbers.append(await office.asked(BOB))
    seen, after = [], ""
    while True:
        page = await office.ask(listing.list_, ROOT, limit=2, after=after)
        assert len(page["requests"]) <= 2
        seen += [one["id"] for one in page["requests"]]
        after = page["next"]
        if not after:
            break
    assert seen == [numbers[6], numbers[5], *reversed(numbers[:5])]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status": ["pending"]}, ["bob"]),
        ({"tab": ["approved"]}, ["alice"]),
        ({"status": ["pending", "active"]}, ["bob", "alice"]),
        ({"status": ["pending", "active"], "tab": ["approved"]}, ["alice"]),
        ({"status": ["pending"], "tab": ["approved"]}, []),
        ({"user": "alice"}, ["alice"]),
        ({"network": "office"}, ["bob", "alice"]),
        ({"network": "lab"}, []),
        ({"search": "LOGS"}, ["bob"]),
        ({"search": "100%"}, []),
        ({"search": "_"}, []),
        ({"search": "alice"}, ["alice"]),
    ],
)
async def test_filters(
    office: World, query: dict[str, object] | dict[str, str], found: list[object] | list[str]
) -> None:
    """Each filter lists just what it names; wildcards in a search are plain characters."""
    await office.granted(ALICE)
    await office.asked(BOB, reason="read the logs")
    assert [one["user"] for one in (await office.ask(listing.list_, ROOT, **query))["requests"]] == found
    counted = await office.ask(listing.list_, ROOT, **query, count=True)
    assert (counted["requests"], counted["count"]) == ([], len(found))


async def test_what_time_has_changed_is_counted_as_it_is(office: World) -> None:
    """A grant that is over counts as expired and not as active, before anybody has recorded that."""
    await office.granted(ALICE, duration=HOUR)
    await office.granted(BOB, duration=2 * HOUR)
    office.clock.advance(HOUR)
    for status, count in (("active", 1), ("expired", 1), ("pending", 0)):
        assert (await office.ask(listing.list_, ROOT, status=[status], count=True))["count"] == count
    assert (await office.ask(listing.list_, ALICE, count=True))["count"] == 1


@pytest.mark.parametrize("query", [{"limit": 0}, {"after": "; DROP"}])
async def test_what_cannot_be_listed(office: World, query: dict[str, object]) -> None:
    """A limit out of range and a forged cursor are errors."""
    with pytest.raises(JitError) as caught:
        await office.ask(listing.list_, ROOT, **query)
    assert caught.value.code == "bad_request"


async def test_what_has_lapsed_says_why_before_it_is_recorded(office: World) -> None:
    """Whoever looks in that moment is told the same as afterwards."""
    number = await office.asked(ALICE)
    lapses = (await office.ask(show.show, ALICE, id=number))["request"]["lapses"]
    office.clock.advance(25 * HOUR)
    told = []
    for _ in range(2):
        one = (await office.ask(show.show, ALICE, id=number))["request"]
        told.append((one["status"], one["ended_comment"]))
        assert one["ended"] >= lapses
        await office.advance(0)
    assert told == [("lapsed", "nobody decided in time")] * 2


async def test_events_have_no_gap_and_name_the_actor(office: World) -> None:
    """SEQ counts up by one; who acted is as the kernel said; users see their own."""
    number = await office.granted(ALICE)
    await office.do(grants.revoke, CAROL, id=number)
    events = (await office.ask(eventlog.events_, ROOT))["events"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    revoked = next(event for event in events if event["kind"] == "revoked")
    assert (revoked["actor"]["uid"], revoked["actor"]["user"], revoked["actor"]["login_uid"]) == (
        61003,
        "carol",
        61003,
    )
    assert {event["user"] for event in (await office.ask(eventlog.events_, ALICE))["events"]} == {"alice"}
    with pytest.raises(JitError):
        await office.ask(eventlog.events_, ALICE, user="bob")


async def test_a_freeze_is_told_to_everybody(office: World) -> None:
    """Whoever watches learns of a freeze and its end; of others' requests they still learn nothing."""
    await office.asked(BOB)
    await office.do(freezing.freeze, ROOT, reason="intruder")
    await office.do(freezing.thaw, ROOT)
    seen = [event["kind"] for event in (await office.ask(eventlog.events_, ALICE))["events"]]
    assert seen == ["device_added", "frozen", "thawed"]


async def test_events_are_kept(office: World) -> None:
    """The store itself refuses to change or delete an event."""
    import sqlite3

    from jitd.store.database import FILE_NAME

    connection = sqlite3.connect(office.config.daemon.state_dir / FILE_NAME)
    for statement in ("DELETE FROM event", "UPDATE event SET kind = 'x'"):
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(statement)
    connection.close()


async def test_a_reason_is_harmless_when_it_is_shown(office: World) -> None:
    """Escape sequences and bidi characters in a reason never reach the store."""
    number = await office.asked(ALICE, reason="\x1b]0;pwned\x07 for\u202e you")
    shown = (await office.ask(show.show, ROOT, id=number))["request"]["reason"]
    assert shown == "]0;pwned for you"


async def test_waiting_is_told(office: World) -> None:
    """When the kernel does not agree, the verb says so, status is loud, and the mark is there until it does."""
    number = await office.asked(ALICE)
    # Somebody has put an interface of another kind in the place of wg0.
    office.wireguard.remove_link("wg0")
    office.wireguard.add_other_link("wg0")
    reply = await office.do(grants.grant, ROOT, id=number)
    assert reply["agrees"] is False
    assert reply["waiting"].startswith("wg0: ")
    assert reply["request"]["marks"] == ["activating"]
    assert (await office.ask(overview.status, ROOT))["gateway"]["waiting"] == [reply["waiting"]]
    office.wireguard.remove_other_link("wg0")
    await office.advance(2000)
    shown = (await office.ask(show.show, ROOT, id=number))["request"]
    assert shown["marks"] == []
    assert set(office.peers()) == {"alice"}
    kinds = [event["kind"] for event in (await office.ask(eventlog.events_, ROOT))["events"]]
    assert "enforcement_failed" in kinds
    assert "enforcement_recovered" in kinds


async def test_a_device_is_named_in_a_grant(office: World) -> None:
    """A grant shows the devices that it was given for."""
    await office.do(devices.add, ALICE, name="phone", public_key=key("phone"))
    number = await office.granted(ALICE)
    assert (await office.ask(show.show, ALICE, id=number))["request"]["devices"] == ["laptop", "phone"]
