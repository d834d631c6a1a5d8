"""Making the kernel agree with the store: desired state, what was read back, the difference, and reading back again.

Every change and every check ends here. What does not agree is remembered, told once, and retried with backoff.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import ip_interface
from typing import Final

from jitd.core.model import Interface, Now
from jitd.core.peers import Actual, Wanted, difference
from jitd.enforce.port import (
    Change,
    EnforceError,
    InterfaceGone,
    LinkSpec,
    LinkState,
    RemovePeer,
    SetPeer,
    WireGuard,
)
from jitd.service import access
from jitd.service.access import People
from jitd.service.agreement import Agreement
from jitd.service.call import Touched
from jitd.store import devices, interfaces
from jitd.store.database import Rows
from jitd.store.interfaces import UnmanagedPeer

log = logging.getLogger("jitd.converge")

FIRST_RETRY_MS: Final = 1000
LONGEST_RETRY_MS: Final = 30_000
#: WireGuard's own word for "no preshared key".
NO_PRESHARED_KEY: Final = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

#: Records an event of jitd's own: (kind, interface name, data). Given by the service.
Tell = Callable[..., None]


@dataclass(slots=True)
class _Retry:
    at_boot_ms: int
    wait_ms: int


@dataclass(slots=True, kw_only=True)
class Converger:
    """Belongs to the worker thread."""

    wireguard: WireGuard
    people: People
    tell: Tell
    agreement: Agreement = field(default_factory=Agreement)
    _retries: dict[int, _Retry] = field(default_factory=dict)

    def touched(self, rows: Rows, touched: Touched, now: Now) -> bool:
        """Converge what a verb touched. Returns whether all of it agrees."""
        agrees = True
        single: dict[int, tuple[set[int], set[str]]] = {}
        for interface_id, device_id in touched.devices:
            single.setdefault(interface_id, (set(), set()))[0].add(device_id)
        for interface_id, key in touched.keys:
            single.setdefault(interface_id, (set(), set()))[1].add(key)
        for interface_id in touched.interfaces:
            interface = interfaces.by_id(rows, interface_id)
            agrees = self.interface(rows, interface, now) and agrees
        for interface_id, (device_ids, keys) in single.items():
            if interface_id in touched.interfaces:
                continue
            interface = interfaces.by_id(rows, interface_id)
            # Where something else is wrong already, only a look at the whole can tell that it is right again.
            agrees = (
                self.interface(rows, interface, now)
                if interface_id in self.agreement.errors
                else self._devices(rows, interface, device_ids, keys, now)
            ) and agrees
        return agrees

    def everything(self, rows: Rows, now: Now) -> bool:
        """Compare every interface as a whole. Returns whether all agree."""
        agrees = [self.interface(rows, interface, now) for interface in interfaces.all_(rows)]
        return all(agrees)

    def next_retry(self) -> int | None:
        """When something that failed is to be tried again, in boot time milliseconds; None when nothing is."""
        return min((retry.at_boot_ms for retry in self._retries.values()), default=None)

    def retry(self, rows: Rows, now: Now) -> None:
        """Try again what failed and is due."""
        for interface_id, retry in list(self._retries.items()):
            if retry.at_boot_ms <= now.boot_ms:
                self.interface(rows, interfaces.by_id(rows, interface_id), now)

    def forget(self, interface_id: int) -> None:
        """Stop caring for a removed interface."""
        self._retries.pop(interface_id, None)
        self.agreement.forget(interface_id)

    def link_spec(self, interface: Interface) -> LinkSpec:
        """An own interface as it should be: the gateway has the first host address of each pool."""
        return LinkSpec(
            name=interface.name,
            private_key=interface.private_key,
            port=interface.port,
            addresses=tuple(
                ip_interface(f"{pool.network_address + 1}/{pool.prefixlen}")
                for pool in (interface.pool4, interface.pool6)
                if pool is not None
            ),
            mtu=interface.mtu,
        )

    def interface(self, rows: Rows, interface: Interface, now: Now) -> bool:
        """Compare one interface as a whole, repair it, read it back. Returns whether it agrees."""
        expected: dict[str, Wanted | None] = {
            one.tunnel.device.public_key: one.wanted
            for one in access.of_interface(rows, interface, self.people, now)
        }
        wanted = {key: peer for key, peer in expected.items() if peer is not None}
        try:
            remade = not interface.adopted and self.wireguard.ensure_link(self.link_spec(interface))
            if remade and interface.id in self.agreement.names:
                self.tell("interface_recreated", interface=interface.name)
            state = self.wireguard.read(interface.name)
            leave = self._keep_unmanaged(rows, interface, state, now)
            expected = {key: peer for key, peer in expected.items() if key not in leave}
            todo = difference(wanted, _actual(state), leave=leave)
            if todo:
                self.wireguard.apply(
                    interface.name,
                    [
                        *(RemovePeer(key) for key in todo.to_remove),
                        *(_set(peer, state) for peer in todo.to_set),
                    ],
                )
                self._tell_strangers(interface, todo.to_remove, expected)
                expected.update(dict.fromkeys(todo.to_remove))
                state = self.wireguard.read(interface.name)
            return self._settle(interface, state, expected, now)
        except EnforceError as error:
            return self._failed(interface, error, expected, now)

    def _devices(
        self, rows: Rows, interface: Interface, device_ids: set[int], gone: Iterable[str], now: Now
    ) -> bool:
        """Bring single devices to what they should be, without looking at the others."""
        expected: dict[str, Wanted | None] = dict.fromkeys(gone)
        for one in access.of_interface(rows, interface, self.people, now, device_ids):
            expected[one.tunnel.device.public_key] = one.wanted
        if not interface.enforced:
            for peer in interfaces.unmanaged(rows, interface.id):
                expected.pop(peer.public_key, None)
        changes: list[Change] = [RemovePeer(key) for key, peer in expected.items() if peer is None]
        changes += [_set(peer, None) for peer in expected.values() if peer is not None]
        if not changes:
            return True
        try:
            self.wireguard.apply(interface.name, changes)
            return self._settle(interface, self.wireguard.read(interface.name), expected, now)
        except InterfaceGone:
            # Somebody took the interface away: make it again if it is ours, with everyone on it.
            return self.interface(rows, interface, now)
        except EnforceError as error:
            return self._failed(interface, error, expected, now)

    def _keep_unmanaged(self, rows: Rows, interface: Interface, state: LinkState, now: Now) -> frozenset[str]:
        """Follow what the owner of an unenforced interface does to the peers there; returns the keys to leave."""
        if interface.enforced:
            return frozenset()
        known = {peer.public_key: peer for peer in interfaces.unmanaged(rows, interface.id)}
        ours = {
            tunnel.device.public_key
            for tunnel in devices.tunnels(rows, interface_id=interface.id)
            if tunnel.device.public_key not in known
        }
        present = set()
        for key, peer in state.peers.items():
            if key in ours:
                continue
            present.add(key)
            found = UnmanagedPeer(
                interface_id=interface.id,
                public_key=key,
                allowed_ips=peer.allowed_ips,
                preshared_key=peer.preshared_key,
                endpoint=peer.endpoint,
                keepalive=peer.keepalive,
            )
            if key not in known or known[key].allowed_ips != found.allowed_ips:
                interfaces.keep_unmanaged(rows, found, now.wall_ms)
                if key not in known:
                    self.tell("unmanaged_seen", interface=interface.name, public_key=key)
        for key in known.keys() - present:
            interfaces.forget_unmanaged(rows, interface.id, key)
            self.tell("unmanaged_gone", interface=interface.name, public_key=key)
        return frozenset(present)

    def _tell_strangers(
        self, interface: Interface, removed: Iterable[str], expected: dict[str, Wanted | None]
    ) -> None:
        for key in removed:
            if key not in expected:
                log.warning("removed a stranger from %s: %s", interface.name, key)
                self.tell("stranger_removed", interface=interface.name, public_key=key)

    def _settle(
        self, interface: Interface, state: LinkState, expected: dict[str, Wanted | None], now: Now
    ) -> bool:
        """Believe nothing but what was read back."""
        wrong = frozenset(
            key
            for key, wanted in expected.items()
            if (None if key not in state.peers else state.peers[key].allowed_ips)
            != (None if wanted is None else wanted.allowed_ips)
        )
        if wrong:
            error = EnforceError(f"{len(wrong)} of its peers are not as they should be after a change")
            return self._failed(interface, error, {key: expected[key] for key in wrong}, now)
        if self.agreement.errors.get(interface.id):
            log.warning("%s agrees again", interface.name)
            self.tell("enforcement_recovered", interface=interface.name)
        self._retries.pop(interface.id, None)
        self.agreement.set_interface(interface.id, interface.name, "", frozenset())
        return True

    def _failed(
        self, interface: Interface, error: EnforceError, expected: dict[str, Wanted | None], now: Now
    ) -> bool:
        before = self._retries.get(interface.id)
        wait_ms = min(before.wait_ms * 2, LONGEST_RETRY_MS) if before else FIRST_RETRY_MS
        self._retries[interface.id] = _Retry(now.boot_ms + wait_ms, wait_ms)
        log.error("%s does not agree: %s (trying again in %d ms)", interface.name, error, wait_ms)
        if self.agreement.errors.get(interface.id) != str(error):
            self.tell("enforcement_failed", interface=interface.name, error=str(error))
        already = {key for owner, key in self.agreement.keys if owner == interface.id}
        self.agreement.set_interface(
            interface.id, interface.name, str(error), frozenset(already | expected.keys())
        )
        return False


def _actual(state: LinkState) -> dict[str, Actual]:
    return {
        key: Actual(
            public_key=key,
            allowed_ips=peer.allowed_ips,
            preshared_key="" if peer.preshared_key == NO_PRESHARED_KEY else peer.preshared_key,
        )
        for key, peer in state.peers.items()
    }


def _set(peer: Wanted, state: LinkState | None) -> SetPeer:
    has_key = (
        state is not None and peer.public_key in state.peers and state.peers[peer.public_key].preshared_key
    )
    return SetPeer(
        public_key=peer.public_key,
        allowed_ips=peer.allowed_ips,
        preshared_key=peer.preshared_key or (NO_PRESHARED_KEY if has_key else None),
    )
