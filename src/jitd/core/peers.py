"""Which peers an interface should have, and what has to be done to get there. Pure: facts in, changes out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from jitd.core.model import IPNetwork


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a device is on an interface: a grant, standing access, or that the interface is not enforced yet."""

    kind: str  # "grant", "standing" or "unenforced"
    network: str  # "" for unenforced
    why: str
    request_id: int | None = None
    paused: bool = False
    network_id: int | None = None  # None for unenforced
    left_ms: int | None = None  # what is left of a grant; None: standing, without an end


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredPeer:
    """A peer as it should be. Empty `allowed_ips`: known to WireGuard, and passing nothing (paused)."""

    public_key: str
    allowed_ips: frozenset[IPNetwork]
    preshared_key: str = field(default="", repr=False)
    endpoint: str = ""
    keepalive: int = 0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedPeer:
    """A peer as it was read back."""

    public_key: str
    allowed_ips: frozenset[IPNetwork]
    preshared_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Difference:
    """What to change: peers to set, keys to remove."""

    to_set: tuple[DesiredPeer, ...]
    to_remove: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether anything has to be done."""
        return bool(self.to_set or self.to_remove)


def wanted(
    public_key: str, ips: frozenset[IPNetwork], preshared_key: str, reasons: Iterable[Reason]
) -> DesiredPeer | None:
    """The peer that these reasons ask for; None when nothing needs it.

    One reason that is not paused opens it, whatever becomes of the others: the end of one never cuts another.
    """
    reasons = list(reasons)
    if not reasons:
        return None
    is_open = any(not reason.paused for reason in reasons)
    return DesiredPeer(
        public_key=public_key, allowed_ips=ips if is_open else frozenset(), preshared_key=preshared_key
    )


def difference(
    wanted_peers: Mapping[str, DesiredPeer], actual: Mapping[str, ObservedPeer], *, leave: frozenset[str]
) -> Difference:
    """What brings `actual` to `wanted_peers`, both by public key. Keys in `leave` are never touched.

    A peer is removed before another one may get its addresses, so apply removals first.
    """
    to_set = tuple(
        peer
        for key, peer in wanted_peers.items()
        if key not in leave
        and (
            key not in actual
            or actual[key].allowed_ips != peer.allowed_ips
            or actual[key].preshared_key != peer.preshared_key
        )
    )
    to_remove = tuple(key for key in actual if key not in wanted_peers and key not in leave)
    return Difference(to_set, to_remove)


def closing(todo: Difference, actual: Mapping[str, ObservedPeer]) -> Difference:
    """The part of a difference that lets nobody in: removals, and peers that pass no more than they do."""
    return Difference(
        tuple(
            peer
            for peer in todo.to_set
            if not peer.allowed_ips
            or (peer.public_key in actual and peer.allowed_ips <= actual[peer.public_key].allowed_ips)
        ),
        todo.to_remove,
    )
