"""why: which rules apply, in words."""

import pytest
from world import ALICE, BOB, CAROL, HOUR, ROOT, World

from jitd.core.errors import JitError
from jitd.core.model import Actor
from jitd.service import freezing, networks, requests, users, whys


async def told(world: World, actor: Actor = ALICE, **query) -> dict[str, tuple[str, str, str]]:
    """(answer, because, change) by question."""
    reply = await world.ask(whys.why, actor, **({"network": "office"} | query))
    return {line["question"]: (line["answer"], line["because"], line["change"]) for line in reply["lines"]}


async def test_an_ordinary_user(office: World) -> None:
    """Everything that decides about alice, with the setting that says so and what would change it."""
    lines = await told(office)
    assert lines["does the account count"] == ("yes", "alice is a user of this system", "")
    assert lines["may they use it"] == ("yes", "every user may ask for office", "")
    assert lines["must they ask"] == (
        "yes",
        "just-in-time access is on for office",
        "jitctl network set office jit.exempt+=alice",
    )
    assert lines["have they access without asking"][0] == "no"
    assert lines["for how long"][0] == "2h, from 1s to 8h"
    assert lines["who decides"][:2] == ("administrators", "one of them; nobody on their own request")
    assert lines["do they decide about others"] == (
        "no",
        "only administrators decide about office",
        "jitctl network set office approvers+=alice",
    )


async def test_every_rule_has_its_line(office: World) -> None:
    """Members, hours, reasons, break-glass, rules, several deciders: what is set is told."""
    changes = [
        "members=@dev",
        "approvers=bob,carol",
        "approvals=2",
        "jit.hours=daily 00:00-00:01 UTC",
        "reason_pattern=OPS-.*",
        "reason_expected=a ticket",
        "jit.break_glass=alice",
        "jit.auto_approve=alice up to 1h, 3 a week",
    ]
    await office.do(networks.set_, ROOT, name="office", changes=changes)
    lines = await told(office, CAROL, user="alice")
    assert lines["may they use it"] == (
        "no",
        "the members of office are @dev",
        "jitctl network set office members+=alice",
    )
    assert lines["who decides"][:2] == (
        "administrators, bob, carol",
        "2 different people of them; nobody on their own request",
    )
    assert lines["is it the time for it"][0] == "no"
    assert "it opens at" in lines["is it the time for it"][1]
    assert lines["must they say why"] == ("yes", "a ticket", "")
    assert lines["may they use break-glass"][:2] == (
        "yes",
        "break-glass on office is for alice; 1h at most, 3 of 3 left this week",
    )
    assert lines["is it granted without waiting"][:2] == (
        "no",
        'it is longer than the rule "alice up to 1h, 3 a week" allows',
    )


async def test_what_shuts_out_is_told_first(office: World) -> None:
    """A disabled account and a freeze, with what ends them."""
    await office.do(users.disable, ROOT, user="alice", reason="left")
    await office.do(freezing.freeze, ROOT, reason="intruder")
    lines = await told(office, ROOT, user="alice")
    assert lines["does the account count"] == (
        "no",
        "an administrator has disabled alice: left",
        "jitctl user enable alice",
    )
    assert lines["is everything frozen"] == ("yes", "root has frozen everything: intruder", "jitctl thaw")


async def test_a_request_is_explained_with_its_history(office: World) -> None:
    """By number: the request, what became of it, and the rules of now."""
    number = await office.granted(ALICE, duration=HOUR)
    reply = await office.ask(whys.why, ALICE, id=number)
    assert (reply["request"]["id"], reply["user"], reply["network"]) == (number, "alice", "office")
    assert [event["kind"] for event in reply["events"]] == ["requested", "granted"]


async def test_who_may_ask_about_whom(office: World) -> None:
    """Oneself always; others only who decides there; networks that one may not use do not exist."""
    number = await office.asked(ALICE)
    for query, code in (
        ({"user": "alice", "network": "office"}, "not_permitted"),
        ({"id": number}, "not_found"),
    ):
        with pytest.raises(JitError) as caught:
            await office.ask(whys.why, BOB, **query)
        assert caught.value.code == code
    await office.do(networks.set_, ROOT, name="office", changes=["approvers=bob"])
    assert (await told(office, BOB, user="alice"))["may they use it"][0] == "yes"
    await office.do(networks.set_, ROOT, name="office", changes=["approvers=", "members=alice"])
    with pytest.raises(JitError) as caught:
        await office.ask(whys.why, BOB, network="office")
    assert caught.value.code == "not_found"
    with pytest.raises(JitError) as caught:
        await office.ask(whys.why, BOB)
    assert caught.value.code == "bad_request"


async def test_a_dry_run_and_why_agree(office: World) -> None:
    """Where why says that it is granted without waiting, the request is."""
    await office.do(networks.set_, ROOT, name="office", changes=["jit.auto_approve=alice up to 2h, 3 a week"])
    assert (await told(office))["is it granted without waiting"][0] == "yes"
    reply = await office.do(requests.request, ALICE, network="office", reason="x", plan=True)
    assert reply["request"]["status"] == "active"
