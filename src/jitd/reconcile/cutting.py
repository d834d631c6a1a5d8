"""Taking access away at once, in both layers, whatever else is going on. In any thread, and without waiting.

The firewall comes first, and for all interfaces together: nothing that hangs at one of them is before it.
"""

from collections.abc import Iterable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field

from jitd.core.elements import SetEntry
from jitd.core.model import Interface, IPNetwork
from jitd.enforce.port import EnforceError
from jitd.reconcile.applied import Taken
from jitd.reconcile.firewall import FirewallReconciler
from jitd.reconcile.peers import PeerReconciler


@dataclass(slots=True)
class Cut:
    """What became of it so far."""

    errors: list[str] = field(default_factory=list)
    answers: "list[Future[None]]" = field(default_factory=list)

    def agrees(self, seconds: float = 0) -> bool:
        """Whether both layers have said yes, within so many seconds."""
        done, waiting = wait(self.answers, seconds)
        return not self.errors and not waiting and not any(one.exception() for one in done)


@dataclass(frozen=True, slots=True)
class Cutter:
    """The two layers, from the side that closes."""

    firewall_reconciler: FirewallReconciler
    peer_reconciler: PeerReconciler

    def cut(self, taken: Iterable[Taken], gone: Iterable[tuple[Interface, str]] = ()) -> Cut:
        """Take this away. `gone` are public keys that are to pass nothing whatever they passed."""
        entries = set[SetEntry]()
        peers: dict[Interface, dict[str, frozenset[IPNetwork]]] = {}
        for interface, key in gone:
            peers.setdefault(interface, {})[key] = frozenset()
        for one in taken:
            entries |= one.entries
            passing = one.passing
            if passing is not None:
                peers.setdefault(one.interface, {})[one.before.tunnel.device.public_key] = passing
        cut = Cut()
        try:
            self.firewall_reconciler.close(entries)
        except EnforceError as error:
            cut.errors.append(str(error))
        cut.answers += [
            self.peer_reconciler.close(interface, passing) for interface, passing in peers.items()
        ]
        return cut
