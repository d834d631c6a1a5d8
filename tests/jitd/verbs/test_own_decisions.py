"""Nobody decides for themselves: not as approver, not as administrator, not behind sudo or su, not through a rule."""

from dataclasses import replace

import pytest

from jitctl.render import events
from jitd.core.errors import JitError
from jitd.core.model import REGISTERED, Actor
from jitd.queries import eventlog, listing, show, why
from jitd.verbs import devices, grants, holding, networks, requests, users
from jitd.verbs.context import ChangeVerb
from support.service import ALICE, BOB, CAROL, DAVE, HOUR, ROOT, World, key

#: Every way in which the kernel can show that alice is at work.
ALICES = {
    "herself": ALICE,
    "sudo": Actor(uid=0, user="root", login_uid=61001, login_user="alice"),
    "su to another administrator": Actor(uid=61003, user="carol", login_uid=61001, login_user="alice"),
    "sudo -u alice by another one": Actor(uid=61001, user="alice", login_uid=61004, login_user="dave"),
}


@pytest.fixture
async def mighty(office: World) -> World:
    """An office where alice administers, approves and may break glass; and so do others."""
    office.people.put_into("alice", "admins")
    changes = ["approvers=alice,bob", "jit.admins_too=on", "jit.break_glass=alice"]
    await office.do(networks.set_, ROOT, name="office", changes=changes)
    return office


async def refused(world: World, verb: ChangeVerb, actor: Actor, **body: object) -> bool:
    """Whether a verb is refused because it is about oneself, and nothing was recorded."""
    before = (await world.ask(eventlog.events_, ROOT))["next"]
    with pytest.raises(JitError) as caught:
        await world.do(verb, actor, **body)
    assert (await world.ask(eventlog.events_, ROOT))["next"] == before
    return caught.value.code == "refused" and "nobody decides on their own" in caught.value.message


@pytest.mark.parametrize("who", ALICES)
async def test_nobody_answers_their_own_request(mighty: World, who: str) -> None:
    """Neither yes nor no; the request goes on to wait, and somebody else decides."""
    number = await mighty.asked(ALICE)
    assert await refused(mighty, grants.grant, ALICES[who], id=number)
    assert await refused(mighty, grants.grant, ALICES[who], id=number, plan=True)
    assert await refused(mighty, grants.deny, ALICES[who], id=number)
    assert (await mighty.ask(show.show, ROOT, id=number))["request"]["status"] == "pending"
    assert (await mighty.do(grants.grant, BOB, id=number))["request"]["status"] == "active"


@pytest.mark.parametrize("who", ALICES)
async def test_nobody_gives_to_themselves(mighty: World, who: str) -> None:
    """Not without a request, and not what another administrator asked for in their name."""
    assert await refused(
        mighty, grants.grant, ALICES[who], user="alice", network="office", comment="I need it"
    )
    asked = await mighty.do(requests.request, CAROL, user="alice", network="office", reason="for her")
    assert await refused(mighty, grants.grant, ALICES[who], id=asked["request"]["id"])


@pytest.mark.parametrize("who", ALICES)
async def test_nobody_looks_at_their_own_emergency(mighty: World, who: str) -> None:
    """Break-glass is acknowledged by somebody else."""
    opened = await mighty.do(
        requests.request, ALICE, network="office", reason="the database burns", break_glass=True
    )
    number = opened["request"]["id"]
    assert await refused(mighty, grants.acknowledge, ALICES[who], id=number, comment="all was well")
    await mighty.do(grants.acknowledge, DAVE, id=number, comment="looked at")


@pytest.mark.parametrize("who", ALICES)
async def test_nobody_lengthens_their_own_grant(mighty: World, who: str) -> None:
    """An extension of one's own is a request, whatever one may do for others, and nobody's yes to it is one's own."""
    number = await mighty.asked(ALICE)
    ends = (await mighty.do(grants.grant, BOB, id=number, duration=HOUR))["request"]["ends"]
    if ALICES[who].uid == CAROL.uid:  # who says that alice logged in asks for nothing in her name, either
        assert await refused(mighty, grants.extend, ALICES[who], id=number, duration=HOUR)
        return
    more = await mighty.do(grants.extend, ALICES[who], id=number, duration=HOUR, comment="not ready")
    asked = next(
        one
        for one in (await mighty.ask(listing.list_, ROOT, status=["pending"]))["requests"]
        if one["extends"] == number
    )
    assert more["request"]["id"] == asked["id"]
    assert await refused(mighty, grants.grant, ALICES[who], id=asked["id"])
    assert (await mighty.ask(show.show, ROOT, id=number))["request"]["ends"] == ends


@pytest.mark.parametrize("who", ALICES)
async def test_nobody_is_one_of_several_on_their_own(mighty: World, who: str) -> None:
    """Where two have to agree, the user is neither of them."""
    await mighty.do(networks.set_, ROOT, name="office", changes=["approvals=2"])
    number = await mighty.asked(ALICE)
    await mighty.do(grants.grant, BOB, id=number)
    assert await refused(mighty, grants.grant, ALICES[who], id=number)
    assert (await mighty.ask(show.show, ROOT, id=number))["request"]["approved_by"] == ["bob"]


async def test_a_contractor_who_approves_does_not_for_himself(office: World) -> None:
    """Named as an approver, he decides about others, and not about his own."""
    zoe = Actor(uid=REGISTERED, user="zoe")
    await office.do(users.add, ROOT, user="zoe", until=office.clock.now_ms() + 24 * HOUR)
    await office.do(devices.add, ROOT, name="laptop", public_key=key("phone"), user="zoe")
    await office.do(networks.set_, ROOT, name="office", changes=["approvers=zoe"])
    assert await refused(office, grants.grant, zoe, id=await office.asked(zoe))
    number = await office.asked(ALICE)
    assert (await office.do(grants.grant, zoe, id=number))["request"]["status"] == "active"


async def test_more_approvals_make_what_waits_wait_for_more(office: World) -> None:
    """One yes was enough when it was asked for; by the rule of now two are needed, and one opens nothing."""
    number = await office.asked(ALICE)
    await office.do(networks.set_, ROOT, name="office", changes=["approvals=2", "approvers=bob"])
    assert (await office.do(grants.grant, CAROL, id=number))["request"]["status"] == "pending"
    await office.do(networks.set_, ROOT, name="office", changes=["approvals=3"])
    assert (await office.do(grants.grant, DAVE, id=number))["request"]["status"] == "pending"
    assert office.peers() == {}


async def test_a_tighter_rule_does_not_begin_its_count_anew(office: World) -> None:
    """What the rule has granted as it was counts for it as it is: fewer times a week are not more."""
    await office.do(
        networks.set_, ROOT, name="office", changes=["jit.auto_approve=@staff up to 2h, 2 a week"]
    )
    for _ in range(2):
        reply = await office.do(requests.request, ALICE, network="office", reason="logs", duration=HOUR)
        assert reply["request"]["status"] == "active"
        await office.advance(HOUR)
    for rule in ("@staff up to 2h, 1 a week", "@staff up to 1h, 2 a week", "alice up to 2h, 2 a week"):
        await office.do(networks.set_, ROOT, name="office", changes=[f"jit.auto_approve={rule}"])
        reply = await office.do(
            requests.request, ALICE, network="office", reason="logs", duration=HOUR, plan=True
        )
        assert (reply["request"]["status"], reply["note"]) == (
            "pending",
            f'needs a decision: the rule "{rule}" is used up for this week',
        )
    await office.advance(7 * 24 * HOUR)
    reply = await office.do(requests.request, ALICE, network="office", reason="logs", duration=HOUR)
    assert reply["request"]["status"] == "active"


async def test_who_is_no_member_any_more_has_no_grace(office: World) -> None:
    """Who may surely not use the network is cut at once, although jit.exempt cannot be looked up just then."""
    office.people.groups.add("ops")
    await office.do(
        networks.set_, ROOT, name="office", changes=["members=alice,bob", "jit.exempt=@ops,alice"]
    )
    assert set(office.peers()) == {"alice"}
    known = office.people.people["alice"]
    office.people.people["alice"] = replace(known, unavailable=frozenset({"ops"}))
    await office.do(networks.set_, ROOT, name="office", changes=["jit.exempt=@ops"])
    assert set(office.peers()) == {"alice"}  # nobody knows, and a moment ago it was sure
    await office.do(networks.set_, ROOT, name="office", changes=["members=bob"])
    assert (office.peers(), office.entries()) == ({}, {})


async def test_a_login_uid_that_the_caller_wrote_opens_nothing(office: World) -> None:
    """Attack: a process that no login started (a mail filter, CGI, a service) writes alice's uid into its own
    /proc/self/loginuid, reads her request, asks for more in her name, and lets the record blame her.
    """
    mallory = Actor(uid=61002, user="bob", login_uid=61001, login_user="alice")
    number = await office.granted(ALICE)
    for call in (
        office.ask(show.show, mallory, id=number),
        office.ask(why.why, mallory, id=number),
        office.do(grants.extend, mallory, id=number, duration=HOUR, comment="put there by mallory"),
        office.do(holding.release, mallory, id=number),
        office.do(holding.pause, mallory, id=number),
        office.do(requests.cancel, mallory, id=number),
    ):
        with pytest.raises(JitError) as caught:
            await call
        assert caught.value.code == "not_found"
    blamed = Actor(uid=61002, user="bob", login_uid=61003, login_user="carol")
    await office.do(requests.request, blamed, network="office", reason="x")
    (asked,) = (await office.ask(eventlog.events_, ROOT, kind="requested", user="bob"))["events"]
    assert (asked["actor"]["login_user"], asked["actor"]["login_claimed"]) == ("carol", True)
    assert events.by(asked) == "bob (login claimed: carol)"


async def test_a_uid_that_another_name_has_now_is_nobodys_own(office: World) -> None:
    """Attack: carol's account is made under the uid that alice had; what was alice's is not hers, and she may not
    read it.
    """
    number = await office.granted(ALICE)
    successor = Actor(uid=61001, user="zelda", login_uid=61001, login_user="zelda")
    with pytest.raises(JitError) as caught:
        await office.ask(show.show, successor, id=number)
    assert caught.value.code == "not_found"
