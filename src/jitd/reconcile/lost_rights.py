"""Grants whose user may not use the network any more: gone, disabled, no member."""

from collections.abc import Iterable

from jitd.core.choices import Status
from jitd.core.events import CutShort, EventKind
from jitd.core.model import Ending, Now, Request
from jitd.reconcile.access import People
from jitd.reconcile.changeset import ChangeSet
from jitd.store import networks, requests
from jitd.store.database import Rows
from jitd.store.events import Recorder


def find(rows: Rows, people: People, now: Now) -> list[tuple[Request, str]]:
    """The live grants whose user has no right any more for sure, and why."""
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


def revoke(rows: Rows, lost: Iterable[tuple[Request, str]], now: Now) -> ChangeSet:
    """Revoke these grants, each because of what stands beside it. Returns what to reconcile."""
    record, ended = Recorder(rows, now.wall_ms), list[int]()
    for request, why in lost:
        ending = Ending(how=Status.REVOKED, at_ms=now.wall_ms, by="", comment=why)
        if requests.end(rows, request.id, ending):
            ended.append(request.id)
            record(EventKind.REVOKED, CutShort(comment=why), request=request)
    return ChangeSet(devices=requests.tunnels_of(rows, ended))


def revoke_all(rows: Rows, people: People, found: ChangeSet, now: Now) -> list[Request]:
    """Revoke what a change of rules or people has taken the right for. Returns the grants as they were."""
    lost = find(rows, people, now)
    found.devices |= revoke(rows, lost, now).devices
    return [request for request, _ in lost]
