"""The second layer's part in reconciliation: rules of all interfaces, and the set entries of each network.

Belongs to the worker thread, but for `close`. Every method may raise EnforceError; then nothing more is open than before.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Interface, IPv6Interface
from typing import Final

from jitd.core import elements
from jitd.core.elements import Element, Lease, Reading, Right, SetEntry
from jitd.core.events import Entry, EventKind
from jitd.core.firewall import Always, InterfaceRules, IPAddress, NetworkRules, Rules
from jitd.core.model import Interface, IPNetwork, Network, Now
from jitd.enforce.firewallport import Ensured, Firewall, nothing
from jitd.enforce.port import LinkState
from jitd.reconcile.closed import Closed
from jitd.reconcile.recording import RecordEvent
from jitd.store import devices, interfaces, networks
from jitd.store.database import Rows

#: By so much an entry ends before its right, so that no packet passes late: the kernel counts in ticks of up to 10 ms
#: and rounds up, to ask takes a moment, and a virtual machine's ticks come late while its host runs another one.
MARGIN_MS: Final = 50
#: What asking may take longer than it took the last time, out of that margin.
ASKING_MS: Final = 10
#: How often entries are given again because the asking took longer.
TRIES: Final = 5
#: So many are given in one step.
AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    gateway: tuple[IPAddress, ...] = ()
    index: int = 0
    called: str = ""
    gone: bool = False


_NOTHING: Final = _Seen()


@dataclass(slots=True, kw_only=True)
class FirewallReconciler:
    """`always` and `close_local_users` are the configuration's, `boot_ms` the boot clock in milliseconds."""

    firewall: Firewall
    record_event: RecordEvent
    boot_ms: Callable[[], int]
    closed: Closed = field(default_factory=Closed)
    always: tuple[Always, ...] = ()
    close_local_users: bool = True
    #: Addresses of removed devices that the kernel was not seen to give up yet, of an interface.
    held: Callable[[int], Collection[IPNetwork]]
    #: What was read back of each interface, by its id.
    _seen: dict[int, _Seen] = field(default_factory=dict)
    #: Until when each entry of an interface was last to live, in boot time: what is otherwise is somebody else's doing.
    _believed: dict[int, dict[SetEntry, int]] = field(default_factory=dict)
    #: The rules as the store had them last.
    _rules: Rules | None = None

    @property
    def active(self) -> bool:
        """Whether there is a second layer at all."""
        return self.firewall.active

    def saw(self, interface_id: int, state: LinkState) -> None:
        """Note how an interface was read back."""
        self._seen[interface_id] = _Seen(
            gateway=_gateway(state.addresses), index=state.index, called=state.name
        )

    def lost(self, interface_id: int) -> None:
        """Note that an interface is not found. It keeps its index, with which it may come back."""
        self._seen[interface_id] = replace(self._seen.get(interface_id, _NOTHING), gone=True)

    def expect(self, interface_id: int, addresses: Iterable[IPv4Interface | IPv6Interface]) -> None:
        """Note the gateway's own addresses on an interface that is not there yet."""
        self._seen[interface_id] = _Seen(gateway=_gateway(addresses))

    def gateway(self, interface_id: int) -> tuple[IPAddress, ...]:
        """The gateway's own addresses on an interface, as they were read back."""
        return self._seen.get(interface_id, _NOTHING).gateway

    def forget(self, interface_id: int) -> None:
        """Stop caring for a removed interface."""
        self._seen.pop(interface_id, None)
        self._believed.pop(interface_id, None)

    def ensure(self, rows: Rows, repairing: Callable[[], None] = nothing) -> bool:
        """Make the rules be what the store says. Returns whether somebody had changed them: elements may be gone.

        `repairing` is called before that is put right.
        """
        self._rules = self.rules(rows)
        return self._ensure(self._rules, repairing)

    def ensure_known(self, repairing: Callable[[], None]) -> None:
        """Where the store cannot be read: put back the rules that were there last. Entries that went with them stay out."""
        if self._rules is not None:
            self._ensure(self._rules, repairing)

    def _ensure(self, rules: Rules, repairing: Callable[[], None]) -> bool:
        done = self.firewall.ensure(rules, repairing)
        if done is not Ensured.NOTHING:
            self._close_again()
        if done is not Ensured.REPAIRED:
            return False
        # That is one event, and not one for each entry.
        self._believed.clear()
        self.record_event(EventKind.FIREWALL_REPAIRED)
        return True

    def close(self, entries: Collection[SetEntry]) -> None:
        """Take from these at once, in any thread: what the worker is about to give to one of them is not given."""
        if entries and self.active:
            with self.closed.lock:
                self.closed.close(entries)
                self.firewall.close_entries(entries)

    def _close_again(self) -> None:
        """Rules that were loaded anew may have brought entries back that were closed meanwhile."""
        with self.closed.lock:
            if self.closed.entries:
                self.firewall.close_entries(self.closed.entries)

    def rules(self, rows: Rows) -> Rules:
        """The rules of every interface as the store has them."""
        return Rules(
            interfaces=tuple(self._interface_rules(rows, interface) for interface in interfaces.all_(rows)),
            always=self.always,
            close_local_users=self.close_local_users,
        )

    def _interface_rules(self, rows: Rows, interface: Interface) -> InterfaceRules:
        given = devices.addresses_on(rows, interface.id)
        if not interface.enforced:
            # Peers that were there before pass on, also those that have been given an owner.
            left_alone = {peer.public_key for peer in interfaces.unmanaged(rows, interface.id)}
            given = frozenset(
                address
                for tunnel in devices.tunnels(rows, interface_id=interface.id)
                if tunnel.device.public_key not in left_alone
                for address in elements.addresses(tunnel.ips)
            ) | {
                # Of nobody any more, and perhaps still there.
                address
                for ips in interfaces.retired(rows, interface.id).values()
                for address in elements.addresses(ips)
            }
        given |= frozenset(elements.addresses(list(self.held(interface.id))))
        seen = self._seen.get(interface.id, _NOTHING)
        return InterfaceRules(
            name=interface.name,
            gateway=seen.gateway,
            networks=tuple(network_rules(one) for one in networks.of_interface(rows, interface.id)),
            enforced=interface.enforced,
            given=given,
            index=seen.index,
            called=seen.called,
            gone=seen.gone,
        )

    def read(self, network_ids: Collection[int]) -> dict[SetEntry, Element]:
        """The living entries of these networks."""
        return {SetEntry(one.network_id, one.ip): one for one in self.firewall.read(network_ids)}

    def expel(self, interface: Interface, strangers: Collection[SetEntry]) -> None:
        """Take out, and record, entries whose address nobody has."""
        self.firewall.apply([], strangers)
        for entry in strangers:
            self._record_entry(EventKind.ELEMENT_REMOVED, interface, entry)

    def record_changed(
        self,
        interface: Interface,
        wanted: Mapping[SetEntry, Right],
        actual: Mapping[SetEntry, Element],
        reading: Reading,
    ) -> None:
        """Record what somebody else did to these entries, which were read and are not put right yet."""
        believed = self._believed.get(interface.id, {})
        mine = {entry: right for entry, right in wanted.items() if entry in believed or entry in actual}
        self._record_differences(
            interface, believed, mine, actual, elements.difference(mine, actual, reading)
        )

    def whole(
        self,
        interface: Interface,
        network_ids: Collection[int],
        wanted: Mapping[SetEntry, Right],
        now: Now,
    ) -> frozenset[SetEntry]:
        """Compare all entries of an interface, repair, read back. Returns those that do not agree."""
        if not self.active:
            return frozenset()
        believed = self._believed.get(interface.id)
        begun = self.boot_ms() - now.boot_ms
        actual = self.read(network_ids)
        reading = Reading(begun, self.boot_ms() - now.boot_ms)
        todo = elements.difference(wanted, actual, reading)
        if believed is not None:
            self._record_differences(interface, believed, wanted, actual, todo)
        given_anew = set(todo.given)
        self._believed[interface.id] = {
            entry: (believed or {}).get(entry, now.boot_ms + right.left_ms)
            if entry not in given_anew
            else now.boot_ms + right.left_ms
            for entry, right in wanted.items()
        }
        if not todo.given and not todo.removals:
            return frozenset()
        given = {entry: wanted[entry] for entry in todo.given}
        self._apply(given, todo.removals, now)
        return self._wrong(given, todo.removals, now)

    def some(
        self, interface: Interface, wanted: Mapping[SetEntry, Right], gone: Collection[SetEntry], now: Now
    ) -> frozenset[SetEntry]:
        """Give and take without looking at the others, read back. Returns those that do not agree."""
        if not self.active:
            return frozenset()
        believed = self._believed.setdefault(interface.id, {})
        for entry in gone:
            believed.pop(entry, None)
        believed.update((entry, now.boot_ms + right.left_ms) for entry, right in wanted.items())
        if len(gone) > AT_ONCE:
            # Many that end together have mostly been ended by the kernel.
            gone = self.firewall.read_some(gone).keys()
            if not gone and not wanted:
                return frozenset()
        self._apply(wanted, gone, now)
        return self._wrong(wanted, gone, now)

    def _apply(self, given: Mapping[SetEntry, Right], gone: Collection[SetEntry], now: Now) -> None:
        """Take first, all in one step; then give, a few at a time.

        The kernel begins to count when it gets them, which is later than `now`, and later still for the last one of
        many. On a busy machine we may wait at any step: what may have come so late that it would outlive its right is
        given again, for so much shorter.
        """
        entries = list(given)
        if gone or not entries:
            self.firewall.apply([], gone)
        usual_ms = 0
        for start in range(0, len(entries), AT_ONCE):
            some = entries[start : start + AT_ONCE]
            for _ in range(TRIES):
                begun = self.boot_ms()
                spent = begun - now.boot_ms + MARGIN_MS + usual_ms
                with self.closed.lock:
                    self.firewall.apply(
                        [
                            Lease(*entry, given[entry].left_ms - spent)
                            for entry in some
                            if entry not in self.closed.entries
                        ],
                        [],
                    )
                took = self.boot_ms() - begun
                if took <= usual_ms + ASKING_MS:
                    usual_ms = took
                    break
                # Twice, so that it is not late again on a machine that gets busier.
                usual_ms = 2 * took

    def _wrong(
        self, wanted: Mapping[SetEntry, Right], gone: Collection[SetEntry], now: Now
    ) -> frozenset[SetEntry]:
        begun = self.boot_ms() - now.boot_ms
        found = self.firewall.read_some([*wanted, *gone])
        reading = Reading(begun, self.boot_ms() - now.boot_ms)
        return frozenset(
            {entry for entry in gone if entry in found}
            | {
                entry
                for entry, right in wanted.items()
                # What was to live for less than the reading took is gone, and right so.
                if (entry not in found and right.left_ms - reading.done_ms > elements.EARLY_MS)
                or (entry in found and not elements.agrees(right, found[entry], reading))
            }
        )

    def _record_differences(
        self,
        interface: Interface,
        believed: Mapping[SetEntry, int],
        wanted: Mapping[SetEntry, Right],
        actual: Mapping[SetEntry, Element],
        todo: elements.ElementDifference,
    ) -> None:
        """Record what nobody of us did: what is not as it was left. A clock that was stepped makes it wrong, too."""
        boot_ms = self.boot_ms()
        for kind, entries in (
            (EventKind.ELEMENT_REMOVED, [one for one in todo.removals if one not in believed]),
            (
                EventKind.ELEMENT_SHORTENED,
                [
                    one
                    for one in todo.too_long
                    if one in believed
                    and not wanted[one].is_lease
                    and boot_ms + actual[one].most_ms > believed[one] + elements.EARLY_MS
                ],
            ),
            (
                EventKind.ELEMENT_RESTORED,
                [
                    one
                    for one in todo.missing
                    if one in believed and believed[one] > boot_ms + elements.EARLY_MS
                ],
            ),
        ):
            for entry in entries:
                self._record_entry(kind, interface, entry)

    def _record_entry(self, kind: EventKind, interface: Interface, entry: SetEntry) -> None:
        self.record_event(
            kind, Entry(ip=str(entry.ip), network_id=entry.network_id), interface=interface.name
        )


def _gateway(addresses: Iterable[IPv4Interface | IPv6Interface]) -> tuple[IPAddress, ...]:
    return tuple(sorted((one.ip for one in addresses), key=lambda one: (one.version, int(one))))


def network_rules(network: Network) -> NetworkRules:
    """A network as the firewall needs it."""
    return NetworkRules(id=network.id, name=network.name, routes=network.routes, ports=network.ports)
