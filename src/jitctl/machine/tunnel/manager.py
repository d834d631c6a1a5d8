"""Who brings tunnels up on this machine."""

from __future__ import annotations

import sys
from typing import Final, Protocol

from jitctl.machine.tunnel.wanted import Tunnel
from jitctl.machine.tunnel.wgquick import WgQuick
from jitd.core.errors import JitError

#: What may stand in a profile as `tunnel`.
KINDS: Final = ("wg-quick", "networkmanager")


class Manager(Protocol):
    """Brings tunnels up and down."""

    @property
    def name(self) -> str:
        """One of KINDS."""
        ...

    def is_as(self, tunnel: Tunnel) -> bool:
        """Whether the tunnel is up, and was brought up as it has to be."""
        ...

    def up(self, tunnel: Tunnel, private_key: str) -> list[str]:
        """Bring it up; one of its name that is up was taken down before. Returns what was left out, in words.

        Raises JitError bad_request or not_permitted: nothing is half up then.
        """
        ...

    def down(self, name: str) -> bool:
        """Take it down. Returns False when there was none. Raises JitError bad_request or not_permitted."""
        ...


def manager(kind: str) -> Manager:
    """The one that a profile names, "" for the one that is in charge on this machine. Raises JitError bad_request."""
    if kind and kind not in KINDS:
        raise JitError(
            "bad_request",
            f"cannot use tunnel = {kind!r} of the profile",
            f"It is one of: {', '.join(KINDS)}; without it the one that is in charge is used.",
        )
    if sys.platform == "linux" and kind != "wg-quick":
        from jitctl.machine.tunnel import networkmanager

        if kind or networkmanager.runs():
            return networkmanager.NetworkManager()
    if kind == "networkmanager":
        raise JitError("bad_request", "cannot use tunnel = 'networkmanager': that is for Linux")
    return WgQuick()


def take_down(name: str) -> bool:
    """Take a tunnel down, whoever brought it up: the profile may say another one since, or NetworkManager have ended.

    Returns False when there was none. Raises JitError bad_request or not_permitted.
    """
    if sys.platform == "linux":
        from jitctl.machine.tunnel.networkmanager import NetworkManager

        if NetworkManager().down(name):
            return True
    return WgQuick().down(name)
