"""The journeys that are looked at: from a client of each interface to a destination in each route, and back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from jitd.core import parsing
from jitd.core.firewall import InterfaceRules, IPAddress, Rules
from jitd.core.model import IPNetwork, Ports
from jitd.diagnostics.firewall.traffic import Span, Traffic
from jitd.enforce.routes import Links, Question, Way, ask

#: An interface with more is looked at in so many places: this runs beside the daemon.
TRIPS: Final = 100
#: And so many of the gateway's own routes within one route of a network.
PLACES: Final = 8
_PORTS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The clients of an interface, of one IP version. `pool` is None when no route of the interface shows it."""

    interface: InterfaceRules
    client: IPAddress
    pool: IPNetwork | None

    @property
    def name(self) -> str:
        """The interface's name."""
        return self.interface.name

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.client.version

    @property
    def clients(self) -> IPNetwork:
        """Where packets of clients come from."""
        return self.pool or parsing.single(self.client)


@dataclass(frozen=True, slots=True)
class Goal:
    """What clients may reach: a network, or something that is always allowed. No `ports`: all protocols."""

    name: str
    routes: tuple[IPNetwork, ...]
    ports: tuple[Ports, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """A client's way to `address`, which stands for `place`: a route of a network, or the part of it that the

    gateway has a route of its own for. `out` is what the kernel does with the client's packet, `plain` with one of
    the gateway itself, `back` with the answer.
    """

    side: Side
    goal: Goal
    route: IPNetwork
    place: IPNetwork
    address: IPAddress
    out: Way
    plain: Way
    back: Way

    @property
    def way(self) -> Way:
        """The way out: the kernel's answer for clients, or where there is none, for the gateway itself."""
        return self.plain if self.out.error else self.out

    def traffic(self) -> Iterator[Traffic]:
        """The packets from client to destination."""
        for protocol, ports in _ports(self.goal, self.side.version):
            yield Traffic(
                source=self.side.clients,
                destination=self.place,
                iif=self.side.name,
                oif="" if self.way.local else self.way.device,
                protocol=protocol,
                dport=ports,
                local=self.way.local,
            )

    def answers(self) -> Iterator[Traffic]:
        """The packets from destination to client."""
        for protocol, ports in _ports(self.goal, self.side.version):
            yield Traffic(
                source=self.place,
                destination=self.side.clients,
                iif="" if self.way.local else self.way.device,
                oif=self.side.name,
                protocol=protocol,
                sport=ports,
                reply=True,
            )


def sides(rules: Rules, links: Links, pools: Mapping[str, Sequence[IPNetwork]]) -> list[Side]:
    """The clients of each interface that is up."""
    found = []
    for interface in rules.interfaces:
        if interface.name not in links.names:
            continue
        for version in (4, 6):
            own = [one for one in interface.gateway if one.version == version]
            given = [one for one in pools.get(interface.name, ()) if one.version == version]
            pool = given[0] if given else _pool(interface.name, own, links)
            if pool is None and not own:
                continue
            client = own[0] + 1 if pool is None else _address(pool, frozenset(interface.gateway))
            found.append(Side(interface=interface, client=client, pool=pool))
    return found


def goals(rules: Rules, interface: InterfaceRules) -> list[Goal]:
    """Everything that somebody on this interface may reach."""
    found = [Goal(f"the network {one.name}", one.routes, one.ports) for one in interface.networks]
    for always in rules.always:
        own = tuple(parsing.single(one) for one in interface.gateway)
        routes = own if always.to is None else (always.to,)
        found.append(Goal(str(always), routes, (Ports(always.protocol, always.port, always.port),)))
    return found


def trips(side: Side, goals: Sequence[Goal], links: Links) -> list[Trip]:
    """The journeys of one interface's clients. Raises EnforceError when the kernel cannot be asked."""
    starts = [
        (goal, route, place)
        for goal in goals
        for route in goal.routes
        if route.version == side.version
        for place in _places(route, side.name, links)
    ]
    # Some of everything rather than all of the first.
    starts = (
        [starts[number * len(starts) // TRIPS] for number in range(TRIPS)] if len(starts) > TRIPS else starts
    )
    addresses = [_address(place, links.own) for _, _, place in starts]
    outs = ask([Question(destination=one, source=side.client, device=side.name) for one in addresses])
    plains = ask([Question(destination=one) for one in addresses])
    backs = ask(
        [
            Question(destination=side.client, source=address, device=(plain if out.error else out).device)
            for address, out, plain in zip(addresses, outs, plains, strict=True)
        ]
    )
    return [
        Trip(
            side=side, goal=start[0], route=start[1], place=start[2], address=address,
            out=out, plain=plain, back=back,
        )
        for start, address, out, plain, back in zip(starts, addresses, outs, plains, backs, strict=True)
    ]  # fmt: skip


def within(inner: IPNetwork, outer: IPNetwork) -> bool:
    """Whether all addresses of one network are in the other."""
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def _pool(name: str, own: Sequence[IPAddress], links: Links) -> IPNetwork | None:
    """The route of the interface that holds its own address, else one to a single client."""
    mine = [one.network for one in links.routes if one.device == name]
    holding = [one for one in mine if one.prefixlen and any(address in one for address in own)]
    holding.sort(key=lambda one: -one.prefixlen)
    single = [
        one
        for one in mine
        if one.prefixlen == one.max_prefixlen and any(address.version == one.version for address in own)
    ]
    return next((one for one in holding if one.num_addresses > 1), next(iter(single), None))


def _places(route: IPNetwork, name: str, links: Links) -> list[IPNetwork]:
    inner = {
        one.network
        for one in links.routes
        if one.network.prefixlen and one.device != name and within(one.network, route)
    }
    return sorted(inner, key=lambda one: (one.prefixlen, int(one.network_address)))[:PLACES] or [route]


def _address(place: IPNetwork, taken: frozenset[IPAddress]) -> IPAddress:
    """An address of this place that is not the gateway's own, if there is one."""
    first = int(place.network_address)
    last = int(place.broadcast_address)
    candidates = range(first + 1, min(last, first + 256)) if last - first > 1 else range(first, last + 1)
    kind = type(place.network_address)
    return next((kind(one) for one in candidates if kind(one) not in taken), kind(candidates[0]))


def _ports(goal: Goal, version: int) -> Iterator[tuple[str, Span | None]]:
    for one in goal.ports[:_PORTS]:
        if one.protocol == "icmp":
            yield "icmp" if version == 4 else "ipv6-icmp", None
        else:
            yield one.protocol, (one.first, one.last)
    if not goal.ports:
        yield "", None
