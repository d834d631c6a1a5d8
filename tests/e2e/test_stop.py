"""`jitd stop --cut`, with real packets in both directions."""

import json
from typing import Any

import pytest

from support.deployment import Deployment
from support.old_gateway import PEOPLE, old_gateway

pytestmark = pytest.mark.root


def table(deployment: Deployment) -> list[dict[str, Any]]:
    """Everything in the firewall's tables of jitd: rules, sets and elements."""
    listed = deployment.world.run(["nft", "--json", "list", "ruleset"]).stdout
    found: list[dict[str, Any]] = json.loads(listed)["nftables"]
    return [
        one
        for one in found
        for what in one.values()
        if isinstance(what, dict) and what.get("table") == "jitd"
    ]


def test_a_stop_lets_pass_and_a_cut_does_not(office: Deployment) -> None:
    """After `stop` those who are in stay in; after `stop --cut` no packet passes, both layers are empty; twice is fine."""
    office.grant("alice", "1h")
    office.grant("bob", "1h")
    streams = [*office.both_ways("alice"), *office.both_ways("bob")]
    for stream in streams:
        stream.arrives()
    daemon = office.gateway.daemon
    assert daemon is not None

    said = office.world.run(["jitd", "stop"]).stdout
    assert said.startswith("jitd (pid ")
    assert daemon.popen.wait(10) == 0
    for stream in streams:
        stream.arrives()

    cut = office.world.run(["jitd", "stop", "--cut"]).stdout
    assert cut.splitlines()[:3] == ["jitd was not running", "firewall: closed", "wg0: 2 peers removed"]
    for stream in streams:
        assert stream.silent()
    assert office.gateway.peers() == {}
    sets = [one["set"] for one in table(office) if "elem" in str(one.get("set"))]
    # Left are the addresses that are judged whatever their interface is called.
    assert {one["name"] for one in sets} <= {"given-wg0-4"}
    again = office.world.run(["jitd", "stop", "--cut"]).stdout
    assert again.splitlines()[:3] == ["jitd was not running", "firewall: closed", "wg0: no access was open"]

    # What is still granted is open again after the next start, once clients have given up their old sessions (15 s).
    office.gateway.daemon = None
    office.gateway.start()
    for stream in streams:
        stream.arrives(30)
    office.gateway.daemon = None


def test_a_firewall_that_is_not_there_saves_no_peer(office: Deployment) -> None:
    """Where nft fails, the peers go all the same, and what could not be closed is named."""
    office.grant("alice", "1h")
    streams = office.both_ways("alice")
    for stream in streams:
        stream.arrives()
    office.world.run(["mount", "--bind", "/bin/false", "/usr/sbin/nft"])
    done = office.world.run(["jitd", "stop", "--cut"], check=False)
    office.gateway.daemon = None
    assert done.returncode == 1
    assert "wg0: 1 peer removed" in done.stdout
    assert "jitd: still open: firewall: nftables refused" in done.stderr
    for stream in streams:
        assert stream.silent()


def test_a_store_that_is_broken_saves_nobody(office: Deployment) -> None:
    """Where the store cannot be read, the firewall is closed as at boot, and it is said that peers may be left."""
    office.grant("alice", "1h")
    streams = office.both_ways("alice")
    for stream in streams:
        stream.arrives()
    office.gateway.stop()
    for file in office.world.path("/var/lib/jitd").glob("jitd.db*"):
        file.write_bytes(b"no database, but as long as one" * 1000)
    done = office.world.run(["jitd", "stop", "--cut"], check=False)
    assert done.returncode == 1
    assert "firewall: closed, as at boot" in done.stdout
    assert "jitd: still open: cannot use the database" in done.stderr
    for stream in streams:
        assert stream.silent()


def test_others_peers_of_an_adopted_interface_stay(lone: Deployment) -> None:
    """On an adopted interface only jitd's own peer is removed; those who were there lose no packet."""
    old_gateway(lone)
    lone.streams.stop()  # six thousand packets a second leave little to anyone else
    lone.gateway.init()
    lone.gateway.start()
    carol = "carol"
    lone.gateway.jitctl(carol, "interface", "adopt", "wg0", "--endpoint", "192.168.77.1:51820")
    lone.gateway.jitctl(carol, "network", "add", "office", "--route", "10.20.0.0/24")
    key = lone.world.run(["sh", "-c", "wg genkey | wg pubkey"]).stdout
    lone.gateway.jitctl("dave", "device", "add", "phone", "--public-key", "-", given=key)
    lone.gateway.jitctl(carol, "grant", "--user", "dave", "--network", "office", "-d", "1h")
    assert set(lone.gateway.peers()) == {*lone.keys.values(), key.strip()}
    flows = [stream for user in PEOPLE for stream in lone.both_ways(user, rate=100)]
    since = max(stream.arrives().sent for stream in flows)
    cut = lone.world.run(["jitd", "stop", "--cut"]).stdout
    lone.gateway.daemon = None
    assert "wg0: 1 peer removed; 3 peers not of jitd left unchanged" in cut
    assert set(lone.gateway.peers()) == set(lone.keys.values())
    for stream in flows:
        stream.arrives()
    lone.streams.stop()
    assert [stream.losses(since) for stream in flows] == [""] * len(flows)


def test_uninstall_leaves_nobody_in(office: Deployment) -> None:
    """After `uninstall --yes` no packet passes, and interface, tables and the file for boot are gone; files stay."""
    office.grant("alice", "1h")
    streams = office.both_ways("alice")
    for stream in streams:
        stream.arrives()
    closed = office.world.path("/var/lib/jitd/closed.nft")
    assert closed.exists()
    done = office.world.run(["jitd", "uninstall", "--yes"])
    office.gateway.daemon = None
    for stream in streams:
        assert stream.silent()
    assert office.world.run(["ip", "link", "show", "wg0"], check=False).returncode != 0
    assert table(office) == []
    assert not closed.exists()
    assert "  rm -r /var/lib/jitd " in done.stdout
    assert office.world.path("/var/lib/jitd/jitd.db").exists()


def test_a_cut_finds_a_renamed_interface(office: Deployment) -> None:
    """Attack: an interface is renamed before everybody is cut. Its peers go all the same, and no packet passes."""
    office.grant("alice", "1h")
    stream, _ = office.both_ways("alice")
    stream.arrives()
    for line in ("set wg0 down", "set wg0 name renamed", "set renamed up"):
        office.world.run(["ip", "link", *line.split()])
    assert "wg0: 1 peer removed" in office.world.run(["jitd", "stop", "--cut"]).stdout.splitlines()
    assert stream.silent()
