"""Which tunnel of this machine leads to an address: a gateway with such an address is gone whenever its tunnel is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jitctl.machine import profiles, programs
from jitctl.machine import tunnel as tunnels
from jitd.core import parsing
from jitd.core.parsing import Address, Network

_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Behind:
    """An address that a tunnel leads to: the tunnel's name here, whether it is up, and the gateway's endpoint, a host
    name or an address without its port ("" where nobody knows).
    """

    address: Address
    tunnel: str
    is_up: bool
    endpoint: str


def which(address: Address) -> Behind | None:
    """The tunnel that leads to it: one that jitctl has brought up before, or any WireGuard that is up; None for none."""
    for file in sorted((profiles.directory() / "tunnels").glob("*.conf")):
        routes, endpoint = _told(file)
        up = tunnels.is_up(file.stem)
        # A tunnel for everything leads to everything, but only while it is up.
        if any(address in net for net in routes if up or net.prefixlen):
            return Behind(address, file.stem, up, endpoint)
    name = _way_out(address)
    return Behind(address, name, is_up=True, endpoint="") if name and _is_wireguard(name) else None


def _told(file: Path) -> tuple[list[Network], str]:
    """(where a tunnel leads to, the host of its endpoint), as its file says."""
    routes: list[Network] = []
    endpoint = ""
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return [], ""
    for line in lines:
        key, _, value = line.partition("=")
        if key.strip() == "AllowedIPs":
            routes += _networks(value)
        elif key.strip() == "Endpoint":
            endpoint = value.strip().rpartition(":")[0].strip("[]")
    return routes, endpoint


def _networks(value: str) -> list[Network]:
    try:
        return [parsing.network(one.strip(), strict=False) for one in value.split(",")]
    except ValueError:
        return []  # somebody has edited it


def _way_out(address: Address) -> str:
    """The interface through which packets to the address leave; "" where that cannot be seen."""
    words = _ip("route", "get", str(address)).split()
    return words[words.index("dev") + 1] if "dev" in words[:-1] else ""


def _is_wireguard(name: str) -> bool:
    """Whether this interface is the kernel's WireGuard. One of wireguard-go is seen by root only."""
    return " wireguard " in _ip("-d", "link", "show", "dev", name)


def _ip(*words: str) -> str:
    """What iproute2 says on one line; "" where it is not there."""
    try:
        return programs.run([programs.find("ip") or "ip", "-o", *words], seconds=_SECONDS).stdout
    except OSError:
        return ""
