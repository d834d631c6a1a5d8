"""A check of a large interface in slices, between which endings and verbs have their turn.

The interface is read once. Each slice works out anew what some devices should have, and compares that with what was
read; where it differs, the device is converged as after a verb. What a verb has changed since the reading is left out:
it was converged then.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from jitd.core.elements import Element, Member, Reading, Right, addresses, is_as_wanted
from jitd.core.model import Interface, Now
from jitd.enforce.port import EnforceError, LinkState
from jitd.reconcile import access, standing
from jitd.reconcile.access import DeviceAccess
from jitd.reconcile.reconciler import Converger
from jitd.store import devices, interfaces, networks
from jitd.store.database import Rows

#: Devices that are compared in one go: some tens of milliseconds.
SLICE: Final = 500


@dataclass(frozen=True, slots=True)
class Survey:
    """A large interface as it was read between two moments of boot time."""

    interface: Interface
    state: LinkState
    members: dict[Member, Element]
    network_ids: tuple[int, ...]
    begun_ms: int
    done_ms: int


def slices(rows: Rows, interface: Interface) -> list[list[int]]:
    """The devices of an interface in slices; one slice or none means that it is looked at as a whole."""
    if not interface.enforced:
        return []
    ids = devices.ids_on(rows, interface.id)
    return [ids[start : start + SLICE] for start in range(0, len(ids), SLICE)]


def begin(converger: Converger, rows: Rows, interface: Interface, now: Now) -> Survey | None:
    """Read an interface, and remove strangers from it. None: it had to be looked at as a whole, which is done."""
    converger.changed.clear()
    network_ids = tuple(network.id for network in networks.of_interface(rows, interface.id))
    try:
        # First, because the reading takes a while, in which WireGuard would guard alone.
        flushed = converger.ensure(rows)
        state = converger.peering.read(interface, known=interface.id in converger.agreement.names)
        begun = converger.guard.boot_ms()
        members = converger.guard.read(network_ids)
        keys, ips = devices.known_on(rows, interface.id)
        strangers = [key for key in state.peers if key not in keys]
        if strangers:
            converger.peering.tell_strangers(rows, interface, strangers)
            converger.peering.apply(interface, strangers, [])
        foreign = [member for member in members if member.ip not in ips]
        if foreign:
            converger.guard.expel(interface, foreign)
    except EnforceError:
        flushed = True
    if flushed or interface.id in converger.agreement.errors:
        converger.interface(rows, interface, now)
        return None
    return Survey(interface, state, members, network_ids, begun, converger.guard.boot_ms())


def compare(converger: Converger, rows: Rows, survey: Survey, device_ids: Collection[int], now: Now) -> None:
    """Compare one slice, and converge what differs."""
    interface = interfaces.by_id(rows, survey.interface.id)
    if interface != survey.interface:
        return  # changed or removed since: that was converged as a whole
    accesses = [
        one
        for one in access.of_interface(rows, interface, converger.people, now, device_ids)
        if one.tunnel.device.public_key not in converger.changed
    ]
    keys = {one.tunnel.device.public_key for one in accesses}
    before = converger.openings.accesses(interface.id, keys)
    standing.tell_changes(rows, converger.tell, converger.people, before, accesses, now)
    reading = Reading(survey.begun_ms - now.boot_ms, survey.done_ms - now.boot_ms)
    then = Now(now.wall_ms + reading.begun_ms, survey.begun_ms, now.boot_id)
    converger.peering.sampler.saw(interface.id, survey.state, before.values(), then)
    wrong = [one for one in accesses if not _as_wanted(survey, one, reading)]
    if not wrong:
        converger.openings.note_some(interface, accesses, (), now)
        return
    expected = {
        one.tunnel.device.public_key: None if one.wanted is None else one.wanted.allowed_ips for one in wrong
    }
    converger.peering.tell_changed(interface, expected, survey.state.peers)
    for one in wrong:
        mine = {
            member: survey.members[member] for member in _all_members(survey, one) if member in survey.members
        }
        converger.guard.tell_changed(interface, one.rights, mine, reading)
    converger.devices(rows, interface, {one.tunnel.device.id for one in wrong}, {}, now)


def _as_wanted(survey: Survey, one: DeviceAccess, reading: Reading) -> bool:
    peer = survey.state.peers.get(one.tunnel.device.public_key)
    passing = None if one.wanted is None else one.wanted.allowed_ips
    if (None if peer is None else peer.allowed_ips) != passing:
        return False
    rights: dict[Member, Right] = one.rights
    return all(
        is_as_wanted(rights.get(member), survey.members.get(member), reading)
        for member in _all_members(survey, one)
    )


def _all_members(survey: Survey, one: DeviceAccess) -> list[Member]:
    if not survey.network_ids:
        return []
    return [Member(number, ip) for ip in addresses(one.tunnel.ips) for number in survey.network_ids]
