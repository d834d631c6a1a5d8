"""A check of a large interface in slices, between which endings and verbs have their turn.

The interface is read once. Each slice works out anew what some devices should have, and compares that with what was
read; where it differs, the device is reconciled as after a verb. What a verb has changed since the reading is left out:
it was reconciled then.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from jitd.core.elements import Element, Reading, Right, SetEntry, addresses, is_as_wanted
from jitd.core.model import Interface, Now
from jitd.enforce.port import EnforceError, LinkState
from jitd.reconcile import access, standing
from jitd.reconcile.access import DeviceAccess
from jitd.reconcile.reconciler import Reconciler
from jitd.store import devices, interfaces, networks
from jitd.store.database import Rows

#: Devices that are compared in one go: some tens of milliseconds.
SLICE: Final = 500


@dataclass(frozen=True, slots=True)
class Survey:
    """A large interface as it was read between two moments of boot time."""

    interface: Interface
    state: LinkState
    entries: dict[SetEntry, Element]
    network_ids: tuple[int, ...]
    begun_ms: int
    done_ms: int


def slices(rows: Rows, interface: Interface) -> list[list[int]]:
    """The devices of an interface in slices; one slice or none means that it is looked at as a whole."""
    if not interface.enforced:
        return []
    ids = devices.ids_on(rows, interface.id)
    return [ids[start : start + SLICE] for start in range(0, len(ids), SLICE)]


def begin(reconciler: Reconciler, rows: Rows, interface: Interface, now: Now) -> Survey | None:
    """Read an interface, and remove strangers from it. None: it had to be looked at as a whole, which is done."""
    reconciler.changed.clear()
    network_ids = tuple(network.id for network in networks.of_interface(rows, interface.id))
    try:
        # First, because the reading takes a while, in which WireGuard would guard alone.
        flushed = reconciler.ensure(rows)
        state = reconciler.peer_reconciler.read(interface, known=interface.id in reconciler.drift.names)
        begun = reconciler.firewall_reconciler.boot_ms()
        entries = reconciler.firewall_reconciler.read(network_ids)
        keys, ips = devices.known_on(rows, interface.id)
        strangers = [key for key in state.peers if key not in keys]
        if strangers:
            reconciler.peer_reconciler.record_strangers(rows, interface, strangers)
            reconciler.peer_reconciler.apply(interface, strangers, [])
        foreign = [entry for entry in entries if entry.ip not in ips]
        if foreign:
            reconciler.firewall_reconciler.expel(interface, foreign)
    except EnforceError:
        flushed = True
    if flushed or interface.id in reconciler.drift.errors:
        reconciler.interface(rows, interface, now)
        return None
    return Survey(interface, state, entries, network_ids, begun, reconciler.firewall_reconciler.boot_ms())


def compare(
    reconciler: Reconciler, rows: Rows, survey: Survey, device_ids: Collection[int], now: Now
) -> None:
    """Compare one slice, and reconcile what differs."""
    interface = interfaces.by_id(rows, survey.interface.id)
    if interface != survey.interface:
        return  # changed or removed since: that was reconciled as a whole
    accesses = [
        one
        for one in access.of_interface(rows, interface, reconciler.people, now, device_ids)
        if one.tunnel.device.public_key not in reconciler.changed
    ]
    keys = {one.tunnel.device.public_key for one in accesses}
    before = reconciler.applied.accesses(interface.id, keys)
    standing.record_changes(rows, reconciler.record_event, reconciler.people, before, accesses, now)
    reading = Reading(survey.begun_ms - now.boot_ms, survey.done_ms - now.boot_ms)
    then = Now(now.wall_ms + reading.begun_ms, survey.begun_ms, now.boot_id)
    reconciler.peer_reconciler.sampler.saw(interface.id, survey.state, before.values(), then)
    wrong = [one for one in accesses if not _as_wanted(survey, one, reading)]
    if not wrong:
        reconciler.applied.note_some(interface, accesses, (), now)
        return
    expected = {
        one.tunnel.device.public_key: None if one.wanted is None else one.wanted.allowed_ips for one in wrong
    }
    reconciler.peer_reconciler.record_changed(interface, expected, survey.state.peers)
    for one in wrong:
        mine = {
            entry: survey.entries[entry] for entry in _all_entries(survey, one) if entry in survey.entries
        }
        reconciler.firewall_reconciler.record_changed(interface, one.rights, mine, reading)
    reconciler.devices(rows, interface, {one.tunnel.device.id for one in wrong}, {}, now)


def _as_wanted(survey: Survey, one: DeviceAccess, reading: Reading) -> bool:
    peer = survey.state.peers.get(one.tunnel.device.public_key)
    passing = None if one.wanted is None else one.wanted.allowed_ips
    if (None if peer is None else peer.allowed_ips) != passing:
        return False
    rights: dict[SetEntry, Right] = one.rights
    return all(
        is_as_wanted(rights.get(entry), survey.entries.get(entry), reading)
        for entry in _all_entries(survey, one)
    )


def _all_entries(survey: Survey, one: DeviceAccess) -> list[SetEntry]:
    if not survey.network_ids:
        return []
    return [SetEntry(number, ip) for ip in addresses(one.tunnel.ips) for number in survey.network_ids]
