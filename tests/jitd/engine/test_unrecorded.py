"""Closing is never stuck: what becomes of revoke, release and expiry while the store cannot be used."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from jitd.core.errors import JitError
from jitd.queries import eventlog, overview, show
from jitd.store import database
from jitd.store.database import FILE_NAME
from jitd.verbs import freezing, grants, holding, networks
from support.service import ALICE, BOB, CAROL, HOUR, ROOT, World, locked

#: Nobody waits two seconds for a lock that a test holds.
pytestmark = pytest.mark.usefixtures("impatient")


def ruin(world: World, table: str = "request") -> None:
    """Somebody damages the database."""
    other = sqlite3.connect(world.config.daemon.state_dir / FILE_NAME, isolation_level=None)
    other.execute("PRAGMA foreign_keys = OFF")
    other.execute(f"DROP TABLE {table}")
    other.close()


@contextmanager
def damaged(world: World) -> Iterator[None]:
    """Somebody damages the database."""
    ruin(world)
    yield


Closed = Callable[[World], AbstractContextManager[None]]


async def test_revoke_under_a_locked_database_cuts_and_is_recorded_later(office: World) -> None:
    """Access is cut at once, the caller is told, nothing else is accepted, and the record follows with who and why."""
    number = await office.granted(ALICE)
    with locked(office):
        with pytest.raises(JitError) as caught:
            await office.do(grants.revoke, CAROL, id=number, comment="lost laptop")
        assert caught.value.code == "unrecorded"
        assert caught.value.message.startswith(f"cut: {number}, of alice; it cannot be recorded yet")
        assert office.peers() == {}
        assert office.entries() == {}
        status = await office.ask(overview.status, ROOT)
        assert "is done, but not recorded yet" in status["gateway"]["waiting"][0]
        with pytest.raises(JitError) as refused:
            await office.asked(BOB)
        assert refused.value.code == "store"
    await office.service.check()
    await office.advance(10_000)
    shown = await office.ask(show.show, ROOT, id=number)
    assert (shown["request"]["status"], shown["request"]["ended_comment"]) == ("revoked", "lost laptop")
    told = [(event["kind"], (event["actor"] or {}).get("user")) for event in shown["events"]]
    assert told[-2:] == [("revoked", "carol"), ("cut_confirmed", None)]
    assert shown["events"][-2]["data"]["recorded_later"]
    # When it was seen, and not when that could be written down.
    assert shown["events"][-1]["data"]["lateness"] == 0
    assert (await office.ask(overview.status, ROOT))["gateway"]["waiting"] == []


async def test_what_is_held_stays_out_over_a_restart(office: World) -> None:
    """The small file remembers the end of a grant that the database does not know of: the start records it and opens nothing."""
    number = await office.granted(ALICE)
    with locked(office):
        with pytest.raises(JitError, match="cut"):
            await office.do(holding.release, ALICE)
        await office.service.stop()
        office.clock.advance(HOUR // 2)
    office.service = office._new()
    await office.service.start()
    assert office.peers() == {}
    shown = await office.ask(show.show, ROOT, id=number)
    assert shown["request"]["status"] == "released"
    assert shown["events"][-1]["data"]["lateness"] == 0


async def test_only_who_may_can_close_without_the_store(office: World) -> None:
    """The rules are the same: a user revokes nothing, and releases nothing of somebody else's."""
    number = await office.granted(ALICE)
    with locked(office):
        for verb in (grants.revoke, holding.release):
            with pytest.raises(JitError) as caught:
                await office.do(verb, BOB, id=number)
            assert caught.value.code in ("store", "not_permitted")
    assert office.peers() == {"alice": {"10.9.0.2/32"}}


@pytest.mark.parametrize("how", [locked, damaged])
async def test_an_approver_closes_without_the_store(office: World, how: Closed) -> None:
    """Who decides about a network revokes there, and there alone, whether the store cannot be written or not even read."""
    await office.do(networks.add, ROOT, name="lab", routes=["10.20.0.0/16"])
    await office.do(networks.set_, ROOT, name="office", changes=["approvers=bob"])
    number = await office.granted(ALICE)
    lab = await office.asked(ALICE, network="lab")
    await office.do(grants.grant, ROOT, id=lab, duration=HOUR)
    with how(office):
        with pytest.raises(JitError) as refused:
            await office.do(grants.revoke, BOB, id=lab)
        assert refused.value.code in ("store", "not_permitted")
        with pytest.raises(JitError) as caught:
            await office.do(grants.revoke, BOB, id=number)
        assert caught.value.message.startswith(f"cut: {number}, of alice; it cannot be recorded yet")
    assert office.entries() == {"2 10.9.0.2": HOUR}


async def test_a_damaged_database_keeps_nobody_in(office: World) -> None:
    """Revoke and expiry cut from what is remembered, also when not even a question can be asked."""
    first = await office.granted(ALICE)
    await office.granted(BOB, duration=HOUR)
    ruin(office)
    with pytest.raises(JitError) as caught:
        await office.do(grants.revoke, ROOT, id=first)
    assert caught.value.code == "unrecorded"
    assert office.peers() == {"bob": {"10.9.0.3/32"}}
    with pytest.raises(JitError):
        await office.advance(HOUR)
    assert office.peers() == {}


async def test_a_half_damaged_database_keeps_nobody_in(office: World) -> None:
    """Expiry cuts from what is remembered, also when it can be read who is over and not what that opened."""
    await office.granted(ALICE, duration=HOUR)
    ruin(office, "device")
    with pytest.raises(JitError):
        await office.advance(HOUR)
    assert office.peers() == {}
    assert office.entries() == {}


async def test_damage_that_shows_late_is_the_stores(office: World) -> None:
    """What SQLite finds wrong only behind the first rows of an answer is the store's failure like any other."""
    late = "SELECT abs(n) AS n FROM (SELECT 1 AS n UNION ALL SELECT -9223372036854775808)"
    reader = database.open_reader(office.config.daemon.state_dir / FILE_NAME)
    for read in (reader.all, reader.one, reader.value):
        with pytest.raises(JitError) as caught:
            read(late)
        assert caught.value.code == "store"
    reader.close()


async def test_the_other_grant_of_a_device_stays_open(office: World) -> None:
    """To close one grant without the store leaves what another one of the same device opens."""
    await office.do(networks.add, ROOT, name="lab", routes=["10.20.0.0/16"])
    first = await office.granted(ALICE)
    second = await office.asked(ALICE, network="lab")
    await office.do(grants.grant, ROOT, id=second, duration=HOUR)
    with locked(office), pytest.raises(JitError, match="cut"):
        await office.do(grants.revoke, ROOT, id=first)
    assert office.peers() == {"alice": {"10.9.0.2/32"}}
    assert office.entries() == {"2 10.9.0.2": HOUR}


@pytest.mark.parametrize("restarted", [False, True])
async def test_freeze_closes_without_the_store(office: World, *, restarted: bool) -> None:
    """Everything is closed at once and stays so, over a restart too; the record follows with who and why."""
    await office.granted(ALICE, duration=2 * HOUR)
    await office.granted(BOB, duration=2 * HOUR)
    with locked(office):
        with pytest.raises(JitError) as caught:
            await office.do(freezing.freeze, CAROL, reason="intruder")
        assert caught.value.code == "unrecorded"
        assert caught.value.message.startswith("closed: everything; it cannot be recorded yet")
        assert (office.peers(), office.entries()) == ({}, {})
        status = await office.ask(overview.status, ROOT)
        assert "all access is frozen, but that is not recorded yet" in status["gateway"]["waiting"][0]
        await office.service.compare()
        assert (office.peers(), office.entries()) == ({}, {})
        if restarted:
            await office.service.stop()
    if restarted:
        office.service = office._new()
        await office.service.start()
    await office.service.check()
    await office.advance(10_000)
    assert (office.peers(), office.entries()) == ({}, {})
    (event,) = (await office.ask(eventlog.events_, ROOT, kind="frozen"))["events"]
    assert (event["actor"]["user"], event["data"]["reason"], event["data"]["recorded_later"]) == (
        "carol",
        "intruder",
        True,
    )
    assert (await office.ask(overview.status, ROOT))["gateway"]["waiting"] == []
    await office.do(freezing.thaw, ROOT)
    assert set(office.peers()) == {"alice", "bob"}


async def test_freeze_without_the_store_is_for_administrators(office: World) -> None:
    """Bob closes nothing, whatever becomes of the store."""
    await office.granted(ALICE)
    with locked(office), pytest.raises(JitError) as caught:
        await office.do(freezing.freeze, BOB, reason="because")
    assert caught.value.code in ("store", "not_permitted")
    assert set(office.peers()) == {"alice"}


@pytest.mark.parametrize("look", ["compare", "check"])
@pytest.mark.parametrize("table", ["interface", "network", "device"])
async def test_rules_that_are_flushed_come_back_without_the_store(
    office: World, look: str, table: str
) -> None:
    """The attack: the store cannot be read, and somebody flushes the ruleset. Who is a peer for one network would pass the
    others of that interface, for as long as nobody mends the store.

    The rules come back as they were last; who was let in stays out until the store can be read.
    """
    await office.granted(ALICE)
    ruin(office, table)
    office.firewall.remove_all()
    with pytest.raises(JitError):
        await getattr(office.service, look)()
    assert office.firewall.present()
    assert office.entries() == {}
