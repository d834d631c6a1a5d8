"""WireGuard's part in reconciliation: interfaces and their peers.

Belongs to the worker thread, but for `close`. Every method may raise EnforceError; some changes may have been made then.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface
from typing import Final

from jitd.core import parsing
from jitd.core.events import EventKind, Failure, Key, Renamed, Repaired
from jitd.core.model import Interface, IPNetwork, Now
from jitd.core.peers import DesiredPeer, ObservedPeer, closing, difference
from jitd.enforce.port import (
    Change,
    EnforceError,
    InterfaceGone,
    Known,
    LinkSpec,
    LinkState,
    OutOfSight,
    Peer,
    RemovePeer,
    SetPeer,
)
from jitd.reconcile.exchange import Exchanges
from jitd.reconcile.recording import RecordEvent
from jitd.reconcile.sampler import Sampler
from jitd.store import devices, freed, interfaces
from jitd.store.database import Rows
from jitd.store.interfaces import UnmanagedPeer

log = logging.getLogger("jitd.reconcile")

#: WireGuard's own word for "no preshared key".
NO_PRESHARED_KEY: Final = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#: Seconds; it lives for a moment only. The longest there is: nobody else has it, so that one that a kill left behind
#: is known again, and sends nothing meanwhile.
_CALL: Final = 65535

#: What a peer passes: its allowed IPs, None when it is not there.
Passing = frozenset[IPNetwork] | None


@dataclass(slots=True, kw_only=True)
class PeerReconciler:
    """The peers of every interface, and how they were left. `boot_ms` is the boot clock, in milliseconds."""

    wireguard: Exchanges
    record_event: RecordEvent
    boot_ms: Callable[[], int]
    hear: Callable[[str, LinkState], None]
    sampler: Sampler = field(default_factory=Sampler)
    #: How the peers of an interface were left, by key: what is otherwise later is somebody else's doing.
    left: dict[int, dict[str, Passing]] = field(default_factory=dict)
    #: (interface name, public key) of peers that were closed by `close`, and so may pass nothing, since they were left.
    emptied: set[tuple[str, str]] = field(default_factory=set)
    #: The kernel's number of each interface: another one means that somebody made it again.
    _indexes: dict[int, int] = field(default_factory=dict)
    #: What interfaces are called now, where that is another name than jitd's.
    called: dict[int, str] = field(default_factory=dict)
    _addresses: dict[int, frozenset[IPv4Interface | IPv6Interface]] = field(default_factory=dict)
    #: Interfaces that were not found when they were looked for last.
    _lost: set[int] = field(default_factory=set)
    #: Own interfaces whose routes were gone at the last look, and those for which nothing helped.
    _unrouted: set[int] = field(default_factory=set)
    _unroutable: set[int] = field(default_factory=set)

    def forget(self, interface_id: int) -> None:
        """Stop caring for a removed interface."""
        self.left.pop(interface_id, None)
        self._indexes.pop(interface_id, None)
        self.called.pop(interface_id, None)
        self._addresses.pop(interface_id, None)
        for some in (self._lost, self._unrouted, self._unroutable):
            some.discard(interface_id)

    def spec(self, interface: Interface) -> LinkSpec:
        """An own interface as it should be: the gateway has the first host address of each pool."""
        return LinkSpec(
            name=interface.name,
            private_key=interface.private_key,
            port=interface.port,
            addresses=tuple(
                parsing.host_of(pool, 1) for pool in (interface.pool4, interface.pool6) if pool is not None
            ),
            mtu=interface.mtu,
        )

    def glance(self, interface: Interface) -> LinkState | None:
        """An interface as it is, before anything is made or mended; None when it cannot be read. Raises nothing."""
        self.wireguard.know(Known.of(interface))
        try:
            return self.wireguard.read(interface.name)
        except EnforceError:
            return None

    def read(self, interface: Interface, *, known: bool) -> LinkState:
        """Read an interface; an own one is made when it is not there, which is told when it was `known` before."""
        try:
            state = self._read(interface, known=known)
        except (InterfaceGone, OutOfSight) as error:
            if interface.id not in self._lost:
                self._lost.add(interface.id)
                log.critical(
                    "%s is not found, so that it is closed by its addresses: %s", interface.name, error
                )
                self.record_event(
                    EventKind.INTERFACE_LOST, Failure(error=str(error)), interface=interface.name
                )
            raise
        self._lost.discard(interface.id)
        self._addresses[interface.id] = state.addresses
        self._see_routes(interface)
        return state

    def _see_routes(self, interface: Interface) -> None:
        """What became of routes that were gone: reading an own interface puts them back."""
        if interface.id not in self._unrouted:
            return
        self._unrouted.discard(interface.id)
        place = self.wireguard.locate(interface.name)
        if place is not None and place.routed:
            self.record_event(EventKind.ROUTES_RESTORED, interface=interface.name)
        else:
            log.error("the routes into %s lead elsewhere: see jitctl doctor firewall", interface.name)
            self._unroutable.add(interface.id)

    def _read(self, interface: Interface, *, known: bool) -> LinkState:
        self.wireguard.know(Known.of(interface))
        if not interface.adopted and self.wireguard.ensure_link(self.spec(interface)):
            self.left.pop(interface.id, None)
            self._indexes.pop(interface.id, None)
            if known:
                self.record_event(EventKind.INTERFACE_RECREATED, interface=interface.name)
        state = self.wireguard.read(interface.name)
        self.hear(interface.name, state)
        if self._indexes.setdefault(interface.id, state.index) != state.index:
            # Its peers are those of its owner's file, and not somebody's doing one by one.
            self._indexes[interface.id] = state.index
            self.left.pop(interface.id, None)
            self.record_event(EventKind.INTERFACE_REPLACED, interface=interface.name)
        if state.name != self.called.get(interface.id, interface.name):
            log.error("%s is called %s now: it is guarded under that name, too", interface.name, state.name)
            self.called[interface.id] = state.name
            self.record_event(
                EventKind.INTERFACE_RENAMED, Renamed(called=state.name), interface=interface.name
            )
        return state

    def is_as_left(self, interface: Interface) -> bool:
        """Whether an enforced interface is the one that was left, every peer is as it was, and nobody else is there.

        Raises nothing.
        """
        left = self.left.get(interface.id)
        if left is None or not interface.enforced:
            return False
        try:
            state = self.wireguard.read(interface.name)
        except EnforceError:
            return False
        if state.index != self._indexes.get(interface.id):
            return False
        if state.name != self.called.get(interface.id, interface.name):
            return False
        return {key: peer.allowed_ips for key, peer in state.peers.items()} == {
            key: passing for key, passing in left.items() if passing is not None
        }

    def is_in_place(self, interface: Interface) -> bool:
        """Whether an own interface is the one that was left, under the same name, with the same addresses and with its
        routes. Its peers are not looked at. Raises nothing.
        """
        try:
            place = self.wireguard.locate(interface.name)
        except EnforceError:
            return False
        if place is None or place.routed:
            self._unroutable.discard(interface.id)
        elif interface.id not in self._unroutable:
            self._unrouted.add(interface.id)
            return False
        return (
            place is not None
            and place.up
            and place.index == self._indexes.get(interface.id)
            and place.name == self.called.get(interface.id, interface.name)
            and place.addresses == self._addresses.get(interface.id)
        )

    def whole(
        self,
        rows: Rows,
        interface: Interface,
        state: LinkState,
        wanted: Mapping[str, DesiredPeer],
        expected: Mapping[str, Passing],
        leave: frozenset[str],
        *,
        closed: bool,
        touched: bool,
    ) -> set[str]:
        """Compare all peers, repair, read back. Returns the keys that do not agree.

        `closed`: nothing may be opened. `touched`: only strangers are told of.
        """
        actual = _actual(state)
        todo = difference(wanted, actual, leave=leave)
        if closed:
            todo = closing(todo, actual)
        self.record_strangers(rows, interface, (key for key in todo.to_remove if key not in expected))
        if not touched:
            self.record_changed(interface, expected, state.peers)
        # Whoever made the interface again has forgotten where they are. As new peers they are called at once: to one that
        # it could not reach WireGuard has perhaps tried to talk, and waits 5 s before it tries again.
        lost = (
            []
            if closed
            else [one for key, one in wanted.items() if key not in leave and self._is_lost(state, key)]
        )
        if todo or lost:
            self.apply(
                interface,
                [*todo.to_remove, *(one.public_key for one in lost)],
                [
                    *((one, one.public_key in state.peers) for one in todo.to_set),
                    *((one, False) for one in lost),
                ],
            )
            state = self.wireguard.read(interface.name)
        if called := [
            SetPeer(public_key=key, allowed_ips=peer.allowed_ips, keepalive=0)
            for key, peer in state.peers.items()
            if peer.keepalive == _CALL and key in wanted and key not in leave
        ]:
            # Somebody was called, and what was to come behind it did not.
            self.wireguard.apply(interface.name, called)
        self.left[interface.id] = {key: _at(state.peers, key) for key in expected}
        self.emptied = {one for one in self.emptied if one[0] != interface.name}
        gone = dict.fromkeys(todo.to_remove)
        return {key for key, passing in {**expected, **gone}.items() if _at(state.peers, key) != passing}

    def some(
        self, interface: Interface, wanted: Iterable[DesiredPeer], expected: Mapping[str, Passing]
    ) -> None:
        """Bring some peers to what they should be, without reading any."""
        left = self.left.setdefault(interface.id, {})
        self.apply(
            interface,
            [key for key, passing in expected.items() if passing is None],
            [(one, left.get(one.public_key) is not None) for one in wanted],
        )
        left.update(expected)
        self.emptied.difference_update((interface.name, key) for key in expected)

    def block_peers(self, interface: Interface, public_keys: Iterable[str]) -> None:
        """Let these peers pass nothing, as far as they are there, until they are compared again."""
        left = self.left.get(interface.id, {})
        keys = [key for key in public_keys if left.get(key)]
        if not keys:
            return
        self.wireguard.apply(
            interface.name, [SetPeer(public_key=key, allowed_ips=frozenset()) for key in keys]
        )
        left.update(dict.fromkeys(keys, frozenset()))

    def expel(self, interface: Interface, public_keys: Iterable[str]) -> None:
        """Take these peers out of an interface that cannot be read, as far as it can be reached."""
        self.wireguard.apply(interface.name, [RemovePeer(key) for key in public_keys])

    def close(self, interface: Interface, passing: Mapping[str, frozenset[IPNetwork]]) -> "Future[None]":
        """Let these peers pass no more than that, by public key. In any thread, and without waiting.

        They stay there, and with them what they have passed until now, which the worker reads before it removes them.
        """
        return self.wireguard.close_peers(
            interface.name,
            [SetPeer(public_key=key, allowed_ips=ips, if_there=True) for key, ips in passing.items()],
        )

    def differing(self, interface: Interface, expected: Mapping[str, Passing]) -> set[str]:
        """Read back: those of the keys that are not as expected."""
        peers = self.wireguard.read(interface.name).peers
        return {key for key, passing in expected.items() if _at(peers, key) != passing}

    def apply(
        self, interface: Interface, to_remove: Collection[str], to_set: Iterable[tuple[DesiredPeer, bool]]
    ) -> None:
        """Remove and set peers, the latter with whether they are there already.

        A peer that comes back is called by the gateway: its client goes on with a session that nobody has any more,
        and would begin another one only after 15 s (REKEY_TIMEOUT and KEEPALIVE_TIMEOUT of the WireGuard paper). To
        switch a keepalive on sends a packet at once, and a handshake before it; it is switched off again.
        """
        changes: list[Change] = [RemovePeer(key) for key in to_remove]
        called: list[Change] = []
        for peer, is_there in to_set:
            if not is_there:
                self.sampler.new(interface.id, peer.public_key, self.boot_ms())
            endpoint = "" if is_there else self.sampler.endpoints.get(peer.public_key, "")
            changes.append(
                SetPeer(
                    public_key=peer.public_key,
                    allowed_ips=peer.allowed_ips,
                    # Also to take away what somebody else has set.
                    preshared_key=peer.preshared_key or NO_PRESHARED_KEY,
                    endpoint=endpoint or None,
                    keepalive=_CALL if endpoint else None,
                )
            )
            if endpoint:
                called.append(SetPeer(public_key=peer.public_key, allowed_ips=peer.allowed_ips, keepalive=0))
        for key in to_remove:
            self.sampler.gone(interface.id, key)
        self.wireguard.apply(interface.name, changes)
        if called:
            self.wireguard.apply(interface.name, called)

    def _is_lost(self, state: LinkState, public_key: str) -> bool:
        """Whether a peer that is there cannot be reached, and could be where it was last heard from. A keepalive that
        somebody else has set is left alone.
        """
        peer = state.peers.get(public_key)
        return (
            peer is not None
            and bool(peer.allowed_ips)
            and not peer.endpoint
            and not peer.keepalive
            and public_key in self.sampler.endpoints
        )

    def keep_unmanaged(
        self, rows: Rows, interface: Interface, state: LinkState, retired: Mapping[str, object], now: Now
    ) -> frozenset[str]:
        """Follow what the owner of an unenforced interface does to the peers there; returns the keys to leave.

        Those in `retired` are left no more, and keys of devices that were reported lost never are. Where such a key comes
        back, it is told whose it was.
        """
        if interface.enforced:
            return frozenset()
        known = {peer.public_key: peer for peer in interfaces.unmanaged(rows, interface.id)}
        ours = {
            tunnel.device.public_key
            for tunnel in devices.tunnels(rows, interface_id=interface.id)
            if tunnel.device.public_key not in known
        }
        closed = {*retired, *devices.lost_keys(rows)}
        self.record_brought_back(rows, interface, interfaces.kept_out(rows, interface.id), state.peers)
        present = set()
        for key, peer in state.peers.items():
            if key in ours or key in closed:
                continue
            present.add(key)
            if key not in known or known[key].allowed_ips != peer.allowed_ips:
                interfaces.keep_unmanaged(rows, unmanaged_peer(interface.id, peer), now.wall_ms)
                if key not in known:
                    self.record_event(EventKind.UNMANAGED_SEEN, Key(public_key=key), interface=interface.name)
        for key in known.keys() - present:
            freed.free(rows, interface.id, known[key].allowed_ips, now.wall_ms)
            interfaces.forget_unmanaged(rows, interface.id, key)
            self.record_event(EventKind.UNMANAGED_GONE, Key(public_key=key), interface=interface.name)
        return frozenset(present)

    def record_strangers(self, rows: Rows, interface: Interface, keys: Iterable[str]) -> None:
        """Record peers that have no business there, which are removed; and whose keys they were."""
        for key in keys:
            log.warning("removed an unknown peer from %s: %s", interface.name, key)
            device, account = devices.last_of_key(rows, key) or (None, None)
            stranger = Key(public_key=key)
            if device is not None:
                stranger["device"] = device.name
            self.record_event(
                EventKind.STRANGER_REMOVED,
                stranger,
                interface=interface.name,
                account=account,
            )

    def record_brought_back(
        self, rows: Rows, interface: Interface, keys: Iterable[str], there: Mapping[str, Peer]
    ) -> None:
        """Record keys that were let in and taken out again, and that somebody, or a file of his, has put back."""
        left = self.left.get(interface.id, {})
        for key in keys:
            if key in there:
                # One event, and not that somebody changed it besides.
                left.pop(key, None)
                self.record_strangers(rows, interface, [key])

    def record_changed(
        self, interface: Interface, expected: Mapping[str, Passing], there: Mapping[str, Peer]
    ) -> None:
        """Record known peers that are neither as they were left nor as they are to be."""
        left = self.left.get(interface.id, {})
        for key, passing in expected.items():
            found = _at(there, key)
            if not found and (interface.name, key) in self.emptied:
                continue
            if key in left and found not in (left[key], passing):
                log.warning("a peer of %s was changed by somebody else: %s", interface.name, key)
                self.record_event(
                    EventKind.PEER_REPAIRED,
                    Repaired(
                        public_key=key, found=None if found is None else sorted(str(ip) for ip in found)
                    ),
                    interface=interface.name,
                )


def unmanaged_peer(interface_id: int, peer: Peer) -> UnmanagedPeer:
    """A peer of somebody else's, as it is kept."""
    return UnmanagedPeer(
        interface_id=interface_id,
        public_key=peer.public_key,
        allowed_ips=peer.allowed_ips,
        preshared_key=peer.preshared_key,
        endpoint=peer.endpoint,
        keepalive=peer.keepalive,
    )


def _actual(state: LinkState) -> dict[str, ObservedPeer]:
    return {
        key: ObservedPeer(
            public_key=key,
            allowed_ips=peer.allowed_ips,
            preshared_key="" if peer.preshared_key == NO_PRESHARED_KEY else peer.preshared_key,
        )
        for key, peer in state.peers.items()
    }


def _at(peers: Mapping[str, Peer], key: str) -> Passing:
    return peers[key].allowed_ips if key in peers else None
