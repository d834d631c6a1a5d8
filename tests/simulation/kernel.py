"""The machine's kernel as jitd sees it: WireGuard interfaces, nftables, and what passes.

Nothing in here is jitd's. It goes on while jitd is dead, counts the timeouts of elements by itself, and other programs
change it, too.
"""

import base64
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Interface, IPv6Interface, ip_address
from typing import Final

from jitd.enforce.port import Peer
from simulation.nftables import Nftables
from simulation.ruleset import Packet

#: The device behind which the destinations are.
OUTSIDE: Final = ("eth0", 2)


def public_of(private: str) -> str:
    """A public key for a private one: no arithmetic is needed here."""
    return base64.b64encode(hashlib.sha256(private.encode()).digest()).decode()


@dataclass
class Link:
    """A WireGuard interface. `index` is the kernel's and stays its own, whatever the name becomes."""

    name: str
    index: int
    private_key: str
    port: int
    addresses: frozenset[IPv4Interface | IPv6Interface]
    mtu: int
    up: bool = True
    peers: dict[str, Peer] = field(default_factory=dict)

    def set_peer(self, peer: Peer) -> None:
        """An allowed IP belongs to one peer: it moves."""
        for key, other in list(self.peers.items()):
            if key != peer.public_key and other.allowed_ips & peer.allowed_ips:
                self.peers[key] = replace(other, allowed_ips=other.allowed_ips - peer.allowed_ips)
        self.peers[peer.public_key] = peer


class Kernel:
    """`now_us` is the clock that its timers count: it stands still while the machine is suspended."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        self._made = OUTSIDE[1]
        self.links: dict[int, Link] = {}
        self.nftables = Nftables(now_us, lambda: {name: index for index, name in self.if_nameindex()})
        self.changed: Callable[[], None] = lambda: None

    def if_nameindex(self) -> list[tuple[int, str]]:
        """As socket.if_nameindex."""
        return [
            (1, "lo"),
            (OUTSIDE[1], OUTSIDE[0]),
            *((link.index, link.name) for link in self.links.values()),
        ]

    def named(self, name: str) -> Link | None:
        """The interface of a name."""
        return next((link for link in self.links.values() if link.name == name), None)

    def make(
        self, name: str, private_key: str, port: int, addresses: frozenset[IPv4Interface | IPv6Interface]
    ) -> Link:
        """A new interface, with an index that none ever had."""
        self._made += 1
        self.links[self._made] = Link(name, self._made, private_key, port, addresses, 1420)
        return self.links[self._made]

    def destroy(self, index: int) -> None:
        """An interface goes, and with it the chains on its device."""
        self.links.pop(index, None)
        self.nftables.without_device(index)

    def reboot(self) -> None:
        """Everything that lives in memory is gone; indexes begin anew."""
        self.links.clear()
        self.nftables.flush()
        self._made = OUTSIDE[1]

    # --- what passes ---

    def ways(self, address: str) -> Iterator[tuple[Link, Peer]]:
        """The interfaces through which WireGuard takes packets of an address, with the peer."""
        ip = ip_address(address)
        for link in self.links.values():
            best: tuple[int, Peer] | None = None
            for peer in link.peers.values():
                for allowed in peer.allowed_ips:
                    if (
                        allowed.version == ip.version
                        and ip in allowed
                        and (best is None or allowed.prefixlen > best[0])
                    ):
                        best = (allowed.prefixlen, peer)
            if best is not None and link.up:
                yield link, best[1]

    def passes(self, address: str, destination: str, protocol: str = "udp", port: int = 9) -> set[str]:
        """The public keys of the peers from which or to which a packet between the two goes through now."""
        return {
            peer.public_key
            for link, peer in self.ways(address)
            if self._from(link, address, destination, protocol, port)
            or self._to(link, address, destination, protocol, port)
        }

    def _from(self, link: Link, client: str, there: str, protocol: str, port: int) -> bool:
        packet = Packet(
            saddr=client, daddr=there, protocol=protocol, dport=port, iifname=link.name, iif=link.index
        )
        out = replace(packet, oifname=OUTSIDE[0], oif=OUTSIDE[1])
        nft = self.nftables
        return nft.passes_device("ingress", link.index, packet) and nft.passes_hook("forward", out)

    def _to(self, link: Link, client: str, there: str, protocol: str, port: int) -> bool:
        packet = Packet(
            saddr=there, daddr=client, protocol=protocol, sport=port, iifname=OUTSIDE[0], iif=OUTSIDE[1],
            oifname=link.name, oif=link.index, state="established", direction="reply",
        )  # fmt: skip
        nft = self.nftables
        return nft.passes_hook("forward", packet) and nft.passes_device("egress", link.index, packet)
