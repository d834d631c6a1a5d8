"""The text of the rules says what the specification says. No kernel is asked."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitd.core import firewallrules
from jitd.core.firewall import (
    Always,
    InterfaceRules,
    IPAddress,
    NetworkRules,
    Rules,
    ambiguous,
    decides,
)
from jitd.core.model import Ports

ROOT = Path(__file__).parents[3]

# Few addresses and ports, so that routes often hold each other.
bits = st.integers(0, 15)
routes4 = st.builds(
    lambda low, prefix: ip_network((0x0A000000 + low, prefix), strict=False), bits, st.integers(27, 32)
)
routes6 = st.builds(
    lambda low, prefix: ip_network(((0xFD << 120) + low, prefix), strict=False), bits, st.integers(124, 128)
)
routes = st.one_of(routes4, routes6, st.just(ip_network("0.0.0.0/0")), st.just(ip_network("::/0")))
ports = st.builds(
    lambda protocol, first, more: Ports(protocol, first, first + more),
    st.sampled_from(["tcp", "udp"]),
    st.integers(1, 6),
    st.integers(0, 3),
)
networks = st.lists(
    st.tuples(
        st.lists(routes, min_size=1, max_size=3, unique=True), st.lists(ports, max_size=2, unique=True)
    ),
    max_size=5,
).map(
    lambda found: tuple(
        NetworkRules(id=number, name=f"n{number}", routes=tuple(some), ports=tuple(limits))
        for number, (some, limits) in enumerate(found, start=1)
    )
)
destinations = st.one_of(
    bits.map(lambda low: IPv4Address(0x0A000000 + low)),
    bits.map(lambda low: IPv6Address((0xFD << 120) + low)),
)
packets = st.tuples(destinations, st.sampled_from(["tcp", "udp", "icmp"]), st.integers(1, 10))

LINE = re.compile(
    r"(?P<ip>ip6?) (?P<field>[sd])addr (?P<route>\S+)"
    r"(?: (?P<protocol>tcp|udp) (?P<port>[sd])port (?P<first>\d+)(?:-(?P<last>\d+))?)?"
    r" goto n(?P<id>\d+)-(?P<way>from|to) comment \"n\d+\""
)


def chain(text: str, name: str) -> list[str]:
    """The rules of a chain."""
    (body,) = re.findall(rf"\tchain {name} {{\n(.*?)\t}}\n", text, re.DOTALL)
    return [line.strip() for line in body.splitlines()]


def evaluate(lines: list[str], there: IPAddress, protocol: str, port: int, way: str) -> int | None:
    """What a chain of destinations does with a packet, read as nftables reads it: the first match goes."""
    for line in lines:
        found = LINE.fullmatch(line)
        assert found is not None, line
        assert found["way"] == way
        assert found["field"] == ("d" if way == "from" else "s")
        if (found["ip"] == "ip") != (there.version == 4) or there not in ip_network(found["route"]):
            continue
        if found["protocol"]:
            assert found["port"] == found["field"]
            first = int(found["first"])
            if protocol != found["protocol"] or not first <= port <= int(found["last"] or first):
                continue
        return int(found["id"])
    return None


def specified(networks: tuple[NetworkRules, ...], there: IPAddress, protocol: str, port: int) -> set[int]:
    """The networks with the most specific destination; several where nothing says which."""
    fitting: list[tuple[tuple[int, bool], int]] = []
    for network in networks:
        for route in network.routes:
            if there.version != route.version or there not in route:
                continue
            if not network.ports:
                fitting.append(((route.prefixlen, False), network.id))
            fitting += [
                ((route.prefixlen, True), network.id)
                for one in network.ports
                if one.protocol == protocol and one.first <= port <= one.last
            ]
    best = max((rank for rank, _ in fitting), default=None)
    return {number for rank, number in fitting if rank == best}


@given(networks, packets)
def test_the_text_is_the_specification(
    networks: tuple[NetworkRules, ...], packet: tuple[IPAddress, str, int]
) -> None:
    """For any networks and packet, the chains of both tables decide for the most specific destination, both ways."""
    interface = InterfaceRules(name="wg0", gateway=(), networks=networks)
    rules = Rules(interfaces=(interface,))
    specification = specified(networks, *packet)
    allowed: set[int | None] = {*specification} or {None}
    for table in (
        firewallrules.inet_table(rules, {"wg0": "wg0"}),
        firewallrules.netdev_table(rules, {"wg0": "wg0"}),
    ):
        decided = {evaluate(chain(table, f"{way}-wg0"), *packet, way) for way in ("from", "to")}
        assert len(decided) == 1
        assert decided <= allowed
    network = decides(networks, *packet)
    assert {network and network.id} == decided


@given(networks, packets)
def test_what_is_not_ambiguous_is_decided(
    networks: tuple[NetworkRules, ...], packet: tuple[IPAddress, str, int]
) -> None:
    """Where no two networks are called ambiguous, every packet has one network at most."""
    if ambiguous(networks) is None:
        assert len(specified(networks, *packet)) <= 1


def named(name: str, route: str, *limits: Ports) -> NetworkRules:
    return NetworkRules(id=1, name=name, routes=(ip_network(route),), ports=limits)


@pytest.mark.parametrize(
    ("one", "other", "clear"),
    [
        (named("a", "10.0.0.0/8"), named("b", "10.0.0.0/8"), False),
        (named("a", "10.0.0.0/8"), named("b", "10.0.0.0/9"), True),
        (named("a", "10.0.0.0/8"), named("b", "10.0.0.0/8", Ports("tcp", 1, 1)), True),
        (named("a", "::/0", Ports("tcp", 1, 5)), named("b", "::/0", Ports("tcp", 5, 9)), False),
        (named("a", "::/0", Ports("tcp", 1, 5)), named("b", "::/0", Ports("udp", 5, 9)), True),
    ],
)
def test_ambiguous(one: NetworkRules, other: NetworkRules, clear: bool) -> None:
    """The same route in two networks is unclear, unless ports tell them apart."""
    assert (ambiguous([one, other]) is None) == clear


def test_what_is_put_into_the_text_is_harmless() -> None:
    """A name with nft's own characters, and an address with a zone, never reach the text."""
    for name in ("wg0; flush ruleset", 'wg0"', "wg 0", "", "a" * 40, "wg0\n"):
        with pytest.raises(ValueError, match="not a name"):
            firewallrules.inet_table(
                Rules(interfaces=(InterfaceRules(name=name, gateway=(), networks=()),)), {}
            )
    interface = InterfaceRules(
        name="wg0", gateway=(ip_address("fe80::1%drop }"),), networks=(named("db", "10.0.0.0/8"),)
    )
    always = Always(to=None, protocol="udp", port=53)
    text = firewallrules.inet_table(Rules(interfaces=(interface,), always=(always,)), {"wg0": "wg0"})
    assert "%" not in text
    assert "ip6 daddr fe80::1 udp dport 53 jump member-from-wg0" in text
    with pytest.raises(ValueError, match="no protocol"):
        firewallrules.inet_table(
            Rules(interfaces=(interface,), always=(Always(to=None, protocol="tcp drop #"),)), {}
        )


def test_the_file_for_boot_is_what_jitd_would_write() -> None:
    """packaging/jitd-closed.nft is the closed table for wg0."""
    rules = Rules(interfaces=(InterfaceRules(name="wg0", gateway=(), networks=()),))
    assert (ROOT / "packaging/jitd-closed.nft").read_text() == firewallrules.closed(rules)


def test_nothing_to_guard() -> None:
    """Without interfaces the tables say nothing."""
    rules = Rules(interfaces=())
    assert firewallrules.inet_table(rules, {}) == "table inet jitd {\n}\n"
    assert firewallrules.netdev_table(rules, {}) == "table netdev jitd {\n}\n"
