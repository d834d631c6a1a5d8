"""The tunnel of this machine to a gateway: what it has to be, and who brings it up (wg-quick or NetworkManager)."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from jitctl.machine.tunnel.wanted import Tunnel

#: Nobody has to listen there (discard, RFC 863).
_PORT: Final = 9


def is_up(name: str) -> bool:
    """Whether there is a tunnel of this name; on macOS its interface has another, and wg-quick keeps which."""
    if any(one == name for _, one in socket.if_nameindex()):
        return True
    return os.path.exists(f"/var/run/wireguard/{name}.name")  # noqa: PTH110 - status is to be quick


def knock(tunnel: Tunnel) -> None:
    """Send one packet into the tunnel, so that WireGuard has a reason for a handshake."""
    to = tunnel.file.routes[0]
    family = socket.AF_INET if to.version == 4 else socket.AF_INET6
    # What is not up yet is looked at again; this only wakes it.
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as line:
        line.connect((str(to.network_address), _PORT))
        line.send(b"\0")
