"""What ends by itself: grants that are over, and grants of accounts that are gone."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from jitd.core.model import Ending, Grant, Now, Request, Status
from jitd.service.access import People
from jitd.service.agreement import Agreement
from jitd.service.call import Touched
from jitd.store import devices, events, networks, requests
from jitd.store.database import Rows

#: Clocks that nobody has set differ by less, milliseconds.
_CLOCKS_APART_MS: Final = 1000


def due(rows: Rows, now: Now) -> list[Request]:
    """The grants that are over by either clock."""
    return requests.due(rows, now.wall_ms, now.boot_id, now.boot_ms)


def next_end(rows: Rows, now: Now) -> tuple[int | None, int | None]:
    """(wall ms, boot ms) of the next grant that ends."""
    return requests.next_end(rows, now.boot_id)


def touched(rows: Rows, over: Iterable[Request]) -> Touched:
    """The devices of these grants."""
    return Touched(devices=requests.tunnels_of(rows, [request.id for request in over]))


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
        ending = Ending(how=Status.LAPSED, at_ms=now.wall_ms, by="", comment="nobody decided in time")
        if requests.end(rows, request.id, ending):
            _record(names, "lapsed", request, now, {"comment": ending.comment})
    return len(found)


def without_account(rows: Rows, people: People) -> list[tuple[Request, str]]:
    """The live grants whose account is gone for sure, and why."""
    live = requests.live(rows, network_ids=[network.id for network in networks.all_(rows)])
    return [(request, why) for request in live if (why := people.is_gone(request.account))]


def revoke_gone(rows: Rows, gone: Iterable[tuple[Request, str]], now: Now) -> Touched:
    """Revoke the grants of accounts that are gone."""
    found, names = Touched(), _Names(rows)
    for request, why in gone:
        ending = Ending(how=Status.REVOKED, at_ms=now.wall_ms, by="", comment=why)
        if requests.end(rows, request.id, ending):
            touch(rows, found, request)
            _record(names, "revoked", request, now, {"comment": why})
    return found


def activate(rows: Rows, now: Now, high_water_ms: int) -> Touched:
    """Activate the live grants that are not active in this boot: those of an earlier boot.

    What is left of them is counted by the wall clock, the only one that goes on over a reboot; so nothing is
    activated while it is behind the highest value that it ever had.
    """
    found = Touched()
    if now.wall_ms < high_water_ms:
        return found
    for request in requests.of_other_boots(rows, now.boot_id):
        grant = request.grant
        assert grant is not None
        if grant.starts_ms <= now.wall_ms < grant.ends_ms:
            requests.set_boot_end(rows, request.id, now.boot_id, now.boot_ms + grant.ends_ms - now.wall_ms)
            touch(rows, found, request)
    return found


def next_start(rows: Rows, now: Now, high_water_ms: int) -> int | None:
    """When the wall clock lets the next grant be activated, milliseconds; None when nothing waits."""
    waiting = [one.grant.starts_ms for one in requests.of_other_boots(rows, now.boot_id) if one.grant]
    return max(min(waiting), high_water_ms) if waiting else None


def touch(rows: Rows, found: Touched, request: Request) -> None:
    """Note the devices of a grant as touched."""
    interface_id = networks.by_id(rows, request.network_id).interface_id
    found.devices.update((interface_id, device_id) for device_id, _ in requests.devices_of(rows, request.id))


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A grant whose end the kernel was seen to follow; `due_ms` is when access had to be over."""

    request: Request
    due_ms: int


def confirmed(rows: Rows, ended: Iterable[Request], agreement: Agreement) -> list[Confirmed]:
    """Those of the ended grants that the kernel agrees with, as far as they were open before."""
    found, ended = [], list(ended)
    endings = requests.by_ids(rows, [before.id for before in ended])
    for before in ended:
        after = endings.get(before.id)
        if after is None or after.ending is None or before.grant is None:
            continue
        due_ms = min(after.ending.at_ms, before.grant.ends_ms)
        if not agreement.keys:
            found.append(Confirmed(before, due_ms))
            continue
        network = networks.by_id(rows, before.network_id)
        tunnels = devices.tunnels(
            rows,
            interface_id=network.interface_id,
            device_ids=[device_id for device_id, _ in requests.devices_of(rows, before.id)],
        )
        keys = {(network.interface_id, tunnel.device.public_key) for tunnel in tunnels}
        if not keys & agreement.keys:
            found.append(Confirmed(before, due_ms))
    return found


def record_confirmed(rows: Rows, confirmed: Iterable[Confirmed], now: Now) -> None:
    """Record that the kernel was seen to agree at `now`, and how late that was. Milliseconds, negative: early."""
    names = _Names(rows)
    for one in confirmed:
        data: dict[str, object] = {
            "due": one.due_ms,
            "confirmed": now.wall_ms,
            "lateness": now.wall_ms - one.due_ms,
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
