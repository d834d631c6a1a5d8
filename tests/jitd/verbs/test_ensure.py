"""ensure, typed again and again by a script; and rules that give more time without waiting for somebody."""

from typing import Any

import pytest

from jitd.core.errors import JitError
from jitd.queries import eventlog, show
from jitd.verbs import freezing, grants, holding, networks, requests
from support.service import ALICE, BOB, CAROL, HOUR, ROOT, World

MINUTE = 60_000
SECOND = 1000


async def rule(world: World, text: str, **more: Any) -> None:
    """A rule for alice on office."""
    changes = [*more.pop("changes", []), f"jit.auto_approve={text}"]
    await world.do(networks.set_, ROOT, name="office", changes=changes)


async def ensure(world: World, duration: int | None = HOUR, **more: Any) -> dict[str, Any]:
    """alice sees to it that she has access."""
    body = {"network": "office", "reason": "backup", **more}
    return await world.do(requests.ensure, ALICE, **body, **({"duration": duration} if duration else {}))


async def ends(world: World, number: int) -> int:
    """When a grant ends, from now, milliseconds."""
    shown = (await world.ask(show.show, ROOT, id=number))["request"]
    return int(shown["ends"]) - world.clock.now_ms()


@pytest.mark.parametrize("wanted", [5 * SECOND, MINUTE, HOUR, 8 * HOUR])
@pytest.mark.parametrize("passed", [1, 200, 999, 1000, 3 * SECOND, 30 * SECOND, 4 * MINUTE])
async def test_the_same_again_is_never_an_error(office: World, wanted: int, passed: int) -> None:
    """A moment later the same asks nobody: what is missing is within the tolerance, or enough to be asked for."""
    await rule(office, "alice up to 1d, 50 a week", changes=["max_duration=1d"])
    first = await ensure(office, wanted)
    assert first["request"]["status"] == "active"
    if passed >= wanted:
        return
    await office.advance(passed)
    again = await ensure(office, wanted)
    assert again["request"]["status"] == "active"
    assert again["request"]["id"] == first["request"]["id"]
    assert again["already"] is (passed <= max(SECOND, min(wanted // 10, 5 * MINUTE)))


async def test_a_rule_gives_more_time(office: World) -> None:
    """What a rule grants at once it also lengthens at once: nobody is asked, and the event names the rule."""
    await rule(office, "alice up to 4h, 5 a week")
    number = (await ensure(office))["request"]["id"]
    await office.advance(HOUR // 2)
    more = await ensure(office)
    assert (more["request"]["id"], more["request"]["status"], more["already"]) == (number, "active", False)
    assert more["note"] == 'extended by the rule "alice up to 4h, 5 a week"'
    assert await ends(office, number) == HOUR
    found = (await office.ask(eventlog.events_, ROOT, kind="extended"))["events"]
    assert [(one["id"], one["actor"]) for one in found] == [(number, None)]
    assert office.entries()["1 10.9.0.2"] == HOUR


async def test_a_rule_gives_no_more_than_it_says_in_all(office: World) -> None:
    """Attack: alice lengthens by minutes what a rule gave, for ever. The whole grant counts, from its start."""
    await rule(office, "alice up to 2h, 50 a week")
    number = (await ensure(office))["request"]["id"]
    for _ in range(3):
        await office.advance(20 * MINUTE)
        assert (await ensure(office))["request"]["id"] == number
    await office.advance(20 * MINUTE)
    asked = await ensure(office)
    assert (asked["request"]["status"], asked["request"]["extends"]) == ("pending", number)
    assert asked["note"] == 'needs a decision: it is longer than the rule "alice up to 2h, 50 a week" allows'
    assert await ends(office, number) == 40 * MINUTE
    # What somebody else has given is no more for a rule to go on from.
    await office.do(grants.grant, CAROL, id=asked["request"]["id"])
    reply = await office.do(grants.extend, ALICE, id=number, duration=10 * MINUTE)
    assert reply["request"]["status"] == "pending"


async def test_each_time_counts_in_the_same_quota(office: World) -> None:
    """Attack: alice asks for little, and for more of it, more often in a week than the rule says."""
    await rule(office, "alice up to 4h, 3 a week")
    number = (await ensure(office))["request"]["id"]
    for _ in range(2):
        await office.advance(20 * MINUTE)
        assert (await ensure(office))["request"]["id"] == number
    await office.advance(20 * MINUTE)
    asked = await ensure(office)
    assert (asked["request"]["status"], asked["request"]["extends"]) == ("pending", number)
    assert "is used up for this week" in asked["note"]
    await office.do(requests.cancel, ALICE, id=asked["request"]["id"])
    await office.do(holding.release, ALICE, id=number)
    assert (await ensure(office))["request"]["status"] == "pending"


async def test_its_user_extends_by_the_rule_others_do_not(office: World) -> None:
    """`extend` of one's own goes by the rule too; a rule for alice lengthens nothing of bob's, nor while frozen."""
    await rule(office, "alice up to 4h, 5 a week")
    number = (await ensure(office))["request"]["id"]
    reply = await office.do(grants.extend, ALICE, id=number, duration=HOUR, comment="not done")
    assert (reply["request"]["id"], await ends(office, number)) == (number, 2 * HOUR)
    bobs = await office.granted(BOB)
    reply = await office.do(grants.extend, BOB, id=bobs, duration=HOUR, comment="not done")
    assert (reply["request"]["status"], reply["request"]["extends"]) == ("pending", bobs)
    await office.do(freezing.freeze, ROOT, reason="incident")
    reply = await office.do(grants.extend, ALICE, id=number, duration=HOUR, comment="not done")
    assert (reply["request"]["status"], reply["note"]) == (
        "pending",
        "needs a decision: all access is frozen",
    )


async def test_what_a_shift_cuts_is_not_missed(office: World) -> None:
    """Access until the end of the shift is all that there is: the same again has nothing to ask for, and says why."""
    await rule(office, "alice up to 8h, 5 a week", changes=["jit.hours=daily 00:00-23:59 UTC"])
    day = 24 * HOUR
    await office.advance(day - office.clock.now_ms() % day + 22 * HOUR)
    first = await ensure(office, 4 * HOUR)
    assert first["request"]["status"] == "active"
    await office.advance(HOUR)
    again = await ensure(office, 4 * HOUR)
    assert (again["already"], again["request"]["id"]) == (True, first["request"]["id"])
    assert again["note"].startswith("the shift ends at")


async def test_the_maximum_stays_an_error(office: World) -> None:
    """Where more is wanted than a grant can ever have, a script is told, and not that access is there."""
    await rule(office, "alice up to 8h, 5 a week")
    await ensure(office, 8 * HOUR)
    await office.advance(HOUR)
    with pytest.raises(JitError, match="its maximum is 8h from the start"):
        await ensure(office, 8 * HOUR)


async def test_until_a_moment(office: World) -> None:
    """`until` is that moment whenever it is asked again."""
    await rule(office, "alice up to 8h, 5 a week")
    until = office.clock.now_ms() + 2 * HOUR
    number = (await ensure(office, None, until=until))["request"]["id"]
    assert await ends(office, number) == 2 * HOUR
    await office.advance(HOUR)
    assert (await ensure(office, None, until=until))["already"] is True


async def test_an_extension_of_what_nobody_asked_for_has_no_reason_of_its_own(office: World) -> None:
    """Who was given access without a request has to say why they need more; nobody's words are taken for theirs."""
    reply = await office.do(grants.grant, CAROL, user="alice", network="office", duration=HOUR)
    number = reply["request"]["id"]
    with pytest.raises(JitError, match="without a reason"):
        await office.do(grants.extend, ALICE, id=number, duration=HOUR)
    await office.do(networks.set_, ROOT, name="office", changes=["reason=optional"])
    more = await office.do(grants.extend, ALICE, id=number, duration=HOUR)
    assert more["request"]["reason"] == ""
    # What alice has asked for herself goes on with her reason.
    await office.do(grants.revoke, ROOT, id=number)
    own = await office.granted(ALICE)
    more = await office.do(grants.extend, ALICE, id=own, duration=HOUR)
    assert more["request"]["reason"] == "ticket 42"
