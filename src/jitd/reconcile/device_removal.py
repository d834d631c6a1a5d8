"""Devices and keys that go, by whatever removes them."""

from jitd.core.choices import Status
from jitd.core.model import Device, Ending, IPNetwork, Request
from jitd.reconcile.changeset import ChangeSet
from jitd.store import devices, interfaces, requests
from jitd.store.database import Rows


def remove_device(
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
        retire_key(rows, found, tunnel.interface_id, device.public_key, tunnel.ips)
    devices.remove(rows, device.id, at_ms)
    return released


def retire_key(
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
