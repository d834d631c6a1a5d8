"""What is said of a gateway's own set-up, with a real nft, ip and kernel. Runs in namespaces of its own."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from jitd.core.firewall import Always, InterfaceRules, NetworkRules, Rules
from jitd.core.model import Ports
from jitd.diagnostics.firewall import Finding, look
from jitd.enforce.firewall import NftFirewall
from jitd.enforce.port import EnforceError
from support.firewall_scene import build, ip, nft


def network(number: int, name: str, *routes: str, ports: tuple[Ports, ...] = ()) -> NetworkRules:
    return NetworkRules(
        id=number, name=name, routes=tuple(ip_network(route) for route in routes), ports=ports
    )


def rules(*networks: NetworkRules) -> Rules:
    gateway = (ip_address("10.9.0.1"), ip_address("fd09::1"))
    interface = InterfaceRules(name="wg0", gateway=gateway, networks=networks)
    always = (Always(to=None, protocol="udp", port=53), Always(to=None, protocol="icmp"))
    return Rules(interfaces=(interface,), always=always)


RULES = rules(
    network(1, "office", "10.20.0.0/16", "10.1.0.0/16"),
    network(2, "prod-db", "10.1.2.3/32", ports=(Ports("tcp", 5432, 5432),)),
    network(3, "six", "fd20::/64"),
)
MASQUERADE = (
    "table ip nat { chain postrouting { type nat hook postrouting priority srcnat;"
    ' ip saddr 10.9.0.0/24 oifname "in0" masquerade; }; }'
)
GOOD = """
table inet filter {
    set blocked { type ipv4_addr; flags interval; elements = { 203.0.113.0/24 }; }
    chain input {
        type filter hook input priority filter; policy drop;
        iif "lo" accept
        ct state vmap { established : accept, related : accept, invalid : drop }
        ip saddr @blocked drop
        udp dport 51820 accept
        iifname { "wg0", "wg1" } udp dport 53 accept
        meta l4proto { icmp, ipv6-icmp } accept
        tcp dport 22 ct state new limit rate 10/minute accept
    }
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state invalid counter drop
        ct state established,related accept
        ip daddr @blocked reject
        iifname "wg*" oifname "in0" jump clients
    }
    chain clients {
        tcp flags syn tcp option maxseg size set rt mtu
        ip saddr 10.9.0.0/24 counter accept
        ip6 saddr fd09::/64 accept
    }
}
"""


@pytest.fixture(scope="module", autouse=True)
def scene() -> None:
    build()


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """jitd's table, and an administrator's masquerade."""
    firewall = NftFirewall()
    nft(MASQUERADE)
    firewall.ensure(RULES)
    yield
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    firewall.close()


def seen(what: Rules = RULES) -> list[Finding]:
    return look(what, etc=Path("/nonexistent"))


@contextmanager
def setting(key: str, value: int) -> Iterator[None]:
    path = Path("/proc/sys/net", key)
    before = path.read_text()
    path.write_text(f"{value}\n")
    try:
        yield
    finally:
        path.write_text(before)


def test_nothing_is_said_of_a_gateway_in_order() -> None:
    """A firewall with the policy drop that lets clients through, and a masquerade, give no finding."""
    nft(GOOD)
    assert seen() == []


def only(level: str, *words: str, what: Rules = RULES) -> Finding:
    """The one finding that there is, of this level and with these words."""
    found = seen(what)
    assert len(found) == 1, found
    assert found[0].level == level
    for word in words:
        assert word in found[0].what
    return found[0]


def repaired(finding: Finding) -> None:
    """The fix, typed as it stands, is the end of it."""
    subprocess.run(["sh", "-ec", finding.fix], check=True, capture_output=True)
    assert seen() == []


def test_a_policy_that_drops() -> None:
    """A forward chain that drops what it does not know is named, and the line it says to type is enough."""
    nft(
        "table inet filter { chain forward { type filter hook forward priority 0; policy drop;"
        " ct state established,related accept; }; }"
    )
    finding = only(
        "broken",
        "table inet filter, chain forward has the policy drop and no rule that accepts traffic from wg0",
    )
    assert finding.fix == "nft 'insert rule inet filter forward iifname \"wg0\" accept'"
    repaired(finding)


def test_answers_that_are_dropped() -> None:
    """Traffic that may go in and whose answers are dropped is dropped."""
    nft(
        "table inet filter { chain forward { type filter hook forward priority 0; policy drop;"
        ' iifname "wg0" accept; }; }'
    )
    finding = only("broken", "accepts traffic to wg0")
    repaired(finding)


def test_a_rule_that_rejects() -> None:
    """A chain that accepts by policy and rejects by a rule is told with that rule's handle."""
    nft(
        "table ip filter { chain mine { type filter hook forward priority 0;"
        ' iifname "in0" accept; jump end; }; chain end { counter reject; }; }'
    )
    finding = only("broken", "table ip filter, chain mine drops all traffic from wg0 (rule handle ")
    assert "in chain end" in finding.what
    repaired(finding)


def test_a_rule_of_which_nobody_knows() -> None:
    """Traffic that passes only with a mark may be dropped: a warning."""
    nft(
        "table inet filter { chain forward { type filter hook forward priority 0; policy drop;"
        " ct state established accept; meta mark 0x7 accept; }; }"
    )
    only("warning", "accepts traffic from wg0 only under conditions", "may be dropped")


def test_part_of_the_networks() -> None:
    """A chain that accepts one network's traffic is told for the others only."""
    nft(
        "table inet filter { chain forward { type filter hook forward priority 0; policy drop;"
        " ct state established,related accept; ip daddr { 10.20.0.0/16, 10.1.0.0/16 } accept; }; }"
    )
    only("broken", "traffic from wg0 for the network six")


def test_dockers_chains() -> None:
    """Docker's chains in table ip filter are told as Docker's, and its own chain for others is used."""
    nft(
        "table ip filter { chain DOCKER-USER { return; }; chain DOCKER-FORWARD { iifname docker0 accept; };"
        " chain FORWARD { type filter hook forward priority filter; policy drop;"
        " jump DOCKER-USER; jump DOCKER-FORWARD; }; }"
    )
    finding = only("broken", "table ip filter (Docker), chain FORWARD has the policy drop", "from or to wg0")
    assert finding.fix == (
        "iptables -I DOCKER-USER -i wg0 -j ACCEPT && iptables -I DOCKER-USER -o wg0 -j ACCEPT"
    )
    nft('insert rule ip filter DOCKER-USER iifname "wg0" accept')
    nft('insert rule ip filter DOCKER-USER oifname "wg0" accept')
    assert seen() == []


def test_firewalld_and_a_zone() -> None:
    """An interface in no zone of firewalld's is told with firewalld's own command."""
    nft("""
table inet firewalld {
    chain filter_FORWARD {
        type filter hook forward priority filter + 10; policy accept;
        ct state { established, related } accept
        ct status dnat accept
        iifname "lo" accept
        jump filter_FORWARD_IN_ZONES
        ct state invalid drop
        reject with icmpx admin-prohibited
    }
    chain filter_FORWARD_IN_ZONES {
        iifname "in0" goto filter_FWDI_internal
        goto filter_FWDI_public
    }
    chain filter_FWDI_internal { accept; }
    chain filter_FWDI_public { icmp type echo-request accept; return; }
}
""")
    finding = only(
        "broken", "table inet firewalld (firewalld), chain filter_FORWARD drops all traffic from wg0"
    )
    assert finding.fix.startswith("firewall-cmd --permanent --zone=trusted --add-interface=wg0")
    nft('insert rule inet firewalld filter_FORWARD_IN_ZONES iifname "wg0" accept')
    assert seen() == []


def test_dns_on_the_gateway() -> None:
    """An input chain that drops what is always allowed on the gateway itself is told, and only for that."""
    nft(
        "table inet filter { chain input { type filter hook input priority 0; policy drop;"
        ' iifname "wg0" meta l4proto { icmp, ipv6-icmp } accept; }; }'
    )
    finding = only("broken", "chain input has the policy drop", "traffic from wg0 for udp/53")
    repaired(finding)


def test_an_ingress_chain() -> None:
    """A netdev chain on the device behind drops the answers."""
    nft(
        'table netdev guard { chain in { type filter hook ingress device "in0" priority 0; policy drop;'
        " ip saddr 10.1.0.0/16 accept; ip6 version 6 accept; meta protocol arp accept; }; }"
    )
    only("broken", "table netdev guard, chain in", "to wg0 for the network office")


def test_wireguards_own_port() -> None:
    """WireGuard's port that is shut towards the default route is told, and one that is open is not."""
    nft(GOOD)
    ip("route add default via 10.20.0.10")
    try:
        assert look(RULES, ports={"wg0": 51820}, etc=Path("/nonexistent")) == [
            one for one in seen() if "masquerade" in one.what
        ]
        (finding,) = (
            one for one in look(RULES, ports={"wg0": 51821}, etc=Path("/nonexistent")) if "51821" in one.what
        )
        assert finding.level == "broken"
        assert finding.fix == "nft 'insert rule inet filter input udp dport 51821 accept'"
    finally:
        ip("route del default")


def test_sets_that_are_accepted_by() -> None:
    """The elements of a named set or map are looked up where a rule accepts by them."""
    nft("""
table inet filter {
    set inner { type ifname; elements = { "in0", "in7" }; }
    set vpn { type ipv4_addr; flags interval; elements = { 10.9.0.0/16 }; }
    map zones { type ifname : verdict; elements = { "wg0" : goto clients }; }
    chain forward {
        type filter hook forward priority filter; policy drop;
        iifname @inner ct state established accept
        iifname vmap @zones
    }
    chain clients { ip saddr @vpn oifname @inner accept; ip6 saddr fd00::/8 accept; }
}
""")
    assert seen() == []
    nft('delete element inet filter zones { "wg0" : goto clients }')
    only("broken", "no rule that accepts traffic from wg0")


def test_forwarding_is_off() -> None:
    """Forwarding that is off is the only thing said, for each version, and also for one device."""
    with setting("ipv4/ip_forward", 0):
        finding = only("broken", "forwards no IPv4 packets (net.ipv4.ip_forward is 0)")
        assert finding.fix.startswith("sysctl -w net.ipv4.ip_forward=1")
    with setting("ipv6/conf/all/forwarding", 0):
        only("broken", "forwards no IPv6 packets")
    for device in ("wg0", "in0"):
        with setting(f"ipv4/conf/{device}/forwarding", 0):
            only("broken", f"forwards no IPv4 packets that come from {device}")
    assert seen() == []


def test_no_way_there() -> None:
    """A network without a route, with a blackhole or an unreachable one is told."""
    for what, line in (
        ("has no route to 10.66.0.0/16", ""),
        ("has a blackhole route to 10.66.0.0/16", "blackhole 10.66.0.0/16"),
        ("has an unreachable route to 10.66.0.0/16", "unreachable 10.66.0.0/16"),
    ):
        if line:
            ip(f"route add {line}")
        only(
            "broken",
            f"the gateway {what} of the network lost",
            what=rules(network(1, "lost", "10.66.0.0/16")),
        )
        if line:
            ip(f"route del {line}")
    only("broken", "has no route to fd66::/64", what=rules(network(1, "lost", "fd66::/64")))


def test_a_way_back_into_the_tunnel() -> None:
    """A route through the clients' own interface is told; the clients' own network is none."""
    ip("route add 10.66.0.0/16 via 10.9.0.254")
    try:
        only("warning", "back into wg0", what=rules(network(1, "site", "10.66.0.0/16")))
    finally:
        ip("route del 10.66.0.0/16")
    assert seen(rules(network(1, "clients", "10.9.0.0/24"))) == []
    ip("route add default via 10.9.0.254")
    try:
        only("broken", "back into wg0", "default route", what=rules(network(1, "lost", "10.66.0.0/16")))
    finally:
        ip("route del default")


def test_only_the_default_route() -> None:
    """A private network that only the default route leads to is a warning; the internet is not."""
    ip("route add default via 10.20.0.10")
    try:
        only("warning", "default route through in0 only", what=rules(network(1, "far", "10.66.0.0/16")))
        assert seen(rules(network(1, "internet", "0.0.0.0/0"))) == []
    finally:
        ip("route del default")


def test_answers_that_do_not_come_back() -> None:
    """Without a route to the clients' pool through the interface, answers go elsewhere."""
    pools = {"wg0": [ip_network("10.9.0.0/24"), ip_network("fd09::/64")]}
    assert look(RULES, pools=pools, etc=Path("/nonexistent")) == []
    ip("route del 10.9.0.0/24")
    ip("route add 10.9.0.0/24 via 10.20.0.10")
    try:
        found = look(RULES, pools=pools, etc=Path("/nonexistent"))
    finally:
        ip("route del 10.9.0.0/24")
        ip("route add 10.9.0.0/24 via 10.9.0.254")
    assert [one.level for one in found] == ["broken"]
    assert "for the clients of wg0 (10.9.0.0/24) out of in0" in found[0].what


def test_answers_by_another_table() -> None:
    """Rules of policy routing count: answers that one of them sends elsewhere do not come back."""
    ip("rule add from 10.20.0.0/24 iif in0 table 7")
    ip("route add 10.9.0.0/24 via 10.20.0.10 table 7")
    try:
        only("broken", "the clients of wg0 (10.9.0.0/24) out of in0")
        # The kernel looks for the way back when a packet comes, and so finds the same rule.
        with setting("ipv4/conf/wg0/rp_filter", 1):
            only("broken", "the reverse path filter is strict")
    finally:
        ip("rule del from 10.20.0.0/24 iif in0 table 7")
        ip("route flush table 7")


def test_no_masquerade() -> None:
    """Hosts behind a router, and hosts beside the gateway's own default router, need a masquerade or a route."""
    nft("delete table ip nat")
    finding = only("warning", "no masquerade for clients of wg0 towards 10.1.2.", "a route to 10.9.0.0/24")
    assert "10.20.0.0/24" not in finding.what
    repaired(finding)
    nft("delete table ip clients-nat")
    ip("route add default via 10.20.0.10")
    try:
        only("warning", "towards 10.20.0.0/24")
    finally:
        ip("route del default")


def test_a_masquerade_for_somebody_else() -> None:
    """A masquerade for other sources or another device does not count."""
    nft("delete table ip nat")
    nft(
        "table ip nat { chain postrouting { type nat hook postrouting priority srcnat;"
        ' ip saddr 172.17.0.0/16 masquerade; oifname "eth7" masquerade; }; }'
    )
    only("warning", "no masquerade")


def test_a_destination_that_is_another() -> None:
    """DNAT of clients' traffic is told; a port forward from outside is not."""
    nft("add chain ip nat pre { type nat hook prerouting priority dstnat; }")
    nft("add rule ip nat pre tcp dport 80 dnat to 10.20.0.10")
    nft('add rule ip nat pre iifname "eth7" dnat to 10.20.0.10')
    assert seen() == []
    nft("add rule ip nat pre ip daddr 10.1.2.3 dnat to 10.20.0.10")
    only("warning", "chain pre sends traffic from wg0 for 10.1.2.", "on to another address (rule handle")


def test_what_is_not_there() -> None:
    """An interface that does not exist is left out, and rules without interfaces have no findings."""
    gone = rules(network(1, "office", "10.66.0.0/16"))
    gone = replace(gone, interfaces=(replace(gone.interfaces[0], name="wg7"),))
    assert seen(gone) == []
    assert seen(Rules(interfaces=())) == []


def test_no_nft(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without nft it says which package is missing."""
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(EnforceError, match="package nftables"):
        seen()


def test_a_refusal_is_an_error() -> None:
    """Without the permission to look, it says so instead of finding nothing."""
    argv = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--reuid=65534", "--clear-groups"]
    code = "from jitd.core.firewall import *; from jitd.diagnostics.firewall import look; look(RULES)"
    code = code.replace("RULES", "Rules(interfaces=(InterfaceRules(name='wg0', gateway=(), networks=()),))")
    done = subprocess.run([*argv, sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "EnforceError" in done.stderr
    assert "not permitted" in done.stderr


def test_a_big_set_costs_nothing() -> None:
    """A set with 100,000 elements is a doubt where something is accepted by it, and costs no time otherwise."""
    elements = ", ".join(str(ip_address("11.0.0.0") + number) for number in range(100_000))
    text = f"""table inet big {{
        set s {{ type ipv4_addr; elements = {{ {elements} }}; }}
        chain forward {{ type filter hook forward priority 0; ip saddr @s drop; }}
    }}"""
    subprocess.run(["nft", "-f", "-"], input=text, text=True, check=True)
    begun = time.monotonic()
    assert seen() == []
    assert time.monotonic() - begun < 2
    nft("add rule inet big forward ip saddr @s accept; add rule inet big forward meta nfproto ipv4 drop")
    begun = time.monotonic()
    only("warning", "for the network office", "may be dropped")
    assert time.monotonic() - begun < 5


def test_a_route_inside_the_pool() -> None:
    """A route of the machine that takes a part of the clients' addresses away is named, and its fix is the end of it."""
    ip("route add 10.9.0.128/25 dev in0")
    (finding,) = seen()
    assert finding.level == "warning"
    assert "the route 10.9.0.128/25 through in0 lies in the pool 10.9.0.0/24 of wg0" in finding.what
    repaired(finding)


def test_a_dropped_port_without_a_default_route() -> None:
    """A chain that drops WireGuard's port is named also where the gateway has no way to the internet of its own."""
    nft("table inet filter { chain input { type filter hook input priority 0; udp dport 51820 drop; }; }")
    found = look(RULES, ports={"wg0": 51820}, etc=Path("/nonexistent"))
    assert {one.level for one in found} == {"broken"}
    assert any("drops udp/51820 from in0, where WireGuard listens for wg0" in one.what for one in found)
    assert not any("from wg0" in one.what for one in found)
