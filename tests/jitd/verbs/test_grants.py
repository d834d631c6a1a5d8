"""Deciding."""

import pytest

from jitd.core.errors import JitError
from jitd.core.model import Actor
from jitd.queries import eventlog, show
from jitd.verbs import devices, grants, holding, networks, removal
from jitd.verbs.context import ChangeVerb
from support.service import ALICE, BOB, CAROL, DAVE, HOUR, ROOT, World, key


async def test_the_default_is_what_was_wished_then_the_networks(office: World) -> None:
    """Without a duration the wish counts, and without a wish the network's default of 2h."""
    wished, plain = await office.asked(ALICE, duration=3 * HOUR), await office.asked(BOB)
    for number, expected in ((wished, 3 * HOUR), (plain, 2 * HOUR)):
        granted = (await office.do(grants.grant, ROOT, id=number))["request"]
        assert granted["ends"] - granted["starts"] == expected


async def test_a_grant_above_the_maximum_is_refused(office: World) -> None:
    """The maximum is named, and the request is still pending."""
    number = await office.asked()
    with pytest.raises(JitError) as caught:
        await office.do(grants.grant, ROOT, id=number, duration=9 * HOUR)
    assert caught.value.code == "refused"
    assert "its maximum is 8h" in caught.value.message
    assert (await office.ask(show.show, ALICE, id=number))["request"]["status"] == "pending"


async def test_users_decide_nothing(office: World) -> None:
    """Grant, deny and revoke are for those who decide, and say so; what is somebody else's does not exist for a user."""
    number = await office.asked()
    for verb in (grants.grant, grants.deny, grants.revoke):
        for caller, code in ((BOB, "not_found"), (ALICE, "not_permitted")):
            with pytest.raises(JitError) as caught:
                await office.do(verb, caller, id=number)
            assert caught.value.code == code


@pytest.mark.parametrize("verb", [grants.grant, grants.deny])
@pytest.mark.parametrize(
    "decider",
    [CAROL, Actor(uid=0, user="root", login_uid=61003, login_user="carol"), Actor(uid=61003, user="carol")],
)
async def test_nobody_decides_on_their_own_request(office: World, verb: ChangeVerb, decider: Actor) -> None:
    """Not as administrator, not through sudo, not without a login uid; somebody else may."""
    # Carol was no administrator when she asked.
    office.people.take_out_of("carol", "admins")
    await office.do(devices.add, CAROL, name="laptop", public_key=key("carol"))
    number = await office.asked(CAROL)
    office.people.put_into("carol", "admins")
    with pytest.raises(JitError) as caught:
        await office.do(verb, decider, id=number)
    assert caught.value.code == "refused"
    assert "nobody decides on their own request" in caught.value.message
    await office.do(grants.deny, DAVE, id=number)


async def test_deny_is_final_and_keeps_the_reason(office: World) -> None:
    """A denied request has its comment, opens nothing, and cannot be granted any more."""
    number = await office.asked()
    reply = await office.do(grants.deny, CAROL, id=number, comment="use the lab")
    assert (reply["request"]["status"], reply["request"]["comment"]) == ("denied", "use the lab")
    with pytest.raises(JitError) as caught:
        await office.do(grants.grant, ROOT, id=number)
    assert caught.value.code == "conflict"
    assert "carol denied it" in caught.value.message
    assert office.peers() == {}


async def test_of_two_approvers_one_wins(office: World) -> None:
    """The second grant of one request is a conflict that tells who granted it."""
    number = await office.asked()
    await office.do(grants.grant, CAROL, id=number, duration=HOUR)
    with pytest.raises(JitError) as caught:
        await office.do(grants.grant, DAVE, id=number, duration=2 * HOUR)
    assert caught.value.code == "conflict"
    assert "carol granted it" in caught.value.message
    assert (await office.ask(show.show, ALICE, id=number))["request"]["decided_by"] == "carol"


async def test_revoke_cuts_at_once(office: World) -> None:
    """A revoked grant's device leaves the interface, others stay."""
    number = await office.granted(ALICE)
    await office.granted(BOB)
    reply = await office.do(grants.revoke, CAROL, id=number, comment="laptop stolen")
    assert (reply["request"]["status"], reply["request"]["ended_comment"]) == ("revoked", "laptop stolen")
    assert set(office.peers()) == {"bob"}


async def test_extend_moves_the_end_without_a_gap(office: World) -> None:
    """An extended grant is the same grant with a later end on both clocks; its peer is not touched; then it ends."""
    number = await office.granted(ALICE, duration=HOUR)
    before = office.wireguard.read("wg0").peers
    await office.advance(HOUR // 2)
    reply = await office.do(grants.extend, CAROL, id=number, duration=2 * HOUR, comment="still burning")
    assert (reply["request"]["id"], reply["request"]["status"]) == (number, "active")
    assert reply["request"]["ends"] - reply["request"]["starts"] == 3 * HOUR
    assert office.wireguard.read("wg0").peers == before
    await office.advance(5 * HOUR // 2 - 1)
    assert set(office.peers()) == {"alice"}
    await office.advance(1)
    assert office.peers() == {}


async def test_extend_keeps_the_maximum_from_the_start(office: World) -> None:
    """The maximum counts from the grant's start, and the answer says what is left of it."""
    number = await office.granted(ALICE, duration=6 * HOUR)
    await office.advance(5 * HOUR)
    with pytest.raises(JitError) as caught:
        await office.do(grants.extend, ROOT, id=number, duration=3 * HOUR)
    assert (caught.value.code, caught.value.hint) == ("refused", "Use --duration 2h or less.")
    await office.do(grants.extend, ROOT, id=number, duration=2 * HOUR)
    with pytest.raises(JitError) as caught:
        await office.do(grants.extend, ROOT, id=number, duration=HOUR)
    assert caught.value.hint == "It has the whole maximum already."


async def test_only_what_is_active_is_extended(office: World) -> None:
    """Pending and ended ones are conflicts that say what they are; one's own is asked for; zero is an error."""
    pending = await office.asked(BOB)
    ended = await office.granted(ALICE, duration=HOUR)
    with pytest.raises(JitError) as caught:
        await office.do(grants.extend, ROOT, id=ended, duration=0)
    assert caught.value.code == "bad_request"
    sudo = Actor(uid=0, user="root", login_uid=ALICE.uid, login_user="alice")
    asked = (await office.do(grants.extend, sudo, id=ended, duration=HOUR))["request"]
    assert (asked["status"], asked["extends"]) == ("pending", ended)
    await office.advance(HOUR)
    for number, became in ((pending, "it is still pending"), (ended, "it expired 0s ago")):
        with pytest.raises(JitError) as caught:
            await office.do(grants.extend, ROOT, id=number, duration=HOUR)
        assert (caught.value.code, became in caught.value.message) == ("conflict", True)


async def test_a_pending_request_is_denied_not_revoked(office: World) -> None:
    """Revoking what is pending names the right verb."""
    number = await office.asked()
    with pytest.raises(JitError) as caught:
        await office.do(grants.revoke, ROOT, id=number)
    assert caught.value.hint == f"Deny it: jitctl deny {number}"


async def test_a_grant_without_a_request(office: World) -> None:
    """An administrator opens for a user who did not ask; it is a grant like any other."""
    reply = await office.do(
        grants.grant, ROOT, user="alice", network="office", duration=HOUR, comment="on call"
    )
    assert (reply["request"]["status"], reply["request"]["reason"]) == ("active", "on call")
    assert set(office.peers()) == {"alice"}
    with pytest.raises(JitError) as caught:
        await office.do(grants.grant, ROOT, user="alice", network="office")
    assert caught.value.code == "conflict"


async def test_a_grant_without_a_request_takes_no_pending_one_by_surprise(office: World) -> None:
    """Where the user has asked, the request is named."""
    number = await office.asked()
    with pytest.raises(JitError) as caught:
        await office.do(grants.grant, ROOT, user="alice", network="office")
    assert caught.value.hint == f"Grant that one: jitctl grant {number}"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"id": 999}, "not_found"),
        ({"user": "nosuch", "network": "office"}, "not_found"),
        ({"user": "alice", "network": "nosuch"}, "not_found"),
        ({"user": "alice"}, "bad_request"),
        ({}, "bad_request"),
        ({"id": 1, "user": "alice"}, "bad_request"),
        ({"user": "root", "network": "office"}, "refused"),
        ({"user": "daemon", "network": "office"}, "refused"),
        ({"user": "carol", "network": "office"}, "refused"),
    ],
)
async def test_what_cannot_be_granted(
    office: World, body: dict[str, int] | dict[str, int | str] | dict[str, object] | dict[str, str], code: str
) -> None:
    """Unknown ids, users and networks, half a call, system accounts and who has no device: refused, nothing changed."""
    await office.asked()
    before = (await office.ask(eventlog.events_, ROOT))["next"]
    with pytest.raises(JitError) as caught:
        await office.do(grants.grant, ROOT, **body)
    assert caught.value.code == code
    assert (await office.ask(eventlog.events_, ROOT))["next"] == before


async def test_a_plan_changes_nothing(office: World) -> None:
    """With `plan` the reply shows the grant as it would be, and the request is pending as before."""
    number = await office.asked()
    before = (await office.ask(eventlog.events_, ROOT))["next"]
    planned = await office.do(grants.grant, ROOT, id=number, duration=HOUR, plan=True)
    assert planned["request"]["status"] == "active"
    assert (await office.ask(show.show, ALICE, id=number))["request"]["status"] == "pending"
    assert (await office.ask(eventlog.events_, ROOT))["next"] == before
    assert office.peers() == {}


async def test_a_device_added_later_needs_its_own_yes(office: World) -> None:
    """A grant is for the devices that its user had when it was granted."""
    await office.granted(ALICE)
    await office.do(devices.add, ALICE, name="phone", public_key=key("phone"))
    assert set(office.peers()) == {"alice"}


async def test_removing_a_device_cuts_it_and_ends_its_grant(office: World) -> None:
    """The grant of a user whose last device is removed is released."""
    number = await office.granted(ALICE)
    await office.do(removal.remove, ALICE, name="laptop")
    assert office.peers() == {}
    assert (await office.ask(show.show, ALICE, id=number))["request"]["status"] == "released"


async def test_a_grant_for_somebody_who_is_gone_is_refused(office: World) -> None:
    """A user who was removed, or whose uid is another person's now, gets nothing."""
    number = await office.asked()
    office.people.remove("alice")
    with pytest.raises(JitError) as caught:
        await office.do(grants.grant, ROOT, id=number)
    assert caught.value.code == "refused"


async def test_a_lookup_that_fails_opens_nothing_and_cuts_nothing(office: World) -> None:
    """While a user cannot be looked up, nothing new opens, and what is granted keeps its end."""
    await office.granted(ALICE)
    number = await office.asked(BOB)
    office.people.unavailable("alice")
    office.people.unavailable("bob")
    with pytest.raises(JitError) as caught:
        await office.do(grants.grant, ROOT, id=number)
    assert caught.value.code == "busy"
    await office.service.check()
    assert set(office.peers()) == {"alice"}
    await office.advance(HOUR)
    assert office.peers() == {}


async def test_who_is_removed_from_the_system_loses_access(office: World) -> None:
    """At the next check the grants of a removed user are revoked, and the event says why."""
    number = await office.granted(ALICE)
    await office.granted(BOB)
    office.people.remove("alice")
    await office.service.check()
    assert set(office.peers()) == {"bob"}
    events = (await office.ask(show.show, ROOT, id=number))["events"]
    assert [event["kind"] for event in events] == ["requested", "granted", "revoked", "cut_confirmed"]
    assert events[2]["data"]["comment"] == "there is no user alice any more"
    assert events[2]["actor"] is None


async def test_remove_network_revokes_and_lapses(office: World) -> None:
    """Removing a network ends its grants and its pending requests, and says so in their history."""
    granted, pending = await office.granted(ALICE), await office.asked(BOB)
    await office.do(networks.remove, ROOT, name="office")
    assert office.peers() == {}
    for number, status in ((granted, "revoked"), (pending, "lapsed")):
        shown = (await office.ask(show.show, ROOT, id=number))["request"]
        assert (shown["status"], shown["ended_comment"]) == (status, "the network was removed")


async def test_pause_of_a_stranger_does_not_matter(office: World) -> None:
    """Root has no grant of its own to pause."""
    await office.granted(ALICE)
    with pytest.raises(JitError) as caught:
        await office.do(holding.pause, ROOT)
    assert caught.value.code == "not_permitted"
