"""The end: by itself, in time, by either clock, over restarts."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from jitd.core.errors import JitError
from jitd.enforce.port import RemovePeer, SetPeer
from jitd.queries import eventlog, listing, overview, show
from jitd.store.database import FILE_NAME
from jitd.verbs import grants, holding, networks, requests
from support.service import ALICE, BOB, HOUR, ROOT, World, key


async def test_the_next_deadline_is_the_end_of_the_next_grant(office: World) -> None:
    """Both clocks know the earliest end; without a grant there is nothing to wait for."""
    assert office.service.next_deadline() == (None, None)
    await office.granted(ALICE, duration=2 * HOUR)
    await office.granted(BOB, duration=HOUR)
    assert office.service.next_deadline() == (office.clock.now_ms() + HOUR, office.clock.boot_ms() + HOUR)


async def test_a_grant_ends_at_its_end_and_not_before(office: World) -> None:
    """A millisecond before the end the peer is there; at the end it is gone."""
    number = await office.granted(ALICE, duration=HOUR)
    await office.advance(HOUR - 1)
    assert set(office.peers()) == {"alice"}
    await office.advance(1)
    assert office.peers() == {}
    shown = await office.ask(show.show, ALICE, id=number)
    assert shown["request"]["status"] == "expired"
    assert [event["kind"] for event in shown["events"]] == [
        "requested",
        "granted",
        "expired",
        "cut_confirmed",
    ]
    assert shown["events"][-1]["data"]["lateness"] == 0


async def test_an_end_cuts_only_its_own(office: World) -> None:
    """The end of one user's grant leaves the other's."""
    await office.granted(ALICE, duration=HOUR)
    await office.granted(BOB, duration=2 * HOUR)
    await office.advance(HOUR)
    assert set(office.peers()) == {"bob"}


async def test_status_is_right_before_the_expiry_was_handled(office: World) -> None:
    """A query after the end says expired, even if nothing was done yet."""
    number = await office.granted(ALICE, duration=HOUR)
    office.clock.advance(HOUR)
    shown = (await office.ask(show.show, ALICE, id=number))["request"]
    assert (shown["status"], shown["tab"]) == ("expired", "ended")
    listed = await office.ask(listing.list_, ROOT, status=["expired"])
    assert [one["id"] for one in listed["requests"]] == [number]
    assert (await office.ask(listing.list_, ROOT, status=["active"]))["requests"] == []


async def test_an_old_grants_end_never_cuts_a_new_one(office: World) -> None:
    """After a release and a new grant, the first grant's end passes without effect."""
    await office.granted(ALICE, duration=HOUR)
    await office.advance(HOUR // 2)
    await office.do(holding.release, ALICE)
    await office.granted(ALICE, duration=HOUR)
    await office.advance(HOUR // 2)
    assert set(office.peers()) == {"alice"}
    await office.advance(HOUR // 2)
    assert office.peers() == {}


async def test_stepping_the_wall_clock_back_lengthens_nothing(office: World) -> None:
    """With the wall clock an hour back, boot time ends the grant, and the event says so."""
    number = await office.granted(ALICE, duration=HOUR)
    office.clock.step(-HOUR)
    await office.advance(HOUR)
    assert office.peers() == {}
    events = (await office.ask(show.show, ALICE, id=number))["events"]
    assert events[2]["data"]["clock"] == "boot"


async def test_stepping_the_wall_clock_forward_ends_and_says_why(office: World) -> None:
    """With the wall clock past the end the grant is over, by the wall clock."""
    number = await office.granted(ALICE, duration=HOUR)
    office.clock.step(2 * HOUR)
    await office.service.expire()
    assert office.peers() == {}
    events = (await office.ask(show.show, ALICE, id=number))["events"]
    assert events[2]["data"]["clock"] == "wall"


async def test_what_ended_while_jitd_was_down_is_cut_at_start(office: World) -> None:
    """After a restart the grant that ended meanwhile is expired and its peer gone; the others stay."""
    number = await office.granted(ALICE, duration=HOUR)
    await office.granted(BOB, duration=4 * HOUR)
    await office.service.stop()
    office.clock.advance(2 * HOUR)
    office.service = office._new()
    await office.start()
    assert set(office.peers()) == {"bob"}
    events = (await office.ask(show.show, ROOT, id=number))["events"]
    assert events[-1]["kind"] == "cut_confirmed"
    assert events[-1]["data"]["lateness"] == HOUR


async def test_a_restart_touches_no_allowed_peer(office: World) -> None:
    """Over a restart an allowed peer is not even set again."""
    await office.granted(ALICE)
    before = office.wireguard.read("wg0").peers
    await office.restart()
    assert office.wireguard.read("wg0").peers == before


async def test_a_reboot_keeps_the_end(office: World) -> None:
    """After a reboot boot time begins anew, and the grant ends when the wall clock says."""
    await office.granted(ALICE, duration=2 * HOUR)
    await office.service.stop()
    office.wireguard.remove_link("wg0")
    office.clock.advance(HOUR)
    office.clock.reboot()
    office.service = office._new()
    await office.start()
    assert set(office.peers()) == {"alice"}
    office.clock.step(-HOUR)
    await office.advance(HOUR - 1)
    assert set(office.peers()) == {"alice"}
    await office.advance(1)
    assert office.peers() == {}


async def test_a_reboot_with_a_clock_behind_opens_nothing_until_it_is_right(office: World) -> None:
    """A gateway that boots with its clock set back keeps grants closed, and opens them for what is left later."""
    await office.granted(ALICE, duration=4 * HOUR)
    await office.advance(2 * HOUR)
    await office.service.check()
    await office.service.stop()
    office.wireguard.remove_link("wg0")
    office.clock.reboot()
    office.clock.step(-2 * HOUR)
    office.service = office._new()
    await office.start()
    assert office.peers() == {}
    await office.service.check()
    assert office.peers() == {}
    assert office.service.next_deadline()[0] == office.clock.now_ms() + 2 * HOUR
    office.clock.step(2 * HOUR)
    await office.service.expire()
    assert set(office.peers()) == {"alice"}
    await office.advance(2 * HOUR)
    assert office.peers() == {}


async def test_a_locked_database_keeps_nobody_in(office: World) -> None:
    """While another process holds the database, the end cuts all the same; the record follows when it can."""
    number = await office.granted(ALICE, duration=HOUR)
    other = sqlite3.connect(office.config.daemon.state_dir / FILE_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JitError) as caught:
        await office.advance(HOUR)
    assert caught.value.code == "store"
    assert office.peers() == {}
    assert (await office.ask(show.show, ALICE, id=number))["request"]["status"] == "expired"
    other.execute("ROLLBACK")
    other.close()
    await office.advance(5000)
    events = (await office.ask(show.show, ALICE, id=number))["events"]
    assert [event["kind"] for event in events] == ["requested", "granted", "expired", "cut_confirmed"]
    # When it was seen, and not when that could be written down.
    assert events[-1]["data"]["lateness"] == 0


async def test_a_stop_that_cannot_be_recorded_ends_all_the_same(tmp_path: Path) -> None:
    """While another process holds the database, a stop takes its time, and ends."""
    world = World(tmp_path)
    await world.start()
    other = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    await asyncio.wait_for(world.stop(), 20)
    other.close()


async def test_a_cut_that_failed_is_confirmed_when_the_kernel_agrees(office: World) -> None:
    """Nothing is called cut before it was read back: the confirmation comes with the retry, and has the lateness."""
    number = await office.granted(ALICE, duration=HOUR)
    office.wireguard.remove_link("wg0")
    office.wireguard.add_other_link("wg0")
    await office.advance(HOUR)
    shown = await office.ask(show.show, ROOT, id=number)
    assert (shown["request"]["status"], shown["request"]["marks"]) == ("expired", ["cutting"])
    assert shown["events"][-1]["kind"] == "expired"
    office.wireguard.remove_other_link("wg0")
    await office.advance(5000)
    shown = await office.ask(show.show, ROOT, id=number)
    assert shown["request"]["marks"] == []
    assert (shown["events"][-1]["kind"], shown["events"][-1]["data"]["lateness"]) == ("cut_confirmed", 5000)


async def test_a_stranger_is_removed_and_told(office: World) -> None:
    """A peer that was put on an own interface by hand is removed at the next check, with an event."""
    office.wireguard.apply("wg0", [SetPeer(public_key=key("old"), allowed_ips=frozenset())])
    await office.service.check()
    assert office.peers() == {}
    events = (await office.ask(eventlog.events_, ROOT, kind="stranger_removed"))["events"]
    assert [event["data"]["public_key"] for event in events] == [key("old")]


async def test_a_peer_that_was_taken_away_comes_back(office: World) -> None:
    """A granted peer that somebody removed by hand is put back at the next check."""
    await office.granted(ALICE)
    office.wireguard.apply("wg0", [RemovePeer(key("alice"))])
    await office.service.check()
    assert set(office.peers()) == {"alice"}


async def test_an_interface_that_was_taken_away_comes_back(office: World) -> None:
    """An own interface that was deleted is made again with everyone who is allowed, and told in an event."""
    await office.granted(ALICE)
    office.wireguard.remove_link("wg0")
    await office.service.check()
    assert set(office.peers()) == {"alice"}
    assert (await office.ask(eventlog.events_, ROOT, kind="interface_recreated"))["events"]


async def test_a_grant_on_a_lost_interface_makes_it_again(office: World) -> None:
    """A verb that finds the interface gone brings it back with everyone on it."""
    await office.granted(BOB)
    office.wireguard.remove_link("wg0")
    number = await office.asked(ALICE)
    reply = await office.do(grants.grant, ROOT, id=number)
    assert reply["agrees"] is True
    assert set(office.peers()) == {"alice", "bob"}


async def test_a_request_lapses_when_nobody_decides(office: World) -> None:
    """After its network's time a request is lapsed, and told so; it can be neither granted nor cancelled, but asked again."""
    await office.do(networks.set_, ROOT, name="office", pending_ttl=HOUR)
    number = await office.asked()
    office.clock.advance(HOUR - 1)
    assert (await office.ask(show.show, ROOT, id=number))["request"]["status"] == "pending"
    assert office.service.next_deadline()[0] == office.clock.now_ms() + 1
    office.clock.advance(1)
    assert (await office.ask(show.show, ROOT, id=number))["request"]["status"] == "lapsed"
    await office.service.expire()
    shown = await office.ask(show.show, ROOT, id=number)
    assert [event["kind"] for event in shown["events"]] == ["requested", "lapsed"]
    assert shown["request"]["tab"] == "ended"
    for verb, actor in ((grants.grant, ROOT), (requests.cancel, ALICE), (grants.deny, ROOT)):
        with pytest.raises(JitError) as caught:
            await office.do(verb, actor, id=number)
        assert caught.value.code == "ended"
        assert "it lapsed" in caught.value.message
    again = await office.asked()
    await office.do(grants.grant, ROOT, id=again, duration=HOUR)
    office.clock.advance(HOUR // 2)
    # The time to decide is not the time of access.
    assert (await office.ask(show.show, ROOT, id=again))["request"]["status"] == "active"


async def test_a_stop_leaves_one_whole_file(office: World) -> None:
    """After a stop there is no write-ahead log beside the database: a copy of the one file is a backup."""
    await office.granted()
    await office.ask(overview.status, ROOT)
    directory = office.config.daemon.state_dir
    assert (directory / f"{FILE_NAME}-wal").exists()
    await office.service.stop()
    assert not (directory / f"{FILE_NAME}-wal").exists()
    office.service = office._new()
    await office.start()
