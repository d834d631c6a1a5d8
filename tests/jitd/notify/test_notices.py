"""Who is told what, once each: from events to messages."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from jitd.core import changed, notices
from jitd.core.configuration import Chat, Mail
from jitd.core.errors import JitError
from jitd.core.model import Actor
from jitd.core.people import Answer, Person
from jitd.notify.facts import FACTS, MESSAGES
from jitd.notify.planner import AT_ONCE
from jitd.queries import overview
from jitd.store import outbox as stored
from jitd.store.outbox import waiting
from jitd.verbs import devices, grants, holding, networks, notify, outbox, removal, requests, users
from support.service import ALICE, BOB, CAROL, DAVE, HOUR, ROOT, World, key

MINUTE = 60_000


@pytest.fixture
async def telling(tmp_path: Path) -> AsyncIterator[World]:
    """An office that tells people by mail; dave and carol administer."""
    world = World(tmp_path)
    mail = Mail(
        server="mail.example.org", sender="jitd@example.org", email_domain="example.org", remind_minutes=30
    )
    world.config = replace(world.config, mail=mail)
    world.service = world._new()
    await world.start()
    await world.furnish()
    await everything_told(world)
    await forget(world)
    yield world
    await world.stop()


async def told(world: World) -> list[tuple[str, str]]:
    """(template, address) of what waits beside changes of rules and people, after everything was looked at."""
    return [one for one in await everything_told(world) if one[0] not in changed.TEMPLATES]


async def everything_told(world: World) -> list[tuple[str, str]]:
    """(template, address) of everything that waits, after everything that happened was looked at."""
    while await world.service.make_notices() == world.clock.now_ms():
        pass
    found = await world.service.outbox(lambda rows: waiting(rows, 1000))
    for one in found:
        assert set(one.data) >= set(FACTS) or one.request_id is None
    return [(one.template, one.address) for one in found]


async def forget(world: World) -> None:
    """What waits has been delivered."""
    found = await world.service.outbox(lambda rows: waiting(rows, 1000))
    now_ms = world.clock.now_ms()
    await world.service.record_delivery(lambda rows: stored.sent(rows, [one.id for one in found], now_ms))


async def forget_mail(world: World) -> None:
    """What waits to be mailed has been delivered."""
    now_ms = world.clock.now_ms()
    found = await world.service.outbox(lambda rows: stored.due(rows, "mail", now_ms, 1000))
    await world.service.record_delivery(lambda rows: stored.sent(rows, [one.id for one in found], now_ms))


DECIDERS = ("carol@example.org", "dave@example.org")


async def test_a_request_and_its_grant(telling: World) -> None:
    """Those who decide are told of the request, its user that it was received, granted and is over; once each."""
    number = await telling.asked(ALICE)
    wanted = [("requested", one) for one in DECIDERS] + [("received", "alice@example.org")]
    assert await told(telling) == wanted
    assert await told(telling) == wanted
    # From where: who has neither a terminal nor an ssh client is told of, too.
    for one in await telling.service.outbox(lambda rows: waiting(rows, 10)):
        assert one.data["origin"] == "a program without a terminal"
    await forget(telling)
    await telling.do(grants.grant, CAROL, id=number, duration=HOUR)
    assert await told(telling) == [("granted", "alice@example.org")]
    await forget(telling)
    await telling.advance(HOUR)
    assert await told(telling) == [("ended", "alice@example.org")]


async def test_a_wish_that_was_cut_is_told(telling: World) -> None:
    """With the wish, what was given of it, and why; a decider's shorter time, too."""
    await telling.do(networks.set_, ROOT, name="office", changes=["jit.hours=Mon-Fri 08:00-15:13 UTC"])
    number = await telling.asked(ALICE, duration=3 * HOUR)
    await told(telling)
    await forget(telling)
    await telling.do(grants.grant, CAROL, id=number)
    assert await told(telling) == [("granted", "alice@example.org")]
    (message,) = await telling.service.outbox(lambda rows: waiting(rows, 10))
    given = {name: message.data[name] for name in ("wanted", "duration")}
    assert given == {"wanted": 3 * HOUR, "duration": HOUR - 20_000}
    assert str(message.data["cap"]).startswith("the shift ends at")


async def test_nobodys_words_are_taken_for_a_users(telling: World) -> None:
    """Who was given access without a request asks for more without a reason: none is mailed, that of the giver neither."""
    await telling.do(networks.set_, ROOT, name="office", changes=["reason=optional"])
    reply = await telling.do(grants.grant, CAROL, user="alice", network="office", duration=HOUR)
    assert reply["request"]["reason"] == "granted by carol without a request"
    await told(telling)
    await forget(telling)
    await telling.do(grants.extend, ALICE, id=reply["request"]["id"], duration=HOUR)
    assert {template for template, _ in await told(telling)} == {"requested", "received"}
    for one in await telling.service.outbox(lambda rows: waiting(rows, 10)):
        assert one.data["reason"] == ""


async def test_reminders_before_the_end(telling: World) -> None:
    """Ten minutes and two minutes before it, once each; an extension moves them."""
    number = await telling.granted(ALICE, duration=HOUR)
    await told(telling)
    await forget(telling)
    assert await telling.service.make_notices() == telling.clock.now_ms() + 50 * MINUTE
    await telling.advance(50 * MINUTE)
    assert await told(telling) == [("ending", "alice@example.org")]
    await forget(telling)
    await telling.do(grants.extend, ROOT, id=number, duration=HOUR)
    assert await told(telling) == [("extended", "alice@example.org")]
    await forget(telling)
    for minutes, wanted in ((59, []), (1, ["ending"]), (7, []), (1, ["ending"]), (1, [])):
        await telling.advance(minutes * MINUTE)
        assert [template for template, _ in await told(telling)] == wanted
        await forget(telling)


async def test_what_waits_is_told_again(telling: World) -> None:
    """After half an hour, then after twice as long each time, until it lapses, and then that."""
    await telling.asked(ALICE)
    await told(telling)
    await forget(telling)
    seen = []
    for _ in range(49):
        await telling.advance(30 * MINUTE)
        seen.append({template for template, _ in await told(telling)})
        await forget(telling)
    assert [place + 1 for place, found in enumerate(seen) if found == {"waiting"}] == [1, 3, 7, 15, 31]
    assert seen[47] == {"unanswered", "lapsed"}


async def test_break_glass_and_denials(telling: World) -> None:
    """An emergency is told to those who decide, and granted to its user; a denial and a revocation to theirs."""
    await telling.do(networks.set_, ROOT, name="office", changes=["jit.break_glass=alice", "approvers=bob"])
    await telling.do(requests.request, ALICE, network="office", reason="it is on fire", break_glass=True)
    assert await told(telling) == [
        ("break_glass", "bob@example.org"),
        *(("break_glass", one) for one in DECIDERS),
        ("granted", "alice@example.org"),
    ]
    await forget(telling)
    number = await telling.asked(BOB)
    # Bob approves for office, and is not asked about his own.
    assert await told(telling) == [*(("requested", one) for one in DECIDERS), ("received", "bob@example.org")]
    await forget(telling)
    await telling.do(grants.deny, CAROL, id=number, comment="no")
    await telling.do(grants.revoke, ROOT, id=number - 1, comment="thank you")
    assert await told(telling) == [("denied", "bob@example.org"), ("revoked", "alice@example.org")]


async def test_what_a_rule_grants_is_nobodys_to_decide(telling: World) -> None:
    """Where a rule grants at once, its user is told of the grant, and nobody is asked for a decision."""
    await telling.do(
        networks.set_, ROOT, name="office", changes=["jit.auto_approve=alice up to 1h, 5 a week"]
    )
    await telling.do(requests.request, ALICE, network="office", reason="ticket 42", duration=HOUR)
    assert await told(telling) == [("granted", "alice@example.org")]


async def test_what_others_end_is_told(telling: World) -> None:
    """Taken back by somebody else, ended with the last device or with its network: its user learns of it, with why."""
    alice, bob = await telling.asked(ALICE), await telling.granted(BOB, duration=HOUR)
    await told(telling)
    await forget(telling)
    await telling.do(users.disable, CAROL, user="alice", reason="on leave")
    await telling.do(removal.remove, CAROL, user="bob", device="laptop")
    assert await told(telling) == [("cancelled", "alice@example.org"), ("ended", "bob@example.org")]
    found = await telling.service.outbox(lambda rows: waiting(rows, 10))
    first, second = (one for one in found if one.template not in changed.TEMPLATES)
    assert (first.request_id, first.data["by"], first.data["ended_comment"]) == (
        alice,
        "carol",
        "alice was disabled: on leave",
    )
    assert (second.request_id, second.data["by"], second.data["ended_comment"]) == (
        bob,
        "carol",
        "its device laptop was removed",
    )
    await forget(telling)
    await telling.do(users.enable, CAROL, user="alice")
    await telling.asked(ALICE)
    await told(telling)
    await forget(telling)
    await telling.do(networks.remove, CAROL, name="office")
    assert await told(telling) == [("cancelled", "alice@example.org")]


async def test_what_one_does_oneself_is_not_told(telling: World) -> None:
    """Who takes his request back, gives the rest of a grant back or removes his device knows that."""
    first, second = await telling.asked(ALICE), await telling.granted(BOB, duration=HOUR)
    await told(telling)
    await forget(telling)
    await telling.do(requests.cancel, ALICE, id=first)
    await telling.do(holding.release, BOB, id=second)
    await telling.granted(ALICE, duration=HOUR)
    await told(telling)
    await forget(telling)
    await telling.do(removal.remove, ALICE, device="laptop")
    assert await told(telling) == []


async def test_who_has_agreed_is_not_asked_again(telling: World) -> None:
    """Where several have to agree, a reminder goes to the others, and says who has."""
    await telling.do(networks.set_, ROOT, name="office", changes=["approvals=2"])
    number = await telling.asked(ALICE)
    await telling.do(grants.grant, CAROL, id=number)
    await told(telling)
    await forget(telling)
    await telling.advance(30 * MINUTE)
    assert await told(telling) == [("waiting", "dave@example.org")]
    (message,) = await telling.service.outbox(lambda rows: waiting(rows, 10))
    assert message.data["agreed"] == "carol"


async def test_a_group_that_cannot_be_looked_up_is_told_later(telling: World) -> None:
    """Whom nobody can name now is told as soon as somebody can, once; the others do not wait for that."""
    telling.people.put_into("bob", "dba")
    await telling.do(networks.set_, ROOT, name="office", changes=["approvers=@dba"])
    await everything_told(telling)
    await forget(telling)
    telling.people.silent.add("dba")
    await telling.asked(ALICE)
    people = [("requested", one) for one in DECIDERS]
    assert await told(telling) == [*people, ("requested", ""), ("received", "alice@example.org")]
    await telling.advance(MINUTE)
    assert len(await told(telling)) == 4
    status = await telling.ask(overview.status, ROOT)
    assert (
        "4 messages wait to be delivered: nobody can say who is in dba (jitctl outbox list)"
        in status["gateway"]["warnings"]
    )
    await forget_mail(telling)
    telling.people.silent.clear()
    await telling.advance(2 * MINUTE)
    assert await told(telling) == [("requested", "bob@example.org")]


async def test_a_name_that_somebody_else_had(telling: World) -> None:
    """The address and the switch of who had a name before are not those of who has it now."""
    await telling.do(users.set_, ROOT, user="carol", email="carol@elsewhere.example")
    await telling.do(notify.off, DAVE)
    for name, uid in (("carol", 61103), ("dave", 61104)):
        telling.people.people[name] = replace(telling.people.people[name], uid=uid)
    await telling.asked(ALICE)
    assert [address for _, address in await told(telling)] == [*DECIDERS, "alice@example.org"]


async def test_a_name_that_is_no_part_of_an_address(telling: World) -> None:
    """Names of directory services with an @ or a backslash get no mail at a made-up address, and status names them."""
    ann = Actor(uid=61010, user="CORP\\ann", login_uid=61010, login_user="CORP\\ann")
    telling.people.people[ann.user] = Person(name=ann.user, exists=Answer.YES, uid=ann.uid)
    await telling.do(devices.add, ann, name="laptop", public_key=key("ann"))
    await telling.asked(ann)
    assert await told(telling) == [("requested", one) for one in DECIDERS]
    assert any(
        f"nobody knows where to send mail to {ann.user} (" in warning
        for warning in (await telling.ask(overview.status, ROOT))["gateway"]["warnings"]
    )
    assert (await telling.ask(overview.status, ann))["address"] == ""
    assert (await telling.ask(overview.status, ALICE))["address"] == "alice@example.org"
    await telling.do(notify.off, ALICE)
    assert "address" not in await telling.ask(overview.status, ALICE)


@pytest.mark.parametrize(
    "typed",
    [
        "a..b@example.org",
        ".a@example.org",
        "ann smith@example.org",
        "a@b@example.org",
        "a@-.org",
        "grün@example.org",
    ],
)
async def test_an_address_that_no_server_takes(telling: World, typed: str) -> None:
    """What cannot stand in a mail as it is typed is refused where it is typed."""
    with pytest.raises(JitError, match="as a mail address"):
        await telling.do(users.set_, ROOT, user="alice", email=typed)


async def test_many_reminders_at_once(telling: World) -> None:
    """More than are looked at in one go are all told, one step after the other."""
    many = AT_ONCE + 5
    for number in range(many):
        await telling.do(users.add, ROOT, user=f"zoe{number}", until=telling.clock.now_ms() + 9 * HOUR)
        await telling.do(users.set_, ROOT, user=f"zoe{number}", email=f"zoe{number}@example.org")
        await telling.do(
            devices.add, ROOT, user=f"zoe{number}", name="laptop", public_key=key(f"zoe{number}")
        )
        await telling.do(grants.grant, ROOT, user=f"zoe{number}", network="office", duration=HOUR)
    await told(telling)
    await forget(telling)
    await telling.advance(50 * MINUTE)
    assert sorted(await told(telling)) == sorted(("ending", f"zoe{n}@example.org") for n in range(many))


async def test_where_people_get_mail(telling: World) -> None:
    """At their own address, if they have one; a contractor nowhere else."""
    await telling.do(users.set_, ROOT, user="alice", email="alice@home.example")
    await telling.do(users.set_, ROOT, user="carol", email="carol@phone.example")
    await telling.do(users.add, ROOT, user="zoe", until=telling.clock.now_ms() + HOUR)
    await telling.asked(ALICE)
    assert await told(telling) == [
        ("requested", "carol@phone.example"),
        ("requested", "dave@example.org"),
        ("received", "alice@home.example"),
    ]


async def test_an_address_that_is_mended(telling: World) -> None:
    """What was refused for good at an old address is tried at once at the new one, and nobody else's is."""
    await telling.asked(ALICE)
    await told(telling)
    ids = [one["id"] for one in (await telling.ask(outbox.list_, CAROL))["messages"]]
    await telling.service.record_delivery(lambda rows: stored.failed(rows, ids, "550 no such user", None))
    await telling.do(users.set_, ROOT, user="alice", email="alice@home.example")
    listed = (await telling.ask(outbox.list_, CAROL))["messages"]
    now_ms = telling.clock.now_ms()
    assert [(one["address"], one["next"]) for one in listed] == [
        ("carol@example.org", None),
        ("dave@example.org", None),
        ("alice@home.example", now_ms),
    ]


async def test_nothing_is_told_twice_over_a_restart(telling: World) -> None:
    """What happened while nobody looked is told after a start, and only that."""
    await telling.asked(ALICE)
    first = await told(telling)
    await telling.asked(BOB)
    await telling.restart()
    assert (await told(telling))[: len(first)] == first
    assert len(await told(telling)) == len(first) + 3


async def test_who_turns_it_on_is_not_told_the_past(office: World) -> None:
    """Mail begins with what happens from then on."""
    await office.asked(ALICE)
    mail = Mail(server="mail.example.org", sender="jitd@example.org", email_domain="example.org")
    office.config = replace(office.config, mail=mail)
    await office.restart()
    assert await told(office) == []
    await office.asked(BOB)
    assert len(await told(office)) == 3


async def test_the_outbox_for_administrators(telling: World) -> None:
    """It lists what waits; a message that nobody wants any more is dropped, and the events tell who did that."""
    await telling.asked(ALICE)
    await told(telling)
    listed = await telling.ask(outbox.list_, CAROL)
    assert (listed["messages_waiting"], listed["stuck"], len(listed["messages"])) == (3, 0, 3)
    ids = [one["id"] for one in listed["messages"]]
    await telling.service.record_delivery(lambda rows: stored.failed(rows, ids, "550 no such user", None))
    status = await telling.ask(overview.status, ROOT)
    assert (
        "3 messages wait to be delivered: 550 no such user (jitctl outbox list)"
        in status["gateway"]["warnings"]
    )
    assert (await telling.ask(outbox.list_, CAROL))["stuck"] == 3
    assert (await telling.do(outbox.drop, CAROL, ids=ids[:1]))["number"] == 1
    assert (await telling.do(outbox.retry, CAROL))["number"] == 2
    assert (await telling.ask(outbox.list_, CAROL))["stuck"] == 0
    # What is dropped, or was never there, waits no more; and nothing is done about the rest of them.
    for verb in (outbox.retry, outbox.drop):
        with pytest.raises(JitError, match=f"message {ids[0]}: it is not waiting for delivery"):
            await telling.do(verb, CAROL, ids=[ids[1], ids[0]])
    assert (await telling.ask(outbox.list_, CAROL))["messages_waiting"] == 2


async def test_a_lost_device_is_told_to_administrators(telling: World) -> None:
    """To all of them and to the rooms, once, with what was open for it; not to those who only approve."""
    chat = Chat(urls={"ops": "json://ops"})
    telling.config = replace(telling.config, chat=chat)
    await telling.restart()
    await telling.do(networks.set_, ROOT, name="office", changes=["approvers=bob"])
    await telling.granted(ALICE)
    await told(telling)
    await forget(telling)
    await telling.do(removal.remove, ALICE, lost=True)
    wanted = [*(("device_lost", one) for one in DECIDERS), ("device_lost", "")]
    assert await told(telling) == wanted
    assert await told(telling) == wanted
    found = await telling.service.outbox(lambda rows: waiting(rows, 10))
    assert [(one.recipient, one.request_id) for one in found] == [
        ("carol", None),
        ("dave", None),
        ("ops", None),
    ]
    data = found[0].data
    assert (data["user"], data["device"], data["networks"], data["by"]) == (
        "alice",
        "laptop",
        ["office"],
        "alice",
    )


async def test_rooms_are_told_what_they_are_for(telling: World) -> None:
    """Once for each room and notice, with or without a mail server; what rooms are not for does not go there."""
    chat = Chat(urls={"ops": "json://ops", "pager": "json://pager"}, about=("requested", "granted"))
    telling.config = replace(telling.config, mail=Mail(), chat=chat)
    await telling.restart()
    await told(telling)
    number = await telling.asked(ALICE)
    await telling.do(grants.grant, CAROL, id=number, duration=HOUR)
    await telling.advance(HOUR)
    await told(telling)
    found = await telling.service.outbox(lambda rows: waiting(rows, 1000))
    assert [(one.way, one.recipient, one.template) for one in found] == [
        ("chat", room, template) for template in ("requested", "granted") for room in ("ops", "pager")
    ]


async def test_a_scheduled_grant_is_told_when_it_opens(telling: World) -> None:
    """Once more than when it was granted; a grant that opens at once is told once."""
    starts = telling.clock.now_ms() + HOUR
    await telling.do(requests.request, ALICE, network="office", reason="later", start=starts)
    await telling.do(grants.grant, CAROL, id=1, duration=HOUR)
    await told(telling)
    await forget(telling)
    await telling.advance(HOUR)
    assert await told(telling) == [("opened", "alice@example.org")]


async def test_everybody_has_a_switch(telling: World) -> None:
    """Who has turned it off is told nothing until it is on again; only administrators turn it for others."""
    assert await telling.do(notify.off, ALICE) | {"now": 0} == {
        "now": 0,
        "user": "alice",
        "told": False,
        "address": "alice@example.org",
        "mail": True,
        "agrees": True,
        "waiting": "",
    }
    await telling.do(notify.off, ROOT, user="carol")
    await telling.asked(ALICE)
    assert await told(telling) == [("requested", "dave@example.org")]
    await forget(telling)
    assert not (await telling.ask(notify.show, ALICE))["told"]
    with pytest.raises(JitError, match="only administrators may act for other users"):
        await telling.do(notify.on, BOB, user="alice")
    await telling.do(notify.on, ALICE)
    await telling.do(requests.cancel, ALICE, id=1)
    await telling.asked(ALICE)
    assert [address for _, address in await told(telling)] == ["dave@example.org", "alice@example.org"]


async def test_a_test_goes_to_whom_one_says(telling: World) -> None:
    """To an address, a room, or the caller and every room; its fate can be asked for."""
    telling.config = replace(telling.config, chat=Chat(urls={"ops": "json://ops"}))
    await telling.restart()
    reply = await telling.do(notify.test, CAROL)
    assert [one["to"] for one in reply["messages"]] == ["ops", "carol@example.org"]
    assert [one["to"] for one in (await telling.do(notify.test, ROOT, to="a@b.example"))["messages"]] == [
        "a@b.example"
    ]
    room, mail = (one["id"] for one in reply["messages"])
    now_ms = telling.clock.now_ms()
    await telling.service.record_delivery(lambda rows: stored.sent(rows, [room], now_ms))
    await telling.service.record_delivery(lambda rows: stored.give_up(rows, mail, "550 no", now_ms))
    assert (await telling.ask(notify.result, CAROL, id=room))["state"] == "delivered"
    result = await telling.ask(notify.result, CAROL, id=mail)
    assert (result["state"], result["error"]) == ("failed", "550 no")
    with pytest.raises(
        JitError, match=r"cannot send a test to 'nowhere': it is not a mail address, and none of"
    ):
        await telling.do(notify.test, ROOT, to="nowhere")
    with pytest.raises(JitError, match="the mail address of root is not known"):
        telling.config = replace(telling.config, chat=Chat())
        await telling.restart()
        await telling.do(notify.test, ROOT)


async def test_status_names_those_without_an_address(telling: World) -> None:
    """Device owners and deciders whom nobody knows where to reach, as far as they want to be told."""
    telling.config = replace(telling.config, mail=replace(telling.config.mail, email_domain=""))
    await telling.restart()
    await telling.do(users.set_, ROOT, user="alice", email="alice@home.example")
    await telling.do(notify.off, ROOT, user="dave")
    warnings = (await telling.ask(overview.status, ROOT))["gateway"]["warnings"]
    assert (
        "nobody knows where to send mail to bob, carol (jitctl user set bob --email ADDRESS, or email_domain under [mail])"
        in warnings
    )


def test_there_is_a_template_for_each() -> None:
    """What is told has words, and every message of the templates is told of."""
    assert set(MESSAGES) == notices.TEMPLATES


def test_the_pauses_grow() -> None:
    """A minute, twice that and so on, at most a day."""
    waits = [notices.next_attempt(attempts, 0) // MINUTE for attempts in range(1, 14)]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1440, 1440]


async def test_all_administrators_are_told_of_rules_and_people(telling: World) -> None:
    """Attack: one administrator changes a rule, makes a person, or puts a key of her own beside somebody's, and nobody hears
    of it. All who administer are told, she herself too: what, by whom and why.
    """
    until = telling.clock.now_ms() + 24 * HOUR
    for verb, body, template, what in (
        (
            networks.set_,
            {"name": "office", "changes": ["jit.exempt=bob"]},
            "rules_changed",
            "jit.exempt: none -> bob",
        ),
        (networks.jit, {"name": "office", "on": True}, "", ""),
        (users.add, {"user": "zoe", "until": until}, "people_changed", "registered"),
        (users.disable, {"user": "alice", "reason": "left"}, "people_changed", "disabled"),
        (users.enable, {"user": "alice"}, "people_changed", "enabled again"),
        (
            devices.add,
            {"name": "bobs", "user": "bob", "public_key": key("carol")},
            "people_changed",
            "a key was registered in their name: bobs",
        ),
        (networks.remove, {"name": "office"}, "rules_changed", "the network is removed"),
    ):
        await telling.do(verb, CAROL, **{"reason": "ticket 7", **body} if verb is not devices.add else body)
        wanted = [(template, one) for one in DECIDERS] if template else []
        assert [one for one in await everything_told(telling) if one[0] in changed.TEMPLATES] == wanted, verb
        for one in await telling.service.outbox(lambda rows: waiting(rows, 10)):
            if one.template in changed.TEMPLATES:
                said = one.data["what"]
                assert isinstance(said, list)
                assert (one.data["by"], said[0].startswith(what)) == ("carol", True)
                assert one.data["reason"] in ("ticket 7", "left", "")
        await forget(telling)


async def test_a_change_that_waits_is_told_to_who_decides(telling: World) -> None:
    """Administrators and the approvers of the network are asked to agree to a change of its rules."""
    await telling.do(networks.set_, ROOT, name="office", changes=["approvals=2", "approvers=bob"])
    await everything_told(telling)
    await forget(telling)
    with pytest.raises(JitError, match="waits as change 1"):
        await telling.do(networks.set_, CAROL, name="office", changes=["approvals=1"])
    wanted = [("change_proposed", one) for one in ("bob@example.org", *DECIDERS)]
    assert await everything_told(telling) == wanted
