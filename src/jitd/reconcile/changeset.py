"""What a change is about, so that the difference is looked for there alone."""

from dataclasses import dataclass, field

from jitd.core.model import IPNetwork


@dataclass(slots=True)
class ChangeSet:
    """What a verb changed, so that only that is reconciled: whole interfaces, or single devices on them."""

    interfaces: set[int] = field(default_factory=set)
    devices: set[tuple[int, int]] = field(default_factory=set)  # (interface id, device id)
    #: (interface id, public key) of devices that are gone, with the addresses that they had.
    keys: dict[tuple[int, str], frozenset[IPNetwork]] = field(default_factory=dict)
    rules: bool = False  # the firewall's rules alone: an interface is gone

    def __bool__(self) -> bool:
        """Whether there is anything to reconcile."""
        return bool(self.interfaces or self.devices or self.keys or self.rules)
