"""Grants that begin: scheduled ones, and at a start those of an earlier boot."""

from jitd.core.events import Ends, EventKind
from jitd.core.model import Now, Request
from jitd.reconcile import lost_rights
from jitd.reconcile.access import People
from jitd.reconcile.changeset import ChangeSet
from jitd.store import networks, requests
from jitd.store.database import Rows
from jitd.store.events import Recorder


def activate(rows: Rows, people: People, now: Now, high_water_ms: int) -> tuple[list[Request], ChangeSet]:
    """Activate the live grants that have begun and are not active in this boot. Whose user has no right any more ends
    instead. Returns those, as they were, and what to reconcile.

    What is left of them is counted by the wall clock, the only one that goes on over a reboot; so nothing is
    activated while it is behind the highest value that it ever had.
    """
    if now.wall_ms < high_water_ms:
        return [], ChangeSet()
    begun, lost = list[int](), list[tuple[Request, str]]()
    record = Recorder(rows, now.wall_ms)
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
        begun.append(request.id)
        # What is closed for a fault of the directory is not open, whatever its time says.
        if not grant.boot_id and not why:
            record(EventKind.ACTIVATED, Ends(starts=grant.starts_ms, ends=grant.ends_ms), request=request)
    found = lost_rights.revoke(rows, lost, now)
    found.devices |= requests.tunnels_of(rows, begun)
    return [request for request, _ in lost], found


def next_start(rows: Rows, now: Now, high_water_ms: int) -> int | None:
    """When the wall clock lets the next grant be activated, milliseconds; None when nothing waits."""
    starts_ms = requests.next_start(rows, now.boot_id)
    return None if starts_ms is None else max(starts_ms, high_water_ms)
