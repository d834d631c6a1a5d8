"""Making the kernel agree with the store: desired state, what was read back, the difference, and reading back again.

Every change and every check ends here. There are two layers, the firewall's set entries (`firewall.py`) and WireGuard's
peers (`peers.py`). Both are closed whatever becomes of the other one; a peer is opened only behind a firewall that
agrees. What does not agree is remembered, told once, and retried with backoff.
"""

import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from jitd.core.elements import Right, SetEntry, addresses
from jitd.core.events import EventKind, Failure
from jitd.core.model import Interface, IPNetwork, Now
from jitd.core.peers import Reason
from jitd.enforce.port import EnforceError, LinkState, NoAnswer
from jitd.reconcile import access, standing
from jitd.reconcile.access import DeviceAccess, Held, People
from jitd.reconcile.applied import AppliedAccess, Taken
from jitd.reconcile.changeset import ChangeSet
from jitd.reconcile.closed import Closed
from jitd.reconcile.cutting import Cut, Cutter
from jitd.reconcile.drift import Drift
from jitd.reconcile.firewall import FirewallReconciler
from jitd.reconcile.peers import Passing, PeerReconciler
from jitd.reconcile.recording import RecordEvent
from jitd.store import interfaces, networks
from jitd.store.database import Rows

log = logging.getLogger("jitd.reconcile")

FIRST_RETRY_MS: Final = 1000
LONGEST_RETRY_MS: Final = 30_000
#: To load the firewall's rules takes tens of milliseconds, and at the very most two runs of nft that hang.
LOADING_MS: Final = 12_000
#: Up to so many peers an interface is read before some of them are removed, to count what they passed at last.
FEW: Final = 200


@dataclass(slots=True)
class _Retry:
    at_boot_ms: int
    wait_ms: int


@dataclass(slots=True, kw_only=True)
class Reconciler:
    """Belongs to the worker thread, but for what says otherwise."""

    peer_reconciler: PeerReconciler
    firewall_reconciler: FirewallReconciler
    people: People
    record_event: RecordEvent
    closed: Closed
    drift: Drift = field(default_factory=Drift)
    applied: AppliedAccess = field(default_factory=AppliedAccess)
    _retries: dict[int, _Retry] = field(default_factory=dict)
    #: Public keys that were reconciled since a survey began.
    changed: set[str] = field(default_factory=set)
    #: Interfaces that were changed and not read back as a whole since.
    _unread: set[int] = field(default_factory=set)

    def prepare(self, rows: Rows) -> None:
        """Load the firewall's rules: without them nothing can be cut there. What fails is tried again with the rest."""
        for interface in interfaces.all_(rows):
            if (state := self.peer_reconciler.glance(interface)) is not None:
                self.firewall_reconciler.saw(interface.id, state)
            elif not interface.adopted:
                self.firewall_reconciler.expect(interface.id, self.peer_reconciler.spec(interface).addresses)
        self._rules(rows)

    # --- what to reconcile ---

    def touched(self, rows: Rows, touched: ChangeSet, now: Now) -> bool:
        """Reconcile what a verb touched. Returns whether all of it agrees."""
        agrees = True
        single: dict[int, tuple[set[int], dict[str, frozenset[IPNetwork]]]] = {}
        for interface_id, device_id in touched.devices:
            single.setdefault(interface_id, (set(), {}))[0].add(device_id)
        for (interface_id, key), ips in touched.keys.items():
            single.setdefault(interface_id, (set(), {}))[1][key] = ips
            self.drift.free(interface_id, key, ips)
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
                if interface_id in self.drift.errors or not interface.enforced
                else self.devices(rows, interface, device_ids, keys, now)
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

    def look(self, rows: Rows, now: Now) -> None:
        """Look at the peers of interfaces that somebody else owns, and of those that were changed since the last look, and
        where all others are.
        """
        for interface in interfaces.all_(rows):
            whole = interface.adopted or interface.id in self._unread
            self._unread.discard(interface.id)
            # An own one, whose peers nobody else changes, may all the same be renamed, taken down or made again.
            as_left = self.peer_reconciler.is_as_left if whole else self.peer_reconciler.is_in_place
            if interface.id in self.drift.errors or not as_left(interface):
                self.interface(rows, interface, now)

    def answers(self, rows: Rows, name: str, now: Now) -> None:
        """An interface that hung answers again: what waited for it is done now."""
        interface = interfaces.by_name(rows, name)
        if interface is not None:
            self.interface(rows, interface, now, touched=True)

    def next_retry(self) -> int | None:
        """When something that failed is to be tried again, in boot time milliseconds; None when nothing is."""
        return min((retry.at_boot_ms for retry in self._retries.values()), default=None)

    def retry(self, rows: Rows, now: Now) -> None:
        """Try again what failed and is due."""
        for interface_id, retry in list(self._retries.items()):
            if retry.at_boot_ms <= now.boot_ms:
                self.drift.retries += 1
                self.interface(rows, interfaces.by_id(rows, interface_id), now, touched=True)

    def forget(self, interface_id: int) -> None:
        """Stop caring for a removed interface."""
        self._retries.pop(interface_id, None)
        self._unread.discard(interface_id)
        self.applied.forget(interface_id)
        self.peer_reconciler.forget(interface_id)
        self.firewall_reconciler.forget(interface_id)
        self.drift.forget(interface_id)

    # --- what to close ---

    def close(self, held: Held) -> Cut:
        """Take what is held closed away, without the store and without waiting. In any thread."""
        return self._cutter.cut(self.applied.without(held, self.people))

    def close_over(self, now: Now) -> Cut:
        """The same with the grants whose time is over. In any thread."""
        return self.close(Held(grants=frozenset(self.applied.over(now))))

    def close_lost(self, now: Now) -> Cut:
        """The same with what people may not use any more, for sure. In any thread."""
        known: dict[tuple[int, int, str], bool] = {}
        taken = []
        for one in self.applied.all():
            account, behind = one.access.tunnel.account, self.applied.behind(one)
            rest = []
            for reason in one.access.reasons:
                network = behind.get(reason.network_id or 0)
                if network is not None:
                    case = (account.id, network.id, reason.kind)
                    if case not in known:
                        known[case] = self.people.is_lost(reason.kind, network, account, now)
                    if known[case]:
                        continue
                rest.append(reason)
            if len(rest) < len(one.access.reasons):
                taken.append(Taken(one.interface, one.access, replace(one.access, reasons=tuple(rest))))
        return self._cutter.cut(taken)

    def cut(self, rows: Rows, touched: ChangeSet, now: Now) -> Cut:
        """Take away what a transaction takes away, before it is committed. Opens nothing, and waits for nothing."""
        taken, gone = list[Taken](), list[tuple[Interface, str]]()
        for interface in interfaces.all_(rows):
            whole = interface.id in touched.interfaces
            ids = {device_id for number, device_id in touched.devices if number == interface.id}
            keys = {key for number, key in touched.keys if number == interface.id}
            if not whole and not ids and not keys:
                continue
            accesses = access.of_interface(rows, interface, self.people, now, None if whole else ids)
            passing = {one.tunnel.device.public_key for one in accesses}
            opened = self.applied.accesses(interface.id, None if whole else passing | keys)
            taken += self._taken(interface, accesses, opened)
            gone += [(interface, key) for key in keys - passing]
        return self._cutter.cut(taken, gone)

    def settle(self, held: Held, now: Now) -> bool:
        """Close and read back, without the store, in the worker. Returns whether the kernel agrees."""
        taken = self.applied.without(held, self.people)
        self._cutter.cut(taken)
        agrees = [self._close(one, now) for one in taken]
        for one in taken:
            self.applied.narrow(one)
        return all(agrees)

    # --- how ---

    def interface(self, rows: Rows, interface: Interface, now: Now, *, touched: bool = False) -> bool:
        """Compare one interface as a whole, repair it, read it back. Returns whether it agrees.

        `touched`: a verb or a restart may be why it differs, so that only strangers are told of.
        """
        self._look_anew()
        accesses = access.of_interface(rows, interface, self.people, now)
        # What hangs at WireGuard is not before what closes.
        self._cutter.cut(self._taken(interface, accesses, self.applied.accesses(interface.id)))
        opened = self.applied.accesses(interface.id)
        if not touched and opened:
            standing.record_changes(rows, self.record_event, self.people, opened, accesses, now)
        before = {one.tunnel.device.public_key: one for one in accesses} | opened
        # A device that was removed while something failed is no stranger.
        gone = (key for owner, key in self.drift.freed if owner == interface.id)
        retired = interfaces.retired(rows, interface.id)
        expected = {**dict.fromkeys([*gone, *retired]), **_expected(accesses)}
        self.changed.update(expected)
        errors: list[EnforceError] = []
        state: LinkState | None = None
        leave = frozenset[str]()
        try:
            state = self.peer_reconciler.read(interface, known=interface.id in self.drift.names)
            self.firewall_reconciler.saw(interface.id, state)
            self.peer_reconciler.sampler.saw(interface.id, state, before.values(), now)
            leave = self.peer_reconciler.keep_unmanaged(rows, interface, state, retired, now)
        except EnforceError as error:
            errors.append(error)
            if state is None and not isinstance(error, NoAnswer):
                self.firewall_reconciler.lost(interface.id)
        wrong, closed, flushed = self._entries(rows, interface, accesses, now, errors)
        # Behind the firewall, whose repair has to know what was open.
        self.applied.note(interface, networks.of_interface(rows, interface.id), accesses, now)
        if state is not None:
            expected = {key: passing for key, passing in expected.items() if key not in leave}
            wanted = {one.wanted.public_key: one.wanted for one in accesses if one.wanted is not None}
            try:
                if flushed or closed:
                    # Some of them may have been blocked.
                    state = self.peer_reconciler.wireguard.read(interface.name)
                wrong |= self.peer_reconciler.whole(
                    rows, interface, state, wanted, expected, leave, closed=closed, touched=touched
                )
            except EnforceError as error:
                errors.append(error)
        else:
            with suppress(EnforceError):
                self.peer_reconciler.expel(
                    interface, [key for key, passing in expected.items() if not passing]
                )
        for key in {key for key, ips in retired.items() if ips} - wrong if not errors else ():
            interfaces.forget_retired(rows, interface.id, key)
        self._unread.discard(interface.id)
        agrees = self._settle(interface, wrong, errors, expected.keys(), now)
        if flushed:
            # The entries of all others went with the table.
            for other in interfaces.all_(rows):
                if other.id != interface.id:
                    self.interface(rows, other, now, touched=touched)
        return agrees

    def ensure(self, rows: Rows) -> bool:
        """Make the firewall's rules be what the store says. Returns whether somebody had changed or flushed them."""
        return self.firewall_reconciler.ensure(rows, self._block_ending_peers)

    def ensure_known(self) -> None:
        """The same where the store cannot be read: rules that somebody flushed must not be missing until it can."""
        try:
            self.firewall_reconciler.ensure_known(self._block_ending_peers)
        except EnforceError as error:
            log.error("the firewall: %s", error)  # noqa: TRY400

    def devices(
        self,
        rows: Rows,
        interface: Interface,
        device_ids: set[int],
        gone: Mapping[str, frozenset[IPNetwork]],
        now: Now,
    ) -> bool:
        """Bring single devices to what they should be, without looking at the others.

        `gone` are the public keys of removed devices, with the addresses that they had.
        """
        self._look_anew()
        accesses = access.of_interface(rows, interface, self.people, now, device_ids)
        expected: dict[str, Passing] = {**dict.fromkeys(gone), **_expected(accesses)}
        if not expected:
            return True
        self.changed.update(expected)
        before = self.applied.accesses(interface.id, expected.keys())
        self.applied.note_some(interface, accesses, gone.keys(), now)
        rights = {entry: right for one in accesses for entry, right in one.rights.items()}
        ips = [*gone.values(), *(one.tunnel.ips for one in accesses)]
        removals = {
            entry
            for network in networks.of_interface(rows, interface.id)
            for some in ips
            for entry in (SetEntry(network.id, ip) for ip in addresses(some))
            if entry not in rights
        }
        try:
            if self.firewall_reconciler.some(interface, rights, removals, now):
                return self.interface(rows, interface, now, touched=True)
            if len(self.peer_reconciler.left.get(interface.id, ())) <= FEW and None in expected.values():
                # Their counters go with them.
                state = self.peer_reconciler.wireguard.read(interface.name)
                self.peer_reconciler.sampler.saw(interface.id, state, before.values(), now)
            self.peer_reconciler.some(interface, [one.wanted for one in accesses if one.wanted], expected)
            # Read back were the entries, without which nothing passes either way. To read the peers costs as much as
            # there are, so that is done for all changes of a moment together (`look`).
            wrong = (
                set()
                if self.firewall_reconciler.active
                else self.peer_reconciler.differing(interface, expected)
            )
        except EnforceError:
            # A table that was flushed, an interface that somebody took away, a process that died: what the whole
            # needs to be right again is worked out there, and what is wrong with it is told. It takes longer, and
            # what is to be closed does not wait for it.
            with suppress(EnforceError):
                self.peer_reconciler.block_peers(
                    interface, [key for key, passing in expected.items() if not passing]
                )
            return self.interface(rows, interface, now, touched=True)
        if self.firewall_reconciler.active:
            self._unread.add(interface.id)
        return self._settle(interface, wrong, [], (), now)

    def _entries(
        self,
        rows: Rows,
        interface: Interface,
        accesses: Iterable[DeviceAccess],
        now: Now,
        errors: list[EnforceError],
    ) -> tuple[set[str], bool, bool]:
        """The firewall's half: (keys whose entries do not agree, whether nothing may be opened behind it, whether
        somebody had flushed it).
        """
        wanted: dict[SetEntry, Right] = {}
        keys: dict[SetEntry, str] = {}
        for one in accesses:
            for entry, right in one.rights.items():
                wanted[entry] = right
                keys[entry] = one.tunnel.device.public_key
        network_ids = [network.id for network in networks.of_interface(rows, interface.id)]
        flushed = False
        try:
            flushed = self.ensure(rows)
            wrong = self.firewall_reconciler.whole(interface, network_ids, wanted, now)
        except EnforceError as error:
            errors.append(error)
            return set(), True, flushed
        return {keys.get(entry, str(entry.ip)) for entry in wrong}, False, flushed

    def _block_ending_peers(self) -> None:
        """Before a table that somebody flushed is loaded again: WireGuard alone guards meanwhile, and who is over before
        it is there passes nothing from now on. Who is not, does again when it is there.
        """
        for interface, keys in self.applied.ending(self.firewall_reconciler.boot_ms() + LOADING_MS).items():
            try:
                self.peer_reconciler.block_peers(interface, keys)
            except EnforceError as error:
                log.error("%s: who is over in a moment cannot be stopped before: %s", interface.name, error)  # noqa: TRY400

    def _look_anew(self) -> None:
        """What is to be open is worked out anew, and knows of all that was closed until now."""
        self.peer_reconciler.emptied |= self.closed.forget()

    @staticmethod
    def _taken(
        interface: Interface, accesses: Iterable[DeviceAccess], opened: Mapping[str, DeviceAccess]
    ) -> list[Taken]:
        """What was open, and is not any more."""
        after = {one.tunnel.device.public_key: one for one in accesses}
        taken = [
            Taken(interface, before, replace(before, reasons=_rest(before, after.get(key))))
            for key, before in opened.items()
        ]
        return [one for one in taken if one.rest.reasons != one.before.reasons]

    @property
    def _cutter(self) -> Cutter:
        return Cutter(self.firewall_reconciler, self.peer_reconciler)

    def _close(self, one: Taken, now: Now) -> bool:
        """Both layers, whatever becomes of the other one."""
        interface, expected = one.interface, _expected([one.rest])
        self.changed.update(expected)
        errors: list[EnforceError] = []
        wrong: set[str] = set()
        try:
            if self.firewall_reconciler.some(interface, {}, one.entries, now):
                wrong |= expected.keys()
        except EnforceError as error:
            errors.append(error)
        try:
            self.peer_reconciler.some(interface, [one.rest.wanted] if one.rest.wanted else [], expected)
            wrong |= self.peer_reconciler.differing(interface, expected)
        except EnforceError as error:
            errors.append(error)
        return self._settle(interface, wrong, errors, expected.keys(), now)

    def _rules(self, rows: Rows) -> bool:
        try:
            self.ensure(rows)
        except EnforceError as error:
            log.error("the firewall: %s", error)  # noqa: TRY400
            return False
        return True

    # --- what came of it ---

    def _settle(
        self,
        interface: Interface,
        wrong: set[str],
        errors: list[EnforceError],
        expected: Iterable[str],
        now: Now,
    ) -> bool:
        """Believe nothing but what was read back."""
        if errors:
            return self._failed(
                interface, "; ".join(dict.fromkeys(map(str, errors))), wrong | set(expected), now
            )
        if wrong:
            error = f"{len(wrong)} of its peers differ from the store after a change"
            return self._failed(interface, error, wrong, now)
        if self.drift.errors.get(interface.id):
            log.warning("%s agrees again", interface.name)
            self.record_event(EventKind.ENFORCEMENT_RECOVERED, interface=interface.name)
        self._retries.pop(interface.id, None)
        self.drift.set_interface(interface.id, interface.name, "", frozenset())
        return True

    def _failed(self, interface: Interface, error: str, keys: set[str], now: Now) -> bool:
        before = self._retries.get(interface.id)
        wait_ms = min(before.wait_ms * 2, LONGEST_RETRY_MS) if before else FIRST_RETRY_MS
        self._retries[interface.id] = _Retry(now.boot_ms + wait_ms, wait_ms)
        log.error("%s does not agree: %s (trying again in %d ms)", interface.name, error, wait_ms)
        if self.drift.errors.get(interface.id) != error:
            self.record_event(EventKind.ENFORCEMENT_FAILED, Failure(error=error), interface=interface.name)
        already = {key for owner, key in self.drift.keys if owner == interface.id}
        self.drift.set_interface(interface.id, interface.name, error, frozenset(already | keys))
        return False


def _expected(accesses: Iterable[DeviceAccess]) -> dict[str, Passing]:
    return {
        one.tunnel.device.public_key: None if one.wanted is None else one.wanted.allowed_ips
        for one in accesses
    }


def _rest(before: DeviceAccess, after: DeviceAccess | None) -> tuple[Reason, ...]:
    """The reasons that were there and still are; one that was paused stays so here."""
    known = {(one.kind, one.network_id, one.request_id): one for one in (after.reasons if after else ())}
    found = ((one, known.get((one.kind, one.network_id, one.request_id))) for one in before.reasons)
    return tuple(
        replace(one, paused=True) if still.paused else one for one, still in found if still is not None
    )
