"""Making the kernel agree with the store: desired state, what was read back, the difference, and reading back again.

Every change and every check ends here. There are two layers, the firewall's members (`guard.py`) and WireGuard's
peers. Both are closed whatever becomes of the other one; a peer is opened only behind a firewall that agrees. What
does not agree is remembered, told once, and retried with backoff.
"""

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_interface
from typing import Final

from jitd.core.elements import Member, Right, addresses
from jitd.core.firewall import IPAddress
from jitd.core.model import Account, Interface, IPNetwork, Now
from jitd.core.peers import Actual, Wanted, closing, difference
from jitd.enforce.port import (
    Change,
    EnforceError,
    LinkSpec,
    LinkState,
    Peer,
    RemovePeer,
    SetPeer,
    WireGuard,
)
from jitd.service import access
from jitd.service.access import DeviceAccess, People
from jitd.service.agreement import Agreement
from jitd.service.call import Touched
from jitd.service.guard import Guard
from jitd.service.sampler import Sampler
from jitd.service.tell import Tell
from jitd.store import devices, interfaces, networks
from jitd.store.database import Rows
from jitd.store.interfaces import UnmanagedPeer

log = logging.getLogger("jitd.converge")

FIRST_RETRY_MS: Final = 1000
LONGEST_RETRY_MS: Final = 30_000
#: Up to so many peers an interface is read before some of them are removed, to count what they passed at last.
FEW: Final = 200
#: WireGuard's own word for "no preshared key".
NO_PRESHARED_KEY: Final = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#: Seconds; it lives for a moment only.
_CALL: Final = 25

#: What a peer passes: its allowed IPs, None when it is not there.
Passing = frozenset[IPNetwork] | None


@dataclass(slots=True)
class _Retry:
    at_boot_ms: int
    wait_ms: int


@dataclass(frozen=True, slots=True)
class _Open:
    interface: Interface
    access: DeviceAccess
    at_boot_ms: int  # when it was worked out


@dataclass(slots=True, kw_only=True)
class Converger:
    """Belongs to the worker thread."""

    wireguard: WireGuard
    guard: Guard
    people: People
    tell: Tell
    agreement: Agreement = field(default_factory=Agreement)
    _retries: dict[int, _Retry] = field(default_factory=dict)
    #: How the peers of an interface were left, by key: what is otherwise later is somebody else's doing.
    _left: dict[int, dict[str, Passing]] = field(default_factory=dict)
    #: Interfaces that were changed and not read back as a whole since.
    _unread: set[int] = field(default_factory=set)
    #: What was last worked out to be open, by interface and public key: to close without the store.
    _open: dict[int, dict[str, _Open]] = field(default_factory=dict)
    sampler: Sampler = field(default_factory=Sampler)

    def prepare(self, rows: Rows) -> None:
        """Load the firewall's rules: without them nothing can be cut there. What fails is tried again with the rest."""
        for interface in interfaces.all_(rows):
            if not interface.adopted:
                self.guard.saw_addresses(interface.id, self._own_addresses(interface))
        try:
            self.guard.ensure(rows)
        except EnforceError as error:
            log.error("the firewall: %s", error)  # noqa: TRY400

    def touched(self, rows: Rows, touched: Touched, now: Now) -> bool:
        """Converge what a verb touched. Returns whether all of it agrees."""
        agrees = True
        single: dict[int, tuple[set[int], dict[str, frozenset[IPNetwork]]]] = {}
        for interface_id, device_id in touched.devices:
            single.setdefault(interface_id, (set(), {}))[0].add(device_id)
        for (interface_id, key), ips in touched.keys.items():
            single.setdefault(interface_id, (set(), {}))[1][key] = ips
        for interface_id in touched.interfaces:
            interface = interfaces.by_id(rows, interface_id)
            agrees = self.interface(rows, interface, now, touched=True) and agrees
        for interface_id, (device_ids, keys) in single.items():
            if interface_id in touched.interfaces:
                continue
            interface = interfaces.by_id(rows, interface_id)
            # Where something else is wrong already, only a look at the whole can tell that it is right again. Which
            # addresses an interface that is not enforced judges is a rule.
            agrees = (
                self.interface(rows, interface, now, touched=True)
                if interface_id in self.agreement.errors or not interface.enforced
                else self._devices(rows, interface, device_ids, keys, now)
            ) and agrees
        if touched.rules:
            agrees = self._rules(rows) and agrees
        return agrees

    def everything(self, rows: Rows, now: Now, *, touched: bool = False) -> bool:
        """Compare every interface as a whole. Returns whether all agree."""
        agrees = [
            self.interface(rows, interface, now, touched=touched) for interface in interfaces.all_(rows)
        ]
        return all(agrees)

    def look(self, rows: Rows, now: Now, *, everything: bool) -> None:
        """Compare the interfaces that somebody else owns, and those that were changed since the last look; or all."""
        for interface in interfaces.all_(rows):
            if everything or interface.adopted or interface.id in self._unread:
                self.interface(rows, interface, now)

    def open_grants(self) -> dict[int, Account]:
        """Who has which grant open, as far as is remembered without the store."""
        return {
            reason.request_id: one.access.tunnel.account
            for opened in self._open.values()
            for one in opened.values()
            for reason in one.access.reasons
            if reason.request_id is not None
        }

    def over(self, now: Now) -> list[int]:
        """The grants whose time is over, as far as is remembered without the store."""
        return [
            reason.request_id
            for opened in self._open.values()
            for one in opened.values()
            for reason in one.access.reasons
            if reason.request_id is not None
            and reason.left_ms is not None
            and one.at_boot_ms + reason.left_ms <= now.boot_ms
        ]

    def close(self, request_id: int, now: Now) -> bool:
        """Take what a grant opened away, without the store. Returns whether the kernel agrees."""
        agrees = True
        for opened in self._open.values():
            for key, one in list(opened.items()):
                reasons = tuple(r for r in one.access.reasons if r.request_id != request_id)
                if len(reasons) == len(one.access.reasons):
                    continue
                rest = replace(one.access, reasons=reasons)
                opened[key] = replace(one, access=rest)
                agrees = self._close(one.interface, one.access, rest, now) and agrees
        return agrees

    def _close(self, interface: Interface, before: DeviceAccess, rest: DeviceAccess, now: Now) -> bool:
        """Both layers, whatever becomes of the other one."""
        key, passing = rest.tunnel.device.public_key, _passing(rest)
        errors: list[EnforceError] = []
        wrong: set[str] = set()
        try:
            gone = before.rights.keys() - rest.rights.keys()
            if self.guard.some(interface, {}, gone, now):
                wrong.add(key)
        except EnforceError as error:
            errors.append(error)
        try:
            if passing is None:
                self.wireguard.apply(interface.name, [RemovePeer(key)])
            elif rest.wanted is not None:
                self._apply(interface, [], [(rest.wanted, True)])
            if _at(self.wireguard.read(interface.name).peers, key) != passing:
                wrong.add(key)
        except EnforceError as error:
            errors.append(error)
        self._left.setdefault(interface.id, {})[key] = passing
        return self._settle(interface, wrong, errors, [key], now)

    def next_retry(self) -> int | None:
        """When something that failed is to be tried again, in boot time milliseconds; None when nothing is."""
        return min((retry.at_boot_ms for retry in self._retries.values()), default=None)

    def retry(self, rows: Rows, now: Now) -> None:
        """Try again what failed and is due."""
        for interface_id, retry in list(self._retries.items()):
            if retry.at_boot_ms <= now.boot_ms:
                self.interface(rows, interfaces.by_id(rows, interface_id), now, touched=True)

    def forget(self, interface_id: int) -> None:
        """Stop caring for a removed interface."""
        self._retries.pop(interface_id, None)
        self._left.pop(interface_id, None)
        self._open.pop(interface_id, None)
        self._unread.discard(interface_id)
        self.guard.forget(interface_id)
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

    def interface(self, rows: Rows, interface: Interface, now: Now, *, touched: bool = False) -> bool:
        """Compare one interface as a whole, repair it, read it back. Returns whether it agrees.

        `touched`: a verb or a restart may be why it differs, so that only strangers are told of.
        """
        accesses = access.of_interface(rows, interface, self.people, now)
        before = {one.tunnel.device.public_key: one for one in accesses}
        before.update((key, one.access) for key, one in self._open.get(interface.id, {}).items())
        self._open[interface.id] = _opened(interface, accesses, now)
        expected = {one.tunnel.device.public_key: _passing(one) for one in accesses}
        errors: list[EnforceError] = []
        state: LinkState | None = None
        leave = frozenset[str]()
        try:
            state = self._look(interface)
            self.sampler.saw(interface.id, state, before.values(), now)
            leave = self._keep_unmanaged(rows, interface, state, now)
        except EnforceError as error:
            errors.append(error)
        wrong, closed = self._members(rows, interface, accesses, now, errors)
        if state is not None:
            expected = {key: passing for key, passing in expected.items() if key not in leave}
            try:
                wanted = {one.wanted.public_key: one.wanted for one in accesses if one.wanted is not None}
                wrong |= self._peers(
                    interface, state, wanted, expected, leave, closed=closed, touched=touched
                )
            except EnforceError as error:
                errors.append(error)
        self._unread.discard(interface.id)
        return self._settle(interface, wrong, errors, expected.keys(), now)

    def _look(self, interface: Interface) -> LinkState:
        if not interface.adopted and self.wireguard.ensure_link(self.link_spec(interface)):
            self._left.pop(interface.id, None)
            if interface.id in self.agreement.names:
                self.tell("interface_recreated", interface=interface.name)
        state = self.wireguard.read(interface.name)
        self.guard.saw_addresses(interface.id, (address.ip for address in state.addresses))
        return state

    def _members(
        self,
        rows: Rows,
        interface: Interface,
        accesses: Iterable[DeviceAccess],
        now: Now,
        errors: list[EnforceError],
    ) -> tuple[set[str], bool]:
        """The firewall's half: (keys whose members do not agree, whether nothing may be opened behind it)."""
        wanted: dict[Member, Right] = {}
        keys: dict[Member, str] = {}
        for one in accesses:
            for member, right in one.rights.items():
                wanted[member] = right
                keys[member] = one.tunnel.device.public_key
        network_ids = [network.id for network in networks.of_interface(rows, interface.id)]
        try:
            flushed = self.guard.ensure(rows)
            wrong = self.guard.whole(interface, network_ids, wanted, now, flushed=flushed)
        except EnforceError as error:
            errors.append(error)
            return set(), True
        if flushed:
            # The members of all others went with the table.
            for other in interfaces.all_(rows):
                if other.id != interface.id:
                    self._members(
                        rows, other, access.of_interface(rows, other, self.people, now), now, errors
                    )
        return {keys.get(member, str(member.ip)) for member in wrong}, False

    def _peers(
        self,
        interface: Interface,
        state: LinkState,
        wanted: dict[str, Wanted],
        expected: dict[str, Passing],
        leave: frozenset[str],
        *,
        closed: bool,
        touched: bool,
    ) -> set[str]:
        """WireGuard's half: the keys of peers that do not agree."""
        actual = _actual(state)
        todo = difference(wanted, actual, leave=leave)
        if closed:
            todo = closing(todo, actual)
        self._tell_strangers(interface, actual, todo.to_remove, expected, touched=touched)
        if todo:
            self._apply(
                interface, todo.to_remove, [(peer, peer.public_key in state.peers) for peer in todo.to_set]
            )
            state = self.wireguard.read(interface.name)
        self._left[interface.id] = {key: _at(state.peers, key) for key in expected}
        gone = dict.fromkeys(todo.to_remove)
        return {key for key, passing in {**expected, **gone}.items() if _at(state.peers, key) != passing}

    def _devices(
        self,
        rows: Rows,
        interface: Interface,
        device_ids: set[int],
        gone: dict[str, frozenset[IPNetwork]],
        now: Now,
    ) -> bool:
        """Bring single devices to what they should be, without looking at the others."""
        accesses = access.of_interface(rows, interface, self.people, now, device_ids)
        known = self._open.setdefault(interface.id, {})
        keys = [*gone, *(one.tunnel.device.public_key for one in accesses)]
        before = [known.pop(key).access for key in keys if key in known]
        known.update(_opened(interface, accesses, now))
        expected: dict[str, Passing] = dict.fromkeys(gone)
        expected.update({one.tunnel.device.public_key: _passing(one) for one in accesses})
        rights = {member: right for one in accesses for member, right in one.rights.items()}
        ips = [*gone.values(), *(one.tunnel.ips for one in accesses)]
        network_ids = [network.id for network in networks.of_interface(rows, interface.id)]
        removals = {
            member
            for number in network_ids
            for some in ips
            for member in (Member(number, ip) for ip in addresses(some))
            if member not in rights
        }
        if not expected:
            return True
        left = self._left.setdefault(interface.id, {})
        try:
            if self.guard.some(interface, rights, removals, now):
                return self.interface(rows, interface, now, touched=True)
            if len(left) <= FEW and None in expected.values():
                # Their counters go with them.
                self.sampler.saw(interface.id, self.wireguard.read(interface.name), before, now)
            self._apply(
                interface,
                [key for key, passing in expected.items() if passing is None],
                [(one.wanted, left.get(one.wanted.public_key) is not None) for one in accesses if one.wanted],
            )
            if not self.guard.active:
                there = self.wireguard.read(interface.name).peers
                wrong = {key for key, passing in expected.items() if _at(there, key) != passing}
                left.update(expected)
                return self._settle(interface, wrong, [], (), now)
        except EnforceError:
            # A table that was flushed, an interface that somebody took away, a process that died: what the whole
            # needs to be right again is worked out there, and what is wrong with it is told.
            return self.interface(rows, interface, now, touched=True)
        left.update(expected)
        # Read back were the members, without which nothing passes either way. To read the peers costs as much as there
        # are, so that is done for all changes of a moment together (`look`).
        self._unread.add(interface.id)
        return self._settle(interface, set(), [], (), now)

    def _apply(
        self, interface: Interface, to_remove: Collection[str], to_set: Iterable[tuple[Wanted, bool]]
    ) -> None:
        """Remove and set peers, the latter with whether they are there already.

        A peer that comes back is called by the gateway: its client goes on with a session that nobody has any more,
        and would begin another one only after 15 s (REKEY_TIMEOUT and KEEPALIVE_TIMEOUT of the WireGuard paper). To
        switch a keepalive on sends a packet at once, and a handshake before it; it is switched off again.
        """
        changes: list[Change] = [RemovePeer(key) for key in to_remove]
        called: list[Change] = []
        for peer, is_there in to_set:
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

    def _rules(self, rows: Rows) -> bool:
        try:
            self.guard.ensure(rows)
        except EnforceError as error:
            log.error("the firewall: %s", error)  # noqa: TRY400
            return False
        return True

    def _own_addresses(self, interface: Interface) -> list[IPAddress]:
        return [address.ip for address in self.link_spec(interface).addresses]

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
            if key not in known or known[key].allowed_ips != peer.allowed_ips:
                interfaces.keep_unmanaged(rows, unmanaged_peer(interface.id, peer), now.wall_ms)
                if key not in known:
                    self.tell("unmanaged_seen", interface=interface.name, public_key=key)
        for key in known.keys() - present:
            interfaces.forget_unmanaged(rows, interface.id, key)
            self.tell("unmanaged_gone", interface=interface.name, public_key=key)
        return frozenset(present)

    def _tell_strangers(
        self,
        interface: Interface,
        actual: dict[str, Actual],
        to_remove: Iterable[str],
        expected: dict[str, Passing],
        *,
        touched: bool,
    ) -> None:
        """Tell what nobody of us did: strangers, and known peers that are not as they were left."""
        left = self._left.get(interface.id, {})
        for key in to_remove:
            if key not in expected:
                log.warning("removed a stranger from %s: %s", interface.name, key)
                self.tell("stranger_removed", interface=interface.name, public_key=key)
        if touched:
            return
        for key, before in left.items():
            there = actual[key].allowed_ips if key in actual else None
            if key in expected and there not in (before, expected[key]):
                log.warning("a peer of %s was changed by somebody else: %s", interface.name, key)
                self.tell(
                    "peer_repaired",
                    interface=interface.name,
                    public_key=key,
                    found=None if there is None else sorted(str(ip) for ip in there),
                )

    def _settle(
        self,
        interface: Interface,
        wrong: set[str],
        errors: list[EnforceError],
        expected: Iterable[str],
        now: Now,
    ) -> bool:
        """Believe nothing but what was read back."""
        if wrong and not errors:
            errors = [EnforceError(f"{len(wrong)} of its peers are not as they should be after a change")]
            expected = wrong
        if errors:
            return self._failed(
                interface, "; ".join(dict.fromkeys(map(str, errors))), set(expected) | wrong, now
            )
        if self.agreement.errors.get(interface.id):
            log.warning("%s agrees again", interface.name)
            self.tell("enforcement_recovered", interface=interface.name)
        self._retries.pop(interface.id, None)
        self.agreement.set_interface(interface.id, interface.name, "", frozenset())
        return True

    def _failed(self, interface: Interface, error: str, keys: set[str], now: Now) -> bool:
        before = self._retries.get(interface.id)
        wait_ms = min(before.wait_ms * 2, LONGEST_RETRY_MS) if before else FIRST_RETRY_MS
        self._retries[interface.id] = _Retry(now.boot_ms + wait_ms, wait_ms)
        log.error("%s does not agree: %s (trying again in %d ms)", interface.name, error, wait_ms)
        if self.agreement.errors.get(interface.id) != error:
            self.tell("enforcement_failed", interface=interface.name, error=error)
        already = {key for owner, key in self.agreement.keys if owner == interface.id}
        self.agreement.set_interface(interface.id, interface.name, error, frozenset(already | keys))
        return False


def _opened(interface: Interface, accesses: Iterable[DeviceAccess], now: Now) -> dict[str, _Open]:
    return {
        one.tunnel.device.public_key: _Open(interface, one, now.boot_ms) for one in accesses if one.reasons
    }


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


def _passing(one: DeviceAccess) -> Passing:
    return None if one.wanted is None else one.wanted.allowed_ips


def _actual(state: LinkState) -> dict[str, Actual]:
    return {
        key: Actual(
            public_key=key,
            allowed_ips=peer.allowed_ips,
            preshared_key="" if peer.preshared_key == NO_PRESHARED_KEY else peer.preshared_key,
        )
        for key, peer in state.peers.items()
    }


def _at(peers: Mapping[str, Peer], key: str) -> Passing:
    return peers[key].allowed_ips if key in peers else None
