"""Tunnel addresses: each device has its own on each interface, taken from the interface's pools."""

import itertools
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network

from jitd.core import parsing
from jitd.core.errors import JitError
from jitd.core.model import Device, Interface, IPNetwork
from jitd.store import devices, interfaces
from jitd.store.database import Rows


def ensure(rows: Rows, device: Device, interface: Interface, now_ms: int, held: frozenset[IPNetwork]) -> bool:
    """Give the device addresses on the interface, none of those that are `held`; False: it has some already.

    Raises JitError refused when a pool is used up.
    """
    if devices.tunnels(rows, interface_id=interface.id, device_ids=[device.id]):
        return False
    taken = _unmanaged(rows, interface) | held
    ips = [
        _next_free(rows, interface, pool, taken)
        for pool in (interface.pool4, interface.pool6)
        if pool is not None
    ]
    if not ips:
        raise JitError(
            "refused",
            f"cannot give {device.name} an address on {interface.name}: the interface has no pool",
            f"Set one: jitctl interface set {interface.name} --pool 10.9.0.0/24",
        )
    devices.add_tunnel(rows, device.id, interface.id, ips, "", now_ms)
    return True


def _unmanaged(rows: Rows, interface: Interface) -> frozenset[IPNetwork]:
    """What unmanaged peers have inside the pools; a peer with a whole pool or more behind it reserves nothing."""
    pools = [pool for pool in (interface.pool4, interface.pool6) if pool is not None]
    return frozenset(
        ip
        for peer in interfaces.unmanaged(rows, interface.id)
        for ip in peer.allowed_ips
        if any(ip.version == pool.version and ip.prefixlen > pool.prefixlen for pool in pools)
    )


def _next_free(
    rows: Rows, interface: Interface, pool: IPv4Network | IPv6Network, taken: frozenset[IPNetwork]
) -> IPNetwork:
    """The next address after the newest one, round the pool: an address that was just freed rests longest."""
    newest = devices.newest_address(rows, interface.id, pool.version)
    start = parsing.network(newest).network_address if newest else None
    for candidate in _hosts(pool, start):
        if candidate in taken or any(
            other.version == candidate.version and candidate.subnet_of(other)  # type: ignore[arg-type]
            for other in taken
        ):
            continue
        if not devices.address_taken(rows, interface.id, candidate):
            return candidate
    raise JitError(
        "refused",
        f"cannot give out another address on {interface.name}: the pool {pool} is used up",
        f"Remove devices that are not needed, or widen it: jitctl interface set {interface.name} --pool …",
    )


def _hosts(pool: IPv4Network | IPv6Network, after: object) -> Iterator[IPNetwork]:
    """The host addresses of a pool as networks of one address, beginning behind `after`, once round.

    The first host address is the gateway's own; the last one of an IPv4 network is its broadcast.
    """
    first = int(pool.network_address) + 2
    last = int(pool.broadcast_address) - (1 if pool.version == 4 else 0)
    start = first
    if isinstance(after, type(pool.network_address)) and first <= int(after) < last:
        start = int(after) + 1
    for number in itertools.chain(range(start, last + 1), range(first, start)):
        yield parsing.numbered(number, pool)
