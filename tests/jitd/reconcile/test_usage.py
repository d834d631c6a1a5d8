"""What a grant was really used for, from the counters of its peers."""

from typing import Any

from jitd.enforce.port import SetPeer
from jitd.queries import overview, show
from jitd.verbs import devices, grants, holding
from support.service import ALICE, BOB, HOUR, ROOT, World, key, passes

MINUTE = 60_000


async def usage(world: World, number: int) -> Any:
    """What show says."""
    return (await world.ask(show.show, ROOT, id=number))["usage"]


async def test_traffic_is_summed_up_by_grant(office: World) -> None:
    """Time counts while something comes from the client; bytes count both ways; what comes last counts too."""
    number = await office.granted(ALICE, duration=HOUR)
    await office.service.check()
    assert await usage(office, number) is None
    for rx, tx in ((1000, 5000), (1000, 5000), (2500, 9000)):
        passes(office, rx, tx, office.clock.now_ms())
        await office.advance(MINUTE // 2)
        await office.service.check()
    found = await usage(office, number)
    assert (found["used"], found["rx_bytes"], found["tx_bytes"]) == (MINUTE, 2500, 9000)
    assert found["last_handshake"] > 0
    passes(office, 2600, 9100)
    await office.do(grants.revoke, ROOT, id=number)
    assert (await usage(office, number))["rx_bytes"] == 2600


async def test_counters_that_begin_anew_are_not_taken_back(office: World) -> None:
    """A peer that was removed and comes back counts from zero, for its new grant."""
    first = await office.granted(ALICE)
    passes(office, 5000, 5000)
    await office.service.check()
    await office.do(holding.release, ALICE)
    second = await office.granted(ALICE)
    passes(office, 70, 80)
    await office.service.check()
    assert (await usage(office, first))["rx_bytes"] == 5000
    assert (await usage(office, second))["rx_bytes"] == 70


async def test_a_client_is_called_where_it_was_last_heard_from(office: World) -> None:
    """A peer that comes back gets its last endpoint, also after a restart, and no keepalive is left behind."""
    await office.granted(ALICE)
    passes(office, 1, 1)
    await office.service.check()
    await office.do(holding.release, ALICE)
    await office.restart()
    await office.granted(ALICE)
    peer = office.wireguard.read("wg0").peers[key("alice")]
    assert (peer.endpoint, peer.keepalive) == ("198.51.100.7:40000", 0)


async def test_a_call_that_was_broken_off_leaves_no_keepalive(office: World) -> None:
    """Where jitd ends in the middle of a call, the next one switches its keepalive off, and leaves those of others."""
    await office.granted(ALICE)
    await office.granted(BOB)
    for name, seconds in (("alice", 65535), ("bob", 25)):
        (ip,) = office.wireguard.read("wg0").peers[key(name)].allowed_ips
        office.wireguard.apply(
            "wg0", [SetPeer(public_key=key(name), allowed_ips=frozenset({ip}), keepalive=seconds)]
        )
    await office.restart()
    peers = office.wireguard.read("wg0").peers
    assert (peers[key("alice")].keepalive, peers[key("bob")].keepalive) == (0, 25)
    assert {name: len(ips) for name, ips in office.peers().items()} == {"alice": 1, "bob": 1}


async def test_a_short_grant_was_used_too(office: World) -> None:
    """What comes between two checks counts from when the peer was added."""
    number = await office.granted(ALICE, duration=15_000)
    office.clock.advance(15_000)
    passes(office, 900_000, 900_000, office.clock.now_ms())
    await office.service.expire()
    found = await usage(office, number)
    assert (found["used"], found["rx_bytes"]) == (15_000, 900_000)


async def test_the_last_handshake_of_each_device_is_told(office: World) -> None:
    """status and device list say when a device was heard, as it was read last; one that never was is not in status."""
    await office.granted(ALICE)
    assert (await office.ask(overview.status, ALICE))["heard"] == {}
    heard_ms = office.clock.now_ms()
    passes(office, 100, 100, heard_ms)
    await office.service.check()
    assert (await office.ask(overview.status, ALICE))["heard"] == {"laptop": heard_ms}
    (device,) = (await office.ask(devices.list_, ALICE))["devices"]
    assert device["last_handshake"] == heard_ms
