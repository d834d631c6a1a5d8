"""Whether an address, a pool, a route or an endpoint is free and makes sense on this machine. Pure: facts in, words out.

A collision is refused: two would have the same address, or nothing could pass. An overlap can be meant, and is warned of.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Final, NamedTuple

from jitd.core import parsing
from jitd.core.parsing import Address, InterfaceAddress, Network


class Taken(NamedTuple):
    """A network that somebody has, and whose it is, in words."""

    network: Network
    whose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The machine: its addresses and routes by the name of the device that has them, the default routes left out."""

    addresses: tuple[tuple[str, InterfaceAddress], ...] = ()
    routes: tuple[tuple[str, Network], ...] = ()

    def without(self, device: str) -> "Host":
        """What other devices than this one have."""
        return Host(
            addresses=tuple(one for one in self.addresses if one[0] != device),
            routes=tuple(one for one in self.routes if one[0] != device),
        )


@dataclass(frozen=True, slots=True)
class Findings:
    """What is in the way, and what is worth knowing, each a sentence's end after "cannot use the …: " and the like."""

    collisions: tuple[str, ...] = ()
    overlaps: tuple[str, ...] = ()


#: Too small for a gateway and a device, with what IPv4 keeps for itself.
SMALLEST_POOL: Final = 4
_NOWHERE: Final = tuple(
    (parsing.network(text), what)
    for text, what in (
        ("0.0.0.0/8", "addresses of this host (0.0.0.0/8)"),
        ("127.0.0.0/8", "loopback addresses (127.0.0.0/8)"),
        ("169.254.0.0/16", "link-local addresses (169.254.0.0/16)"),
        ("224.0.0.0/4", "multicast addresses (224.0.0.0/4)"),
        ("240.0.0.0/4", "reserved addresses (240.0.0.0/4)"),
        ("::/96", "addresses of this host (::/96)"),
        ("::ffff:0:0/96", "IPv4 addresses in IPv6 (::ffff:0:0/96)"),
        ("fe80::/10", "link-local addresses (fe80::/10)"),
        ("ff00::/8", "multicast addresses (ff00::/8)"),
    )
)


def pool(
    wanted: Network,
    *,
    gateway: Address | None,
    devices: Iterable[Taken],
    pools: Iterable[Taken],
    routes: Iterable[Taken],
    endpoints: Iterable[Taken],
    host: Host,
) -> Findings:
    """A pool of tunnel addresses. `gateway` is the address that the gateway would take of it, None where it has its own.

    `devices` are those of the same interface, `pools` and `routes` of networks those of all others, `host` is without the
    interface itself.
    """
    collisions = [f"it has {what}" for nowhere, what in _NOWHERE if overlap(nowhere, wanted)]
    collisions += [
        f"it overlaps with {one.network} of {one.whose}" for one in pools if overlap(one.network, wanted)
    ]
    if gateway is not None:
        collisions += [
            f"{one.whose} has {one.network}, and the gateway would get that address"
            for one in devices
            if overlap(one.network, parsing.single(gateway))
        ]
    collisions += [
        f"{one.whose} is reached at {one.network.network_address}, which is inside it"
        for one in endpoints
        if overlap(one.network, wanted)
    ]
    overlaps = []
    for device, address in host.addresses:
        if address.version == wanted.version and address.ip in wanted:
            collisions.append(f"this machine has {parsing.write_interface(address)} on {device}")
    for device, there in host.routes:
        if there == wanted:
            collisions.append(f"this machine has a route to it through {device}")
        elif overlap(there, wanted):
            overlaps.append(f"this machine has a route to {there} through {device}")
    overlaps += [
        f"the network {one.whose} opens {one.network}" for one in routes if overlap(one.network, wanted)
    ]
    return Findings(tuple(dict.fromkeys(collisions)), tuple(dict.fromkeys(overlaps)))


def route(wanted: Network, *, pools: Iterable[Taken], endpoints: Iterable[Taken]) -> Findings:
    """A route of a network. `pools` are those of all interfaces, `endpoints` the one of its interface."""
    if wanted.prefixlen == 0:
        return Findings((), ("it takes all traffic of its users' machines",))
    collisions = [f"it contains only {what}" for nowhere, what in _NOWHERE if within(wanted, nowhere)]
    collisions += [
        f"{one.whose} is reached at {one.network.network_address}, which is inside it: the tunnel would have "
        "to go"
        " through itself"
        for one in endpoints
        if overlap(one.network, wanted)
    ]
    overlaps = [
        f"the pool {one.network} of {one.whose} is inside it"
        if within(one.network, wanted)
        else f"it is inside the pool {one.network} of {one.whose}"
        for one in pools
        if overlap(one.network, wanted)
    ]
    return Findings(tuple(collisions), tuple(overlaps))


def endpoint(where: Address, *, pools: Iterable[Taken], routes: Iterable[Taken]) -> Findings:
    """An address at which clients reach an interface. `pools` and `routes` are those of that interface."""
    single = parsing.single(where)
    collisions = [
        f"it is one of the {what}" for nowhere, what in _NOWHERE[:1] + _NOWHERE[3:] if within(single, nowhere)
    ]
    collisions += [f"it is in its own pool {one.network}" for one in pools if overlap(one.network, single)]
    collisions += [
        f"it is in {one.network}, which the network {one.whose} opens: the tunnel would have to go through itself"
        for one in routes
        if one.network.prefixlen and overlap(one.network, single)
    ]
    return Findings(tuple(collisions), tuple(_unreachable(where)))


def dns(where: Address) -> Findings:
    """A DNS server that clients are to ask."""
    return Findings((), tuple(_unreachable(where)))


def _unreachable(where: Address) -> list[str]:
    """Why another machine does not reach an address, which is warned of: a client may run on the same machine."""
    return [
        f"it is one of the {what}, which other machines cannot reach"
        for nowhere, what in _NOWHERE
        if within(parsing.single(where), nowhere)
    ]


def addresses(wanted: Iterable[Network], *, gateway: Iterable[Address], taken: Iterable[Taken]) -> Findings:
    """What a device has on an interface, against the gateway's own addresses there and what others have there."""
    found = []
    others = list(taken)
    own = [parsing.single(one) for one in gateway]
    for one in wanted:
        found += [
            f"{one} has the gateway's own address {there.network_address}" for there in own if one == there
        ]
        found += [f"{other.whose} has {other.network} already" for other in others if other.network == one]
    return Findings(tuple(found))


def overlap(one: Network, other: Network) -> bool:
    """Whether two networks have an address in common."""
    return one.version == other.version and one.overlaps(other)


def within(inner: Network, outer: Network) -> bool:
    """Whether all of a network is in another one."""
    return (
        inner.version == outer.version
        and inner.network_address in outer
        and inner.prefixlen >= outer.prefixlen
    )


def hosts(pool: Network, after: Network | None) -> Iterator[Network]:
    """The addresses of a pool that can be given out, each as a network, beginning behind `after`, once round.

    The first host address is the gateway's own; the last one of an IPv4 network is its broadcast.
    """
    first = int(pool.network_address) + 2
    last = int(pool.broadcast_address) - (1 if isinstance(pool, IPv4Network) else 0)
    start = first
    if after is not None and after.version == pool.version and first <= int(after.network_address) < last:
        start = int(after.network_address) + 1
    for low, high in ((start, last + 1), (first, start)):
        for number in range(low, high):
            yield parsing.numbered(number, pool)
