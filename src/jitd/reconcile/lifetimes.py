"""The ends that an account or a device has by itself."""

from jitd.core.events import CutShort, Ends, EventKind, Key
from jitd.core.model import Now, Request
from jitd.reconcile import lost_rights
from jitd.reconcile.access import People
from jitd.reconcile.changeset import ChangeSet
from jitd.reconcile.device_removal import remove_device
from jitd.store import accounts, devices, requests
from jitd.store.database import Rows
from jitd.store.events import Recorder


def due(rows: Rows, now: Now) -> ChangeSet:
    """The devices of the accounts whose time is over, and those whose own time is. Their access looks at that already."""
    mine = [
        one.id for account in accounts.over(rows, now.wall_ms) for one in devices.of_account(rows, account.id)
    ]
    mine += [device.id for device, _ in devices.over(rows, now.wall_ms)]
    return ChangeSet(
        devices={(one.interface_id, one.device.id) for one in devices.tunnels(rows, device_ids=mine)}
    )


def end(rows: Rows, people: People, now: Now) -> tuple[list[Request], ChangeSet]:
    """Record that the time of accounts and devices is over. Returns the grants that ended, and what to reconcile."""
    found, record = due(rows, now), Recorder(rows, now.wall_ms)
    lost = list[tuple[Request, str]]()
    for account in accounts.over(rows, now.wall_ms):
        accounts.note_end(rows, account.id, now.wall_ms)
        accounts.suspend(rows, account.id, now.wall_ms)
        record(EventKind.USER_ENDED, Ends(ends=account.ends_ms), account=account)
        lost += [
            (request, people.same(account, now).why)
            for request in requests.open_of(rows, account.id)
            if request.grant is not None and request.extends_id is None
        ]
    found.devices |= lost_rights.revoke(rows, lost, now).devices
    ended = [request for request, _ in lost]
    for device, account in devices.over(rows, now.wall_ms):
        for request, comment in remove_device(rows, found, device, now.wall_ms, "", "had its end"):
            ended.append(request)
            record(EventKind.RELEASED, CutShort(comment=comment), request=request)
        record(
            EventKind.DEVICE_REMOVED,
            Key(public_key=device.public_key, ends=device.ends_ms),
            account=account,
            device=device.name,
        )
    return ended, found


def next_end(rows: Rows) -> int | None:
    """When the time of the next account or device is over, milliseconds; None when none has an end."""
    ends = (accounts.next_end(rows), devices.next_end(rows))
    return min((at for at in ends if at is not None), default=None)
