"""Being told by the kernel that somebody made, renamed, moved or took away an interface that may carry WireGuard."""

import contextlib
import errno
import os
import socket
from typing import Final

from jitd.enforce import nfmessages
from jitd.enforce.nfnetlink import SO_RCVBUFFORCE
from jitd.enforce.port import EnforceError

#: <linux/rtnetlink.h>, <linux/if_link.h>
_GROUP_LINK: Final = 1
_NEW_LINK: Final = 16
_DELETED_LINK: Final = 17
_LINK_INFO: Final = 18
_KIND: Final = 1
#: What is left of struct ifinfomsg behind the four bytes that nftables' messages have in its place.
_REST_OF_HEADER: Final = 12
_KINDS: Final = frozenset({b"wireguard", b"tun"})
_BUFFER: Final = 4 << 20  # bytes
_RECEIVE: Final = 1 << 18


class LinkChanges:
    """A netlink socket that becomes readable when an interface changes."""

    def __init__(self) -> None:
        """Raises EnforceError."""
        try:
            self._socket = socket.socket(
                socket.AF_NETLINK,
                socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK,
                socket.NETLINK_ROUTE,
            )
            with contextlib.suppress(PermissionError):
                self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, _BUFFER)
            self._socket.bind((0, _GROUP_LINK))
        except OSError as error:
            raise EnforceError(
                f"the kernel gives no notice of interfaces: {error.strerror or error}"
            ) from error

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._socket.fileno()

    def foreign(self) -> bool:
        """Read what came. Returns whether an interface that may carry WireGuard changed, by whomever."""
        found = False
        while True:
            try:
                data = self._socket.recv(_RECEIVE)
            except BlockingIOError:
                return found
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise EnforceError(
                        f"the kernel gives no notice of interfaces: {os.strerror(error.errno or 0)}"
                    ) from error
                found = True  # more came than there was room for
                continue
            found = found or any(map(_may_be_ours, nfmessages.messages(data)))

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()


def _may_be_ours(message: nfmessages.Message) -> bool:
    if message.kind not in (_NEW_LINK, _DELETED_LINK):
        return False
    info = nfmessages.attributes(message.body[_REST_OF_HEADER:]).get(_LINK_INFO, b"")
    return nfmessages.attributes(info).get(_KIND, b"").rstrip(b"\0") in _KINDS
