"""What the daemon needs of WireGuard, on one screen. A backend's own errors stop behind this port.

Backends: `kernel.py` (netlink), `userspace.py` (the UAPI socket of wireguard-go), `memory.py` (dry runs).
All methods block, are called for one interface by one thread at a time (`reconcile/exchange.py`), and must give up after
a bounded time (5 s for each exchange).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface
from typing import Protocol, Self

from jitd.core.model import Interface, IPNetwork


class EnforceError(Exception):
    """The kernel (or the userspace process) refused or could not be asked. The text is for people."""


class NoAnswer(EnforceError):
    """Whoever carries the interface has not answered in time. What was asked for may still be done."""


class InterfaceGone(EnforceError):
    """There is no such interface here, or what carried it has died."""


class OutOfSight(EnforceError):
    """What carries the interface runs, and the interface is not found here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A peer as read back. Keys are base64, times milliseconds UTC, counters bytes; 0 means never or none."""

    public_key: str
    allowed_ips: frozenset[IPNetwork]
    endpoint: str = ""  # "host:port", "[v6]:port" or ""
    keepalive: int = 0  # seconds
    preshared_key: str = field(default="", repr=False)
    last_handshake_ms: int = 0
    rx_bytes: int = 0
    tx_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPeer:
    """Add the peer or change it in place so that its allowed IPs are exactly these.

    None leaves the endpoint, keepalive or preshared key as it is; other peers are not disturbed.
    """

    public_key: str
    allowed_ips: frozenset[IPNetwork]
    endpoint: str | None = None
    keepalive: int | None = None  # seconds; 0 switches it off
    preshared_key: str | None = field(default=None, repr=False)
    if_there: bool = False  # a peer that is not there is not added


@dataclass(frozen=True, slots=True)
class RemovePeer:
    """Remove the peer. Removing one that is not there is not an error."""

    public_key: str


Change = SetPeer | RemovePeer


def closes(change: Change) -> bool:
    """Whether a change lets nobody in."""
    return isinstance(change, RemovePeer) or not change.allowed_ips


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSpec:
    """An interface of jitd's own, as it should be."""

    name: str
    private_key: str = field(repr=False)
    port: int
    addresses: tuple[IPv4Interface | IPv6Interface, ...]
    mtu: int  # bytes; 0 leaves the default


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What WireGuard itself knows of an interface, with all of its peers by public key. Keys are base64, "" for none;
    port 0 means none.
    """

    private_key: str = field(repr=False)
    public_key: str
    port: int
    peers: Mapping[str, Peer]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkState(Device):
    """An interface as read back.

    `name` is what it is called now. `index` is the kernel's ifindex: it stays when somebody renames the interface, and
    changes when somebody removes it and makes it again.
    """

    name: str
    index: int
    addresses: frozenset[IPv4Interface | IPv6Interface]
    mtu: int
    up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What the machine calls an interface now, and what belongs to the interface itself."""

    name: str
    index: int
    up: bool
    addresses: frozenset[IPv4Interface | IPv6Interface]
    routed: bool  # whether the other hosts of its networks are looked for behind it


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """How an interface is recognised that is not called `name` any more: by its key, or by an address in its pools.

    Once it was found, its index is remembered.
    """

    name: str
    public_key: str
    pools: tuple[IPNetwork, ...]

    @classmethod
    def of(cls, interface: Interface) -> Self:
        """As the store has it."""
        pools = tuple(pool for pool in (interface.pool4, interface.pool6) if pool is not None)
        return cls(name=interface.name, public_key=interface.public_key, pools=pools)


class WireGuard(Protocol):
    """A WireGuard implementation on this machine.

    Every interface is called by the name that it had when it was made or adopted, whatever it is called by now.
    """

    @property
    def name(self) -> str:
        """`kernel`, `userspace` or `memory`."""

    def know(self, known: Known) -> None:
        """Note how an interface is recognised; without that, it is the one of its name."""

    def ensure_link(self, spec: LinkSpec) -> bool:
        """Make the interface, or bring key, port, addresses and MTU of the existing one to the spec, and bring it up. The
        routes that belong to its addresses are put back, where nothing else is in their place.

        Peers are not touched when it exists. Returns True when it had to be made. Raises EnforceError, also when an
        interface of this name exists that is no WireGuard interface.
        """

    def remove_link(self, name: str) -> None:
        """Remove the interface (and end its userspace process). One that is not there is not an error."""

    def read(self, name: str) -> LinkState:
        """Read the interface back with all its peers. Raises InterfaceGone, OutOfSight or EnforceError."""

    def locate(self, name: str) -> Place | None:
        """Where the interface is, without its peers; None when it is not found. Raises EnforceError."""

    def apply(self, name: str, changes: Sequence[Change]) -> None:
        """Apply all changes in as few operations as the backend allows; not atomic, so read back afterwards.

        Applying a change twice does no harm. Raises InterfaceGone or EnforceError; some changes may have been made.
        What lets nobody in is done also where the interface itself is out of sight and its process is not.
        """

    def close(self) -> None:
        """Give back sockets. Interfaces and their processes stay."""
