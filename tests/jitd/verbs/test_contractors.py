"""People: contractors whom the system does not know, and who is shut out."""

from typing import Any

import pytest

from jitd.core.errors import JitError
from jitd.core.model import REGISTERED, Actor
from jitd.queries import eventlog, listing, overview, show
from jitd.verbs import devices, grants, holding, networks, removal, requests, users
from jitd.verbs.context import ChangeVerb
from support.service import ALICE, BOB, CAROL, HOUR, ROOT, World, key

DAY = 24 * HOUR
ZOE = Actor(uid=REGISTERED, user="zoe", origin="gate of jit")


@pytest.fixture
async def zoe(office: World) -> World:
    """Zoe is registered for a day, and has a laptop."""
    await office.do(users.add, CAROL, user="zoe", until=office.clock.now_ms() + DAY, email="zoe@example.org")
    await office.do(devices.add, CAROL, name="laptop", public_key=key("phone"), user="zoe")
    return office


async def refusal(world: World, verb: ChangeVerb, actor: Actor, **body: object) -> JitError:
    """The error that a verb gives."""
    with pytest.raises(JitError) as caught:
        await world.do(verb, actor, **body)
    return caught.value


async def test_somebody_else_asks_for_a_contractor(zoe: World) -> None:
    """By whom is recorded; the grant ends no later than the contractor's time, and says why."""
    asked = await zoe.do(
        requests.request, CAROL, network="office", reason="audit", user="zoe", duration=8 * HOUR
    )
    assert (asked["request"]["user"], asked["request"]["requested_by"]) == ("zoe", "carol")
    await zoe.advance(DAY - 4 * HOUR)
    granted = await zoe.do(grants.grant, ROOT, id=asked["request"]["id"], duration=8 * HOUR)
    assert granted["note"] == "the end date of zoe is then"
    assert set(zoe.peers()) == {"phone"}
    await zoe.advance(4 * HOUR)
    assert (zoe.peers(), zoe.entries()) == ({}, {})
    ended = (await zoe.ask(eventlog.events_, ROOT, kind="user_ended"))["events"]
    assert [one["user"] for one in ended] == ["zoe"]


async def test_after_the_date_nothing_works(zoe: World) -> None:
    """Neither asking nor granting nor speaking through the gate; with a later end it does again."""
    await zoe.advance(DAY)
    for verb, actor, body in (
        (requests.request, ZOE, {"network": "office", "reason": "x"}),
        (grants.grant, ROOT, {"user": "zoe", "network": "office"}),
    ):
        assert "the end date of zoe has passed" in (await refusal(zoe, verb, actor, **body)).message
    with pytest.raises(JitError, match="has passed"):
        await zoe.ask(users.gate, Actor(uid=61009, user="jit"), user="zoe")
    await zoe.do(users.set_, ROOT, user="zoe", until=zoe.clock.now_ms() + DAY)
    assert (await zoe.do(requests.request, ZOE, network="office", reason="x"))["request"][
        "status"
    ] == "pending"


async def test_another_one_of_the_same_name_has_nothing_of_the_first(zoe: World) -> None:
    """Attack: a contractor's time ends, and another person is registered by the same name: a yes to the second would
    open for the key of the first, and the second could read what the first asked for.
    """
    number = (await zoe.do(requests.request, ZOE, network="office", reason="salaries"))["request"]["id"]
    await zoe.do(networks.set_, ROOT, name="office", changes=["approvers=zoe"])
    await zoe.advance(DAY)
    added = await zoe.do(users.add, ROOT, user="zoe", until=zoe.clock.now_ms() + 9 * DAY)
    uid = (await zoe.ask(users.gate, Actor(uid=61009, user="jit"), user="zoe"))["uid"]
    second = Actor(uid=uid, user="zoe")
    assert (uid != ZOE.uid, added["user"]["devices"]) == (True, [])
    assert (await refusal(zoe, requests.request, second, network="office", reason="x")).code == "refused"
    assert (await refusal(zoe, grants.grant, ROOT, user="zoe", network="office")).code == "refused"
    for verb, query in ((show.show, {"id": number}), (eventlog.events_, {}), (listing.list_, {})):
        try:
            seen = await zoe.ask(verb, second, **query)
        except JitError as error:
            assert error.code == "not_found"
        else:
            assert "salaries" not in str(seen)
    asked = await zoe.asked(ALICE)
    assert (await refusal(zoe, grants.grant, second, id=asked)).code == "not_found"
    # The first one's device is still there for administrators, who take it away.
    (device,) = (await zoe.ask(devices.list_, ROOT))["devices"][-1:]
    assert device["user"] == "zoe:-1"
    await zoe.do(removal.remove, ROOT, name="laptop", user="zoe:-1")
    await zoe.do(devices.add, ROOT, name="laptop", public_key=key("phone"), user="zoe")


async def test_a_shorter_time_cuts_what_runs(zoe: World) -> None:
    """The end of what is open moves with the end of its user, and is met to the millisecond."""
    number = (await zoe.do(requests.request, ZOE, network="office", reason="x", duration=4 * HOUR))[
        "request"
    ]["id"]
    await zoe.do(grants.grant, ROOT, id=number)
    await zoe.do(users.set_, ROOT, user="zoe", until=zoe.clock.now_ms() + HOUR)
    assert list(zoe.entries().values()) == [HOUR]
    await zoe.advance(HOUR - 1)
    assert set(zoe.peers()) == {"phone"}
    await zoe.advance(1)
    assert zoe.peers() == {}
    after = (await zoe.ask(show.show, ROOT, id=number))["request"]
    assert (after["status"], after["ended_comment"]) == ("revoked", "the end date of zoe has passed")


async def test_a_contractor_acts_for_himself_alone(zoe: World) -> None:
    """Two contractors share a uid, and nothing else; neither names somebody else, nor decides, nor administers."""
    await zoe.do(users.add, ROOT, user="yan", until=zoe.clock.now_ms() + DAY)
    yan = Actor(uid=REGISTERED, user="yan")
    number = (await zoe.do(requests.request, ZOE, network="office", reason="x"))["request"]["id"]
    assert (await refusal(zoe, requests.cancel, yan, id=number)).code == "not_found"
    assert (
        await refusal(zoe, requests.request, yan, network="office", reason="x", user="zoe")
    ).code == "not_permitted"
    assert (await refusal(zoe, grants.grant, yan, id=number)).code == "not_found"
    assert (await refusal(zoe, grants.grant, ZOE, id=number)).code == "not_permitted"
    assert (
        await refusal(zoe, users.add, yan, user="x", until=zoe.clock.now_ms() + DAY)
    ).code == "not_permitted"
    assert (await zoe.ask(listing.list_, yan))["requests"] == []
    seen = (await zoe.ask(eventlog.events_, ZOE))["events"]
    assert {one["user"] for one in seen} == {"zoe"}
    assert seen[-1]["actor"]["origin"] == "gate of jit"


async def test_the_gate(zoe: World) -> None:
    """Only a trusted account that administers nothing speaks for somebody registered; it owns nothing itself."""
    jit = Actor(uid=61009, user="jit", login_uid=61009, login_user="jit")
    assert (await zoe.ask(users.gate, jit, user="zoe"))["user"] == "zoe"
    for actor, user in ((jit, "alice"), (jit, "nobody"), (ALICE, "zoe"), (ROOT, "zoe"), (ZOE, "zoe")):
        with pytest.raises(JitError) as caught:
            await zoe.ask(users.gate, actor, user=user)
        assert caught.value.code == "not_permitted"
    assert (
        "several people share"
        in (await refusal(zoe, requests.request, jit, reason="x", network="office")).message
    )
    zoe.people.put_into("jit", "admins")
    with pytest.raises(JitError):
        await zoe.ask(users.gate, jit, user="zoe")


async def test_disable_cuts_at_once(office: World) -> None:
    """Grants are revoked, requests cancelled, standing access ends, and nothing new opens until enabled."""
    number = await office.granted(ALICE)
    waiting = await office.asked(BOB)
    for name in ("alice", "bob"):
        await office.do(users.disable, CAROL, user=name, reason="left")
    assert office.peers() == {}
    statuses = [(await office.ask(show.show, ROOT, id=one))["request"] for one in (number, waiting)]
    assert [(one["status"], one["ended_comment"]) for one in statuses] == [
        ("revoked", "alice was disabled: left"),
        ("cancelled", "bob was disabled: left"),
    ]
    error = await refusal(office, requests.request, ALICE, network="office", reason="x")
    assert "an administrator has disabled alice: left" in error.message
    assert (await office.ask(overview.status, ALICE))["networks"][0]["state"] == "closed"
    await office.do(networks.set_, ROOT, name="office", changes=["members=alice,bob", "jit.enabled=off"])
    assert office.peers() == {}
    await office.do(users.enable, CAROL, user="alice")
    assert set(office.peers()) == {"alice"}
    assert (await office.do(users.disable, CAROL, user="bob", reason="again"))["already"] is True


async def test_a_disabled_user_does_nothing_with_what_is_left(office: World) -> None:
    """Resuming what was paused opens nothing."""
    await office.granted(ALICE)
    await office.do(holding.pause, ALICE)
    await office.do(users.disable, CAROL, user="alice", reason="left")
    with pytest.raises(JitError):
        await office.do(holding.resume, ALICE)
    assert office.peers() == {}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"user": "alice", "until": DAY}, "the system has a user of this name"),
        ({"user": "Zoe!", "until": DAY}, "as the name of a user"),
        ({"user": "yan", "until": 0}, "not within the next 365 days"),
        ({"user": "yan", "until": 366 * DAY}, "not within the next 365 days"),
        ({"user": "yan", "until": DAY, "email": "a@b, c@d"}, "as a mail address"),
        ({"user": "zoe", "until": DAY}, "the name is taken"),
    ],
)
async def test_who_cannot_be_registered(zoe: World, body: dict[str, Any], message: str) -> None:
    """Users of the system, odd names, ends in the past or too far ahead, odd addresses, and those who are there."""
    body = {**body, "until": zoe.clock.now_ms() + body["until"]}
    assert message in (await refusal(zoe, users.add, ROOT, **body)).message


async def test_the_end_of_a_user_of_the_system_is_the_systems(zoe: World) -> None:
    """jitd keeps no second expiry date beside the one of chage; root is nobody to be disabled."""
    error = await refusal(zoe, users.set_, ROOT, user="alice", until=zoe.clock.now_ms() + DAY)
    assert "chage -E" in error.hint
    assert (await refusal(zoe, users.disable, ROOT, user="root", reason="x")).code == "refused"
    assert (await refusal(zoe, users.disable, ROOT, user="nobodyhere", reason="x")).code == "not_found"


async def test_the_list_says_who_is_closed(zoe: World) -> None:
    """Everybody with devices, grants and why the account does not count."""
    await zoe.do(users.disable, ROOT, user="bob", reason="left")
    listed = {one["name"]: one for one in (await zoe.ask(users.list_, CAROL))["users"]}
    assert listed["zoe"]["registered"] is True
    assert (listed["zoe"]["devices"], listed["zoe"]["email"]) == (["laptop"], "zoe@example.org")
    assert listed["bob"]["closed"] == "an administrator has disabled bob: left"
    assert listed["alice"]["closed"] == ""
