"""Addresses that others' rules change: whether hosts inside can answer, and where a destination is another one."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from jitd.core.commandline import shell
from jitd.core.firewallrules import TABLE
from jitd.core.model import IPNetwork
from jitd.diagnostics.firewall.chains import Chain, Rule, Table, fate, paths
from jitd.diagnostics.firewall.traffic import Traffic
from jitd.diagnostics.firewall.trips import Side, Trip, within
from jitd.enforce.finding import WARNING, Finding
from jitd.enforce.routes import Links

_NAMED: Final = 3  # this many routes are written out


def unanswered(side: Side, trips: Iterable[Trip], tables: Sequence[Table], links: Links) -> Iterator[Finding]:
    """Destinations whose hosts need a route back to the clients, because nothing hides these from them.

    Hosts of a network that is directly attached are taken to know the gateway, unless the gateway has its own default
    route there: then so have they, and it is another machine.
    """
    defaults = {
        one.device
        for one in links.routes
        if not one.network.prefixlen and one.network.version == side.version
    }
    missing: dict[IPNetwork, str] = {}
    for trip in trips:
        way = trip.way
        if way.error or way.local or way.device == side.name or not (way.via or way.device in defaults):
            continue
        if not any(_hidden(tables, traffic) for traffic in trip.traffic()):
            missing[trip.place] = way.device
    if not missing:
        return
    places = [
        str(one) for one in missing if not any(one != other and within(one, other) for other in missing)
    ]
    more = f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
    family = "ip" if side.version == 4 else "ip6"
    devices = ", ".join(f'"{device}"' for device in sorted(set(missing.values())))
    yield Finding(
        level=WARNING,
        what=f"no masquerade for clients of {side.name} towards {', '.join(places[:_NAMED])}{more}: hosts there need a route"
        f" to {side.clients} through this gateway, or their replies go elsewhere",
        fix=shell(
            "nft",
            f"add table {family} clients-nat; add chain {family} clients-nat postrouting"
            " { type nat hook postrouting priority srcnat; };"
            f" add rule {family} clients-nat postrouting {family} saddr {side.clients} oifname {{ {devices} }} masquerade",
        ),
    )


def redirected(side: Side, trips: Iterable[Trip], tables: Sequence[Table]) -> Iterator[Finding]:
    """Rules that send what clients of this interface asked for somewhere else."""
    found: dict[tuple[str, str], str] = {}
    for trip in trips:
        for traffic in trip.traffic():
            for table, chain in _chains(tables, "prerouting", side.version):
                for path in paths(table, chain, traffic, "dnat"):
                    if _meant(path):
                        rule = f"{table}, chain {chain.name}", path[-1].name
                        found.setdefault(rule, str(trip.place))
    for (where, name), place in found.items():
        yield Finding(
            level=WARNING,
            what=f"{where} sends traffic from {side.name} for {place} on to another address ({name}): use "
            f"that address in the routes of the networks of {side.name}",
            fix="",
        )


def _hidden(tables: Sequence[Table], traffic: Traffic) -> bool:
    """Whether something replaces the client's address by one of the gateway's, or may."""
    return any(
        chain.opaque or "snat" in fate(table, chain, traffic).possible
        for table, chain in _chains(tables, "postrouting", traffic.source.version)
    )


def _chains(tables: Sequence[Table], hook: str, version: int) -> Iterator[tuple[Table, Chain]]:
    for table in tables:
        if table.name != TABLE and table.judges(version):
            for chain in table.chains.values():
                if chain.kind == "nat" and chain.hook == hook:
                    yield table, chain


def _meant(path: Sequence[Rule]) -> bool:
    """Whether a rule asks for this interface or this destination, and not for what happens to come along."""
    return any(
        test.field in ("iif", "destination") and not test.negated and test.values
        for rule in path
        for test in rule.tests
    )
