"""What helps before a decision."""

from typing import Any

import pytest

from jitd.core.errors import JitError
from jitd.core.model import Actor
from jitd.queries import history
from jitd.verbs import devices, freezing, grants, networks, requests
from support.service import ALICE, BOB, CAROL, HOUR, ROOT, World, key, passes

MINUTE = 60_000


async def before(world: World, number: int, actor: Actor = ROOT) -> dict[str, Any]:
    """What history says of a request."""
    return await world.ask(history.history, actor, id=number)


@pytest.fixture
async def two(office: World) -> World:
    """Two networks: bob decides about office, and nobody but administrators about vault."""
    await office.do(networks.add, ROOT, name="vault", routes=["10.4.0.0/16"])
    await office.do(networks.set_, ROOT, name="office", changes=["approvers=bob"])
    return office


async def test_the_last_five_are_told_with_how_they_ended(office: World) -> None:
    """Newest first, at most five, and the request itself is none of them."""
    for _ in range(3):
        await office.do(requests.cancel, ALICE, id=await office.asked(ALICE))
    await office.do(grants.deny, ROOT, id=await office.asked(ALICE), comment="not now")
    await office.granted(ALICE, duration=HOUR)
    await office.advance(HOUR)
    await office.do(grants.revoke, ROOT, id=await office.granted(ALICE))
    number = await office.asked(ALICE)
    found = await before(office, number)
    assert found["request"]["id"] == number
    assert [(one["request"]["id"], one["request"]["status"]) for one in found["last"]] == [
        (6, "revoked"),
        (5, "expired"),
        (4, "denied"),
        (3, "cancelled"),
        (2, "cancelled"),
    ]
    assert (found["asked_before"], found["granted_before"]) == (6, 2)


async def test_how_much_of_the_last_grant_was_used(office: World) -> None:
    """Ten minutes of traffic in a grant of an hour that was given back after half of it."""
    number = await office.granted(ALICE, duration=HOUR)
    for step in range(1, 11):
        passes(office, 1000 * step, 1000 * step, office.clock.now_ms())
        await office.advance(MINUTE)
        await office.service.check()
    await office.advance(20 * MINUTE)
    await office.do(grants.revoke, ROOT, id=number)
    found = (await before(office, await office.asked(ALICE)))["last_grant"]
    assert (found["request"]["id"], found["lasted"]) == (number, 30 * MINUTE)
    assert found["usage"]["used"] == 10 * MINUTE


async def test_who_never_had_a_grant_has_none(office: World) -> None:
    """The first request of somebody has nothing before it."""
    found = await before(office, await office.asked(ALICE))
    assert (found["last"], found["last_grant"], found["open"]) == ([], None, [])


async def test_other_grants_are_told(two: World) -> None:
    """What is open elsewhere is told; what is over is not."""
    elsewhere = await two.asked(ALICE, network="vault")
    await two.do(grants.grant, ROOT, id=elsewhere, duration=HOUR)
    number = await two.asked(ALICE)
    assert [one["id"] for one in (await before(two, number))["open"]] == [elsewhere]
    await two.advance(HOUR)
    assert (await before(two, number))["open"] == []


async def test_approvers_learn_of_their_networks_alone(two: World) -> None:
    """Bob decides about office and learns nothing of vault; carol, an administrator, of both."""
    elsewhere = await two.asked(ALICE, network="vault")
    await two.do(grants.grant, ROOT, id=elsewhere, duration=HOUR)
    number = await two.asked(ALICE)
    for actor, seen in ((BOB, []), (CAROL, [elsewhere])):
        found = await before(two, number, actor)
        assert [one["id"] for one in found["open"]] == seen
        assert [one["request"]["id"] for one in found["last"]] == seen
    for actor, hidden in ((BOB, elsewhere), (ALICE, number)):
        with pytest.raises(JitError):
            await before(two, hidden, actor)


@pytest.mark.parametrize(
    ("settings", "wanted", "lasts", "cap"),
    [
        ([], {}, 2 * HOUR, ""),
        ([], {"duration": 3 * HOUR}, 3 * HOUR, ""),
        # The test's clock stands on a Monday at 14:13:20 UTC.
        (["jit.hours=Mon-Fri 08:00-15:13 UTC"], {}, HOUR - 20_000, "the shift ends at"),
    ],
)
async def test_what_a_yes_would_give_is_what_grant_gives(
    office: World, settings: list[str], wanted: dict[str, int], lasts: int, cap: str
) -> None:
    """Start, end and cap are those of the plan of `grant`."""
    if settings:
        await office.do(networks.set_, ROOT, name="office", changes=settings)
    number = await office.asked(ALICE, **wanted)
    found = await before(office, number)
    plan = (await office.do(grants.grant, ROOT, id=number, plan=True))["request"]
    assert (found["starts"], found["ends"]) == (plan["starts"], plan["ends"])
    assert found["cap"].startswith(cap)
    assert found["ends"] - found["starts"] == lasts


async def test_what_stands_against_a_yes_is_told(office: World) -> None:
    """A freeze, a maximum that was lowered meanwhile, one's own request: as `grant` refuses it."""
    number = await office.asked(ALICE, duration=3 * HOUR)
    await office.do(networks.set_, ROOT, name="office", max_duration=2 * HOUR)
    assert "its maximum is 2h" in (await before(office, number))["refused"]
    await office.do(freezing.freeze, ROOT, reason="intruder")
    found = await before(office, number)
    assert (found["refused"], found["ends"]) == (
        "cannot open office: root has frozen all access: intruder",
        None,
    )
    await office.do(freezing.thaw, ROOT)
    await office.do(networks.set_, ROOT, name="office", changes=["jit.admins_too=on"])
    await office.do(devices.add, CAROL, name="laptop", public_key=key("carol"))
    own = await office.asked(CAROL)
    assert "it is your own request" in (await before(office, own, CAROL))["refused"]
    assert (await before(office, own))["refused"] == ""


async def test_more_of_a_grant_is_told_with_its_new_end(office: World) -> None:
    """A request for more names the end that the grant would have, and the grant is among what is open."""
    number = await office.granted(ALICE, duration=HOUR)
    asked = (await office.do(grants.extend, ALICE, id=number, duration=HOUR))["request"]["id"]
    found = await before(office, asked)
    assert found["ends"] - found["open"][0]["ends"] == HOUR
    assert found["open"][0]["id"] == number
