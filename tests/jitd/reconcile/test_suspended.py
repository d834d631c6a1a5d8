"""People who go and come back, and names and uids that come back with somebody else."""

from dataclasses import replace
from typing import Any

import pytest

from jitd.core.errors import JitError
from jitd.core.model import Actor
from jitd.core.people import Answer, Person
from jitd.queries import eventlog, listing, overview, show
from jitd.verbs import devices, grants, networks, removal, requests, users
from support.service import ALICE, BOB, CAROL, HOUR, ROOT, World, key

DAY = 24 * HOUR
#: Somebody else who has bob's name by now.
SECOND = Actor(uid=61777, user="bob", login_uid=61777, login_user="bob")


def become(world: World, name: str, uid: int) -> None:
    """The name belongs to another uid from now on."""
    known = world.people.people.get(name) or Person(name=name, exists=Answer.YES)
    world.people.people[name] = replace(known, uid=uid)


async def kinds(world: World, user: str) -> list[str]:
    """What was recorded about somebody's coming and going."""
    found = (await world.ask(eventlog.events_, ROOT, user=user))["events"]
    return [one["kind"] for one in found if one["kind"].startswith("user_")]


async def refusal(world: World, verb: Any, actor: Actor, **body: Any) -> JitError:
    """The refusal of a verb."""
    with pytest.raises(JitError) as caught:
        await world.do(verb, actor, **body)
    return caught.value


async def advice(world: World) -> str:
    """What doctor says of people."""
    found = (await world.examine(ROOT, part="people"))["checks"]
    return "\n".join(f"{one['what']} -> {one['fix']}" for one in found)


async def test_a_name_that_comes_back_has_no_right_of_the_old_one(office: World) -> None:
    """Attack: bob leaves, and somebody is made under his name: by rules that name bob he would decide, be let in
    without waiting, and read what bob could.
    """
    rules = ["approvers=bob", "jit.auto_approve=bob up to 1h, 5 a week", "jit.break_glass=bob"]
    await office.do(networks.set_, ROOT, name="office", changes=rules)
    number = await office.asked(ALICE)
    become(office, "bob", SECOND.uid)
    await office.service.check()
    assert (await refusal(office, grants.grant, SECOND, id=number)).code == "not_found"
    await office.do(devices.add, SECOND, name="phone", public_key=key("phone"))
    asked = await office.do(requests.request, SECOND, network="office", reason="I am known here")
    assert asked["request"]["status"] == "pending"
    emergency = {"network": "office", "reason": "it is on fire", "break_glass": True}
    assert (
        "break-glass on office is for bob"
        in (await refusal(office, requests.request, SECOND, **emergency)).message
    )
    said = await advice(office)
    assert "uid 61002 had this name, and now uid 61777 has it" in said
    assert "jitctl network set office approvers-=bob" in said
    # The stale entry is taken away, and the name is given anew: now it is the new one.
    await office.do(networks.set_, ROOT, name="office", changes=["approvers=alice"])
    await office.do(networks.set_, ROOT, name="office", changes=["approvers=alice,bob"])
    assert (await office.do(grants.grant, SECOND, id=number))["request"]["status"] == "active"


async def test_exempt_and_member_are_whoever_was_named(office: World) -> None:
    """Attack: standing access by a name that came back."""
    await office.do(networks.set_, ROOT, name="office", changes=["members=bob,@staff", "jit.exempt=bob"])
    assert set(office.peers()) == {"bob"}
    become(office, "bob", SECOND.uid)
    await office.service.check()
    assert (office.peers(), office.entries()) == ({}, {})
    await office.do(devices.add, SECOND, name="phone", public_key=key("phone"))
    assert office.peers() == {}
    assert (await office.ask(overview.status, SECOND))["networks"] == []


async def test_a_sure_no_suspends_and_a_return_within_a_day_resumes(office: World) -> None:
    """userdel cuts at the next look, what is pending lapses, and the same name and uid are the same person for 24 h."""
    await office.do(networks.set_, ROOT, name="office", changes=["jit.exempt=bob"])
    await office.asked(ALICE)
    known = office.people.people["bob"], office.people.people["alice"]
    office.people.remove("bob")
    await office.service.check()
    await office.advance(2 * 60_000)
    office.people.remove("alice")
    await office.service.check()
    assert office.peers() == {}
    (lapsed,) = (await office.ask(listing.list_, ROOT, status=["lapsed"]))["requests"]
    assert lapsed["ended_comment"] == "there is no user alice any more"
    await office.advance(DAY - 3 * 60_000)
    office.people.people |= {"bob": known[0], "alice": known[1]}
    await office.service.check()
    assert set(office.peers()) == {"bob"}
    assert await kinds(office, "bob") == ["user_suspended", "user_resumed"]


async def test_after_a_day_somebody_has_to_say_that_it_is_the_same(office: World) -> None:
    """Attack: the uid and the name of somebody who left months ago are given to somebody new, together.

    Nothing opens until an administrator has confirmed it, by a plan that names who gains.
    """
    await office.do(networks.set_, ROOT, name="office", changes=["jit.exempt=bob"])
    known = office.people.people["bob"]
    office.people.remove("bob")
    await office.service.check()
    await office.advance(DAY)
    await office.service.check()
    office.people.people["bob"] = known
    await office.service.check()
    assert office.peers() == {}
    assert (
        "jitctl user confirm bob"
        in (await refusal(office, requests.request, BOB, network="office", reason="x")).message
    )
    assert "bob is back, but was away for more than 24 h" in await advice(office)
    assert (await refusal(office, users.confirm, ALICE, users=["bob"])).code == "not_permitted"
    plan = await office.do(users.confirm, CAROL, all=True, plan=True)
    assert ([one["user"] for one in plan["plan"]["gains"]], office.peers()) == (["bob"], {})
    await office.do(users.confirm, CAROL, users=["bob"], confirm=plan["plan"]["token"])
    assert set(office.peers()) == {"bob"}
    assert await kinds(office, "bob") == ["user_suspended", "user_retired", "user_confirmed"]


async def test_who_is_gone_cannot_be_confirmed(office: World) -> None:
    """Neither somebody who is not there, nor another uid, nor nobody in particular."""
    become(office, "bob", SECOND.uid)
    await office.service.check()
    await office.advance(2 * DAY)
    assert (await refusal(office, users.confirm, CAROL, users=["bob:61002"])).code == "refused"
    assert (await office.do(users.confirm, CAROL, users=["bob"]))["users"] == []
    assert (await office.do(users.confirm, CAROL, all=True))["users"] == []
    assert (await refusal(office, users.confirm, CAROL)).code == "bad_request"
    assert (await refusal(office, users.confirm, CAROL, users=["bob:1"])).code == "not_found"


async def test_many_who_go_at_once_are_a_fault_of_the_directory(office: World) -> None:
    """Attack on availability: an LDAP server that was restored empty says no to everybody. It closes, and takes nothing
    away: grants and devices are there again when the people are, also days later.
    """
    number = await office.granted(ALICE)
    office.people.people["carol"]  # she has no device, and is not counted
    waiting = await office.asked(BOB)
    known = dict(office.people.people)
    office.people.remove("alice")
    office.people.remove("bob")
    await office.service.check()
    assert (office.peers(), office.entries()) == ({}, {})
    (fault,) = (await office.ask(eventlog.events_, ROOT, kind="directory_fault"))["events"]
    assert (fault["data"]["number"], fault["data"]["users"]) == (2, ["alice", "bob"])
    assert "is missing from the directory with others" in await advice(office)
    await office.advance(30 * 60_000)
    office.people.people = known
    await office.service.check()
    assert set(office.peers()) == {"alice"}
    assert (await office.ask(show.show, ROOT, id=number))["request"]["status"] == "active"
    assert (await office.ask(show.show, ROOT, id=waiting))["request"]["status"] == "pending"
    office.people.people = {name: one for name, one in known.items() if name not in ("alice", "bob")}
    await office.service.check()
    await office.advance(3 * DAY)
    office.people.people = known
    await office.service.check()
    assert await kinds(office, "alice") == ["user_suspended", "user_resumed"] * 2


async def test_who_is_gone_can_be_named(office: World) -> None:
    """What is stored of somebody who is gone is seen, removed and reported lost; also where the name means another one."""
    office.people.remove("alice")
    await office.service.check()
    (alice,) = [one for one in (await office.ask(users.list_, CAROL))["users"] if one["name"] == "alice"]
    assert alice["suspended"] is not None
    assert [one["name"] for one in (await office.ask(devices.list_, CAROL, user="alice"))["devices"]] == [
        "laptop"
    ]
    await office.do(users.disable, CAROL, user="alice", reason="left")
    await office.do(removal.remove, CAROL, user="alice", name="laptop")
    assert (await office.do(removal.remove, CAROL, user="alice", name="laptop", lost=True))["done"]
    become(office, "bob", SECOND.uid)
    await office.service.check()
    taken = await refusal(office, devices.add, CAROL, name="laptop", user="bob", public_key=key("bob"))
    assert "bob:61002 has it" in taken.message
    assert "jitctl device remove laptop --user bob:61002" in taken.hint
    await office.do(removal.remove, CAROL, user="bob", name="laptop")
    await office.do(devices.add, CAROL, name="laptop", user="bob", public_key=key("bob"))
    for verb, body in (
        (devices.add, {"name": "phone", "public_key": key("phone"), "user": "alice"}),
        (requests.request, {"network": "office", "reason": "x", "user": "alice"}),
    ):
        assert (await refusal(office, verb, CAROL, **body)).code == "refused"
    assert (
        await refusal(office, removal.remove, ALICE, user="bob:61002", name="laptop")
    ).code == "not_permitted"


async def test_rules_of_an_older_jitd_mean_who_was_known_here(office: World) -> None:
    """After an update each name is bound to whom it was known for; a name that nobody can tell opens nothing."""
    await office.do(networks.set_, ROOT, name="office", changes=["jit.exempt=bob", "approvers=dave"])
    await office.do(networks.set_, ROOT, name="office", changes=["jit.break_glass=alice"])
    await office.service.stop()
    office.people.unavailable("dave")
    become(office, "bob", SECOND.uid)
    from jitd.store.database import FILE_NAME, Store

    store = Store(office.config.daemon.state_dir / FILE_NAME)
    with store.transaction() as rows:
        rows.run("UPDATE network SET bound = '[]'")
    store.close()
    await office.start_anew()
    assert office.peers() == {}  # bob was uid 61002 here, and is somebody else now
    assert "dave, and the uid of this user is not known yet" in await advice(office)
    become(office, "bob", BOB.uid)
    office.people.people["dave"] = Person(name="dave", exists=Answer.YES, uid=61004)
    await office.service.check()
    assert set(office.peers()) == {"bob"}
    assert "all users in the rules" in await advice(office)
