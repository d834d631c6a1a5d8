"""The second layer as a fact: which members of which network may pass. `firewallrules.py` writes it for nftables.

**The most specific destination decides.** A packet between a client and a destination belongs to one network of the
client's interface: among the routes that hold the destination, and whose ports (if the network has any) hold its
port, the one with the longest prefix; of two equal ones, the one with ports. Only that network's members pass. So
with `office` on 10.0.0.0/8 and `prod-db` on 10.1.2.3, tcp/5432, a member of office reaches 10.1.2.3 except there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, collapse_addresses
from itertools import combinations
from typing import Final, cast

from jitd.core.model import IPNetwork, Ports

IPAddress = IPv4Address | IPv6Address

ALWAYS_PROTOCOLS: Final = ("tcp", "udp", "icmp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Always:
    """A destination that every member of any network of an interface reaches, such as DNS on the gateway.

    `to` is None for the gateway's own tunnel addresses. `icmp` is an echo request (ping), without a port.
    """

    to: IPNetwork | None
    protocol: str  # one of ALWAYS_PROTOCOLS
    port: int = 0

    def __str__(self) -> str:
        """`ping`, `udp/53` or `tcp/53@10.0.0.53/32`."""
        what = "ping" if self.protocol == "icmp" else f"{self.protocol}/{self.port}"
        return what if self.to is None else f"{what}@{self.to}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRules:
    """A network as the firewall needs it. The members are not rules: they are elements with a timeout."""

    id: int
    name: str
    routes: tuple[IPNetwork, ...]
    ports: tuple[Ports, ...]  # empty: all protocols and ports


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceRules:
    """An interface and its networks.

    A packet is the interface's by its index, by one of its names, or by an address in `given`: all that jitd has given
    out on it. While `enforced` is false, only those addresses are judged, and everything else passes untouched.
    """

    name: str
    gateway: tuple[IPAddress, ...]  # the gateway's own tunnel addresses
    networks: tuple[NetworkRules, ...]
    enforced: bool = True
    given: frozenset[IPAddress] = frozenset()
    index: int = 0  # the kernel's number as it was read last; 0: not known
    called: str = ""  # the name that it has on this machine now, where that is another one
    gone: bool = False  # it is not found: an interface that has its index now is another one


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Everything that the table says, apart from its elements.

    `close_local_users`: ordinary uids on the gateway cannot begin connections to routes of enforced interfaces.
    """

    interfaces: tuple[InterfaceRules, ...]
    always: tuple[Always, ...] = ()
    close_local_users: bool = True


@dataclass(frozen=True, slots=True)
class Entry:
    """One destination of a network: a route, with one range of ports or with all."""

    route: IPNetwork
    ports: Ports | None
    network: NetworkRules


def entries(networks: Iterable[NetworkRules]) -> list[Entry]:
    """All destinations, most specific first: the first one that holds a packet decides."""
    found = [
        Entry(route, ports, network)
        for network in networks
        for route in network.routes
        for ports in network.ports or (None,)
    ]
    return sorted(
        found,
        key=lambda entry: (
            entry.route.version,
            -entry.route.prefixlen,
            entry.ports is None,
            int(entry.route.network_address),
            entry.network.id,
            str(entry.ports),
        ),
    )


def holds(entry: Entry, destination: IPAddress, protocol: str, port: int) -> bool:
    """Whether this destination is the entry's. `port` means nothing for protocols other than tcp and udp."""
    if destination not in entry.route:
        return False
    return entry.ports is None or (
        entry.ports.protocol == protocol and entry.ports.first <= port <= entry.ports.last
    )


def decides(
    networks: Iterable[NetworkRules], destination: IPAddress, protocol: str, port: int
) -> NetworkRules | None:
    """The network whose members may talk with this destination; None: nobody may."""
    for entry in entries(networks):
        if holds(entry, destination, protocol, port):
            return entry.network
    return None


def ambiguous(networks: Sequence[NetworkRules]) -> tuple[NetworkRules, NetworkRules, IPNetwork] | None:
    """Two networks of an interface, and the route on which nothing says which of them decides; None: it is clear.

    The same route in both is clear while no port is in both, or only one of them has ports.
    """
    for one, other in combinations(networks, 2):
        same = [route for route in one.routes if route in other.routes]
        if same and bool(one.ports) == bool(other.ports):
            overlap = any(
                a.protocol == b.protocol and a.first <= b.last and b.first <= a.last
                for a in one.ports
                for b in other.ports
            )
            if overlap or not one.ports:
                return one, other, same[0]
    return None


def widened(before: Sequence[NetworkRules], after: Sequence[NetworkRules]) -> dict[str, list[str]]:
    """What members of a network reach after a change of an interface's networks and did not reach before, by name.

    A destination comes to a network by its own routes and ports, or because a more specific one of another goes.
    """
    old, new = entries(before), entries(after)
    changed = {_facts(one): one for one in (*old, *new)}
    for facts in {_facts(one) for one in old} & {_facts(one) for one in new}:
        del changed[facts]
    found: dict[str, list[str]] = {}
    for one in changed.values():
        what = str(one.route) if one.ports is None else f"{one.route} {one.ports}"
        for name in sorted(_winners(one, old, new)):
            if what not in found.setdefault(name, []):
                found[name].append(what)
    return {name: sorted(what) for name, what in found.items()}


def moved(before: Sequence[NetworkRules], after: Sequence[NetworkRules]) -> set[tuple[str, str]]:
    """(network before, network after) of the destinations of an interface that belong to another network after a change."""
    old, new = entries(before), entries(after)
    changed = {_facts(one): one for one in (*old, *new)}
    for facts in {_facts(one) for one in old} & {_facts(one) for one in new}:
        del changed[facts]
    return {
        (was, will)
        for one in changed.values()
        for was, will in _moves(one, old, new)
        if was is not None and was != will
    }


def _facts(entry: Entry) -> tuple[str, IPNetwork, Ports | None]:
    return entry.network.name, entry.route, entry.ports


def _winners(place: Entry, old: Sequence[Entry], new: Sequence[Entry]) -> set[str]:
    """The networks that some destination within an entry belongs to in `new`, and not in `old`."""
    return {will for _, will in _moves(place, old, new)}


def _moves(place: Entry, old: Sequence[Entry], new: Sequence[Entry]) -> set[tuple[str | None, str]]:
    """(network in `old`, network in `new`) of the destinations within an entry that belong to another one in `new`."""
    near = [
        [one for one in found if one.route.version == place.route.version and one.route.overlaps(place.route)]
        for found in (old, new)
    ]
    # Between two borders all destinations are alike, so that the first one stands for them.
    borders = {place.route.network_address}
    ports = {0}
    for one in (*near[0], *near[1]):
        borders.add(one.route.network_address)
        if (
            one.route.broadcast_address in place.route
            and one.route.broadcast_address != place.route.broadcast_address
        ):
            borders.add(one.route.broadcast_address + 1)
        if one.ports is not None:
            ports |= {one.ports.first, one.ports.last + 1}
    kinds = [("icmp", 0), *((protocol, port) for protocol in ("tcp", "udp") for port in ports)]
    found: set[tuple[str | None, str]] = set()
    for border in borders:
        if border not in place.route:
            continue
        there = [[one for one in side if border in one.route] for side in near]
        for protocol, port in kinds:
            if not holds(place, border, protocol, port):
                continue
            was, will = (
                next((one.network.name for one in side if holds(one, border, protocol, port)), None)
                for side in there
            )
            if will is not None and will != was:
                found.add((was, will))
    return found


def all_routes(networks: Iterable[NetworkRules], version: int) -> list[IPNetwork]:
    """Every address that some network holds, in as few prefixes as possible."""
    routes = (route for network in networks for route in network.routes if route.version == version)
    # One version at a time, which the types of ipaddress cannot say.
    return cast(list[IPNetwork], list(collapse_addresses(routes)))  # type: ignore[type-var]
