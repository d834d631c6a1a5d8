"""Who must ask: scope, exemptions, administrators, and what happens to those who are connected."""

from dataclasses import replace
from typing import Any

import pytest

from jitd.core.errors import JitError
from jitd.queries import eventlog, overview
from jitd.verbs import devices, grants, networks, requests
from support.service import ALICE, BOB, CAROL, HOUR, ROOT, World, key


async def set_(world: World, *changes: str) -> dict[str, Any]:
    """Change the settings of the network office."""
    return await world.do(networks.set_, ROOT, name="office", changes=list(changes))


async def kinds(world: World, *wanted: str) -> list[tuple[str, str | None, object]]:
    """(kind, user, why) of the events of these kinds, oldest first."""
    found = (await world.ask(eventlog.events_, ROOT))["events"]
    return [
        (one["kind"], one["user"], one["data"].get("why", one["data"].get("comment")))
        for one in found
        if one["kind"] in wanted
    ]


async def test_only_the_groups_in_scope_have_to_ask(office: World) -> None:
    """With jit.groups only their members ask; other members have standing access, and strangers none."""
    await set_(office, "members=alice,bob", "jit.groups=@staff")
    assert set(office.peers()) == {"bob"}
    office.people.take_out_of("alice", "staff")
    await office.service.check()
    assert set(office.peers()) == {"alice", "bob"}


async def test_the_scope_needs_members(office: World) -> None:
    """Without members, jit.groups would give everybody else standing access: refused, and nothing is changed."""
    with pytest.raises(JitError, match="have to be named") as caught:
        await set_(office, "jit.groups=@staff")
    assert caught.value.code == "refused"


async def test_exempt_wins_over_the_scope(office: World) -> None:
    """Who is exempt never asks, in scope or not; taken out again, the device is cut within one check, and told why."""
    await set_(office, "members=@staff,bob", "jit.groups=@staff", "jit.exempt=@oncall")
    office.people.put_into("alice", "oncall")
    await office.service.check()
    assert set(office.peers()) == {"alice", "bob"}
    office.people.take_out_of("alice", "oncall")
    await office.service.check()
    assert set(office.peers()) == {"bob"}
    told = await kinds(office, "standing_began", "standing_ended")
    assert told == [
        (
            "standing_began",
            "alice",
            "@oncall never have to request office (jit.exempt), and the members of office are @staff, bob",
        ),
        ("standing_ended", "alice", "@staff have to request office (jit.groups)"),
    ]


async def test_a_group_that_is_gone_makes_everybody_ask(office: World) -> None:
    """While a group of the scope does not exist, nobody has standing access by being outside of it."""
    await set_(office, "members=alice,bob", "jit.groups=@staff")
    assert set(office.peers()) == {"bob"}
    office.people.groups.discard("staff")
    await office.service.check()
    assert office.peers() == {}
    status = await office.ask(overview.status, ROOT)
    assert (
        "the group staff does not exist, so everybody has to ask for office (jit.groups)"
        in status["gateway"]["warnings"]
    )


async def test_administrators_may_have_to_ask_too(office: World) -> None:
    """jit.admins_too takes the administrators' standing access away; demotion takes it away as well."""
    await office.do(devices.add, CAROL, name="laptop", public_key=key("carol"))
    assert set(office.peers()) == {"carol"}
    await set_(office, "jit.admins_too=on")
    assert office.peers() == {}
    number = await office.asked(CAROL)
    with pytest.raises(JitError, match="nobody decides on their own"):
        await office.do(grants.grant, CAROL, id=number)
    await set_(office, "jit.admins_too=off")
    assert set(office.peers()) == {"carol"}
    office.people.take_out_of("carol", "admins")
    await office.service.check()
    assert office.peers() == {}
    assert (await kinds(office, "standing_ended"))[-1][1] == "carol"


async def test_a_member_who_leaves_loses_the_grant(office: World) -> None:
    """A grant does not outlive the right to use the network; one that cannot be looked up keeps it to its end."""
    await set_(office, "members=@staff")
    await office.granted(ALICE)
    office.people.people["alice"] = replace(
        office.people.people["alice"], groups=frozenset(), unavailable=frozenset({"staff"})
    )
    await office.service.check()
    assert set(office.peers()) == {"alice"}
    office.people.people["alice"] = replace(office.people.people["alice"], unavailable=frozenset())
    await office.service.check()
    assert office.peers() == {}
    assert (await kinds(office, "revoked"))[-1] == ("revoked", "alice", "the members of office are @staff")


@pytest.mark.parametrize("how", ["gone", "nologin", "another"])
async def test_an_account_that_is_lost_is_cut(office: World, how: str) -> None:
    """A removed user, one who may not log in any more and another one of the same name lose the grant."""
    await office.granted(ALICE)
    person = office.people.people["alice"]
    if how == "gone":
        office.people.remove("alice")
    else:
        changed = {"can_log_in": False} if how == "nologin" else {"uid": 61999}
        office.people.people["alice"] = replace(person, **changed)
    await office.service.check()
    assert office.peers() == {}
    assert (await kinds(office, "revoked"))[-1][1] == "alice"


async def test_unavailable_groups_open_nothing_new(office: World) -> None:
    """With LDAP down nobody asks, nothing is exempted, and what is granted goes on."""
    await set_(office, "members=@staff", "jit.exempt=@oncall")
    await office.granted(ALICE, duration=HOUR)
    office.people.people["alice"] = replace(
        office.people.people["alice"], groups=frozenset(), everything_unavailable=True
    )
    await office.service.check()
    assert set(office.peers()) == {"alice"}
    await office.advance(HOUR)
    assert office.peers() == {}
    with pytest.raises(JitError) as caught:
        await office.asked(ALICE)
    assert caught.value.code == "busy"


async def test_changes_name_what_is_wrong(office: World) -> None:
    """Unknown keys get a suggestion, missing users a hint, unknown groups a warning; nothing is changed by an error."""
    before = (await office.ask(networks.show, ROOT, name="office"))["network"]["settings"]
    for change, message, hint in (
        ("jit.exemt+=alice", "there is no such setting", "Did you mean jit.exempt?"),
        ("members+=nobodyhere", "cannot find a user 'nobodyhere'", "getent passwd"),
        ("members+=staff", "cannot find a user 'staff'", "For the group, write @staff."),
        ("approvals+=1", "cannot use += with approvals", "Write approvals=VALUE"),
        ("members-=bob", "it is not in the list", "There is nothing."),
        ("approvals=0", "cannot ask for 0 approvals", "from 1 to 10"),
        ("max_duration=1h", "cannot use a default of 2h with a maximum of 1h", ""),
        ("jit.hours=sometimes", "cannot read", ""),
        ("jit.auto_approve=@dev for ever", "cannot read the rule", "up to 1h, 5 a week"),
        ("reason_pattern=[", "is not a regular expression", ""),
        ("jit.enabled=maybe", "cannot use 'maybe' for jit.enabled", "true or false"),
        ("approvers=@nosuch", "@nosuch has no members", ""),
        ("approvals=5", "only carol, dave may decide there", ""),
    ):
        with pytest.raises(JitError) as caught:
            await set_(office, change)
        assert message in caught.value.message, change
        assert hint in caught.value.hint, change
    assert (await office.ask(networks.show, ROOT, name="office"))["network"]["settings"] == before
    reply = await set_(office, "jit.exempt+=@nosuch")
    assert reply["plan"]["warnings"] == ["there is no group nosuch now: it exempts nobody"]
    assert (await office.ask(networks.show, ROOT, name="office"))["network"]["settings"]["jit.exempt"] == [
        "@nosuch"
    ]


async def test_a_change_is_an_event_with_before_and_after(office: World) -> None:
    """The event has every setting as it was and as it is."""
    await set_(office, "approvers+=bob", "reason_min_length=5")
    (event,) = (await office.ask(eventlog.events_, ROOT, kind="network_changed"))["events"]
    before, after = event["data"]["before"], event["data"]["after"]
    assert {key: (before[key], after[key]) for key in after if before[key] != after[key]} == {
        "approvers": ([], ["bob"]),
        "reason_min_length": (1, 5),
    }


async def test_reasons(office: World) -> None:
    """Minimum length and pattern are asked of reasons, with what is expected; optional ones may be left away."""
    await set_(
        office,
        "reason_min_length=6",
        "reason_pattern=OPS-[0-9]+.*",
        "reason_expected=a ticket such as OPS-12",
    )
    for reason, message in (
        ("", "without a reason"),
        ("OPS-1", "at least 6"),
        ("because", "a ticket such as OPS-12 is expected"),
    ):
        with pytest.raises(JitError, match=message):
            await office.asked(ALICE, reason=reason)
    number = await office.asked(ALICE, reason="OPS-123 logs")
    await office.do(requests.cancel, ALICE, id=number)
    again = await office.do(requests.request, ALICE, network="office", reason="", again=True)
    assert again["request"]["reason"] == "OPS-123 logs"
    await set_(office, "reason=optional", "reason_pattern=")
    assert (await office.do(requests.request, BOB, network="office", reason=""))["request"]["reason"] == ""


async def test_a_pattern_that_never_ends_is_stopped(office: World) -> None:
    """A pattern with catastrophic backtracking refuses the reason in bounded time."""
    await set_(office, "reason_pattern=(a|aa)+$b")
    with pytest.raises(JitError, match=r"takes too long|is expected"):
        await office.asked(ALICE, reason="a" * 900)
