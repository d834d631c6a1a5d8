"""Flowtables of an administrator's, under Debian's kernel: what is said of them."""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from jitd.core.firewall import InterfaceRules, NetworkRules, Rules
from jitd.diagnostics.firewall import Finding, look
from jitd.enforce.firewall import NftFirewall
from support.firewall_scene import ip, nft

OFFICE = NetworkRules(id=1, name="office", routes=(ip_network("10.78.0.0/24"),), ports=())
RULES = Rules(
    interfaces=(InterfaceRules(name="wg5", gateway=(ip_address("10.77.0.1"),), networks=(OFFICE,)),)
)


@pytest.fixture(autouse=True)
def wires() -> Iterator[None]:
    """A gateway between two devices."""
    for line in (
        "link add wg5 type veth peer name wg6",
        "link add in5 type veth peer name in6",
        *(f"link set {name} up" for name in ("wg5", "wg6", "in5", "in6")),
        "addr add 10.77.0.1/24 dev wg5",
        "addr add 10.78.0.1/24 dev in5",
    ):
        ip(line)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n")
    yield
    nft("flush ruleset")
    ip("link del wg5")
    ip("link del in5")


def seen() -> list[Finding]:
    return look(RULES, etc=Path("/nonexistent"))


def test_flowtables() -> None:
    """A flowtable is told while jitd's chains on the device do not see both directions, and only then."""
    firewall = NftFirewall()
    firewall.ensure(RULES)
    nft("add table inet admin")
    nft("add flowtable inet admin fast { hook ingress priority 0; devices = { wg5, in5 }; }")
    nft("add chain inet admin forward { type filter hook forward priority 0; }")
    nft("add rule inet admin forward meta l4proto { tcp, udp } flow add @fast")
    assert seen() == []
    nft("delete table netdev jitd")
    (finding,) = seen()
    assert finding.level == "broken"
    assert "flowtable fast in table inet admin offloads flows of" in finding.what
    assert "no egress hook" in finding.what
    nft("delete chain inet jitd ingress-wg5")
    (finding,) = seen()
    assert "jitd's own chain on wg5 is not there" in finding.what
    nft("flush chain inet admin forward")
    nft("delete flowtable inet admin fast")
    assert seen() == []
    firewall.close()
