"""Being told by the kernel that somebody made, renamed, moved or took away an interface that may carry WireGuard."""

import socket
from typing import Final

from jitd.enforce import nfmessages
from jitd.enforce.kernelchanges import KernelChanges

#: <linux/rtnetlink.h>, <linux/if_link.h>
_GROUP_LINK: Final = 1
_NEW_LINK: Final = 16
_DELETED_LINK: Final = 17
_LINK_INFO: Final = 18
_KIND: Final = 1
#: What is left of struct ifinfomsg behind the four bytes that nftables' messages have in its place.
_REST_OF_HEADER: Final = 12
_KINDS: Final = frozenset({b"wireguard", b"tun"})


class LinkChanges(KernelChanges):
    """Tells of interfaces that may carry WireGuard, whoever changed them."""

    def __init__(self) -> None:
        """Raises EnforceError."""
        super().__init__(
            socket.NETLINK_ROUTE,
            _GROUP_LINK,
            room=4 << 20,
            without="the kernel gives no notice of interfaces",
        )

    def _concerns(self, message: nfmessages.Message) -> bool:
        if message.kind not in (_NEW_LINK, _DELETED_LINK):
            return False
        info = nfmessages.attributes(message.body[_REST_OF_HEADER:]).get(_LINK_INFO, b"")
        return nfmessages.attributes(info).get(_KIND, b"").rstrip(b"\0") in _KINDS
