"""The table in nftables' own language, which administrators can read: `nft list table inet jitd`.

Names: `n7-4` and `n7-6` are the sets of network 7, `given-wg0-4` and `given-wg0-6` hold the addresses that jitd has given
out on wg0. Chains `n7-from` and `n7-to` accept a network's members as source and as destination; `from-wg0` and `to-wg0`
find the network that decides; `member-from-wg0` accepts who is a member of any. What none of them accepts falls back to
the chain of its interface and is refused (from clients) or dropped (towards clients).

- Which interface a packet belongs to is asked in this order: the kernel's index, which a rename leaves; the name, which
  an interface that was made again has; an address that jitd gave out, whatever the interface is called by now. The
  first that is known decides alone, so that two interfaces which swap their names stay two.
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
from collections.abc import Callable, Iterable, Iterator, Mapping
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
#: What the names of sets of addresses begin with. Their elements are not part of the text, but of the boot file's.
GIVEN: Final = "given-"
#: Before other tables' forward, input and output chains, and behind conntrack and DNAT.
PRIORITY: Final = "filter - 10"
#: Before any flowtable.
DEVICE_PRIORITY: Final = "-500"
ORDINARY_UIDS: Final = "{ 1000-60513, 65536-4294967294 }"
OFFLOADABLE: Final = "{ tcp, udp, gre }"

_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", re.ASCII)
_NEIGHBOURS: Final = "{ nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert }"
_ERRORS4: Final = "{ destination-unreachable, time-exceeded, parameter-problem }"
_RELATED: Final = "ct state related meta l4proto { icmp, ipv6-icmp }"
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


def given_name(interface: str, version: int) -> str:
    """The set that holds the addresses that jitd has given out on an interface."""
    return f"{GIVEN}{_safe(interface)}-{version:d}"


def inet_table(rules: Rules, devices: Mapping[str, str], *, elements: bool = False) -> str:
    """The table that judges. `devices` has the device of each interface that exists now: an ingress chain stands there.

    With `elements` the text has the addresses that were given out, too.
    """
    if not rules.interfaces:
        return _table("inet", [])
    interfaces = rules.interfaces
    parts = [*_sets(rules, rules.interfaces, elements=elements)]
    parts.append(_chain("refuse", ["reject with icmpx type admin-prohibited"]))
    parts += _judges(rules)
    # As an answer, or as an error about one: what the other client's own grant lets through.
    parts.append(_chain("answers", _dispatch("o", rules, _judge(_TO))))
    parts.append(_chain("answered-errors", _dispatch("o", rules, _member(_TO))))
    for one in interfaces:
        parts += _interface_chains(one)
    parts.append(_chain("towards", _dispatch("o", rules, _of("towards"))))
    parts.append(_base("forward", [*_dispatch("i", rules, _of("forward")), "goto towards"]))
    parts.append(_base("input", _dispatch("i", rules, _of("input"))))
    outward = _dispatch("o", rules, _of("output"))
    if rules.close_local_users and (local := list(_local_users(rules))):
        parts.append(_chain("local-users", local))
        outward.append(f'oifname != "lo" meta skuid {ORDINARY_UIDS} goto local-users')
    parts.append(_base("output", outward))
    parts += [_device_chain(rules, one, "ingress", devices[one.name]) for one in _on(rules, devices)]
    return _table("inet", parts)


def netdev_table(rules: Rules, devices: Mapping[str, str]) -> str:
    """The table of the egress chains; to be loaded where the kernel has that hook (5.16 and later)."""
    here = _on(rules, devices)
    if not here:
        return _table("netdev", [])
    parts = [*_sets(rules, [one for one in here if not one.enforced]), *_judges(rules)]
    parts += [_device_chain(rules, one, "egress", devices[one.name]) for one in here]
    return _table("netdev", parts)


def closed(rules: Rules) -> str:
    """A file for boot that closes these interfaces until jitd has loaded its table in place of this one.

    It needs no device to exist: it goes by names, and by the addresses that were given out. Interfaces that are not
    enforced stay open for all but those addresses.
    """
    shut = tuple(replace(interface, networks=(), index=0) for interface in rules.interfaces)
    table = inet_table(Rules(interfaces=shut, always=(), close_local_users=False), {}, elements=True)
    return (
        "# The closed table of jitd: no traffic passes these interfaces until jitd has replaced it with its own rules.\n"
        "# Loaded at boot before the network. Loading it again with `nft -f` is safe at any time, and cuts all users.\n"
        f"add table inet {TABLE}\ndelete table inet {TABLE}\n{table}"
    )


def _on(rules: Rules, devices: Mapping[str, str]) -> list[InterfaceRules]:
    return [one for one in rules.interfaces if _SAFE.fullmatch(devices.get(one.name, ""))]


# --- whose a packet is ---


def _dispatch(side: str, rules: Rules, target: Callable[[InterfaceRules], str]) -> list[Line]:
    """Go to the chain of the interface that a packet comes from (`side` i) or goes to (o), if it is one of ours."""
    # The first one has a name, where two claim it: they would be one set with a key twice.
    names: dict[str, InterfaceRules] = {}
    for one in rules.interfaces:
        names.setdefault(one.name, one)
    for one in rules.interfaces:
        # The kernel takes names that the language cannot hold; the index and the addresses are left then.
        if _SAFE.fullmatch(one.called):
            names.setdefault(one.called, one)
    numbers = {one.index: one for one in rules.interfaces if one.index}
    lines = []
    if numbers:
        pairs = ", ".join(f"{number:d} : goto {target(one)}" for number, one in numbers.items())
        lines.append(f"{side}if vmap {{ {pairs} }}")
    pairs = ", ".join(f'"{_safe(name)}" : goto {target(one)}' for name, one in names.items())
    lines.append(f"{side}ifname vmap {{ {pairs} }}")
    field = "saddr" if side == "i" else "daddr"
    lines += [
        f"{ip} {field} @{given_name(one.name, version)} goto {target(one)}"
        for one in rules.interfaces
        for ip, version in (("ip", 4), ("ip6", 6))
    ]
    return lines


def _interface_chains(one: InterfaceRules) -> Iterator[str]:
    """What happens to a packet from an interface, or towards it, at each hook."""
    name = _safe(one.name)
    untouched_from = [] if one.enforced else _unmanaged(one, _FROM)
    untouched_to = [] if one.enforced else [f"{test} accept" for test in _unmanaged(one, _TO)]
    yield _chain(
        f"towards-{name}",
        [f"{_RELATED} jump {_member(_TO)(one)}", *untouched_to, f"jump {_judge(_TO)(one)}", "drop"],
    )
    yield _chain(
        f"forward-{name}",
        [
            f"{_RELATED} jump {_member(_FROM)(one)}",
            f"{_RELATED} jump answered-errors",
            *(f"{test} goto towards" for test in untouched_from),
            f"jump {_judge(_FROM)(one)}",
            # From client to client: also what the other one's grant lets through, as its answer.
            "jump answers",
            "goto refuse",
        ],
    )
    yield _chain(
        f"input-{name}",
        [
            f"icmpv6 type {_NEIGHBOURS} ip6 hoplimit 255 accept",
            *(f"{test} accept" for test in untouched_from),
            f"{_RELATED} jump {_member(_FROM)(one)}",
            # Answers to what the gateway itself began.
            f"ct direction reply jump {_member(_FROM)(one)}",
            f"jump {_judge(_FROM)(one)}",
            "goto refuse",
        ],
    )
    yield _chain(
        f"output-{name}",
        [
            # Refusals among them, also to a client whose time is over.
            f"icmp type {_ERRORS4} accept",
            f"icmpv6 type {_ERRORS6} accept",
            f"icmpv6 type {_NEIGHBOURS} accept",
            *untouched_to,
            f"jump {_judge(_TO)(one)}",
            f"ct direction original jump {_member(_TO)(one)}",
            "drop",
        ],
    )


def _of(hook: str) -> Callable[[InterfaceRules], str]:
    return lambda interface: f"{hook}-{_safe(interface.name)}"


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


def _device_chain(rules: Rules, interface: InterfaceRules, hook: str, device: str) -> str:
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
    kind = f'type filter hook {hook} device "{_safe(device)}" priority {DEVICE_PRIORITY}; policy accept;'
    return _chain(f"{hook}-{_safe(interface.name)}", lines, kind)


def _unmanaged(interface: InterfaceRules, way: _Way) -> list[str]:
    return [
        f"{ip} {way.client} != @{given_name(interface.name, version)}"
        for ip, version in (("ip", 4), ("ip6", 6))
    ]


# --- the language ---


def _sets(rules: Rules, given_on: Iterable[InterfaceRules], *, elements: bool = False) -> Iterator[str]:
    kinds = ((4, "ipv4_addr"), (6, "ipv6_addr"))
    for interface in rules.interfaces:
        for network in interface.networks:
            for version, kind in kinds:
                yield f"\tset {set_name(network.id, version)} {{\n\t\ttype {kind}\n\t\tflags timeout\n\t}}\n"
    for interface in given_on:
        for version, kind in kinds:
            given = sorted((one for one in interface.given if one.version == version), key=int)
            listed = f"\t\telements = {_set(given)}\n" if given and elements else ""
            yield f"\tset {given_name(interface.name, version)} {{\n\t\ttype {kind}\n{listed}\t}}\n"


def _judge(way: _Way) -> Callable[[InterfaceRules], str]:
    return lambda interface: f"{way.name}-{_safe(interface.name)}"


def _member(way: _Way) -> Callable[[InterfaceRules], str]:
    return lambda interface: f"member-{way.name}-{_safe(interface.name)}"


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
