"""A real machine's interfaces, for the tests that run inside a namespace or kernel of their own."""

import subprocess

from jitd.enforce.port import WireGuard
from support.wireguard_contract import spec


def ip(*argv: str) -> str:
    """Run `ip`, and return what it printed."""
    return subprocess.run(["ip", *argv], check=True, capture_output=True, text=True).stdout


class RealMachine:
    """The network namespace of the running test, which belongs to the tests alone."""

    def __init__(self, wireguard: WireGuard) -> None:
        self.wireguard = wireguard

    def make_other(self, name: str) -> None:
        """Make an interface that is no WireGuard one."""
        ip("link", "add", name, "type", "veth", "peer", "name", f"{name}-2")

    def delete(self, name: str) -> None:
        """Delete an interface by hand."""
        ip("link", "del", name)

    def rename(self, name: str, new: str) -> None:
        """Rename an interface, as kernels before 6.2 want it."""
        ip("link", "set", name, "down")
        ip("link", "set", name, "name", new)
        ip("link", "set", new, "up")


def flushed_routes_come_back(wireguard: WireGuard) -> None:
    """`ip route flush` takes the ways to the clients; they show to be gone, and come back with the next ensure_link.

    What somebody put in their place stays, and shows.
    """
    wanted = spec("wgroute", "10.97.0.1/24", "fd97::1/64")
    wireguard.ensure_link(wanted)
    try:
        assert _routed(wireguard)
        before = ip("route", "show", "dev", "wgroute"), ip("-6", "route", "show", "fd97::/64")
        for version in ("-4", "-6"):
            ip(version, "route", "flush", "dev", "wgroute")
        assert not _routed(wireguard)
        assert wireguard.ensure_link(wanted) is False
        assert _routed(wireguard)
        assert (ip("route", "show", "dev", "wgroute"), ip("-6", "route", "show", "fd97::/64")) == before
        ip("route", "add", "unreachable", "10.97.0.2/32")
        wireguard.ensure_link(wanted)
        assert not _routed(wireguard)
        ip("route", "del", "unreachable", "10.97.0.2/32")
    finally:
        wireguard.remove_link("wgroute")


def _routed(wireguard: WireGuard) -> bool:
    place = wireguard.locate("wgroute")
    assert place is not None
    return place.routed
