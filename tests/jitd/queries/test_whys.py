"""why: which rules apply, in words."""

from datetime import UTC, datetime, timedelta

import pytest

from jitd.core.errors import JitError
from jitd.core.model import Actor
from jitd.queries import why
from jitd.verbs import changes as rule_changes
from jitd.verbs import devices, freezing, grants, holding, networks, removal, requests, users
from support.service import ALICE, BOB, CAROL, DAVE, HOUR, ROOT, World, key

SUDO_DAVE = Actor(uid=0, user="root", login_uid=61004, login_user="dave")


async def told(world: World, actor: Actor = ALICE, **query: object) -> dict[str, tuple[str, str, str]]:
    """(answer, because, change) by question."""
    reply = await world.ask(why.why, actor, **({"network": "office"} | query))
    return {line["question"]: (line["answer"], line["because"], line["change"]) for line in reply["lines"]}


async def test_an_ordinary_user(office: World) -> None:
    """Everything that decides about alice, with the setting that says so and what would change it."""
    lines = await told(office)
    assert lines["is the account valid"] == ("yes", "alice is a user of this system", "")
    assert lines["may they use it"] == ("yes", "every user may request office", "")
    assert lines["do they have to request access"] == (
        "yes",
        "just-in-time access is on for office",
        "jitctl network set office jit.exempt+=alice",
    )
    assert lines["do they have standing access"][0] == "no"
    assert lines["for how long"][0] == "2h, from 1s to 8h"
    assert lines["who decides"][:2] == ("administrators", "one of them; never on their own request")
    assert lines["may they decide about requests of others"] == (
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
        "2 different people of them; never on their own request",
    )
    assert lines["is access allowed at this time"][0] == "no"
    assert "it opens at" in lines["is access allowed at this time"][1]
    assert lines["is a reason required"] == ("yes", "a ticket", "")
    assert lines["may they use break-glass"][:2] == (
        "no",
        "the members of office are @dev; break-glass on office is for alice",
    )
    office.people.put_into("alice", "dev")
    lines = await told(office, CAROL, user="alice")
    assert lines["may they use break-glass"][:2] == (
        "yes",
        "break-glass on office is for alice; 1h at most, 3 of 3 left this week",
    )
    assert lines["is it granted automatically"][0] == "no"
    assert "its hours are daily 00:00-00:01 UTC" in lines["is it granted automatically"][1]
    await agreed(office, "jit.hours=")
    assert (await told(office))["is it granted automatically"][:2] == (
        "no",
        'it is longer than the rule "alice up to 1h, 3 a week" allows',
    )


async def test_what_shuts_out_is_told_first(office: World) -> None:
    """A disabled account and a freeze, with what ends them."""
    await office.do(users.disable, ROOT, user="alice", reason="left")
    await office.do(freezing.freeze, ROOT, reason="intruder")
    lines = await told(office, ROOT, user="alice")
    assert lines["is the account valid"] == (
        "no",
        "an administrator has disabled alice: left",
        "jitctl user enable alice",
    )
    assert lines["is all access frozen"] == ("yes", "root has frozen all access: intruder", "jitctl thaw")


async def test_a_request_is_explained_with_its_history(office: World) -> None:
    """By number: the request, what became of it, and the rules of now."""
    number = await office.granted(ALICE, duration=HOUR)
    reply = await office.ask(why.why, ALICE, id=number)
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
            await office.ask(why.why, BOB, **query)
        assert caught.value.code == code
    await office.do(networks.set_, ROOT, name="office", changes=["approvers=bob"])
    assert (await told(office, BOB, user="alice"))["may they use it"][0] == "yes"
    await office.do(networks.set_, ROOT, name="office", changes=["approvers=", "members=alice"])
    with pytest.raises(JitError) as caught:
        await office.ask(why.why, BOB, network="office")
    assert caught.value.code == "not_found"
    with pytest.raises(JitError) as caught:
        await office.ask(why.why, BOB)
    assert caught.value.code == "bad_request"


async def agreed(world: World, change: str) -> None:
    """Change what two have to agree to: carol proposes it, dave is the second."""
    with pytest.raises(JitError, match="it waits as change 1"):
        await world.do(networks.set_, CAROL, name="office", changes=[change])
    await world.do(rule_changes.approve, DAVE, id=1)


async def settle(world: World, *changes: str) -> None:
    """Change the settings of the network."""
    await world.do(networks.set_, ROOT, name="office", changes=list(changes))


#: Situations: settings of the network, and what else there is.
SITUATIONS = {
    "nothing is set": ([], ""),
    "a rule for her": (["jit.auto_approve=alice up to 2h, 3 a week"], ""),
    "a rule for less": (["jit.auto_approve=alice up to 1h, 3 a week"], ""),
    "a shift that makes it shorter": (
        ["jit.auto_approve=alice up to 1h, 3 a week", "jit.hours=daily 00:00-{soon} UTC"],
        "",
    ),
    "outside the hours": (
        [
            "jit.auto_approve=alice up to 2h, 3 a week",
            "jit.hours=daily 00:00-00:01 UTC",
            "jit.break_glass=alice",
        ],
        "",
    ),
    "no member": (
        ["members=bob", "jit.auto_approve=alice up to 2h, 3 a week", "jit.break_glass=alice"],
        "",
    ),
    "break-glass": (["jit.break_glass=@staff"], ""),
    "a quota of none": (["jit.break_glass=alice", "jit.break_glass_quota=0"], ""),
    "frozen": (["jit.break_glass=alice", "jit.auto_approve=alice up to 2h, 3 a week"], "freeze"),
    "disabled": (["jit.break_glass=alice", "jit.auto_approve=alice up to 2h, 3 a week"], "disable"),
    "no device": (["jit.break_glass=alice", "jit.auto_approve=alice up to 2h, 3 a week"], "device"),
    "a directory that is down": (["members=@staff", "jit.break_glass=alice"], "down"),
    "an administrator": (["members=bob"], "admin"),
    "an administrator who asks": (["members=bob", "jit.admins_too=on"], "admin"),
    "exempt": (["jit.exempt=@staff,alice"], ""),
    "out of scope": (["members=alice,bob", "jit.groups=bob"], ""),
    "in scope": (["members=alice,bob", "jit.groups=alice"], ""),
    "switched off": (["members=alice", "jit.enabled=off"], ""),
}


async def arrange(world: World, situation: str) -> None:
    """Make it so."""
    settings, more = SITUATIONS[situation]
    soon = datetime.fromtimestamp(world.clock.now_ms() / 1000, UTC) + timedelta(minutes=30)
    if settings:
        await settle(world, *(one.format(soon=soon.strftime("%H:%M")) for one in settings))
    match more:
        case "freeze":
            await world.do(freezing.freeze, ROOT, reason="intruder")
        case "disable":
            await world.do(users.disable, ROOT, user="alice", reason="left")
        case "device":
            await world.do(removal.remove, ALICE, name="laptop")
        case "down":
            world.people.unavailable("alice")
        case "admin":
            world.people.put_into("alice", "admins")


@pytest.mark.parametrize("situation", SITUATIONS)
async def test_what_why_says_is_what_happens(office: World, situation: str) -> None:
    """Standing access, an approval without waiting and break-glass are told exactly where a request finds them."""
    await arrange(office, situation)
    lines = await told(office, ROOT, user="alice")

    async def tried(**more: object) -> str:
        try:
            body = {"network": "office", "reason": "the database burns", "plan": True} | more
            reply = await office.do(requests.request, ALICE, **body)
        except JitError as error:
            return error.code
        return reply["request"]["status"] if reply["request"] else "standing"

    at_once, emergency = await tried(), await tried(break_glass=True)
    await office.service.check()
    is_open = "alice" in office.peers()
    assert (lines["is access open now"][0] == "yes") is is_open
    assert (at_once == "standing") is (lines["do they have standing access"][0] == "yes" and is_open)
    assert (at_once == "active") is (
        lines.get("is it granted automatically", ("no",))[0] == "yes" and at_once != "standing"
    )
    assert (emergency == "active") is (lines.get("may they use break-glass", ("no",))[0] == "yes")


@pytest.mark.parametrize("situation", SITUATIONS)
async def test_what_would_change_it_does(office: World, situation: str) -> None:
    """Each change of the network that is named for an answer, typed as it stands, gives another answer."""
    await arrange(office, situation)
    for question in await told(office, ROOT, user="alice"):
        answer, _, change = (await told(office, ROOT, user="alice")).get(question, ("", "", ""))
        words = change.split()
        if words[:3] == ["jitctl", "network", "set"] and "…" not in change:
            await settle(office, *words[4:])
        elif words[:3] == ["jitctl", "network", "jit"]:
            await office.do(networks.jit, ROOT, name=words[3], on=words[4] == "on")
        else:
            continue
        assert (await told(office, ROOT, user="alice"))[question][0] != answer, question


async def test_what_is_open_is_told_with_its_grant(office: World) -> None:
    """Nothing, waiting, open, paused: each with the number that it is about and what to type."""

    async def now() -> tuple[str, str, str]:
        return (await told(office))["is access open now"]

    assert await now() == ("no", "nothing is granted", 'jitctl request office --reason "…"')
    number = await office.asked(ALICE)
    assert await now() == ("no", f"request {number} is pending", f"jitctl grant {number}")
    await office.do(grants.grant, ROOT, id=number, duration=HOUR)
    answer, because, change = await now()
    assert (answer, change) == ("yes", f"jitctl revoke {number}")
    assert because.startswith(f"grant {number}, until ")
    await office.do(holding.pause, ALICE)
    assert await now() == ("no", f"grant {number} is paused", f"jitctl resume {number}")
    await office.advance(HOUR)
    assert (await now())[1] == "nothing is granted"


async def test_the_smallest_cap_is_told(office: World) -> None:
    """The maximum, the end of the shift, of the user's time, of the last device: whichever comes first."""

    async def cap(user: str = "alice") -> str:
        return (await told(office, ROOT, user=user))["the latest end from now"][1]

    assert await cap() == "max_duration is 8h"
    soon = datetime.fromtimestamp(office.clock.now_ms() / 1000, UTC) + timedelta(hours=4)
    await settle(office, f"jit.hours=daily 00:00-{soon:%H:%M} UTC")
    assert "the shift ends at" in await cap()
    ends = office.clock.now_ms() + 2 * HOUR
    await office.do(users.add, ROOT, user="zoe", until=ends)
    assert await cap("zoe") == "the end date of zoe is then"
    await office.do(devices.add, ROOT, name="laptop", public_key=key("phone"), user="zoe", until=ends - HOUR)
    assert await cap("zoe") == "the last device is removed at that time"


async def outcome(world: World, number: int, actor: Actor = ALICE) -> list[tuple[str, str, str]]:
    """(question, answer, because) of what became of a request."""
    reply = await world.ask(why.why, actor, id=number)
    return [(one["question"], one["answer"], one["because"]) for one in reply["outcome"]]


async def test_how_several_decided(office: World) -> None:
    """Each yes with its number, the last one as the decision, what made it shorter, more of it, and its end."""
    await settle(office, "approvals=2")
    number = await office.asked(ALICE, duration=4 * HOUR)
    await office.do(grants.grant, CAROL, id=number, duration=HOUR, comment="an hour will do")
    assert (await outcome(office, number))[2][:2] == ("who decided", "nobody yet")
    await office.do(grants.grant, SUDO_DAVE, id=number)
    await agreed(office, "approvals=1")
    await office.do(grants.extend, CAROL, id=number, duration=HOUR)
    await office.do(grants.revoke, CAROL, id=number, comment="enough")
    assert await outcome(office, number) == [
        ("who asked", "alice", "ticket 42"),
        ("who agreed", "carol", "1 of 2 (approvals): an hour will do"),
        ("who agreed", "dave", "2 of 2 (approvals)"),
        ("who decided", "dave", "granted"),
        ("the granted duration", "1h", "the shortest duration that was approved"),
        ("the time added", "1h", "as decided by carol"),
        ("the end", "revoked", "by carol: enough"),
    ]


async def test_a_rule_that_decided_is_named(office: World) -> None:
    """Nobody decided; the rule did, for the default duration, and it ended when that was over."""
    await settle(office, "jit.auto_approve=alice up to 2h, 3 a week")
    number = await office.asked(ALICE)
    assert (await outcome(office, number))[1:3] == [
        ("who decided", "nobody", 'the rule "alice up to 2h, 3 a week" granted it (jit.auto_approve)'),
        ("the granted duration", "2h", "default_duration"),
    ]
    await office.advance(2 * HOUR)
    assert (await outcome(office, number))[-1] == ("the end", "expired", "its granted time was over")


async def test_an_emergency_names_who_looked_at_it(office: World) -> None:
    """Its user decided, and somebody else has to look."""
    await settle(office, "jit.break_glass=alice")
    number = await office.asked(ALICE, break_glass=True, reason="the database burns")
    lines = await outcome(office, number)
    assert lines[1] == ("who decided", "alice", "on their own, by break-glass (jit.break_glass)")
    assert lines[2] == ("the review", "nobody yet", "another approver has to acknowledge it")
    assert lines[3] == ("the granted duration", "1h", "jit.break_glass_max")
    await office.do(grants.acknowledge, CAROL, id=number, comment="it did")
    assert (await outcome(office, number))[2] == ("the review", "carol", "it did")


async def test_what_was_not_granted(office: World) -> None:
    """Denied, cancelled, lapsed: who, or nobody, and why."""
    denied = await office.asked(ALICE)
    await office.do(grants.deny, CAROL, id=denied, comment="not today")
    assert (await outcome(office, denied))[1:] == [("who decided", "carol", "denied: not today")]
    cancelled = await office.asked(ALICE)
    await office.do(requests.cancel, ALICE, id=cancelled)
    assert (await outcome(office, cancelled))[1:] == [
        ("who decided", "nobody", "it ended before"),
        ("the end", "cancelled", "by alice"),
    ]
    lapsed = await office.asked(ALICE)
    await office.advance(24 * HOUR)
    assert (await outcome(office, lapsed))[-1] == (
        "the end",
        "lapsed",
        "nobody decided in time (pending_ttl)",
    )


async def test_a_request_for_more_names_its_grant(office: World) -> None:
    """The time that it gave is told with the grant that it lengthened."""
    number = await office.granted(ALICE)
    more = (await office.do(grants.extend, ALICE, id=number, duration=HOUR, comment="not ready"))["request"][
        "id"
    ]
    await office.do(grants.grant, CAROL, id=more)
    assert (await outcome(office, more))[1:] == [
        ("who decided", "carol", "granted"),
        ("the granted duration", "1h", f"more of grant {number}"),
    ]


async def test_what_does_not_exist_for_somebody(office: World) -> None:
    """A network that one may not use is not there, whomever one asks about; root is nobody to be explained."""
    await settle(office, "members=bob")
    for network in ("office", "nowhere"):
        with pytest.raises(JitError) as caught:
            await office.ask(why.why, ALICE, user="bob", network=network)
        assert (caught.value.code, caught.value.message) == (
            "not_found",
            f"cannot find a network {network!r}",
        )
    with pytest.raises(JitError, match="have no devices and no requests") as caught:
        await office.ask(why.why, ROOT, network="office")
    assert caught.value.hint == "Name the person: jitctl why USER office"


async def test_an_approver_asks_about_those_who_asked(office: World) -> None:
    """Of everybody else he learns nothing, not even whether they are there."""
    await settle(office, "approvers=bob")
    for user in ("alice", "carol", "nobodyhere"):
        with pytest.raises(JitError, match="cannot find a request of") as caught:
            await office.ask(why.why, BOB, user=user, network="office")
        assert caught.value.code == "not_found"
    await office.asked(ALICE)
    assert (await told(office, BOB, user="alice"))["do they have to request access"][0] == "yes"


async def test_who_is_gone_or_in_doubt_is_explained(office: World) -> None:
    """A directory that does not answer, and a user who is not there any more: that is when somebody asks why."""
    await settle(office, "members=@staff")
    await office.asked(ALICE)
    office.people.unavailable("alice")
    for actor, query in ((ALICE, {}), (ROOT, {"user": "alice"})):
        lines = await told(office, actor, **query)
        assert lines["is the account valid"][0] == lines["may they use it"][0] == "unavailable"
        assert lines["do they have standing access"][0] == "unavailable"
    office.people.remove("alice")
    lines = await told(office, ROOT, user="alice")
    assert lines["is the account valid"] == ("no", "there is no user alice any more", "")
    with pytest.raises(JitError) as caught:
        await office.ask(why.why, ROOT, user="nobodyhere", network="office")
    assert caught.value.code == "not_found"


async def test_an_end_that_has_come_is_mended_by_another(office: World) -> None:
    """For a contractor whose time is over the change is a later end, and not to enable him."""
    await office.do(users.add, ROOT, user="zoe", until=office.clock.now_ms() + HOUR)
    await office.advance(2 * HOUR)
    assert (await told(office, ROOT, user="zoe"))["is the account valid"] == (
        "no",
        "the end date of zoe has passed",
        "jitctl user set zoe --until DATE",
    )
