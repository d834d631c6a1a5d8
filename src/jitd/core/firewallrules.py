"""The table in nftables' own language, which administrators can read: `nft list table inet jitd`.

Names: `n7-4` and `n7-6` are the sets of network 7. Chains `n7-from` and `n7-to` accept its members as source and as
destination; `from-wg0` and `to-wg0` find the network that decides; `member-from-wg0` accepts who is a member of any.
What none of them accepts falls back to the base chain and is refused (towards clients) or dropped (towards the rest).

- A drop is final whatever other tables say, and an accept is not: what they drop stays dropped.
- Both directions are judged alike, without asking conntrack who began: with the element a stream ends both ways.
- Flow offload skips the forward hook. So TCP, UDP and GRE are judged once more where they enter from the device
  (ingress, in the same table) and where they leave to it (egress, which only a netdev table has: its own copy of the
  sets). Fragments are never offloaded and cannot be judged there; conntrack, which the rules below switch on, puts
  them together before the forward hook. There, addresses stand as they were before NAT, so that a destination
  behind DNAT that is in no route is left to the forward hook.
- For ordinary uids the system's own range (systemd's dynamic users, nobody) is left out.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from jitd.core.firewall import (
    ALWAYS_PROTOCOLS,
    Always,
    Entry,
    InterfaceRules,
    IPAddress,
    NetworkRules,
    Rules,
    all_routes,
    entries,
)
from jitd.core.model import IPNetwork

TABLE: Final = "jitd"
#: Before other tables' forward, input and output chains, and behind conntrack and DNAT.
PRIORITY: Final = "filter - 10"
#: Before any flowtable.
DEVICE_PRIORITY: Final = "-500"
ORDINARY_UIDS: Final = "{ 1000-60513, 65536-4294967294 }"
OFFLOADABLE: Final = "{ tcp, udp, gre }"

_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", re.ASCII)
_NEIGHBOURS: Final = "{ nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert }"
_ERRORS4: Final = "{ destination-unreachable, time-exceeded, parameter-problem }"
_ERRORS6: Final = "{ destination-unreachable, packet-too-big, time-exceeded, parameter-problem }"

Line = str
Place = IPAddress | IPNetwork


@dataclass(frozen=True, slots=True)
class _Way:
    """A direction as seen from the client: which fields hold the client and the destination."""

    name: str
    client: str
    there: str
    port: str
    echo: str


_FROM: Final = _Way("from", "saddr", "daddr", "dport", "echo-request")
_TO: Final = _Way("to", "daddr", "saddr", "sport", "echo-reply")


def set_name(network_id: int, version: int) -> str:
    """The set that holds a network's members of this IP version."""
    return f"n{network_id:d}-{version:d}"


def managed_name(interface: str, version: int) -> str:
    """The set that holds the addresses given out on an interface that is not enforced yet."""
    return f"managed-{_safe(interface)}-{version:d}"


def inet_table(rules: Rules, devices: Sequence[str]) -> str:
    """The table that judges, with an ingress chain for each of `devices`, the interfaces that exist now."""
    if not rules.interfaces:
        return _table("inet", [])
    every = _names(rules)
    interfaces = rules.interfaces
    open_ones = [interface for interface in interfaces if not interface.enforced]
    parts = [*_sets(rules), _chain("refuse", ["reject with icmpx type admin-prohibited"])]
    parts += _judges(rules)
    parts.append(
        _chain(
            "errors", [_by_name("iifname", _member(_FROM), rules), _by_name("oifname", _member(_TO), rules)]
        )
    )
    related = "ct state related meta l4proto { icmp, ipv6-icmp } jump errors"
    untouched_from = [f'iifname "{one.name}" {test}' for one in open_ones for test in _unmanaged(one, _FROM)]
    untouched_to = [
        f'oifname "{one.name}" {test} accept' for one in open_ones for test in _unmanaged(one, _TO)
    ]
    parts.append(
        _chain("towards", [*untouched_to, _by_name("oifname", _judge(_TO), rules), f"oifname {every} drop"])
    )
    parts.append(
        _base(
            "forward",
            [
                f"iifname != {every} oifname != {every} accept",
                related,
                *(f"{test} goto towards" for test in untouched_from),
                f"iifname != {every} goto towards",
                _by_name("iifname", _judge(_FROM), rules),
                # From client to client: also what the other one's grant lets through, as its answer.
                _by_name("oifname", _judge(_TO), rules),
                "goto refuse",
            ],
        )
    )
    parts.append(
        _base(
            "input",
            [
                f"iifname != {every} accept",
                f"icmpv6 type {_NEIGHBOURS} ip6 hoplimit 255 accept",
                *(f"{test} accept" for test in untouched_from),
                related,
                # Answers to what the gateway itself began.
                "ct direction reply " + _by_name("iifname", _member(_FROM), rules),
                _by_name("iifname", _judge(_FROM), rules),
                "goto refuse",
            ],
        )
    )
    parts.append(
        _chain(
            "to-clients",
            [
                # Refusals among them, also to a client whose time is over.
                f"icmp type {_ERRORS4} accept",
                f"icmpv6 type {_ERRORS6} accept",
                f"icmpv6 type {_NEIGHBOURS} accept",
                *untouched_to,
                _by_name("oifname", _judge(_TO), rules),
                "ct direction original " + _by_name("oifname", _member(_TO), rules),
                "drop",
            ],
        )
    )
    local = list(_local_users(rules)) if rules.close_local_users else []
    outward = [f"oifname {every} goto to-clients"]
    if local:
        parts.append(_chain("local-users", local))
        outward.append(f'oifname != "lo" meta skuid {ORDINARY_UIDS} goto local-users')
    parts.append(_base("output", outward))
    parts += [_device_chain(rules, one, "ingress") for one in interfaces if one.name in devices]
    return _table("inet", parts)


def netdev_table(rules: Rules, devices: Sequence[str]) -> str:
    """The table of the egress chains; to be loaded where the kernel has that hook (5.16 and later)."""
    here = [one for one in rules.interfaces if one.name in devices]
    if not here:
        return _table("netdev", [])
    return _table(
        "netdev", [*_sets(rules), *_judges(rules), *(_device_chain(rules, one, "egress") for one in here)]
    )


def closed(rules: Rules) -> str:
    """A file for boot that closes these interfaces until jitd has loaded its table in place of this one.

    It needs no device to exist. Interfaces that are not enforced stay open for all but jitd's own addresses.
    """
    shut = tuple(replace(interface, networks=()) for interface in rules.interfaces)
    table = inet_table(Rules(interfaces=shut, always=(), close_local_users=False), ())
    return (
        "# jitd, closed: nobody passes these interfaces until jitd has loaded its own rules in place of these.\n"
        "# Loaded at boot before the network; `nft -f` may load it again at any time, and cuts everyone by that.\n"
        f"add table inet {TABLE}\ndelete table inet {TABLE}\n{table}"
    )


# --- what decides ---


def _judges(rules: Rules) -> Iterator[str]:
    for interface in rules.interfaces:
        for network in interface.networks:
            for way in (_FROM, _TO):
                yield _chain(f"n{network.id:d}-{way.name}", _members(network, way))
        for way in (_FROM, _TO):
            member = [line for network in interface.networks for line in _members(network, way)]
            yield _chain(_member(way)(interface), member)
            lines = [line for always in rules.always for line in _always(always, interface, way)]
            lines += [_entry(entry, way) for entry in entries(interface.networks)]
            yield _chain(_judge(way)(interface), lines)


def _members(network: NetworkRules, way: _Way) -> list[Line]:
    return [
        f"{ip} {way.client} @{set_name(network.id, version)} accept"
        for ip, version in (("ip", 4), ("ip6", 6))
    ]


def _entry(entry: Entry, way: _Way) -> Line:
    ports = ""
    if entry.ports is not None:
        span = f"{entry.ports.first:d}-{entry.ports.last:d}"
        if entry.ports.first == entry.ports.last:
            span = f"{entry.ports.first:d}"
        ports = f" {_protocol(entry.ports.protocol)} {way.port} {span}"
    name = _safe(entry.network.name)
    return f'{_address(entry.route, way.there)}{ports} goto n{entry.network.id:d}-{way.name} comment "{name}"'


def _always(always: Always, interface: InterfaceRules, way: _Way) -> Iterator[Line]:
    places = interface.gateway if always.to is None else (always.to,)
    for match in _always_matches(always, places, way):
        yield f"{match} jump {_member(way)(interface)}"


def _always_matches(always: Always, places: Iterable[Place], way: _Way) -> Iterator[str]:
    for place in places:
        what = f"{'icmp' if place.version == 4 else 'icmpv6'} type {way.echo}"
        if always.protocol != "icmp":
            what = f"{_protocol(always.protocol)} {way.port} {always.port:d}"
        yield f"{_address(place, way.there)} {what}"


def _local_users(rules: Rules) -> Iterator[Line]:
    networks = [one for interface in rules.interfaces if interface.enforced for one in interface.networks]
    refusals = [
        f"{ip} daddr {_set(routes)} goto refuse"
        for ip, version in (("ip", 4), ("ip6", 6))
        if (routes := all_routes(networks, version))
    ]
    if not refusals:
        return
    # What somebody inside began may be answered.
    yield "ct direction reply return"
    for always in rules.always:
        if always.to is not None:
            for match in _always_matches(always, (always.to,), _FROM):
                yield f"{match} return"
    yield from refusals


def _device_chain(rules: Rules, interface: InterfaceRules, hook: str) -> str:
    way, back = (_FROM, _TO) if hook == "ingress" else (_TO, _FROM)
    lines = [
        f"meta l4proto != {OFFLOADABLE} accept",
        "ip frag-off & 0x3fff != 0 accept",
        "exthdr frag exists accept",
    ]
    if not interface.enforced:
        lines += [f"{test} accept" for test in _unmanaged(interface, way)]
    lines.append(f"jump {_judge(way)(interface)}")
    # Which device a packet goes to or came from is not known here: from client to client, ask them all.
    lines += [f"jump {_judge(back)(one)}" for one in rules.interfaces]
    # The gateway itself is for the input and output hooks to judge, and so is what DNAT will turn elsewhere.
    member = _member(way)(interface)
    lines += [f"{_address(address, way.there)} jump {member}" for address in interface.gateway]
    for ip, version in (("ip", 4), ("ip6", 6)):
        routes = all_routes(interface.networks, version)
        lines.append(
            f"{ip} {way.there} != {_set(routes)} jump {member}"
            if routes
            else f"{ip} version {version} jump {member}"
        )
    lines.append("goto refuse" if hook == "ingress" else "drop")
    kind = (
        f'type filter hook {hook} device "{_safe(interface.name)}" priority {DEVICE_PRIORITY}; policy accept;'
    )
    return _chain(f"{hook}-{_safe(interface.name)}", lines, kind)


def _unmanaged(interface: InterfaceRules, way: _Way) -> list[str]:
    return [
        f"{ip} {way.client} != @{managed_name(interface.name, version)}"
        for ip, version in (("ip", 4), ("ip6", 6))
    ]


# --- the language ---


def _sets(rules: Rules) -> Iterator[str]:
    kinds = ((4, "ipv4_addr"), (6, "ipv6_addr"))
    for interface in rules.interfaces:
        for network in interface.networks:
            for version, kind in kinds:
                yield f"\tset {set_name(network.id, version)} {{\n\t\ttype {kind}\n\t\tflags timeout\n\t}}\n"
        if interface.enforced:
            continue
        for version, kind in kinds:
            given = sorted((one for one in interface.managed if one.version == version), key=int)
            elements = f"\t\telements = {_set(given)}\n" if given else ""
            yield f"\tset {managed_name(interface.name, version)} {{\n\t\ttype {kind}\n{elements}\t}}\n"


def _by_name(key: str, target: Callable[[InterfaceRules], str], rules: Rules) -> Line:
    pairs = ", ".join(f'"{_safe(one.name)}" : jump {target(one)}' for one in rules.interfaces)
    return f"{key} vmap {{ {pairs} }}"


def _judge(way: _Way) -> Callable[[InterfaceRules], str]:
    return lambda interface: f"{way.name}-{_safe(interface.name)}"


def _member(way: _Way) -> Callable[[InterfaceRules], str]:
    return lambda interface: f"member-{way.name}-{_safe(interface.name)}"


def _names(rules: Rules) -> str:
    return "{ " + ", ".join(f'"{_safe(one.name)}"' for one in rules.interfaces) + " }"


def _address(place: Place, field: str) -> str:
    return f"{'ip' if place.version == 4 else 'ip6'} {field} {_place(place)}"


def _set(members: Iterable[Place]) -> str:
    return "{ " + ", ".join(_place(member) for member in members) + " }"


def _place(place: Place) -> str:
    # Written from its number: an IPv6 address may carry a zone, which is any text.
    if isinstance(place, IPv4Address | IPv6Address):
        return str(type(place)(int(place)))
    return f"{type(place.network_address)(int(place.network_address))}/{place.prefixlen:d}"


def _protocol(name: str) -> str:
    if name not in ALWAYS_PROTOCOLS:
        raise ValueError(f"no protocol of the firewall: {name!r}")
    return name


def _safe(name: str) -> str:
    """A name that means nothing else in nft's language. Names were checked where they entered; this is the wall."""
    if not _SAFE.fullmatch(name):
        raise ValueError(f"not a name for the firewall: {name!r}")
    return name


def _base(hook: str, lines: Iterable[Line]) -> str:
    return _chain(hook, lines, f"type filter hook {hook} priority {PRIORITY}; policy accept;")


def _chain(name: str, lines: Iterable[Line], kind: str = "") -> str:
    body = [kind] if kind else []
    return f"\tchain {name} {{\n" + "".join(f"\t\t{line}\n" for line in [*body, *lines]) + "\t}\n"


def _table(family: str, parts: Iterable[str]) -> str:
    return f"table {family} {TABLE} {{\n" + "\n".join(parts) + "}\n"
