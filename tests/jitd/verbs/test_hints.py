"""What people are told to type works when it is pasted, whatever the users and groups of the system are called."""

import json
import re
from collections.abc import Awaitable
from dataclasses import replace

import pytest

from jitd.core.commandline import parts_of
from jitd.core.errors import JitError
from jitd.core.model import Actor
from jitd.core.people import Answer, Person
from jitd.queries import report, why
from jitd.verbs import devices, grants, networks, policies, requests, users
from support.hints import commands
from support.service import ALICE, CAROL, HOUR, World, key

#: As directories and careless scripts make them.
NAMES = ("DOM\\anna lee", "j.doe@corp.example", "@web", "web;1", "HOST$", "a,b", "-x", "jürgen", "o'neil")
GROUP = "domain users@corp.example"


async def hints_for(world: World, name: str) -> list[list[str]]:
    """Every command that is told in a run of refusals, explanations and warnings about somebody of this name."""
    said: list[str] = []

    async def told(doing: Awaitable[object]) -> None:
        try:
            reply = await doing
            are_data(reply)
            said.append(json.dumps(reply, ensure_ascii=False))
        except JitError as error:
            are_data([error.message, error.hint])
            said.append(json.dumps([error.message, error.hint], ensure_ascii=False))

    uid = 61100
    world.people.people[name] = Person(name=name, exists=Answer.YES, uid=uid, groups=frozenset({GROUP}))
    world.people.groups.add(GROUP)
    her = Actor(uid=uid, user=name, login_uid=uid, login_user=name)
    office = {"name": "office"}

    async def explained() -> None:
        await told(world.ask(why.why, CAROL, user=name, network="office"))
        await told(world.ask(why.why, her, network="office"))
        await told(world.examine(her, network="office"))
        await told(world.examine(CAROL, network="office", user=name))

    await told(world.do(users.add, CAROL, user=name, until=world.clock.now_ms() + HOUR))
    await told(world.do(users.set_, CAROL, user=name, until=world.clock.now_ms() + HOUR))
    await explained()
    await told(world.do(requests.request, her, network="office", reason="x"))
    await told(world.do(grants.grant, CAROL, user=name, network="office"))
    await told(world.do(devices.add, CAROL, name="laptop", public_key=key(name), user=name))
    await told(world.do(grants.grant, her, user="alice", network="office"))
    await told(world.do(networks.set_, her, **office, changes=["approvals=1"]))
    await told(world.do(grants.grant, her, id=await world.asked(ALICE)))
    await told(world.do(requests.request, her, network="office", reason="x"))
    await explained()
    await told(world.do(grants.grant, CAROL, user=name, network="office"))
    await told(world.ask(report.report, CAROL))
    # The rules name her in every way that there is, as `why` says it.
    for setting in ("members", "approvers", "jit.exempt", "jit.break_glass", "jit.groups"):
        changes = [
            words[3]
            for text in said
            for words in commands(_plain(text), name)
            if words[:3] == ["network", "set", "office"] and words[3].startswith(setting)
        ]
        if changes:
            await world.do(networks.set_, CAROL, **office, changes=[changes[0]])
            await explained()
    await told(world.do(networks.set_, CAROL, **office, changes=[f"members+=@{GROUP}"]))
    await told(world.do(grants.grant, CAROL, user=name, network="office"))
    await told(world.do(users.disable, CAROL, user=name, reason="left"))
    await explained()
    return [words for text in said for words in commands(_plain(text), name)]


def are_data(value: object) -> None:
    """Every command in an answer is data: in no text of it stands one."""
    match value:
        case str():
            texts = [one for one in parts_of(value) if isinstance(one, str)]
            assert not [one for one in texts if re.search(r"\bjitctl [a-z]", one)], value
        case dict():
            for one in value.values():
                are_data(one)
        case list() | tuple():
            for one in value:
                are_data(one)


def _plain(text: str) -> str:
    """All texts of an answer, a line each, so that none runs into the next."""
    found: list[str] = []

    def walk(value: object) -> None:
        match value:
            case str():
                found.append(value)
            case dict():
                for one in value.values():
                    walk(one)
            case list():
                for one in value:
                    walk(one)

    walk(json.loads(text))
    return "  \n".join(found)


@pytest.mark.parametrize("name", NAMES)
async def test_every_hint_is_what_it_says(office: World, name: str) -> None:
    """Attack: somebody is called so that a command that names them does something else when it is pasted."""
    found = await hints_for(office, name)
    # Whoever is named stands in one word of their own, or in the value of a setting.
    naming = {word for words in found for word in words if name in word}
    assert naming >= {name}
    assert len([words for words in found if words[:2] == ["network", "set"]]) > 5


@pytest.mark.parametrize("name", NAMES)
async def test_a_rule_that_why_suggests_is_for_that_user(office: World, name: str) -> None:
    """The command that `why` prints lets in whom it names, and nobody else."""
    office.people.people[name] = Person(name=name, exists=Answer.YES, uid=61100)
    lines = (await office.ask(why.why, CAROL, user=name, network="office"))["lines"]
    (words,) = [
        found for line in lines for found in commands(line["change"], name) if "jit.exempt" in line["change"]
    ]
    await office.do(networks.set_, CAROL, name="office", changes=[words[3]])
    lines = (await office.ask(why.why, CAROL, user=name, network="office"))["lines"]
    assert {line["question"]: line["answer"] for line in lines}["do they have to request access"] == "no"
    lines = (await office.ask(why.why, CAROL, user="alice", network="office"))["lines"]
    assert {line["question"]: line["answer"] for line in lines}["do they have to request access"] == "yes"


async def test_names_of_directories_go_through_a_file(office: World) -> None:
    """What rules say of odd names is exported as TOML, and applied again without a change."""
    for number, name in enumerate(NAMES):
        office.people.people[name] = replace(office.people.people["alice"], name=name, uid=61100 + number)
    office.people.groups.add(GROUP)
    table = {
        "members": ["DOM\\anna lee", "user:@web", f"@{GROUP}", "a,b"],
        "approvers": ["j.doe@corp.example", "HOST$"],
    }
    changes = ['members=DOM\\anna lee,user:@web,"a,b",@' + GROUP, "approvers=HOST$,j.doe@corp.example"]
    rule = 'DOM\\anna lee,"a,b" up to 1h, 5 a week'
    await office.do(networks.set_, CAROL, name="office", changes=[*changes, f"jit.auto_approve={rule}"])
    shown = (await office.ask(networks.show, CAROL, name="office"))["network"]["settings"]
    assert {key: sorted(shown[key]) for key in table} == {key: sorted(value) for key, value in table.items()}
    exported = (await office.ask(policies.export, CAROL))["text"]
    assert not (await office.do(policies.apply, CAROL, text=exported))["changes"]
