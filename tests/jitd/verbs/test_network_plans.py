"""Changes of networks while people are in: the plan names who gains, who loses, who reaches more or less, and what ends."""

from typing import Any

import pytest

from jitd.core.errors import JitError
from jitd.queries import show
from jitd.verbs import devices, grants, networks
from jitd.verbs.context import ChangeVerb
from support.service import ALICE, BOB, CAROL, HOUR, ROOT, World, key


async def planned(world: World, verb: ChangeVerb, **body: Any) -> dict[str, Any]:
    """The plan of a change; nothing comes of it."""
    before = (world.peers(), world.entries())
    plan: dict[str, Any] = (await world.do(verb, CAROL, **body, plan=True))["plan"]
    assert (world.peers(), world.entries()) == before
    return plan


def reaching(plan: dict[str, Any]) -> list[tuple[str, str, str, list[str], list[str]]]:
    """Who reaches more and less."""
    return [(one["user"], one["network"], one["why"], one["more"], one["less"]) for one in plan["reaches"]]


async def test_routes_that_change_under_a_grant(office: World) -> None:
    """A grant reaches what its network opens: other routes give and take, and the plan says to whom and what."""
    number = await office.granted(ALICE)
    why = f"grant {number}"
    for routes, more, less in (
        (["10.0.0.0/8", "172.31.0.0/16"], ["172.31.0.0/16"], []),
        (["10.0.0.0/9"], [], ["10.0.0.0/8"]),
        (["172.31.0.0/16"], ["172.31.0.0/16"], ["10.0.0.0/8"]),
        (["10.0.0.0/8"], [], []),
    ):
        plan = await planned(office, networks.set_, name="office", routes=routes)
        assert reaching(plan) == ([("alice", "office", why, more, less)] if more or less else [])
        assert (plan["gains"], plan["loses"]) == ([], [])


async def test_ports_paused_and_later_grants_and_standing_access(office: World) -> None:
    """Whoever is or will be let in is named: by a paused grant, by one that begins later, by a rule."""
    await office.do(networks.set_, ROOT, name="office", changes=["jit.exempt=bob"])
    later = await office.asked(ALICE, start=office.clock.now_ms() + HOUR)
    await office.do(grants.grant, ROOT, id=later)
    plan = await planned(office, networks.set_, name="office", ports=["tcp/443"])
    assert reaching(plan) == [
        ("alice", "office", f"grant {later}", [], ["10.0.0.0/8"]),
        ("bob", "office", "bob never have to request office (jit.exempt)", [], ["10.0.0.0/8"]),
    ]


async def test_a_network_within_another_takes_from_it(office: World) -> None:
    """The most specific destination decides: a new network closes a part of another one, and gives it back at its end."""
    number = await office.granted(ALICE)
    body = {"name": "db", "routes": ["10.1.2.3/32"]}
    plan = await planned(office, networks.add, **body)
    assert reaching(plan) == [("alice", "office", f"grant {number}", [], ["10.1.2.3/32"])]
    await office.do(networks.add, CAROL, **body, confirm=plan["token"])
    plan = await planned(office, networks.remove, name="db")
    assert reaching(plan) == [("alice", "office", f"grant {number}", ["10.1.2.3/32"], [])]


async def test_administrators_gain_a_new_network(office: World) -> None:
    """Adding a network lets administrators' devices in at once: that is said before."""
    await office.do(devices.add, ROOT, name="laptop", public_key=key("dave"), user="dave")
    plan = await planned(office, networks.add, name="lab", routes=["192.168.0.0/24"])
    assert [(one["user"], one["network"]) for one in plan["gains"]] == [("dave", "lab")]


async def test_a_plan_that_has_changed_is_not_done(office: World) -> None:
    """What was confirmed is done, or nothing: a grant that came between is in no plan that somebody has seen."""
    body = {"name": "office", "routes": ["10.0.0.0/8", "172.31.0.0/16"]}
    for verb, more in ((networks.set_, body), (networks.remove, {"name": "office"})):
        plan = await planned(office, verb, **more)
        if verb is networks.set_:
            await office.granted(ALICE)
        else:
            await office.do(networks.set_, ROOT, name="office", changes=["jit.exempt=bob"])
        with pytest.raises(JitError, match="has changed since"):
            await office.do(verb, CAROL, **more, confirm=plan["token"])
    shown = (await office.ask(networks.show, CAROL, name="office"))["network"]
    assert shown["routes"] == ["10.0.0.0/8"]


async def test_what_becomes_of_requests_when_a_network_goes(office: World) -> None:
    """Grants are revoked, pending requests lapse, what is past stays in the history: the plan says so, by number."""
    assert (await planned(office, networks.remove, name="office"))["also"] == []
    past = await office.granted(ALICE)
    await office.do(grants.revoke, ROOT, id=past)
    assert (await planned(office, networks.remove, name="office"))["also"] == [
        "1 earlier request stays in the history (jitctl list --network office); a network that is added under this name"
        " again has none of them"
    ]
    granted = await office.granted(ALICE)
    pending = await office.asked(BOB)
    plan = await planned(office, networks.remove, name="office")
    assert plan["also"][:2] == [f"revoked: grant {granted} of alice", f"lapsed: request {pending} of bob"]
    await office.do(networks.remove, CAROL, name="office", confirm=plan["token"])
    for number, status in ((past, "revoked"), (granted, "revoked"), (pending, "lapsed")):
        shown = await office.ask(show.show, CAROL, id=number)
        assert shown["request"]["status"] == status
