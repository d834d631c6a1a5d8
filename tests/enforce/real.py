"""A real machine's interfaces, for the tests that run inside a namespace or kernel of their own."""

import subprocess

from jitd.enforce.port import WireGuard


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
