"""Chains that would drop what jitd has granted, and flowtables that carry it past jitd's chains."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from jitd.core import parsing
from jitd.core.firewallrules import TABLE
from jitd.diagnostics.firewall.chains import Chain, Fate, Table, fate
from jitd.diagnostics.firewall.nft import Flowtable
from jitd.diagnostics.firewall.traffic import Traffic
from jitd.diagnostics.firewall.trips import Trip
from jitd.enforce.finding import BROKEN, WARNING, Finding
from jitd.enforce.routes import Links

_HOOKS: Final = ("ingress", "prerouting", "input", "forward", "output", "postrouting", "egress")


@dataclass(slots=True)
class _Drops:
    """What one chain does with one interface's traffic."""

    surely: bool = False
    asked: set[str] = field(default_factory=set)  # everything whose traffic comes by here
    directions: dict[str, None] = field(default_factory=dict)
    goals: dict[str, None] = field(default_factory=dict)
    fate: Fate | None = None


def dropped(tables: Iterable[Table], interface: str, trips: Sequence[Trip]) -> Iterator[Finding]:
    """What others' chains drop of the granted traffic of an interface, one finding for each chain."""
    for table, chain in _foreign(tables):
        drops = _drops(table, chain, trips)
        if drops.fate is not None:
            yield _finding(table, chain, interface, drops, drops.fate)


def bypassed(
    flowtables: Iterable[Flowtable],
    tables: Iterable[Table],
    interface: str,
    trips: Iterable[Trip],
    kernel: str,
) -> Iterator[Finding]:
    """Flowtables that may carry this interface's flows while jitd's chains on the device do not see both ways."""
    chains = [chain for table in tables if table.name == TABLE for chain in table.chains.values()]
    covered = {chain.hook for chain in chains if interface in chain.devices}
    devices = {interface, *(trip.way.device for trip in trips)}
    for flowtable in flowtables:
        mine = [one for one in flowtable.devices if one in devices]
        if not mine or {"ingress", "egress"} <= covered:
            continue
        where = (
            f"flowtable {flowtable.name} in table {flowtable.table} offloads flows of {' and '.join(mine)}"
        )
        if "ingress" in covered:
            yield Finding(
                level=BROKEN,
                what=f"{where}, and this kernel ({kernel}) has no egress hook (5.16 and later have): traffic "
                f"from {interface} is still stopped on time, but a flow towards its clients continues "
                "after the end of a grant until the peer is removed",
                fix=f"nft delete flowtable {flowtable.table} {flowtable.name}",
            )
        else:
            yield Finding(
                level=BROKEN,
                what=f"{where}, and jitd's own chain on {interface} is not there: flows continue after the "
                "end of a grant until the peer is removed",
                fix=f"nft delete flowtable {flowtable.table} {flowtable.name}",
            )


def shut(
    tables: Iterable[Table], interface: str, port: int, links: Links, tunnels: Collection[str]
) -> Iterator[Finding]:
    """Chains that surely drop what comes to WireGuard's own port from the way to the internet; where there is none, from
    any device that is no tunnel of ours.
    """
    ways = {
        (one.device, one.network.version): one.network for one in links.routes if not one.network.prefixlen
    }
    if not ways:
        ways = {
            (one.device, one.network.version): parsing.network(
                "0.0.0.0/0" if one.network.version == 4 else "::/0"
            )
            for one in links.routes
            if one.device not in tunnels
        }
    for (device, version), anywhere in ways.items():
        traffic = Traffic(
            source=anywhere,
            destination=anywhere,
            iif=device,
            protocol="udp",
            dport=(port, port),
            local=True,
        )
        for table, chain in _foreign(tables):
            if table.judges(version) and _passes(chain, traffic):
                found = fate(table, chain, traffic)
                if found.verdict == "drop" and "accept" not in found.possible:
                    yield Finding(
                        level=BROKEN,
                        what=f"{table}{_owners(table)}, chain {chain.name} drops udp/{port} from {device}, where"
                        f" WireGuard listens for {interface}: clients reach nothing",
                        fix=_fix_port(table, chain, port),
                    )


def _foreign(tables: Iterable[Table]) -> Iterator[tuple[Table, Chain]]:
    """Others' chains that may drop."""
    for table in tables:
        if table.name == TABLE and table.family in ("inet", "netdev"):
            continue
        for chain in table.chains.values():
            if chain.hook in _HOOKS and chain.kind != "nat":
                yield table, chain


def _drops(table: Table, chain: Chain, trips: Sequence[Trip]) -> _Drops:
    drops = _Drops()
    seen: dict[Traffic, Fate] = {}
    for trip in trips:
        for direction, packets in (("from", trip.traffic()), ("to", trip.answers())):
            for traffic in packets:
                if not table.judges(traffic.source.version) or not _passes(chain, traffic):
                    continue
                drops.asked.add(trip.goal.name)
                if traffic not in seen:
                    seen[traffic] = fate(table, chain, traffic)
                found = seen[traffic]
                if found.verdict != "drop":
                    continue
                surely = "accept" not in found.possible
                if drops.fate is None or (surely and not drops.surely):
                    drops.fate = found
                drops.surely |= surely
                drops.directions[direction] = None
                drops.goals[trip.goal.name] = None
    return drops


def _passes(chain: Chain, traffic: Traffic) -> bool:
    """Whether this traffic comes to the chain's hook."""
    if chain.hook == "ingress":
        return traffic.iif in chain.devices
    if chain.hook == "egress":
        return traffic.oif in chain.devices
    # Without a device on one side, the gateway itself is there.
    if chain.hook == "input":
        return traffic.local
    if chain.hook == "output":
        return not traffic.iif
    if chain.hook == "forward":
        return bool(traffic.iif and traffic.oif)
    return True


def _finding(table: Table, chain: Chain, interface: str, drops: _Drops, found: Fate) -> Finding:
    what = f"traffic {' or '.join(drops.directions)} {interface}"
    if set(drops.goals) != drops.asked:
        what += f" for {' or '.join(drops.goals)}"
    where = f"{table}{_owners(table)}, chain {chain.name}"
    place = found.rule.name if found.rule else ""
    if found.rule and found.where != chain.name:
        place += f" in chain {found.where}"
    lost = "granted traffic is dropped" if drops.surely else "granted traffic may be dropped"
    if drops.surely and found.rule is None:
        says = f"has the policy drop and no rule that accepts {what}"
    elif drops.surely:
        says = f"drops all {what} ({place})"
    elif found.rule is None:
        says = f"has the policy drop and accepts {what} only under conditions that jitd cannot check"
    else:
        says = f"drops {what} ({place}) except under conditions that jitd cannot check"
    return Finding(
        level=BROKEN if drops.surely else WARNING,
        what=f"{where} {says}: {lost}",
        fix=_fix(table, chain, interface, list(drops.directions)),
    )


def _owners(table: Table) -> str:
    owners = []
    if _docker(table):
        owners.append("Docker")
    if _ufw(table):
        owners.append("ufw")
    if table.name == "firewalld":
        owners.append("firewalld")
    return f" ({' and '.join(owners)})" if owners else ""


def _docker(table: Table) -> bool:
    return any(name in table.chains for name in ("DOCKER-USER", "DOCKER-FORWARD", "DOCKER"))


def _ufw(table: Table) -> bool:
    return any(name.startswith(("ufw-", "ufw6-")) for name in table.chains)


def _fix(table: Table, chain: Chain, interface: str, directions: Sequence[str]) -> str:
    if table.name == "firewalld":
        return f"firewall-cmd --permanent --zone=trusted --add-interface={interface} && firewall-cmd --reload"
    ways = {"from": ("in", "-i", "iifname"), "to": ("out", "-o", "oifname")}
    if _ufw(table) and chain.hook == "forward":
        # What is answered passes by ufw's own rules.
        return f"ufw route allow in on {interface}"
    if _ufw(table) and chain.hook == "input":
        return f"ufw allow in on {interface}"
    tool = _iptables(table, chain)
    if tool:
        name = "DOCKER-USER" if chain.hook == "forward" and "DOCKER-USER" in table.chains else chain.name
        # Docker, and iptables' own way of keeping rules, know nothing of nft.
        rules = [f"{tool} -I {name} {ways[one][1]} {interface} -j ACCEPT" for one in directions]
        return " && ".join(rules)
    rule = "; ".join(
        f'insert rule {table.family} {table.name} {chain.name} {ways[one][2]} "{interface}" accept'
        for one in directions
    )
    return f"nft '{rule}'"


def _fix_port(table: Table, chain: Chain, port: int) -> str:
    if table.name == "firewalld":
        return f"firewall-cmd --permanent --add-port={port}/udp && firewall-cmd --reload"
    if _ufw(table) and chain.hook == "input":
        return f"ufw allow {port}/udp"
    tool = _iptables(table, chain)
    if tool:
        return f"{tool} -I {chain.name} -p udp --dport {port} -j ACCEPT"
    return f"nft 'insert rule {table.family} {table.name} {chain.name} udp dport {port} accept'"


def _iptables(table: Table, chain: Chain) -> str:
    """The program that made the chain; "" for nft."""
    if table.tool != "nft":
        return table.tool
    if table.family in ("ip", "ip6") and chain.hook and chain.name == chain.hook.upper():
        return {"ip": "iptables", "ip6": "ip6tables"}[table.family]
    return ""
