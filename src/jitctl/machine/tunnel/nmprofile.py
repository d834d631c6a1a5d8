"""A tunnel as a profile of NetworkManager's: what its own import of a file for wg-quick makes, and without a key."""

from __future__ import annotations

import os
import pwd
import sys
import uuid
from collections.abc import Mapping
from typing import Any, Final

from jitctl.machine.tunnel.wanted import Tunnel
from jitd.core import parsing
from jitd.core.tunnelfile import TunnelFile

#: Names the profiles of jitctl, each user's for each tunnel.
_OURS: Final = uuid.UUID("5e0b64f1-9a4c-4f0e-8f0a-6f0c0a7d6a52")
#: NM_SETTING_SECRET_FLAG_NOT_SAVED.
_NOT_SAVED: Final = 2
_ADDRESSES: Final = ("method", "address-data", "dns", "dns-search")
#: What makes a profile another one.
_COMPARED: Final = {
    "connection": ("uuid", "interface-name", "permissions"),
    "wireguard": ("private-key-flags", "peers", "mtu"),
    "ipv4": _ADDRESSES,
    "ipv6": _ADDRESSES,
}


def settings(tunnel: Tunnel) -> dict[str, dict[str, Any]]:
    """The profile, each value with its type on D-Bus."""
    file = tunnel.file
    peer: dict[str, Any] = {
        "public-key": ("s", parsing.key(file.peer)),
        "endpoint": ("s", str(file.endpoint)),
        "allowed-ips": ("as", list(map(parsing.write_network, file.routes))),
    }
    if file.keepalive:
        peer["persistent-keepalive"] = ("u", file.keepalive)
    wireguard: dict[str, Any] = {"private-key-flags": ("u", _NOT_SAVED), "peers": ("aa{sv}", [peer])}
    if file.mtu:
        wireguard["mtu"] = ("u", file.mtu)
    return {
        "connection": {
            "id": ("s", tunnel.name),
            "uuid": ("s", identity(tunnel.name)),
            "type": ("s", "wireguard"),
            "interface-name": ("s", tunnel.name),
            "autoconnect": ("b", False),
            "permissions": ("as", [f"user:{pwd.getpwuid(os.geteuid()).pw_name}:"]),
        },
        "wireguard": wireguard,
        "ipv4": _addresses(file, 4),
        "ipv6": _addresses(file, 6),
    }


def _addresses(file: TunnelFile, version: int) -> dict[str, Any]:
    """One half of the profile. The gateway's DNS is for the domains that it names, else for everything, as with wg-quick."""
    addresses = [one for one in file.addresses if one.version == version]
    if not addresses:
        return {"method": ("s", "disabled")}
    found: dict[str, Any] = {
        "method": ("s", "manual"),
        "address-data": (
            "aa{sv}",
            [
                {"address": ("s", parsing.write_address(one.ip)), "prefix": ("u", one.network.prefixlen)}
                for one in addresses
            ],
        ),
    }
    servers = [one.packed for one in file.servers if one.version == version]
    if servers and version == 4:
        # Each is a number whose bytes are in the network's order, wherever this is.
        found["dns"] = ("au", [int.from_bytes(one, sys.byteorder) for one in servers])
    elif servers:
        found["dns"] = ("aay", servers)
    if servers or file.domains:
        found["dns-search"] = ("as", list(map(parsing.domain, file.domains)) or ["~"])
    return found


def left_out(tunnel: Tunnel) -> list[str]:
    """NetworkManager takes nothing of a family of which the tunnel has no address."""
    file = tunnel.file
    have = {one.version for one in file.addresses}
    routes = [parsing.write_network(one) for one in file.routes if one.version not in have]
    servers = [parsing.write_address(one) for one in file.servers if one.version not in have]
    return [
        f"{', '.join(words)} cannot be used: the gateway gives this machine no address of that family"
        for words in (routes, servers)
        if words
    ]


def identity(name: str) -> str:
    """Which profile is this user's for a tunnel."""
    return str(uuid.uuid5(_OURS, f"{os.geteuid()}/{name}"))


def is_as(tunnel: Tunnel, there: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a profile as NetworkManager shows it is this one; what it works out itself, it adds."""
    here = settings(tunnel)
    return all(
        _said(here, section, key) == _said(there, section, key)
        for section, keys in _COMPARED.items()
        for key in keys
    )


def _said(profile: Mapping[str, Mapping[str, Any]], section: str, key: str) -> object:
    """A value; None for one that is not there or empty, which NetworkManager does not tell apart."""
    _, value = profile.get(section, {}).get(key, ("", None))
    return value or None
