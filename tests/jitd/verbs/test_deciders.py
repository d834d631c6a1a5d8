"""Who decides: approvers of a network, several people who have to agree, and rules."""

import asyncio
from typing import Any

import pytest

from jitd.core.errors import JitError
from jitd.core.model import Actor
from jitd.core.people import Answer, Person
from jitd.queries import eventlog, history, listing, report, show, why
from jitd.verbs import devices, grants, interfaces, networks, requests
from jitd.verbs.context import ChangeVerb, QueryVerb
from support.service import ALICE, BOB, CAROL, DAVE, HOUR, ROOT, World, key

SUDO_CAROL = Actor(uid=0, user="root", login_uid=61003, login_user="carol")
SUDO_DAVE = Actor(uid=0, user="root", login_uid=61004, login_user="dave")
DAY = 24 * HOUR


async def set_(world: World, *changes: str, name: str = "office") -> None:
    """Change the settings of a network."""
    await world.do(networks.set_, ROOT, name=name, changes=list(changes))


async def code_of(world: World, verb: ChangeVerb, actor: Actor, **body: object) -> str:
    """The code of the error that a verb gives."""
    with pytest.raises(JitError) as caught:
        await world.do(verb, actor, **body)
    return caught.value.code


async def test_a_denial_says_whom_to_ask(office: World) -> None:
    """Who decides about the network, or administers the gateway, by name and group."""
    await set_(office, "approvers=bob,@admins")
    number = await office.asked(ALICE)
    for verb, caller, whom in (
        (grants.grant, ALICE, "Ask @admins or bob or an administrator (group admins)"),
        (networks.remove, ALICE, "Ask an administrator (group admins), or use sudo."),
    ):
        with pytest.raises(JitError) as caught:
            await office.do(verb, caller, id=number, name="office")
        assert (caught.value.code, caught.value.hint.startswith(whom)) == ("not_permitted", True)


async def test_an_approver_decides_for_one_network_alone(office: World) -> None:
    """Bob approves for office: he sees and decides its requests; those of lab do not exist for him, whatever the id."""
    await office.do(interfaces.add, ROOT, name="wg1", pools=["10.8.0.0/24"], port=1)
    await office.do(networks.add, ROOT, name="lab", interface="wg1", routes=["10.2.0.0/16"])
    await set_(office, "approvers=bob")
    mine = await office.asked(ALICE)
    other = await office.asked(ALICE, network="lab")
    listed = await office.ask(listing.list_, BOB)
    assert [one["id"] for one in listed["requests"]] == [mine]
    assert listed["counts"]["pending"] == 1
    for verb in (grants.grant, grants.deny, grants.revoke, grants.extend):
        assert await code_of(office, verb, BOB, id=other, duration=HOUR) == "not_found"
    with pytest.raises(JitError):
        await office.ask(show.show, BOB, id=other)
    reply = await office.do(grants.grant, BOB, id=mine, duration=HOUR)
    assert (reply["request"]["status"], reply["request"]["decided_by"]) == ("active", "bob")
    assert [one["network"] for one in (await office.ask(eventlog.events_, BOB))["events"] if one["id"]] == [
        "office",
        "office",
    ]
    await office.do(grants.revoke, BOB, id=mine)
    assert office.peers() == {}


async def test_an_approver_is_no_administrator(office: World) -> None:
    """He changes no network, freezes nothing, and gives nothing to those who did not ask."""
    await set_(office, "approvers=bob")
    assert (
        await code_of(office, networks.set_, BOB, name="office", changes=["approvers=alice"])
        == "not_permitted"
    )
    assert await code_of(office, grants.grant, BOB, user="alice", network="office") == "not_permitted"


async def test_an_approver_does_not_decide_on_his_own(office: World) -> None:
    """Not even as approver: somebody else has to."""
    await set_(office, "approvers=bob")
    number = await office.asked(BOB)
    assert await code_of(office, grants.grant, BOB, id=number) == "refused"
    assert await code_of(office, grants.deny, BOB, id=number) == "refused"


async def test_several_have_to_agree(office: World) -> None:
    """Two different people; the shortest duration counts; the list says how many; the same person counts once."""
    await set_(office, "approvals=2")
    number = await office.asked(ALICE, duration=4 * HOUR)
    first = await office.do(grants.grant, CAROL, id=number, duration=3 * HOUR)
    assert (first["request"]["status"], first["request"]["approvals"]) == ("pending", 2)
    assert first["request"]["approved_by"] == ["carol"]
    assert office.peers() == {}
    for again in (CAROL, SUDO_CAROL):
        assert await code_of(office, grants.grant, again, id=number) == "conflict"
    last = await office.do(grants.grant, SUDO_DAVE, id=number)
    assert last["request"]["status"] == "active"
    assert last["request"]["ends"] - last["request"]["starts"] == 3 * HOUR
    assert set(office.peers()) == {"alice"}


async def test_two_people_behind_sudo_are_two(office: World) -> None:
    """Everybody who uses sudo is root: who logged in tells them apart."""
    await set_(office, "approvals=2")
    number = await office.asked(ALICE)
    await office.do(grants.grant, SUDO_CAROL, id=number)
    assert (await office.ask(show.show, ROOT, id=number))["request"]["approved_by"] == ["carol"]
    assert (await office.do(grants.grant, SUDO_DAVE, id=number))["request"]["status"] == "active"


#: Bob, who may become root.
SUDO_BOB = Actor(uid=0, user="root", login_uid=61002, login_user="bob")


async def test_a_yes_counts_only_while_its_giver_may_decide(office: World) -> None:
    """Carol agreed and is demoted: her yes is void, and two others have to."""
    await set_(office, "approvals=2")
    number = await office.asked(ALICE)
    await office.do(grants.grant, CAROL, id=number)
    office.people.take_out_of("carol", "admins")
    reply = await office.do(grants.grant, DAVE, id=number)
    assert (reply["request"]["status"], reply["request"]["approved_by"]) == ("pending", ["dave"])
    void = (await office.ask(eventlog.events_, ROOT, kind="approval_void"))["events"]
    assert [one["data"]["by"] for one in void] == ["carol"]
    assert (await office.do(grants.grant, SUDO_BOB, id=number))["request"]["status"] == "active"


async def test_one_no_ends_it(office: World) -> None:
    """One denial ends the request, whoever agreed before."""
    await set_(office, "approvals=2")
    number = await office.asked(ALICE)
    await office.do(grants.grant, CAROL, id=number)
    assert (await office.do(grants.deny, DAVE, id=number, comment="no"))["request"]["status"] == "denied"
    assert await code_of(office, grants.grant, ROOT, id=number) == "conflict"


async def test_a_gift_needs_as_many(office: World) -> None:
    """Without a request, too, a single person opens nothing where two have to agree."""
    await set_(office, "approvals=2")
    reply = await office.do(grants.grant, CAROL, user="alice", network="office", duration=HOUR)
    assert reply["request"]["status"] == "pending"
    assert office.peers() == {}
    reply = await office.do(grants.grant, DAVE, id=reply["request"]["id"])
    assert reply["request"]["ends"] - reply["request"]["starts"] == HOUR


async def test_an_extension_needs_as_many(office: World) -> None:
    """One of two cannot lengthen alone: it is asked for, and counts as his yes."""
    await set_(office, "approvals=2")
    number = await office.asked(ALICE)
    await office.do(grants.grant, CAROL, id=number, duration=HOUR)
    ends = (await office.do(grants.grant, DAVE, id=number))["request"]["ends"]
    more = (await office.do(grants.extend, CAROL, id=number, duration=HOUR))["request"]
    assert (more["status"], more["extends"], more["approved_by"]) == ("pending", number, ["carol"])
    await office.do(grants.grant, DAVE, id=more["id"])
    assert (await office.ask(show.show, ROOT, id=number))["request"]["ends"] == ends + HOUR


async def test_automatic_approval_names_its_rule(office: World) -> None:
    """Within the rule it opens at once; longer, or too often within a week, goes to people, and says why."""
    await set_(office, "jit.auto_approve=@staff up to 1h, 2 a week")
    for _ in range(2):
        reply = await office.do(requests.request, ALICE, network="office", reason="logs", duration=HOUR)
        assert (reply["request"]["status"], reply["request"]["decided_by"]) == ("active", "policy")
        assert reply["note"] == 'granted by the rule "@staff up to 1h, 2 a week"'
        await office.advance(HOUR)
    third = await office.do(requests.request, ALICE, network="office", reason="logs", duration=HOUR)
    assert third["request"]["status"] == "pending"
    assert third["note"] == 'needs a decision: the rule "@staff up to 1h, 2 a week" is used up for this week'
    await office.do(requests.cancel, ALICE, id=third["request"]["id"])
    await office.advance(7 * DAY)
    longer = await office.do(requests.request, ALICE, network="office", reason="logs", duration=2 * HOUR)
    assert longer["request"]["status"] == "pending"
    assert "longer than the rule" in longer["note"]
    bobs = await office.do(requests.request, BOB, network="office", reason="logs", duration=HOUR)
    assert (bobs["request"]["status"], bobs["note"]) == ("pending", "")
    granted = (await office.ask(eventlog.events_, ROOT, kind="granted"))["events"]
    assert [one["actor"] for one in granted] == [None, None]


async def test_a_dry_run_changes_nothing(office: World) -> None:
    """It says what would be, and leaves no request and no event."""
    before = (await office.ask(eventlog.events_, ROOT))["next"]
    reply = await office.do(requests.request, ALICE, network="office", reason="logs", plan=True)
    assert reply["request"]["status"] == "pending"
    assert (await office.ask(listing.list_, ROOT))["requests"] == []
    assert (await office.ask(eventlog.events_, ROOT))["next"] == before


async def test_ensure_asks_only_for_what_is_missing(office: World) -> None:
    """Nothing: a request. Pending: that one. Long enough: nothing to do. Too short: asks for more, once."""
    first = await office.do(requests.ensure, ALICE, network="office", reason="backup", duration=HOUR)
    assert (first["request"]["status"], first["already"]) == ("pending", False)
    number = first["request"]["id"]
    second = await office.do(requests.ensure, ALICE, network="office", reason="backup", duration=HOUR)
    assert (second["request"]["id"], second["already"]) == (number, True)
    await office.do(grants.grant, ROOT, id=number)
    enough = await office.do(requests.ensure, ALICE, network="office", reason="backup", duration=HOUR)
    assert (enough["request"]["status"], enough["already"]) == ("active", True)
    await office.advance(HOUR // 2)
    more = await office.do(requests.ensure, ALICE, network="office", reason="backup", duration=HOUR)
    assert (more["request"]["extends"], more["request"]["wanted"]) == (number, HOUR // 2)
    again = await office.do(requests.ensure, ALICE, network="office", reason="backup", duration=HOUR)
    assert (again["request"]["id"], again["already"]) == (more["request"]["id"], True)
    await office.do(grants.grant, ROOT, id=more["request"]["id"])
    enough = await office.do(requests.ensure, ALICE, network="office", reason="backup", duration=HOUR)
    assert (enough["request"]["id"], enough["already"]) == (number, True)


async def test_an_approver_reads_who_has_which_device_no_more_than_before(office: World) -> None:
    """To approve for a network gives no look at other people's devices."""
    await set_(office, "approvers=bob")
    await office.do(devices.add, CAROL, name="laptop", public_key=key("carol"))
    with pytest.raises(JitError):
        await office.ask(devices.list_, BOB, user="carol")


async def test_deciders_and_the_user_race(office: World) -> None:
    """Two yeses, a no and a cancellation at once: exactly one wins, the others are told what happened."""
    number = await office.asked(ALICE)
    found = await asyncio.gather(
        office.do(grants.grant, CAROL, id=number),
        office.do(grants.grant, DAVE, id=number),
        office.do(grants.deny, ROOT, id=number),
        office.do(requests.cancel, ALICE, id=number),
        return_exceptions=True,
    )
    won = [one for one in found if isinstance(one, dict)]
    lost = [one for one in found if isinstance(one, JitError)]
    assert (len(won), len(lost)) == (1, 3)
    assert {error.code for error in lost} == {"conflict"}
    status = (await office.ask(show.show, ROOT, id=number))["request"]["status"]
    assert status == won[0]["request"]["status"]
    decided = [
        event["kind"]
        for event in (await office.ask(eventlog.events_, ROOT))["events"]
        if event["kind"] in ("granted", "denied", "cancelled")
    ]
    assert len(decided) == 1


async def test_two_of_two_race(office: World) -> None:
    """Both yeses at once make one grant."""
    await set_(office, "approvals=2")
    number = await office.asked(ALICE)
    await asyncio.gather(office.do(grants.grant, CAROL, id=number), office.do(grants.grant, DAVE, id=number))
    assert (await office.ask(show.show, ROOT, id=number))["request"]["status"] == "active"
    assert len((await office.ask(eventlog.events_, ROOT, kind="granted"))["events"]) == 1


async def test_a_network_that_is_made_again_is_another_one(office: World) -> None:
    """Attack: a network is removed, and made again under its name with another approver, who would read what was asked for
    on the old one: in events, lists, histories and reports.
    """
    await office.do(networks.set_, ROOT, name="office", changes=["approvers=bob"])
    number = await office.asked(ALICE, reason="merger with ACME")
    await office.do(grants.deny, BOB, id=number, comment="not ACME")
    await office.do(networks.remove, ROOT, name="office")
    office.people.people["erin"] = Person(name="erin", exists=Answer.YES, uid=61005)
    erin = Actor(uid=61005, user="erin", login_uid=61005, login_user="erin")
    again = {"name": "office", "routes": ["10.0.0.0/8"], "changes": ["approvers=erin"]}
    await office.do(networks.add, ROOT, **again)
    later = await office.asked(ALICE, reason="printer")
    for verb, query in (
        (eventlog.events_, {}),
        (eventlog.events_, {"network": "office"}),
        (eventlog.events_, {"last": 50}),
        (eventlog.events_, {"id": number}),
        (listing.list_, {"network": "office"}),
        (history.history, {"id": later}),
        (report.report, {"network": "office"}),
        (why.why, {"user": "alice", "network": "office"}),
    ):
        seen = await office.ask(verb, erin, **query)
        assert "ACME" not in str(seen), verb
    assert "printer" in str(await office.ask(eventlog.events_, erin))
    hidden: tuple[QueryVerb[Any], ...] = (show.show, why.why, history.history)
    for one in hidden:
        with pytest.raises(JitError) as caught:
            await office.ask(one, erin, id=number)
        assert caught.value.code == "not_found"
