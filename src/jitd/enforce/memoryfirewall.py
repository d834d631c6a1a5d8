"""The second layer in this process only: for dry runs, and for tests of everything above the port."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Final

from jitd.core.elements import Element, Lease, SetEntry
from jitd.core.firewall import Rules
from jitd.enforce.firewallport import Ensured, nothing
from jitd.enforce.port import EnforceError


class MemoryFirewall:
    """Behaves as nftables does: an element lives until its timeout, a set goes with its network."""

    name: Final = "memory"
    active: Final = True

    def __init__(self, boot_ms: Callable[[], int]) -> None:
        self._boot_ms = boot_ms
        self._rules: Rules | None = None
        self._loaded: Rules | None = None  # what stands; somebody may flush it
        self._ends: dict[SetEntry, int] = {}  # boot time, milliseconds
        self.asked = Rules(interfaces=())  # with the addresses that were given out

    def ensure(self, rules: Rules, repairing: Callable[[], None] = nothing) -> Ensured:
        """As the port says."""
        # The addresses that were given out are elements, too, and as nftables has it no change of the rules.
        bare = replace(rules, interfaces=tuple(replace(one, given=frozenset()) for one in rules.interfaces))
        self.asked = rules
        if bare == self._loaded:
            return Ensured.NOTHING
        done = Ensured.REPAIRED if bare == self._rules else Ensured.CHANGED
        if done is Ensured.REPAIRED:
            repairing()
        self._rules = self._loaded = bare
        networks = {network.id for interface in rules.interfaces for network in interface.networks}
        self._ends = {entry: ends for entry, ends in list(self._ends.items()) if entry.network_id in networks}
        return done

    def apply(self, leases: Sequence[Lease], removals: Collection[SetEntry]) -> None:
        """As the port says."""
        if self._loaded is None:
            raise EnforceError("nftables refused: No such file or directory")
        for entry in removals:
            self._ends.pop(entry, None)
        for lease in leases:
            self._ends.pop(SetEntry(lease.network_id, lease.ip), None)
            if lease.timeout_ms > 0:
                self._ends[SetEntry(lease.network_id, lease.ip)] = self._boot_ms() + lease.timeout_ms

    def close_entries(self, entries: Collection[SetEntry]) -> None:
        """As the port says."""
        self.apply([], entries)

    def read(self, network_ids: Collection[int] | None = None) -> list[Element]:
        """As the port says."""
        found = self.read_some(list(self._ends))
        return [one for one in found.values() if network_ids is None or one.network_id in network_ids]

    def read_some(self, entries: Collection[SetEntry]) -> dict[SetEntry, Element]:
        """As the port says."""
        now = self._boot_ms()
        ends = dict(self._ends)  # entries are closed in another thread, too
        left = {entry: ends[entry] - now for entry in entries if entry in ends}
        return {entry: Element(*entry, ms, ms) for entry, ms in left.items() if ms > 0}

    def present(self) -> bool:
        """As the port says."""
        return self._rules is not None and self._rules == self._loaded

    def changes(self) -> None:
        """None: nobody else can change it."""

    def remove_all(self) -> None:
        """As the port says; also what somebody does with `nft flush ruleset`."""
        self._loaded, self._ends = None, {}

    def close(self) -> None:
        """Nothing to give back."""
