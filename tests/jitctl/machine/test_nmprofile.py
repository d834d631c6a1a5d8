"""A tunnel as a profile of NetworkManager's, and who is asked to bring it up."""

import os
import pwd
from dataclasses import replace
from typing import Any

import pytest

from jitctl.machine.tunnel import nmprofile
from jitctl.machine.tunnel.manager import manager
from jitctl.machine.tunnel.networkmanager import NetworkManager
from jitctl.machine.tunnel.wanted import Tunnel
from jitd.core import parsing
from jitd.core.errors import JitError
from jitd.core.tunnelfile import TunnelFile

KEY = "B" * 42 + "A="
TUNNEL = Tunnel(
    name="jit-office-wg0",
    public_key=KEY,
    file=TunnelFile(
        addresses=(parsing.interface_address("10.9.0.2/32"), parsing.interface_address("fd00::2/128")),
        dns=(parsing.address("10.9.0.1"), parsing.address("fd00::1"), "corp.example"),
        mtu=1300,
        peer=KEY,
        endpoint=parsing.endpoint("vpn.example.org:51820"),
        routes=(parsing.network("10.9.0.1/32"), parsing.network("fd00::/64")),
        keepalive=25,
    ),
)


def changed(**fields: Any) -> Tunnel:
    """The tunnel with something else in its file."""
    return replace(TUNNEL, file=replace(TUNNEL.file, **fields))


@pytest.fixture(autouse=True)
def no_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    """No system bus, whatever this machine has."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")


def test_the_profile() -> None:
    """It is its user's alone, is never brought up by itself, keeps no key, and has each half of the addresses."""
    profile = nmprofile.settings(TUNNEL)
    user = pwd.getpwuid(os.geteuid()).pw_name
    assert profile["connection"] == {
        "id": ("s", "jit-office-wg0"),
        "uuid": ("s", nmprofile.identity("jit-office-wg0")),
        "type": ("s", "wireguard"),
        "interface-name": ("s", "jit-office-wg0"),
        "autoconnect": ("b", False),
        "permissions": ("as", [f"user:{user}:"]),
    }
    assert profile["wireguard"] == {
        "private-key-flags": ("u", 2),
        "mtu": ("u", 1300),
        "peers": (
            "aa{sv}",
            [
                {
                    "public-key": ("s", KEY),
                    "endpoint": ("s", "vpn.example.org:51820"),
                    "allowed-ips": ("as", ["10.9.0.1/32", "fd00::/64"]),
                    "persistent-keepalive": ("u", 25),
                }
            ],
        ),
    }
    (server,) = profile["ipv4"]["dns"][1]
    assert memoryview(bytes((10, 9, 0, 1))).cast("I")[0] == server
    assert profile["ipv6"]["dns"] == ("aay", [bytes.fromhex("fd00") + bytes(13) + b"\x01"])
    for family in ("ipv4", "ipv6"):
        assert profile[family]["method"] == ("s", "manual")
        assert profile[family]["dns-search"] == ("as", ["corp.example"])


def test_dns_without_domains_is_for_everything() -> None:
    """Servers without a domain are asked for every name, as with wg-quick."""
    profile = nmprofile.settings(changed(dns=(parsing.address("10.9.0.1"),)))
    assert profile["ipv4"]["dns-search"] == ("as", ["~"])
    assert "dns-search" not in profile["ipv6"]


def test_what_has_no_address_is_left_out() -> None:
    """Routes and servers of a family without an address are named; the rest is taken."""
    only4 = changed(addresses=TUNNEL.file.addresses[:1])
    assert nmprofile.settings(only4)["ipv6"] == {"method": ("s", "disabled")}
    end = "cannot be used: the gateway gives this machine no address of that family"
    assert nmprofile.left_out(only4) == [f"fd00::/64 {end}", f"fd00::1 {end}"]
    assert nmprofile.left_out(TUNNEL) == []


@pytest.mark.parametrize(
    "other",
    [
        changed(mtu=0),
        changed(dns=()),
        changed(keepalive=0),
        changed(endpoint=parsing.endpoint("vpn.example.org:51821")),
        changed(routes=TUNNEL.file.routes[:1]),
        changed(addresses=TUNNEL.file.addresses[:1]),
        changed(peer="C" * 42 + "A="),
    ],
)
def test_another_profile(other: Tunnel) -> None:
    """Whatever is different makes it another one, in both directions: more, less, or something else."""
    # NetworkManager shows what is empty by default, and what it works out.
    there = nmprofile.settings(TUNNEL)
    there["ipv4"] = {"route-data": ("aa{sv}", []), "addresses": ("aau", [[1, 32, 0]]), **there["ipv4"]}
    assert nmprofile.is_as(TUNNEL, there)
    assert not nmprofile.is_as(other, there)
    assert not nmprofile.is_as(TUNNEL, nmprofile.settings(other))


def test_the_one_in_charge() -> None:
    """Without NetworkManager on the bus it is wg-quick; a profile's own word counts before that; others are refused."""
    assert manager("").name == "wg-quick"
    assert manager("wg-quick").name == "wg-quick"
    assert manager("networkmanager").name == "networkmanager"
    with pytest.raises(JitError, match="cannot use tunnel = 'openvpn' of the profile"):
        manager("openvpn")


def test_without_a_bus() -> None:
    """Where there is no system bus, NetworkManager has no tunnel, and brings none up."""
    assert NetworkManager().down("jit-office-wg0") is False
    with pytest.raises(
        JitError, match="cannot bring up jit-office-wg0: NetworkManager does not run: no system bus"
    ):
        NetworkManager().up(TUNNEL, KEY)
