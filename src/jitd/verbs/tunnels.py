"""Tunnel addresses: each device has its own on each interface, taken from the interface's pools."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network

from jitd.core import parsing, placing
from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.model import Device, Interface, IPNetwork
from jitd.core.placing import overlap
from jitd.store import devices, freed, interfaces
from jitd.store.database import Rows
from jitd.verbs.context import Call


def ensure(call: Call, device: Device, interface: Interface) -> bool:
    """Give the device an address on the interface in each family that it has a pool for; False: it has them already.

    Raises JitError refused when a pool is used up, or there is none.
    """
    there = devices.tunnels(call.rows, interface_id=interface.id, device_ids=[device.id])
    if not there and not _pools(interface):
        raise JitError(
            "refused",
            f"cannot give {device.name} an address on {interface.name}: the interface has no pool",
            "Set one: " + command("interface set", interface.name, pool="10.9.0.0/24"),
        )
    families = {ip.version for one in there for ip in one.ips}
    missing = [pool for pool in _pools(interface) if pool.version not in families]
    if not missing:
        return False
    free = _Free(call, interface)
    ips = [free.take(pool) for pool in missing]
    if there:
        devices.add_addresses(call.rows, there[0], ips)
    else:
        devices.add_tunnel(call.rows, device.id, interface.id, ips, "", call.now.wall_ms)
    return True


def fill(call: Call, interface: Interface) -> list[str]:
    """Give every device on the interface an address in each family that was added. Returns what could not be, in words."""
    free = _Free(call, interface)
    for tunnel in devices.tunnels(call.rows, interface_id=interface.id):
        families = {ip.version for ip in tunnel.ips}
        missing = [pool for pool in _pools(interface) if pool.version not in families]
        try:
            devices.add_addresses(call.rows, tunnel, [free.take(pool) for pool in missing])
        except JitError as error:
            return [f"some devices have no address of each family: {error.message}"]
    return []


class _Free:
    """What can be given out on an interface. An address that somebody had until lately comes last."""

    def __init__(self, call: Call, interface: Interface) -> None:
        self._call = call
        self._interface = interface
        own = [parsing.single(one) for one in call.gateway(interface.id)]
        self._taken = {*own, *_unmanaged(call, interface), *call.drift.held(interface.id)}
        # Few of them are more than one address.
        self._wide = [one for one in self._taken if one.prefixlen < one.max_prefixlen]
        self._resting = freed.resting(call.rows, interface.id, call.now.wall_ms)
        self._newest: dict[int, IPNetwork] = {}

    def take(self, pool: IPv4Network | IPv6Network) -> IPNetwork:
        """The next address after the newest one, round the pool. Raises JitError refused when there is none."""
        rows, interface = self._call.rows, self._interface
        newest = self._newest.get(pool.version) or _newest(rows, interface, pool)
        rested: list[tuple[int, int, IPNetwork]] = []
        for number, candidate in enumerate(placing.hosts(pool, newest)):
            if candidate in self._taken or any(overlap(candidate, one) for one in self._wide):
                continue
            if devices.address_taken(rows, interface.id, candidate):
                continue
            if candidate not in self._resting:
                return self._took(candidate)
            rested.append((self._resting[candidate], number, candidate))
        if rested:
            # The one that rested longest.
            return self._took(min(rested)[2])
        raise JitError(
            "refused",
            f"cannot give out another address on {interface.name}: the pool {pool} is used up",
            "Remove devices that are not needed, or enlarge it: "
            + command("interface set", interface.name, pool="CIDR"),
        )

    def _took(self, ip: IPNetwork) -> IPNetwork:
        self._newest[ip.version] = ip
        self._taken.add(ip)
        return ip


def _newest(rows: Rows, interface: Interface, pool: IPNetwork) -> IPNetwork | None:
    found = devices.newest_address(rows, interface.id, pool.version)
    return parsing.network(found) if found else None


def _pools(interface: Interface) -> list[IPv4Network | IPv6Network]:
    return [pool for pool in (interface.pool4, interface.pool6) if pool is not None]


def _unmanaged(call: Call, interface: Interface) -> Iterable[IPNetwork]:
    """What unmanaged peers have inside the pools; a peer with a whole pool or more behind it reserves nothing."""
    return (
        ip
        for peer in interfaces.unmanaged(call.rows, interface.id)
        for ip in peer.allowed_ips
        if any(overlap(ip, pool) and ip.prefixlen > pool.prefixlen for pool in _pools(interface))
    )
