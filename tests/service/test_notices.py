"""Who is told what, once each: from events to messages."""

from dataclasses import replace
from pathlib import Path

import pytest
from world import ALICE, BOB, CAROL, HOUR, ROOT, World

from jitd.config import Mail
from jitd.core import notices
from jitd.notify.facts import FACTS, MESSAGES
from jitd.service import grants, networks, outbox, queries, requests, users
from jitd.store import outbox as stored
from jitd.store.outbox import waiting

MINUTE = 60_000


@pytest.fixture
async def telling(tmp_path: Path):
    """An office that tells people by mail; dave and carol administer."""
    world = World(tmp_path)
    mail = Mail(
        server="mail.example.org", sender="jitd@example.org", email_domain="example.org", remind_minutes=30
    )
    world.config = replace(world.config, mail=mail)
    world.service = world._new()
    await world.start()
    await world.furnish()
    yield world
    await world.stop()


async def told(world: World) -> list[tuple[str, str]]:
    """(template, address) of everything that waits, after everything that happened was looked at."""
    while await world.service.tell() == world.clock.now_ms():
        pass
    found = await world.service.outbox(lambda rows: waiting(rows, 1000))
    for one in found:
        assert set(one.data) >= set(FACTS)
    return [(one.template, one.address) for one in found]


async def forget(world: World) -> None:
    """What waits has been delivered."""
    found = await world.service.outbox(lambda rows: waiting(rows, 1000))
    now_ms = world.clock.now_ms()
    await world.service.record_delivery(lambda rows: stored.sent(rows, [one.id for one in found], now_ms))


DECIDERS = ("carol@example.org", "dave@example.org")


async def test_a_request_and_its_grant(telling: World) -> None:
    """Those who decide are told of the request, its user that it was received, granted and is over; once each."""
    number = await telling.asked(ALICE)
    wanted = [("requested", one) for one in DECIDERS] + [("received", "alice@example.org")]
    assert await told(telling) == wanted
    assert await told(telling) == wanted
    await forget(telling)
    await telling.do(grants.grant, CAROL, id=number, duration=HOUR)
    assert await told(telling) == [("granted", "alice@example.org")]
    await forget(telling)
    await telling.advance(HOUR)
    assert await told(telling) == [("ended", "alice@example.org")]


async def test_reminders_before_the_end(telling: World) -> None:
    """Ten minutes and two minutes before it, once each; an extension moves them."""
    number = await telling.granted(ALICE, duration=HOUR)
    await told(telling)
    await forget(telling)
    assert await telling.service.tell() == telling.clock.now_ms() + 50 * MINUTE
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
    status = await telling.ask(queries.status, ROOT)
    assert (
        "3 mails wait to be delivered: 550 no such user (jitctl outbox list)" in status["gateway"]["warnings"]
    )
    assert (await telling.ask(outbox.list_, CAROL))["stuck"] == 3
    assert (await telling.do(outbox.drop, CAROL, ids=ids[:1]))["number"] == 1
    assert (await telling.do(outbox.retry, CAROL))["number"] == 2
    assert (await telling.ask(outbox.list_, CAROL))["stuck"] == 0


def test_there_is_a_template_for_each() -> None:
    """What is told has words, and every message of the templates is told of."""
    assert set(MESSAGES) == notices.TEMPLATES


def test_the_pauses_grow() -> None:
    """A minute, twice that and so on, at most a day."""
    waits = [notices.next_attempt(attempts, 0) // MINUTE for attempts in range(1, 14)]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1440, 1440]
