"""Being told by the kernel that somebody changed nftables: `nft flush ruleset` is repaired at once, not at a check."""

import contextlib
import errno
import os
import socket
from collections.abc import Callable, Collection
from typing import Final

from jitd.enforce import nfmessages
from jitd.enforce.nfnetlink import NETLINK_NETFILTER, SO_RCVBUFFORCE
from jitd.enforce.port import EnforceError

#: <linux/netlink.h>, <linux/netfilter/nfnetlink.h>
_SOL_NETLINK: Final = 270
_NETLINK_ADD_MEMBERSHIP: Final = 1
_NFNLGRP_NFTABLES: Final = 7
_BUFFER: Final = 16 << 20  # bytes: a change of all of ten thousand elements fits
_RECEIVE: Final = 1 << 18
#: Of every kind of message but this one, attribute 1 is the name of the table.
_NEW_GENERATION: Final = 15


class NftChanges:
    """A netlink socket that becomes readable when nftables changes. `own_ports` gives the ports of our own changes."""

    def __init__(self, table: str, own_ports: Callable[[], Collection[int]]) -> None:
        """Raises EnforceError."""
        self._table = table.encode()
        self._own_ports = own_ports
        try:
            self._socket = socket.socket(
                socket.AF_NETLINK,
                socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK,
                NETLINK_NETFILTER,
            )
            # Forced, where it may be: what does not fit counts as somebody else's change.
            with contextlib.suppress(PermissionError):
                self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, _BUFFER)
            self._socket.bind((0, 0))
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, _NFNLGRP_NFTABLES)
        except OSError as error:
            raise EnforceError(f"nftables gives no notice of changes: {error.strerror or error}") from error

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._socket.fileno()

    def foreign(self) -> bool:
        """Read what came. Returns whether somebody else changed our table, as far as can be told."""
        found = False
        while True:
            try:
                data = self._socket.recv(_RECEIVE)
            except BlockingIOError:
                return found
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise EnforceError(
                        f"nftables gives no notice of changes: {os.strerror(error.errno or 0)}"
                    ) from error
                found = True  # more came than there was room for
                continue
            found = found or any(map(self._is_foreign, nfmessages.messages(data)))

    def _is_foreign(self, message: nfmessages.Message) -> bool:
        if message.kind & 0xFF == _NEW_GENERATION or message.port in self._own_ports():
            return False
        return nfmessages.attributes(message.body).get(1, b"").rstrip(b"\0") == self._table

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()
