"""The tunnel of this machine to a gateway: what it has to be, and who brings it up (wg-quick or NetworkManager)."""

import os
import socket


def is_up(name: str) -> bool:
    """Whether there is a tunnel of this name; on macOS its interface has another, and wg-quick keeps which."""
    if any(one == name for _, one in socket.if_nameindex()):
        return True
    return os.path.exists(f"/var/run/wireguard/{name}.name")  # noqa: PTH110 - status is to be quick
