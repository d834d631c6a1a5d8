"""What a report says of a time."""

from itertools import pairwise
from typing import Any

import pytest

from jitd.core.errors import JitError
from jitd.core.model import Actor
from jitd.queries import report
from jitd.verbs import grants, networks, requests
from support.service import ALICE, BOB, CAROL, HOUR, ROOT, World, passes

MINUTE = 60_000
DAY = 24 * HOUR
SUDO_CAROL = Actor(uid=0, user="root", login_uid=61003, login_user="carol")


async def told(world: World, actor: Actor = ROOT, **query: object) -> dict[str, Any]:
    """What report says."""
    return await world.ask(report.report, actor, **query)


@pytest.fixture
async def busy(office: World) -> World:
    """Office, about which bob decides, and vault, about which only administrators do, with something on each."""
    await office.do(
        networks.add, ROOT, name="vault", routes=["10.4.0.0/16"], changes=["jit.break_glass=alice"]
    )
    await office.do(networks.set_, ROOT, name="office", changes=["approvers=bob"])
    for waits in (1, 2, 10):
        number = await office.asked(ALICE)
        await office.advance(waits * MINUTE)
        await office.do(grants.grant, CAROL, id=number, duration=HOUR)
        await office.advance(HOUR)
    number = await office.asked(ALICE)
    await office.advance(3 * MINUTE)
    await office.do(grants.deny, BOB, id=number)
    await office.do(requests.request, ALICE, network="vault", reason="it is on fire", break_glass=True)
    await office.asked(BOB, network="vault")
    await office.advance(DAY)
    await office.asked(BOB)
    return office


async def test_everything_is_summed_up_once(busy: World) -> None:
    """What people decided, what became of the rest, and how long it took: minutes 1, 2, 3 and 10."""
    found = (await told(busy))["total"]
    assert found == {
        "asked": 7,
        "granted": 3,
        "denied": 1,
        "automatic": 0,
        "break_glass": 1,
        "direct": 0,
        "lapsed": 1,
        "cancelled": 0,
        "pending": 1,
        "approval_rate": 0.75,
        "median": 2 * MINUTE,
        "p90": 10 * MINUTE,
        "grants": 4,
        "given": 4 * HOUR,
        "open": 4 * HOUR,
        "used": 0,
        "unused": 4,
    }


async def test_each_way_to_group_it(busy: World) -> None:
    """Users and networks by how much was asked for, approvers by how much they decided."""
    found = (await told(busy))["by"]
    assert {
        by: [
            (row["name"], row["asked"], row["granted"], row["denied"], row["median"]) for row in table["rows"]
        ]
        for by, table in found.items()
    } == {
        "user": [("alice", 5, 3, 1, 2 * MINUTE), ("bob", 2, 0, 0, None)],
        "network": [("office", 5, 3, 1, 2 * MINUTE), ("vault", 2, 0, 0, None)],
        "approver": [("carol", 3, 3, 0, 2 * MINUTE), ("bob", 1, 0, 1, 3 * MINUTE)],
    }
    only = (await told(busy, by="user", limit=1))["by"]
    assert [(by, [row["name"] for row in table["rows"]], table["of"]) for by, table in only.items()] == [
        ("user", ["alice"], 2)
    ]


async def test_who_decides_through_sudo_is_named(office: World) -> None:
    """Behind root it is who had logged in, together with what the same one decided without; root is only root."""
    for actor in (SUDO_CAROL, CAROL, ROOT):
        await office.do(grants.deny, actor, id=await office.asked(ALICE))
    found = (await told(office))["by"]["approver"]["rows"]
    assert [(row["name"], row["denied"], row["median"]) for row in found] == [("carol", 2, 0), ("root", 1, 0)]


async def test_a_time_holds_what_was_asked_for_within_it(busy: World) -> None:
    """The last hour has one request, the day before it the others; both together have all."""
    now = busy.clock.now_ms()
    for query, asked in (
        ({"since_ago": HOUR}, 1),
        ({"since": now - 2 * DAY, "until": now - HOUR}, 6),
        ({"until_ago": HOUR}, 6),
        ({"since": now, "until": now + DAY}, 1),
        ({"user": "bob"}, 2),
        ({"network": "vault"}, 2),
        ({"network": "vault", "user": "alice"}, 1),
        ({"user": "nobody"}, 0),
    ):
        found = await told(busy, **query)
        assert found["total"]["asked"] == asked, query
        assert sum(mark["asked"] for mark in found["marks"]) == asked, query


async def test_marks_have_no_gaps(busy: World) -> None:
    """Thirty days are as many marks, oldest first, and the last one has what is new."""
    found = await told(busy)
    assert (found["mark"], len(found["marks"])) == (DAY, 30)
    assert [mark["asked"] for mark in found["marks"]][-4:] == [0, 0, 6, 1]
    assert {after["at"] - before["at"] for before, after in pairwise(found["marks"])} == {DAY}


async def test_break_glass_is_told_with_its_reason(busy: World) -> None:
    """Nobody has looked at it; afterwards it says who did."""
    (found,) = (await told(busy))["emergencies"]
    assert (found["user"], found["network"], found["reason"], found["reviewed_by"]) == (
        "alice",
        "vault",
        "it is on fire",
        "",
    )
    await busy.do(grants.acknowledge, CAROL, id=found["id"], comment="was on fire")
    assert (await told(busy))["emergencies"][0]["reviewed_by"] == "carol"


async def test_who_is_told_what(busy: World) -> None:
    """Administrators of everything, who decides of those networks, users of themselves."""
    for actor, query, scope, about, asked in (
        (CAROL, {}, "gateway", [], 7),
        (BOB, {}, "networks", ["office"], 5),
        (BOB, {"user": "alice"}, "networks", ["office"], 4),
        (BOB, {"user": "bob"}, "own", [], 2),
        (BOB, {"network": "vault"}, "own", [], 1),
        (ALICE, {}, "own", [], 5),
        (ALICE, {"network": "vault"}, "own", [], 1),
        (ALICE, {"user": "alice"}, "own", [], 5),
        (ALICE, {"network": "elsewhere"}, "own", [], 0),
    ):
        found = await told(busy, actor, **query)
        assert (found["scope"], found["about"], found["total"]["asked"]) == (scope, about, asked), query
    assert {row["name"] for row in (await told(busy, BOB))["by"]["network"]["rows"]} == {"office"}
    assert (await told(busy, BOB))["emergencies"] == []
    assert list((await told(busy, ALICE))["by"]) == ["network", "approver"]


@pytest.mark.parametrize(
    ("actor", "query", "code"),
    [
        (ALICE, {"user": "bob"}, "not_permitted"),
        (BOB, {"network": "vault", "user": "alice"}, "not_permitted"),
        (ROOT, {"network": "elsewhere"}, "not_found"),
        (ROOT, {"limit": 0}, "bad_request"),
        (ROOT, {"since_ago": HOUR, "until_ago": DAY}, "bad_request"),
    ],
)
async def test_what_cannot_be_reported(
    busy: World, actor: Actor, query: dict[str, object], code: str
) -> None:
    """Somebody else's, what does not exist, times that end before they begin."""
    with pytest.raises(JitError) as caught:
        await told(busy, actor, **query)
    assert caught.value.code == code


async def test_what_was_granted_is_held_against_what_was_used(office: World) -> None:
    """Two hours were given, half of one was open, and something came in ten minutes of that."""
    number = await office.granted(ALICE, duration=2 * HOUR)
    for step in range(1, 11):
        passes(office, 1000 * step, 1000 * step)
        await office.advance(MINUTE)
        await office.service.check()
    await office.advance(20 * MINUTE)
    await office.do(grants.revoke, ROOT, id=number)
    found = (await told(office))["total"]
    assert (found["given"], found["open"], found["used"], found["unused"]) == (
        2 * HOUR,
        30 * MINUTE,
        10 * MINUTE,
        0,
    )


async def test_what_runs_counts_up_to_now(office: World) -> None:
    """A grant of two hours that began one ago was open for one, and cannot be unused yet."""
    await office.granted(ALICE, duration=2 * HOUR)
    await office.advance(HOUR)
    found = (await told(office))["total"]
    assert (found["given"], found["open"], found["unused"]) == (2 * HOUR, HOUR, 0)


async def test_what_nobody_waited_for_is_no_decision(office: World) -> None:
    """A rule's grant and an administrator's without a request count apart, and wait for nobody."""
    await office.do(networks.set_, ROOT, name="office", changes=["jit.auto_approve=alice up to 1h, 5 a week"])
    await office.asked(ALICE, duration=HOUR)
    await office.do(grants.grant, CAROL, user="bob", network="office", duration=HOUR)
    found = (await told(office))["total"]
    assert (found["automatic"], found["direct"], found["granted"], found["median"]) == (1, 1, 0, None)
    assert [row["name"] for row in (await told(office))["by"]["approver"]["rows"]] == ["carol"]


async def test_more_of_a_grant_is_no_second_one(office: World) -> None:
    """A request for more is asked, decided and waited for, and the time counts once."""
    number = await office.granted(ALICE, duration=HOUR)
    asked = (await office.do(grants.extend, ALICE, id=number, duration=HOUR))["request"]["id"]
    await office.do(grants.grant, CAROL, id=asked)
    found = (await told(office))["total"]
    assert (found["asked"], found["granted"], found["grants"], found["given"]) == (2, 2, 1, 2 * HOUR)


async def test_who_asks_every_week_is_suggested_a_rule(office: World) -> None:
    """Twice a week for four weeks, and never denied; with that rule, nothing more is suggested. The longest of them was
    for 56 minutes.
    """
    for once in range(8):
        number = await office.asked(ALICE)
        await office.do(grants.grant, CAROL, id=number, duration=(once + 1) * 7 * MINUTE)
        await office.advance(3 * DAY + 12 * HOUR)
    command = "jitctl network set office 'jit.auto_approve+=alice up to 1h, 3 a week'"
    assert [one["command"] for one in (await told(office))["suggestions"]] == [command]
    assert (await told(office, ALICE))["suggestions"] == []
    await office.do(
        networks.set_, ROOT, name="office", changes=["jit.auto_approve+=alice up to 1h, 3 a week"]
    )
    assert (await told(office))["suggestions"] == []


async def test_nothing_yet(world: World) -> None:
    """An empty gateway has an empty report."""
    found = await told(world)
    assert (found["total"]["asked"], found["suggestions"], found["emergencies"]) == (0, [], [])
    assert [table["rows"] for table in found["by"].values()] == [[], [], []]
