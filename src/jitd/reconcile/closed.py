"""What was closed since the desired state was last worked out: no decision that is older opens it again.

Access is closed in other threads than the worker's, too. The worker may have worked out at that moment what is to be
open, and be about to apply it. So whoever closes marks what it closes, whoever opens leaves out what is marked, and
each of them does both under the lock.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from jitd.core.elements import SetEntry


@dataclass(slots=True)
class Closed:
    """Entries of the firewall's sets, and peers by (interface name, public key). To be used with `lock` held."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    entries: set[SetEntry] = field(default_factory=set)
    peers: set[tuple[str, str]] = field(default_factory=set)

    def forget(self) -> set[tuple[str, str]]:
        """The worker works out anew what is to be open: that knows of everything that was closed until now.

        Returns the peers that were. The one method that takes the lock itself.
        """
        with self.lock:
            peers, self.peers = self.peers, set()
            self.entries.clear()
            return peers

    def close(self, entries: Iterable[SetEntry]) -> None:
        """Mark entries."""
        self.entries.update(entries)

    def close_peers(self, interface: str, public_keys: Iterable[str]) -> None:
        """Mark peers of an interface."""
        self.peers.update((interface, key) for key in public_keys)
