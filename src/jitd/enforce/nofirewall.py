"""No second layer: enforce.firewall = "none"."""

from collections.abc import Callable, Collection, Sequence
from typing import Final

from jitd.core.elements import Element, Lease, SetEntry
from jitd.core.firewall import Rules
from jitd.enforce.firewallport import Ensured, nothing


class NoFirewall:
    """No second layer: whoever WireGuard lets in passes."""

    name: Final = "none"
    active: Final = False

    def ensure(self, _rules: Rules, _repairing: Callable[[], None] = nothing) -> Ensured:
        """Nothing to be done."""
        return Ensured.NOTHING

    def apply(self, _leases: Sequence[Lease], _removals: Collection[SetEntry]) -> None:
        """Nothing to be done."""

    def close_entries(self, _entries: Collection[SetEntry]) -> None:
        """Nothing to be done."""

    def read(self, _network_ids: Collection[int] | None = None) -> list[Element]:
        """Nothing is here."""
        return []

    def read_some(self, _entries: Collection[SetEntry]) -> dict[SetEntry, Element]:
        """Nothing is here."""
        return {}

    def present(self) -> bool:
        """True: nothing is missing."""
        return True

    def changes(self) -> None:
        """None: nobody else can change it."""

    def remove_all(self) -> None:
        """Nothing to be done."""

    def close(self) -> None:
        """Nothing to give back."""
