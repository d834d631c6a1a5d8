"""Two networks behind one interface, granted apart: the most specific destination decides, with real packets."""

import json

import pytest

from support import network, streams
from support.deployment import Deployment

pytestmark = pytest.mark.root


def grant(office: Deployment, user: str, name: str, duration: str = "1h") -> int:
    """A request for this network, granted by carol. Returns its number."""
    asked = office.gateway.json(user, "request", name, "--reason", "a migration")
    number = int(asked["request"]["id"])
    office.gateway.jitctl("carol", "grant", str(number), "--duration", duration)
    return number


def test_networks_of_one_interface_open_apart(office: Deployment) -> None:
    """A grant for the office opens all of it but the database's port, which its own grant opens, and only that."""
    office.gateway.jitctl(
        "carol", "network", "add", "prod-db", "--route", network.SERVER, "--port", f"tcp/{streams.TCP_PORT}"
    )
    ping = ["ping", "-c", "1", "-W", "6", network.SERVER]

    def pings(user: str) -> bool:
        return office.world.run(ping, where=user, check=False).returncode == 0

    first = grant(office, "alice", "office")
    assert pings("alice")
    assert not office.connects("alice", 3)

    second = grant(office, "alice", "prod-db")
    assert office.connects("alice", 3)
    grant(office, "bob", "prod-db")
    assert office.connects("bob", 6)
    assert not pings("bob")

    office.gateway.jitctl("alice", "release", str(first))
    assert office.connects("alice", 3)
    assert not pings("alice")
    office.gateway.jitctl("carol", "revoke", str(second), "--reason", "done")
    assert not office.connects("alice", 3)
    assert office.connects("bob", 3)


def test_what_is_not_granted_is_told_at_once(office: Deployment) -> None:
    """Somebody who is in one network and asks for a place in another is told that it is prohibited, not left waiting."""
    office.gateway.jitctl("carol", "network", "add", "lab", "--route", "192.0.2.0/24")
    grant(office, "alice", "lab")
    said = office.world.run(["ping", "-c", "1", "-W", "6", network.SERVER], where="alice", check=False).stdout
    assert "Packet filtered" in said


def test_ordinary_users_of_the_gateway_have_no_way_around(office: Deployment) -> None:
    """A shell on the gateway is none: an ordinary user cannot open a connection to what a network opens; root can."""
    probe = ["ping", "-c", "1", "-W", "2", network.SERVER]
    assert office.world.run(probe, check=False).returncode == 0
    assert office.world.run(probe, user="alice", check=False).returncode != 0


def test_doctor_names_what_drops_granted_traffic(office: Deployment) -> None:
    """On a clean gateway it finds nothing; a forward policy of somebody's is broken, with the line that mends it."""
    clean = office.world.run(["jitctl", "doctor", "firewall"])
    assert "BROKEN" not in clean.stdout
    office.world.run(
        [
            "nft",
            "add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }",
        ]
    )
    said = office.world.run(["jitctl", "doctor", "firewall", "--json"], check=False)
    assert said.returncode == 1
    (broken,) = [check for check in json.loads(said.stdout)["checks"] if check["level"] == "broken"]
    assert "FORWARD has the policy drop" in broken["what"]
    refused = office.world.run(["jitctl", "doctor", "firewall"], user="alice", check=False)
    assert refused.returncode == 7


def test_without_the_second_layer_its_table_is_taken_away(office: Deployment) -> None:
    """A start with firewall = "none" removes the table of before, which would shut everybody out, and a grant opens."""
    office.gateway.stop()
    office.world.run(["sed", "-i", 's/firewall = "nftables"/firewall = "none"/', "/etc/jitd/jitd.toml"])
    office.gateway.start()
    assert office.world.run(["nft", "list", "tables"]).stdout == ""
    assert office.world.run(["ls", "/var/lib/jitd/closed.nft"], check=False).returncode != 0
    grant(office, "alice", "office")
    assert office.connects("alice", 6)
