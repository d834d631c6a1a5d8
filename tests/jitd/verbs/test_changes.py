"""Changes of rules that one administrator may not make alone."""

from dataclasses import replace
from typing import Any

import pytest

from jitd.core.configuration import Policy
from jitd.core.errors import JitError
from jitd.core.model import Actor
from jitd.queries import eventlog, listing
from jitd.verbs import changes, devices, grants, interfaces, networks, policies
from support.service import ALICE, BOB, CAROL, DAVE, HOUR, ROOT, World, key

SUDO_CAROL = Actor(uid=0, user="root", login_uid=61003, login_user="carol")
SUDO_BOB = Actor(uid=0, user="root", login_uid=61002, login_user="bob")


async def refusal(world: World, verb: Any, actor: Actor, **body: Any) -> JitError:
    """The refusal of a verb."""
    with pytest.raises(JitError) as caught:
        await world.do(verb, actor, **body)
    return caught.value


async def rules(world: World, name: str = "office") -> dict[str, Any]:
    """The settings of a network."""
    return dict((await world.ask(networks.show, ROOT, name=name))["network"]["settings"])


async def waiting(world: World, actor: Actor = DAVE) -> list[dict[str, Any]]:
    """The changes that somebody sees."""
    return list((await world.ask(changes.list_, actor))["changes"])


@pytest.fixture
async def strict(office: World) -> World:
    """An office where two have to agree, with rules that can be widened and narrowed; a lab beside it."""
    await office.do(interfaces.add, ROOT, name="wg1", pools=["10.8.0.0/24"], port=7)
    settings = ["approvals=2", "jit.admins_too=on", "members=alice,bob", "approvers=bob", "max_duration=4h"]
    await office.do(networks.set_, ROOT, name="office", changes=settings)
    return office


@pytest.mark.parametrize(
    "change",
    [
        "jit.exempt+=carol",
        "members+=carol",
        "approvers+=alice",
        "approvals=1",
        "jit.admins_too=off",
        "jit.enabled=off",
        "max_duration=8h",
        "extend_beyond_max=on",
        "routes+=172.16.0.0/12",
        "jit.break_glass+=alice",
        "jit.auto_approve+=alice up to 1h, 5 a week",
        "jit.groups=bob",
    ],
)
async def test_nobody_widens_a_rule_alone(strict: World, change: str) -> None:
    """Attack: one administrator changes the rule that several have to agree: exempts herself, asks fewer, names a friend.

    It is proposed, and made when as many have agreed as the network asks for, by those who decide there.
    """
    before = await rules(strict)
    said = await refusal(strict, networks.set_, CAROL, name="office", changes=[change])
    assert (said.code, "it waits as change 1, with 1 of 2 approvals" in said.message) == ("pending", True)
    assert await rules(strict) == before
    for again in (CAROL, SUDO_CAROL):
        assert "you have approved it already" in (await refusal(strict, changes.approve, again, id=1)).message
    assert "no login identifies" in (await refusal(strict, changes.approve, ROOT, id=1)).message
    assert (await refusal(strict, changes.approve, ALICE, id=1)).code == "not_found"
    plan = await strict.do(changes.approve, BOB, id=1, plan=True)
    assert await rules(strict) == before
    done = await strict.do(changes.approve, BOB, id=1, confirm=plan["plan"]["token"])
    assert (done["done"], done["change"]["approved_by"]) == (True, ["carol", "bob"])
    assert await rules(strict) != before
    assert await waiting(strict) == []


@pytest.mark.parametrize(
    "change",
    [
        "members-=bob",
        "approvers-=bob",
        "approvals=3",
        "max_duration=2h",
        "jit.hours=Mon-Fri 08:00-18:00 UTC",
        "ports=tcp/443",
        "reason_min_length=20",
        "default_duration=1h",
        "routes=10.1.0.0/16",
    ],
)
async def test_one_is_enough_to_narrow(strict: World, change: str) -> None:
    """What only takes away waits for nobody."""
    before = await rules(strict)
    await strict.do(networks.set_, CAROL, name="office", changes=[change])
    assert await rules(strict) != before
    assert await waiting(strict) == []


async def test_elsewhere_one_is_enough(office: World) -> None:
    """On a network where one yes is enough one administrator changes the rules, unless root wants four eyes everywhere."""
    await office.do(networks.set_, CAROL, name="office", changes=["jit.exempt+=alice"])
    office.service.reload(replace(office.config, policy=Policy(four_eyes=True)))
    assert (
        await refusal(office, networks.set_, CAROL, name="office", changes=["jit.exempt+=bob"])
    ).code == "pending"
    body = {"name": "new", "routes": ["172.16.0.0/12"]}
    assert "new is added" in (await refusal(office, networks.add, CAROL, **body)).message
    await office.do(networks.set_, CAROL, name="office", changes=["jit.exempt-=alice"])
    await office.do(changes.approve, DAVE, id=2)
    assert (await rules(office, "new"))["routes"] == ["172.16.0.0/12"]


async def test_no_other_network_goes_around_it(strict: World) -> None:
    """Attack: another network with a more specific route, or on another interface, or the removal of the strict one behind
    which a wide one waits, gives the same destinations by rules of one's own.
    """
    more = {"routes": ["10.1.2.3/32"], "changes": ["jit.exempt=carol"]}
    for body in ({"name": "mine", "interface": "wg0"}, {"name": "there", "interface": "wg1"}):
        said = await refusal(strict, networks.add, CAROL, **body, **more)
        assert (said.code, "destinations of office are reached by" in said.message) == ("pending", True)
    wide = {"name": "wide", "interface": "wg0", "routes": ["0.0.0.0/0"]}
    await strict.do(networks.add, CAROL, **wide)  # office's own destinations stay office's
    said = await refusal(strict, networks.remove, CAROL, name="office")
    assert "destinations of office are reached by wide" in said.message
    text = '[network.wide]\ninterface = "wg0"\nroutes = ["0.0.0.0/0"]\n'
    assert (await refusal(strict, policies.apply, CAROL, text=text)).code == "pending"
    assert len(await waiting(strict)) == 4
    await strict.do(changes.approve, DAVE, id=3)
    assert [one["name"] for one in (await strict.ask(networks.list_, ROOT))["networks"]] == ["wide"]


async def test_an_agreement_is_about_the_rules_of_then(strict: World) -> None:
    """Attack: a small change is proposed, the rules are changed beneath it, and the second yes makes something else."""
    await refusal(strict, networks.set_, CAROL, name="office", changes=["members+=carol"])
    await strict.do(networks.set_, DAVE, name="office", changes=["max_duration=3h"])
    said = await refusal(strict, changes.approve, BOB, id=1)
    assert (said.code, "the rules that it would change have been changed meanwhile" in said.message) == (
        "conflict",
        True,
    )
    await strict.do(changes.reject, BOB, id=1, comment="propose it again")
    assert (await refusal(strict, changes.approve, DAVE, id=1)).message.endswith("bob rejected it")


async def test_who_may_not_decide_any_more_does_not_count(strict: World) -> None:
    """Three have to agree; one of two who have is no approver any more."""
    await strict.do(networks.set_, CAROL, name="office", changes=["approvals=3"])
    await refusal(strict, networks.set_, CAROL, name="office", changes=["members+=carol"])
    await strict.do(changes.approve, BOB, id=1)
    strict.people.take_out_of("carol", "admins")
    strict.people.put_into("alice", "admins")
    assert not (await strict.do(changes.approve, DAVE, id=1))["done"]
    assert (await strict.do(changes.approve, ALICE, id=1))["done"]


async def test_changes_wait_a_week_and_are_told(strict: World) -> None:
    """Whoever decides sees in `list` that one waits; after 7 days nobody approves it any more."""
    await refusal(strict, networks.set_, CAROL, name="office", changes=["members+=carol"], reason="audit")
    (one,) = await waiting(strict, BOB)
    assert (one["reason"], one["proposed_by"], one["quorum"], one["mine"]) == ("audit", "carol", 2, False)
    assert (await strict.ask(listing.list_, BOB))["changes"] == 1
    assert (await strict.ask(listing.list_, CAROL))["changes"] == 0
    assert await waiting(strict, ALICE) == []
    await strict.advance(7 * 24 * HOUR)
    assert await waiting(strict, BOB) == []
    assert (await refusal(strict, changes.approve, BOB, id=1)).code == "conflict"


async def test_root_with_a_login_changes_rules_where_too_few_are_left(strict: World) -> None:
    """Nobody but carol is left: root with a login makes the change, and that is told; root without one proposes it."""
    strict.people.take_out_of("dave", "admins")
    strict.people.remove("bob")
    await strict.service.check()
    body = {"name": "office", "changes": ["approvers-=bob", "approvals=1"]}
    assert (await refusal(strict, networks.set_, ROOT, **body)).code == "pending"
    await strict.do(networks.set_, SUDO_BOB, **body)
    (alone,) = (await strict.ask(eventlog.events_, ROOT, kind="decided_alone"))["events"]
    assert alone["data"]["comment"] == "office: approvals: 2 -> 1"


async def test_reasons_are_wanted_where_root_wants_them(office: World) -> None:
    """With [policy] reasons whoever changes rules says why, and that stands in the event."""
    office.service.reload(replace(office.config, policy=Policy(reasons=True)))
    said = await refusal(office, networks.set_, CAROL, name="office", changes=["approvers+=bob"])
    assert (said.code, "without a reason" in said.message) == ("bad_request", True)
    await office.do(networks.set_, CAROL, name="office", changes=["approvers+=bob"], plan=True)
    await office.do(networks.set_, CAROL, name="office", changes=["approvers+=bob"], reason="bob takes over")
    (event,) = (await office.ask(eventlog.events_, ROOT, kind="network_changed"))["events"]
    assert event["data"]["reason"] == "bob takes over"


async def test_a_key_in_anothers_name_is_named_in_the_plan(strict: World) -> None:
    """Attack: the key first, and the rule after it: whoever agrees sees whose key would be let in."""
    await strict.do(devices.add, CAROL, name="bobs", user="bob", public_key=key("carol"))
    body = {"name": "office", "changes": ["jit.exempt+=bob"]}
    await refusal(strict, networks.set_, CAROL, **body)
    plan = await strict.do(changes.approve, DAVE, id=1, plan=True)
    assert "carol registered bob's device bobs" in plan["plan"]["warnings"]
    number = await strict.asked(ALICE)
    await strict.do(grants.grant, DAVE, id=number)
