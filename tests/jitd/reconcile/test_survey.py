"""A check in slices finds and repairs what a check of the whole does, and minds what happens between two slices."""

from ipaddress import ip_address, ip_network

import pytest

from jitd.core.elements import Lease, SetEntry
from jitd.enforce.port import RemovePeer, SetPeer
from jitd.engine.worker import Priority
from jitd.queries import eventlog
from jitd.reconcile import survey
from jitd.verbs import devices, grants, removal
from support.service import ALICE, BOB, HOUR, ROOT, World, key

EVERYWHERE = frozenset({ip_network("0.0.0.0/0")})


@pytest.fixture
async def sliced(office: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """alice and bob inside, each of them a slice of its own."""
    monkeypatch.setattr(survey, "SLICE", 1)
    await office.granted(ALICE)
    await office.granted(BOB)
    await office.service.check()
    return office


async def kinds(world: World) -> list[str]:
    """The events so far."""
    return [event["kind"] for event in (await world.ask(eventlog.events_, ROOT))["events"]]


async def test_a_quiet_check_tells_nothing(sliced: World) -> None:
    """Where all is as it was left, nothing is done or told, also after a while."""
    before = await kinds(sliced)
    sliced.clock.advance(HOUR // 2)
    await sliced.service.check()
    assert await kinds(sliced) == before
    assert sliced.entries() == {"1 10.9.0.2": HOUR // 2, "1 10.9.0.3": HOUR // 2}


async def test_peers_that_somebody_changed(sliced: World) -> None:
    """Widened, removed and foreign peers are put right, each with its event."""
    for change, told in (
        (SetPeer(public_key=key("alice"), allowed_ips=EVERYWHERE), "peer_repaired"),
        (RemovePeer(key("bob")), "peer_repaired"),
        (
            SetPeer(public_key=key("old"), allowed_ips=frozenset({ip_network("10.9.0.77/32")})),
            "stranger_removed",
        ),
    ):
        sliced.wireguard.apply("wg0", [change])
        await sliced.service.check()
        assert sliced.peers() == {"alice": {"10.9.0.2/32"}, "bob": {"10.9.0.3/32"}}
        assert (await kinds(sliced))[-1] == told


async def test_entries_that_somebody_changed(sliced: World) -> None:
    """Entries added, lengthened and deleted by hand are put right, each with its event."""
    alice = ip_address("10.9.0.2")
    for lease, removals, told in (
        (Lease(1, ip_address("10.9.0.77"), HOUR), [], "element_removed"),
        (Lease(1, alice, 9 * HOUR), [], "element_shortened"),
        (None, [SetEntry(1, alice)], "element_restored"),
    ):
        sliced.firewall.apply([lease] if lease else [], removals)
        await sliced.service.check()
        assert sliced.entries() == {"1 10.9.0.2": HOUR, "1 10.9.0.3": HOUR}
        assert (await kinds(sliced))[-1] == told


async def test_a_flushed_table(sliced: World) -> None:
    """Rules and entries come back, and it is one event."""
    before = await kinds(sliced)
    sliced.firewall.remove_all()
    await sliced.service.check()
    assert sliced.entries() == {"1 10.9.0.2": HOUR, "1 10.9.0.3": HOUR}
    assert (await kinds(sliced))[len(before) :] == ["firewall_repaired"]


async def test_what_happens_between_two_slices_is_no_tampering(sliced: World) -> None:
    """A revoke and a new device between the reading and the slices are left as they are, and nobody is accused."""
    service = sliced.service
    steps = await service._worker.run(service._checks.begin, Priority.CHECK)
    assert len(steps) == 3
    await service._worker.run(steps[0], Priority.CHECK)
    await sliced.do(grants.revoke, ROOT, id=1)
    await sliced.do(removal.remove, BOB, name="laptop")
    await sliced.do(devices.add, ALICE, name="phone", public_key=key("phone"))
    before = await kinds(sliced)
    for step in steps[1:]:
        await service._worker.run(step, Priority.CHECK)
    await service._worker.run(service._checks.end, Priority.CHECK)
    assert sliced.peers() == {}
    assert sliced.entries() == {}
    assert [kind for kind in (await kinds(sliced))[len(before) :] if kind != "cut_confirmed"] == []
