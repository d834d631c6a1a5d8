"""Being told by the kernel that somebody changed nftables: `nft flush ruleset` is repaired at once, not at a check."""

from collections.abc import Callable, Collection
from typing import Final

from jitd.enforce import nfmessages
from jitd.enforce.kernelchanges import KernelChanges
from jitd.enforce.nfnetlink import NETLINK_NETFILTER

#: <linux/netfilter/nfnetlink.h>
_NFNLGRP_NFTABLES: Final = 7
#: Of every kind of message but this one, attribute 1 is the name of the table.
_NEW_GENERATION: Final = 15


class NftChanges(KernelChanges):
    """Tells of our table, where somebody else changed it. `own_ports` gives the ports of our own changes."""

    def __init__(self, table: str, own_ports: Callable[[], Collection[int]]) -> None:
        """Raises EnforceError."""
        super().__init__(
            NETLINK_NETFILTER,
            _NFNLGRP_NFTABLES,
            room=16 << 20,  # a change of all of ten thousand elements fits
            without="nftables gives no notice of changes",
        )
        self._table = table.encode()
        self._own_ports = own_ports

    def _concerns(self, message: nfmessages.Message) -> bool:
        if message.kind & 0xFF == _NEW_GENERATION or message.port in self._own_ports():
            return False
        return nfmessages.attributes(message.body).get(1, b"").rstrip(b"\0") == self._table
