"""The one place that decides whether a pool, a port, an endpoint, a route or an address can be used on this machine.

Facts come from the store and from the machine; the rules are `core/placing.py`. What collides is refused, and what can be
meant comes back as warnings.
"""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network
from typing import Final, NamedTuple

from jitd.core import addresses, parsing, placing
from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.model import Interface, IPNetwork, Network
from jitd.core.placing import Findings, Host, Taken
from jitd.enforce.port import EnforceError
from jitd.store import devices, interfaces, networks
from jitd.verbs.context import Call, View

#: IPv6 works on no link whose packets are smaller (RFC 8200), bytes.
_SMALLEST_MTU6: Final = 1280
Pool = IPv4Network | IPv6Network


class Pools(NamedTuple):
    """At most one pool of each family."""

    v4: IPv4Network | None = None
    v6: IPv6Network | None = None


def pools(texts: Iterable[str]) -> Pools:
    """The pools as they are typed; "" alone is none. Raises JitError bad_request."""
    found = Pools()
    for pool in map(addresses.pool, given(texts)):
        if pool.num_addresses < placing.SMALLEST_POOL:
            raise JitError(
                "bad_request", f"cannot use the pool {pool}: it has no room for a gateway and a device"
            )
        if (found.v4 if pool.version == 4 else found.v6) is not None:
            raise JitError("bad_request", "cannot use two pools of the same IP version on one interface")
        found = found._replace(v4=pool) if isinstance(pool, IPv4Network) else found._replace(v6=pool)
    return found


def given(texts: Iterable[str]) -> list[str]:
    """A list as it is typed: "" alone empties it."""
    every = list(texts)
    return [] if every == [""] else every


def check_interface(call: Call, before: Interface | None, after: Interface) -> list[str]:
    """Whether what changes of an interface can be used; `before` is None for a new one. Returns warnings.

    Raises JitError conflict, bad_request or enforcement.
    """
    warnings: list[str] = []
    old = () if before is None else (before.pool4, before.pool6)
    new = [pool for pool in (after.pool4, after.pool6) if pool is not None and pool not in old]
    host = _host(call).without(after.name) if new else Host()
    for pool in new:
        warnings += _pool(call, after, pool, host)
    if before is not None:
        _keep_addresses(call, before, after)
    if not after.adopted and (before is None or before.port != after.port):
        _port(call, after)
    if after.mtu and after.pool6 is not None and after.mtu < _SMALLEST_MTU6:
        raise JitError(
            "bad_request",
            f"cannot use an MTU of {after.mtu} with an IPv6 pool: IPv6 needs at least {_SMALLEST_MTU6} bytes",
        )
    if after.endpoint and (before is None or new or before.endpoint != after.endpoint):
        where = parsing.endpoint(after.endpoint).host
        if not isinstance(where, str):
            found = placing.endpoint(where, pools=_pools_of(after), routes=_routes_of(call, after.id))
            _refuse(
                found,
                f"cannot use the endpoint {after.endpoint}",
                "Use an address that clients reach without the tunnel.",
            )
            warnings += [f"the endpoint {after.endpoint}: {one}" for one in found.overlaps]
    warnings += _unlike_port(before, after)
    if before is None or before.dns != after.dns:
        warnings += _dns(after)
    return warnings


def _unlike_port(before: Interface | None, after: Interface) -> list[str]:
    """A port of the endpoint that is another one than the interface's: it can be meant, where something forwards it."""
    if not after.endpoint or (before and (before.endpoint, before.port) == (after.endpoint, after.port)):
        return []
    port = parsing.endpoint(after.endpoint).port
    if port == after.port:
        return []
    return [
        f"clients are sent to port {port}, and {after.name} listens on {after.port}: correct only if another "
        "device forwards that port"
    ]


def _dns(interface: Interface) -> list[str]:
    servers = [one for one in map(parsing.dns, interface.dns) if not isinstance(one, str)]
    return [f"the DNS server {one}: {why}" for one in servers for why in placing.dns(one).overlaps]


def check_network(call: Call, interface: Interface, before: Network | None, after: Network) -> list[str]:
    """Whether the routes that a network gets can be used; `before` is None for a new one. Returns warnings.

    Raises JitError conflict.
    """
    warnings = []
    every = [one for other in interfaces.all_(call.rows) for one in _pools_of(other)]
    for route in after.routes:
        if before is None or route not in before.routes:
            found = placing.route(route, pools=every, endpoints=_endpoints_of([interface]))
            _refuse(
                found,
                f"cannot use the route {route}",
                "Use the destinations behind the gateway, not the route to it.",
            )
            warnings += [f"{after.name} opens {route}: {one}" for one in found.overlaps]
    return warnings


def check_addresses(call: Call, interface: Interface, ips: Iterable[IPNetwork], what: str) -> None:
    """Whether a device can have these addresses on an interface. `what` ends the sentence "cannot …".

    Raises JitError conflict.
    """
    found = placing.addresses(ips, gateway=call.gateway(interface.id), taken=_devices_of(call, interface))
    _refuse(
        found,
        f"cannot {what}",
        f"Give the peer another address where {interface.name} is made, or remove the device that has it.",
    )


def doubles(view: View, interface: Interface) -> list[str]:
    """Addresses of unmanaged peers that somebody else has on the interface, in words: WireGuard has each address once."""
    taken = [
        *_devices_of(view, interface),
        *(Taken(parsing.single(one), "the gateway") for one in view.gateway(interface.id)),
    ]
    return [
        f"the unmanaged peer {peer.public_key} has {ip}, which {other.whose} has, too: only one of them can "
        "use it"
        for peer in interfaces.unmanaged(view.rows, interface.id)
        for ip in sorted(peer.allowed_ips, key=str)
        for other in taken
        if other.network == ip
    ]


def _pool(call: Call, interface: Interface, pool: Pool, host: Host) -> list[str]:
    others = [one for one in interfaces.all_(call.rows) if one.id != interface.id]
    found = placing.pool(
        pool,
        gateway=None if interface.adopted else parsing.host_of(pool, 1).ip,
        devices=_devices_of(call, interface),
        pools=[one for other in others for one in _pools_of(other)],
        routes=[one for other in interfaces.all_(call.rows) for one in _routes_of(call, other.id)],
        endpoints=_endpoints_of([*others, interface]),
        host=host,
    )
    if interface.adopted:
        # It works already, as its owner has made it: only what jitd itself gives out can collide.
        own = [one for one in found.collisions if "this machine has" not in one]
        moved = tuple(one for one in found.collisions if one not in own)
        found = Findings(tuple(own), (*moved, *found.overlaps))
    _refuse(found, f"cannot use the pool {pool}", "Choose an address range that is not in use.")
    return [f"the pool {pool}: {one}" for one in found.overlaps]


def _keep_addresses(call: Call, before: Interface, after: Interface) -> None:
    """A pool may grow or move only so that every address in use stays inside."""
    if (before.pool4, before.pool6) == (after.pool4, after.pool6):
        return
    for tunnel in devices.tunnels(call.rows, interface_id=before.id):
        for ip in tunnel.ips:
            old, new = ((one.pool4, one.pool6)[ip.version == 6] for one in (before, after))
            if old is not None and placing.within(ip, old) and (new is None or not placing.within(ip, new)):
                raise JitError(
                    "conflict",
                    f"cannot change the pools of {before.name}: {tunnel.account.name}'s {tunnel.device.name}"
                    f" has {ip}",
                    "Use a pool that contains the addresses in use, or remove the device first.",
                )


def _port(call: Call, interface: Interface) -> None:
    port = interface.port
    if not 1 <= port <= parsing.HIGHEST_PORT:
        raise JitError("bad_request", f"cannot listen on port {port}", "Use a port from 1 to 65535.")
    for other in interfaces.all_(call.rows):
        if other.id != interface.id and other.port == port:
            raise _port_taken(port, f"{other.name} does")
    if call.host.port_taken(port):
        raise _port_taken(port, "another program uses it")


def _port_taken(port: int, who: str) -> JitError:
    free = port + 1 if port < parsing.HIGHEST_PORT else port - 1
    return JitError("conflict", f"cannot listen on port {port}: {who}", f"Add --port {free}, for example.")


def _refuse(found: Findings, what: str, hint: str) -> None:
    if found.collisions:
        raise JitError("conflict", f"{what}: {'; '.join(found.collisions)}", hint)


def _host(call: Call) -> Host:
    try:
        return call.host.read()
    except EnforceError as error:
        raise JitError(
            "enforcement", f"cannot see which addresses this machine has: {error}", command("doctor")
        ) from error


def _pools_of(interface: Interface) -> list[Taken]:
    return [Taken(pool, interface.name) for pool in (interface.pool4, interface.pool6) if pool is not None]


def _routes_of(call: Call, interface_id: int) -> list[Taken]:
    return [
        Taken(route, network.name)
        for network in networks.of_interface(call.rows, interface_id)
        for route in network.routes
    ]


def _devices_of(view: View, interface: Interface) -> list[Taken]:
    if not interface.id:
        return []
    return [
        Taken(ip, f"{tunnel.account.name}'s {tunnel.device.name}")
        for tunnel in devices.tunnels(view.rows, interface_id=interface.id)
        for ip in sorted(tunnel.ips, key=str)
    ]


def _endpoints_of(which: Iterable[Interface]) -> list[Taken]:
    found = []
    for one in which:
        where = parsing.endpoint(one.endpoint).host if one.endpoint else ""
        if not isinstance(where, str):
            found.append(Taken(parsing.single(where), one.name))
    return found
