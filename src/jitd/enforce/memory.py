"""WireGuard that exists only in this process: for dry runs, and for tests of everything above the port."""

import base64
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from jitd.core.model import IPNetwork
from jitd.enforce.port import (
    Change,
    InterfaceGone,
    Known,
    LinkSpec,
    LinkState,
    Peer,
    Place,
    RemovePeer,
)

DEFAULT_MTU: Final = 1420


class MemoryWireGuard:
    """Behaves as WireGuard does: an allowed IP belongs to one peer, and setting it on another moves it."""

    name: Final = "memory"

    def __init__(self) -> None:
        self._links: dict[str, LinkState] = {}
        self._made = 0
        self._owners: dict[str, dict[IPNetwork, str]] = {}  # by interface: whose an allowed IP is

    def know(self, known: Known) -> None:
        """As the port says: here an interface is always found."""

    def ensure_link(self, spec: LinkSpec) -> bool:
        """As the port says."""
        existing = self._links.get(spec.name)
        private = X25519PrivateKey.from_private_bytes(base64.b64decode(spec.private_key))
        self._links[spec.name] = LinkState(
            name=existing.name if existing else spec.name,
            index=existing.index if existing else self._next_index(),
            private_key=spec.private_key,
            public_key=base64.b64encode(private.public_key().public_bytes_raw()).decode(),
            port=spec.port,
            addresses=frozenset(spec.addresses),
            mtu=spec.mtu or (existing.mtu if existing else DEFAULT_MTU),
            up=True,
            peers=existing.peers if existing else {},
        )
        return existing is None

    def remove_link(self, name: str) -> None:
        """As the port says."""
        self._links.pop(name, None)
        self._owners.pop(name, None)

    def read(self, name: str) -> LinkState:
        """As the port says."""
        if name not in self._links:
            raise InterfaceGone(f"there is no interface {name}")
        return self._links[name]

    def locate(self, name: str) -> Place | None:
        """As the port says."""
        try:
            state = self.read(name)
        except InterfaceGone:
            return None
        return Place(name=state.name, index=state.index, up=state.up, addresses=state.addresses, routed=True)

    def apply(self, name: str, changes: Sequence[Change]) -> None:
        """As the port says."""
        state = self.read(name)
        peers = dict(state.peers)
        owners = self._owners.setdefault(name, {})
        for change in changes:
            if isinstance(change, RemovePeer):
                peers.pop(change.public_key, None)
                continue
            if change.if_there and change.public_key not in peers:
                continue
            if change.public_key == state.public_key:
                continue  # WireGuard takes no peer with its own key, without a word
            for ip in change.allowed_ips:
                other = peers.get(owners.get(ip, ""))
                if other is not None and other.public_key != change.public_key and ip in other.allowed_ips:
                    peers[other.public_key] = replace(other, allowed_ips=other.allowed_ips - {ip})
                owners[ip] = change.public_key
            before = peers.get(change.public_key) or Peer(
                public_key=change.public_key, allowed_ips=frozenset()
            )
            peers[change.public_key] = replace(
                before,
                allowed_ips=change.allowed_ips,
                endpoint=change.endpoint or before.endpoint,
                keepalive=before.keepalive if change.keepalive is None else change.keepalive,
                preshared_key=before.preshared_key if change.preshared_key is None else change.preshared_key,
            )
        self._links[name] = replace(state, peers=peers)

    def close(self) -> None:
        """Nothing to give back."""

    def _next_index(self) -> int:
        self._made += 1
        return self._made
