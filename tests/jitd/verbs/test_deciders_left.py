"""Nobody, or too few, left who may decide: told when it happens, by whatever it happens."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from jitd.queries import eventlog, overview, show, why
from jitd.verbs import devices, networks, requests
from support.service import ALICE, CAROL, ROOT, World, key

TEAM = "approvers=@team"


async def with_team(world: World) -> None:
    """bob and alice are in a group of approvers; three have to agree, of four who may."""
    world.people.put_into("bob", "team")
    world.people.put_into("alice", "team")
    await world.do(networks.set_, ROOT, name="office", changes=[TEAM, "approvals=3"])
    await world.service.check()


async def told(world: World) -> list[tuple[str, str]]:
    """(kind, why) of what was told of deciders."""
    found = []
    for kind in ("undecidable", "decidable"):
        events = (await world.ask(eventlog.events_, ROOT, kind=kind))["events"]
        found += [(one["seq"], kind, one["data"].get("comment", "")) for one in events]
    return [(kind, why) for _, kind, why in sorted(found)]


def emptied(world: World) -> None:
    """Everybody leaves the group."""
    world.people.take_out_of("bob", "team")
    world.people.take_out_of("alice", "team")


def removed(world: World) -> None:
    """The group is gone."""
    emptied(world)
    world.people.groups.discard("team")


def ended(world: World) -> None:
    """Two accounts end: nobody can log in as them any more."""
    for name in ("bob", "alice"):
        world.people.people[name] = replace(world.people.people[name], can_log_in=False)


@pytest.mark.parametrize(
    ("happens", "why"),
    [(emptied, " (team has no members)"), (removed, " (there is no group team)"), (ended, "")],
)
async def test_it_is_told_when_it_happens(office: World, happens: Callable[[World], None], why: str) -> None:
    """An event, once, with what is missing; doctor, status, the network, a request and `why` say it, too."""
    await with_team(office)
    assert await told(office) == []
    happens(office)
    await office.service.check()
    await office.service.check()
    said = f"3 different approvers are needed, and only carol, dave may decide about office{why}"
    assert await told(office) == [("undecidable", said)]
    found = await office.examine(ROOT, part="config")
    assert ("broken", said) in [(one["level"], one["what"]) for one in found["checks"]]
    assert (await office.ask(networks.show, CAROL, name="office"))["network"]["shortage"] == said
    warnings = (await office.ask(overview.status, ROOT))["gateway"]["warnings"]
    assert f"{said} (jitctl network show office)" in warnings


async def test_a_request_says_that_too_few_can_decide(office: World) -> None:
    """Whoever asks is told at once, and sees it as long as it waits."""
    await with_team(office)
    removed(office)
    await office.service.check()
    said = "3 different approvers are needed, and only carol, dave may decide about office (there is no group team)"
    reply = await office.do(requests.request, ALICE, network="office", reason="x")
    assert reply["note"] == said
    number = reply["request"]["id"]
    assert (await office.ask(show.show, ALICE, id=number))["shortage"] == said
    lines = (await office.ask(why.why, ALICE, network="office"))["lines"]
    (line,) = [one for one in lines if one["question"] == "who decides"]
    assert said in line["because"]
    await office.do(requests.cancel, ALICE, id=number)
    assert (await office.ask(show.show, ALICE, id=number))["shortage"] == ""


async def test_it_is_told_that_enough_are_there_again(office: World) -> None:
    """Once, however it was mended; and again when it happens again, also after a restart."""
    await with_team(office)
    removed(office)
    await office.service.check()
    await office.restart()
    await office.service.check()
    assert [kind for kind, _ in await told(office)] == ["undecidable"]
    office.people.put_into("bob", "team")
    await office.service.check()
    await office.service.check()
    assert [kind for kind, _ in await told(office)] == ["undecidable", "decidable"]
    office.people.take_out_of("bob", "team")
    await office.service.check()
    assert [kind for kind, _ in await told(office)] == ["undecidable", "decidable", "undecidable"]


async def test_a_directory_that_does_not_answer_is_no_shortage(office: World) -> None:
    """Who cannot be looked up may well be there: nothing is said, and nothing is taken back."""
    await with_team(office)
    office.people.silent |= {"team", "admins"}
    await office.service.check()
    assert await told(office) == []


async def test_who_asks_is_no_decider_of_it(office: World) -> None:
    """The only one who may decide asks: only root is left for that request, and it says so."""
    office.people.take_out_of("dave", "admins")
    await office.do(networks.set_, ROOT, name="office", changes=["jit.admins_too=on"])
    await office.service.check()
    assert await told(office) == []
    await office.do(devices.add, CAROL, name="laptop", public_key=key("carol"))
    reply = await office.do(requests.request, CAROL, network="office", reason="x")
    assert reply["note"] == "only root may decide about office (carol asks)"
