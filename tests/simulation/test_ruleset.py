"""The reader of nft's language agrees with what the rules are to say; packets through a real kernel are in tests/jitd/enforce."""

import itertools

import pytest

from jitd.core import firewallrules, parsing
from jitd.core.firewall import InterfaceRules, NetworkRules, Rules, decides
from jitd.core.model import Ports
from simulation import ruleset
from simulation.ruleset import Packet, Unknown

OFFICE = NetworkRules(id=1, name="office", routes=(parsing.network("10.0.0.0/8"),), ports=())
DATABASE = NetworkRules(
    id=2, name="db", routes=(parsing.network("10.1.2.3/32"),), ports=(Ports("tcp", 5432, 5433),)
)
LAB = NetworkRules(id=3, name="lab", routes=(parsing.network("192.168.5.0/24"),), ports=())
RULES = Rules(
    interfaces=(
        InterfaceRules(name="wg0", gateway=(), networks=(OFFICE, DATABASE), index=7),
        InterfaceRules(name="wg1", gateway=(), networks=(LAB,), index=8),
    )
)
CLIENT = "10.9.0.2"


@pytest.mark.parametrize("member_of", [(), (1,), (2,), (1, 2), (3,)])
@pytest.mark.parametrize("called", ["wg0", "renamed"])
def test_who_passes_is_whom_the_rules_mean(member_of: tuple[int, ...], called: str) -> None:
    """In either direction, by the index or by the name, a packet passes if its client is in the network that decides."""
    table = ruleset.parse(firewallrules.inet_table(RULES, {"wg0": called}))
    places = ("10.1.2.3", "10.1.2.4", "192.168.5.1", "8.8.8.8")

    def holds(name: str, address: str) -> bool:
        return address == CLIENT and name in {f"n{number}-4" for number in member_of}

    for there, protocol, port in itertools.product(places, ("tcp", "udp"), (22, 5432, 5433, 5434)):
        network = decides((OFFICE, DATABASE), parsing.address(there), protocol, port)
        wanted = network is not None and network.id in member_of
        outward = Packet(
            saddr=CLIENT, daddr=there, protocol=protocol, dport=port, iifname=called, iif=7, oifname="eth0"
        )
        inward = Packet(
            saddr=there, daddr=CLIENT, protocol=protocol, sport=port, iifname="eth0", oifname=called, oif=7,
            state="established", direction="reply",
        )  # fmt: skip
        for packet in (outward, inward):
            found = ruleset.verdict(table, table.chains["forward"], packet, holds)
            assert (found == "accept") is wanted, packet
        found = ruleset.verdict(table, table.chains["ingress-wg0"], outward, holds)
        # What is in no route is left to the forward hook, as long as its client is a member of anything there.
        assert (found == "accept") is (wanted or (network is None and bool({1, 2} & set(member_of))))


def test_what_is_not_understood_is_an_error() -> None:
    """A word that the reader does not know never counts as no match."""
    with pytest.raises(Unknown):
        ruleset.parse("table inet x {\n\tchain c {\n\t\tmeta mark 1 accept\n\t}\n}\n")
