"""What begins and ends by itself: grants, and the time of people and devices."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from jitd.core.model import NOBODY_DECIDED, Device, Ending, Grant, IPNetwork, Now, Request, Status
from jitd.reconcile.access import People
from jitd.reconcile.changeset import ChangeSet
from jitd.reconcile.drift import Drift
from jitd.store import accounts, devices, events, interfaces, networks, requests
from jitd.store.database import Rows

#: Clocks that nobody has set differ by less, milliseconds.
_CLOCKS_APART_MS: Final = 1000


def due(rows: Rows, now: Now) -> list[Request]:
    """The grants that are over by either clock."""
    return requests.due(rows, now.wall_ms, now.boot_id, now.boot_ms)


def next_end(rows: Rows, now: Now) -> tuple[int | None, int | None]:
    """(wall ms, boot ms) of the next grant that ends."""
    return requests.next_end(rows, now.boot_id)


def touched(rows: Rows, over: Iterable[Request]) -> ChangeSet:
    """The devices of these grants."""
    return ChangeSet(devices=requests.tunnels_of(rows, [request.id for request in over]))


def expire(rows: Rows, over: Iterable[Request], now: Now) -> None:
    """Record that the time of these grants is over, and which clock decided."""
    names = _Names(rows)
    for request in over:
        grant = request.grant
        assert grant is not None
        ending = Ending(how=Status.EXPIRED, at_ms=now.wall_ms, by="", comment="")
        if requests.end(rows, request.id, ending):
            _record(names, "expired", request, now, {"ends": grant.ends_ms, "clock": _clock(grant, now)})


def _clock(grant: Grant, now: Now) -> str:
    """Which clock ended a grant: `both`, or the one that is well ahead of the other because one of them was set."""
    if now.wall_ms < grant.ends_ms - _CLOCKS_APART_MS:
        return "boot"
    same_boot = now.boot_id == grant.boot_id
    return "wall" if same_boot and now.boot_ms < grant.ends_boot_ms - _CLOCKS_APART_MS else "both"


def lapse(rows: Rows, now: Now) -> int:
    """Record that nobody has decided these requests in time. Returns how many there were."""
    names, found = _Names(rows), requests.lapsed(rows, now.wall_ms)
    for request in found:
        ending = Ending(how=Status.LAPSED, at_ms=now.wall_ms, by="", comment=NOBODY_DECIDED)
        if requests.end(rows, request.id, ending):
            _record(names, "lapsed", request, now, {"comment": ending.comment})
    return len(found)


def without_right(rows: Rows, people: People, now: Now) -> list[tuple[Request, str]]:
    """The live grants whose user may not use the network any more for sure, and why: gone, disabled, no member."""
    behind = {network.id: network for network in networks.all_(rows)}
    known: dict[tuple[int, int], str] = {}
    found = []
    for request in requests.live(rows, network_ids=behind):
        if request.account.suspended_in_fault:
            continue  # closed, and not lost: the directory has lost many at once
        pair = (request.account.id, request.network_id)
        if pair not in known:
            known[pair] = people.lost(behind[request.network_id], request.account, now)
        if known[pair]:
            found.append((request, known[pair]))
    return found


def revoke_lost(rows: Rows, lost: Iterable[tuple[Request, str]], now: Now) -> ChangeSet:
    """Revoke the grants of those who may not use the network any more."""
    found, names = ChangeSet(), _Names(rows)
    for request, why in lost:
        ending = Ending(how=Status.REVOKED, at_ms=now.wall_ms, by="", comment=why)
        if requests.end(rows, request.id, ending):
            touch(rows, found, request)
            _record(names, "revoked", request, now, {"comment": why})
    return found


def end_without_right(rows: Rows, people: People, found: ChangeSet, now: Now) -> list[Request]:
    """Revoke what a change of rules or people has taken the right for. Returns the grants as they were."""
    lost = without_right(rows, people, now)
    found.devices |= revoke_lost(rows, lost, now).devices
    return [request for request, _ in lost]


def people_due(rows: Rows, now: Now) -> ChangeSet:
    """The devices of the accounts whose time is over, and those whose own time is. Their access looks at that already."""
    mine = [
        one.id for account in accounts.over(rows, now.wall_ms) for one in devices.of_account(rows, account.id)
    ]
    mine += [device.id for device, _ in devices.over(rows, now.wall_ms)]
    return ChangeSet(
        devices={(one.interface_id, one.device.id) for one in devices.tunnels(rows, device_ids=mine)}
    )


def people_over(rows: Rows, people: People, now: Now) -> tuple[list[tuple[Request, str]], ChangeSet]:
    """Record that the time of accounts and devices is over. Returns the grants that ended, why, and what to reconcile."""
    found, ended, names = ChangeSet(), list[tuple[Request, str]](), _Names(rows)
    for account in accounts.over(rows, now.wall_ms):
        accounts.note_end(rows, account.id, now.wall_ms)
        accounts.suspend(rows, account.id, now.wall_ms)
        events.add(
            rows,
            "user_ended",
            at_ms=now.wall_ms,
            actor=None,
            user=account.name,
            user_uid=account.uid,
            data={"ends": account.ends_ms},
        )
        mine = [one.id for one in devices.of_account(rows, account.id)]
        found.devices.update(
            (one.interface_id, one.device.id) for one in devices.tunnels(rows, device_ids=mine)
        )
        for request in requests.open_of(rows, account.id):
            if request.grant is not None and request.extends_id is None:
                ended.append((request, people.same(account, now).why))
    found.devices |= revoke_lost(rows, ended, now).devices
    for device, account in devices.over(rows, now.wall_ms):
        for request, comment in drop_device(rows, found, device, now.wall_ms, "", "had its end"):
            ended.append((request, comment))
            _record(names, "released", request, now, {"comment": comment})
        events.add(
            rows,
            "device_removed",
            at_ms=now.wall_ms,
            actor=None,
            user=account.name,
            user_uid=account.uid,
            device=device.name,
            data={"public_key": device.public_key, "ends": device.ends_ms},
        )
    return ended, found


def next_people_end(rows: Rows) -> int | None:
    """When the time of the next account or device is over, milliseconds; None when none has an end."""
    ends = (accounts.next_end(rows), devices.next_end(rows))
    return min((at for at in ends if at is not None), default=None)


def drop_device(
    rows: Rows, found: ChangeSet, device: Device, at_ms: int, by: str, why: str
) -> list[tuple[Request, str]]:
    """Remove a device. A grant that has no other one is released: returns those, with what was recorded as comment."""
    released = []
    left = {one.id for one in devices.of_account(rows, device.account_id)} - {device.id}
    for request in requests.live_grants_of_device(rows, device.id):
        if left.isdisjoint(number for number, _ in requests.devices_of(rows, request.id)):
            comment = f"its device {device.name} {why}"
            ending = Ending(how=Status.RELEASED, at_ms=at_ms, by=by, comment=comment)
            requests.end(rows, request.id, ending)
            released.append((request, comment))
    for tunnel in devices.tunnels(rows, device_ids=[device.id]):
        retire(rows, found, tunnel.interface_id, device.public_key, tunnel.ips)
    devices.remove(rows, device.id, at_ms)
    return released


def retire(
    rows: Rows, found: ChangeSet, interface_id: int, public_key: str, ips: frozenset[IPNetwork]
) -> None:
    """A key is to go from an interface, whoever let it in. `ips` are the addresses that it had."""
    known = devices.by_key(rows, public_key)
    by_owner = any(peer.public_key == public_key for peer in interfaces.unmanaged(rows, interface_id))
    interfaces.forget_unmanaged(rows, interface_id, public_key)
    interfaces.retire(
        rows,
        interface_id,
        public_key,
        ips,
        device_id=known[0].id if known else None,
        given=known is not None and not by_owner,
    )
    found.keys[interface_id, public_key] = ips


def activate(rows: Rows, people: People, now: Now, high_water_ms: int) -> tuple[list[Request], ChangeSet]:
    """Activate the live grants that have begun and are not active in this boot: scheduled ones, and those of an
    earlier boot. Whose user has no right any more ends instead. Returns those, as they were, and what to reconcile.

    What is left of them is counted by the wall clock, the only one that goes on over a reboot; so nothing is
    activated while it is behind the highest value that it ever had.
    """
    found, names = ChangeSet(), _Names(rows)
    lost = list[tuple[Request, str]]()
    if now.wall_ms < high_water_ms:
        return [], found
    for request in requests.waiting(rows, now.boot_id, now.wall_ms):
        grant = request.grant
        assert grant is not None
        if now.wall_ms >= grant.ends_ms:
            continue
        why = people.lost(networks.by_id(rows, request.network_id), request.account, now)
        if why and not request.account.suspended_in_fault:
            lost.append((request, why))
            continue
        requests.set_boot_end(rows, request.id, now.boot_id, now.boot_ms + grant.ends_ms - now.wall_ms)
        touch(rows, found, request)
        # What is closed for a fault of the directory is not open, whatever its time says.
        if not grant.boot_id and not why:
            _record(names, "activated", request, now, {"starts": grant.starts_ms, "ends": grant.ends_ms})
    found.devices |= revoke_lost(rows, lost, now).devices
    return [request for request, _ in lost], found


def next_start(rows: Rows, now: Now, high_water_ms: int) -> int | None:
    """When the wall clock lets the next grant be activated, milliseconds; None when nothing waits."""
    starts_ms = requests.next_start(rows, now.boot_id)
    return None if starts_ms is None else max(starts_ms, high_water_ms)


def touch(rows: Rows, found: ChangeSet, request: Request) -> None:
    """Note the devices of a grant as touched."""
    interface_id = networks.by_id(rows, request.network_id).interface_id
    found.devices.update((interface_id, device_id) for device_id, _ in requests.devices_of(rows, request.id))


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A grant whose end the kernel was seen to follow, at `seen_ms`; `due_ms` is when access had to be over."""

    request: Request
    due_ms: int
    seen_ms: int


def confirmed(
    rows: Rows, ended: Iterable[Request], drift: Drift, now: Now, seen_ms: Mapping[int, int]
) -> list[Confirmed]:
    """Those of the ended grants that the kernel agrees with, as far as they were open before.

    It does now; `seen_ms` are the grants of which that was seen before, and when.
    """
    found, ended = [], list(ended)
    open_ = drift.open
    endings = requests.by_ids(rows, [before.id for before in ended])
    for before in ended:
        after = endings.get(before.id)
        if after is None or after.ending is None or before.grant is None:
            continue
        due_ms = min(after.ending.at_ms, before.grant.ends_ms)
        if not open_ or open_.isdisjoint(requests.keys_of(rows, before.id)):
            found.append(Confirmed(before, due_ms, seen_ms.get(before.id, now.wall_ms)))
    return found


def unconfirmed(rows: Rows) -> list[Request]:
    """The grants that ended not long ago and of which nobody has recorded that the kernel was seen to agree: jitd was
    killed in between.
    """
    return list(requests.by_ids(rows, events.unconfirmed(rows)).values())


def record_confirmed(rows: Rows, confirmed: Iterable[Confirmed], now: Now) -> None:
    """Record when the kernel was seen to agree, and how late that was. Milliseconds, negative: early."""
    names = _Names(rows)
    for one in confirmed:
        data: dict[str, object] = {
            "due": one.due_ms,
            "confirmed": one.seen_ms,
            "lateness": one.seen_ms - one.due_ms,
        }
        _record(names, "cut_confirmed", one.request, now, data)


class _Names:
    """The names of networks, each asked for once."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self._known: dict[int, str] = {}

    def of(self, network_id: int) -> str:
        if network_id not in self._known:
            self._known[network_id] = networks.by_id(self.rows, network_id).name
        return self._known[network_id]


def _record(names: _Names, kind: str, request: Request, now: Now, data: dict[str, object]) -> None:
    events.add(
        names.rows,
        kind,
        at_ms=now.wall_ms,
        actor=None,
        request_id=request.id,
        user=request.account.name,
        user_uid=request.account.uid,
        network=names.of(request.network_id),
        data=data,
    )
