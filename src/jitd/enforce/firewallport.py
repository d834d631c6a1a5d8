"""What the daemon needs of the firewall, on one screen. A backend's own errors stop behind this port.

Backends: `firewall.py` (`NftFirewall`), and `nofirewall.py` (`NoFirewall`) for enforce.firewall = "none".
All methods block and give up after a bounded time (5 s for each operation). They are called from the worker thread only,
but for `close_entries`.
"""

from collections.abc import Callable, Collection, Sequence
from enum import IntEnum
from typing import Protocol

from jitd.core.elements import Element, Lease, SetEntry
from jitd.core.firewall import Rules


class Ensured(IntEnum):
    """What `ensure` had to do. Only NOTHING is false."""

    NOTHING = 0
    CHANGED = 1  # other rules or devices than before
    REPAIRED = 2  # somebody had changed or flushed what was loaded; elements may be gone, too


def nothing() -> None:
    """Nothing is to be done before a repair."""


class KernelChanges(Protocol):
    """Word of changes by others. Belongs to the event loop."""

    def fileno(self) -> int:
        """A descriptor that becomes readable when something changed."""

    def foreign(self) -> bool:
        """Read what came. Returns whether somebody else changed something of ours. Raises EnforceError."""

    def close(self) -> None:
        """Give the socket back."""


class Firewall(Protocol):
    """The second layer. An address passes while its entry lives, whether or not anyone of us does."""

    @property
    def name(self) -> str:
        """`nftables` or `none`."""

    @property
    def active(self) -> bool:
        """Whether there is a second layer: without it, an interface can have one network only, without ports."""

    def ensure(self, rules: Rules, repairing: Callable[[], None] = nothing) -> Ensured:
        """Make the rules be as given, in one step; elements of networks that stay keep living to their own ends.

        `repairing` is called first where somebody has changed or flushed them: to load them takes tens of milliseconds.
        To be called before anything else, and again when interfaces were
        made or made again. Raises EnforceError, and then nothing has changed.
        """

    def apply(self, leases: Sequence[Lease], removals: Collection[SetEntry]) -> None:
        """Give and take, all of it or nothing, in one step without a gap for those who stay.

        Twice does no harm; neither does taking from one who has nothing. Raises EnforceError.
        """

    def close_entries(self, entries: Collection[SetEntry]) -> None:
        """Take from these, as `apply` does. May be called from another thread while the worker is at anything else here.

        Not from two threads at once. Raises EnforceError.
        """

    def read(self, network_ids: Collection[int] | None = None) -> list[Element]:
        """The living elements of these networks, or of all. Raises EnforceError."""

    def read_some(self, entries: Collection[SetEntry]) -> dict[SetEntry, Element]:
        """Those of the entries that live. Costs what they cost, however many others there are. Raises EnforceError."""

    def present(self) -> bool:
        """Whether the rules stand as `ensure` left them, on the devices that exist now. Raises EnforceError."""

    def changes(self) -> KernelChanges | None:
        """Where changes by others can be heard of; None where they cannot. Raises EnforceError."""

    def remove_all(self) -> None:
        """Remove all of it: from then on, only WireGuard itself limits anyone. Raises EnforceError."""

    def close(self) -> None:
        """Give back sockets. What is in the kernel stays."""
