"""The file for wg-quick: what may stand in it, the one function that writes it, and the one that reads it.

Root brings the tunnel up from this file, and the gateway is another machine. Only the lines of a plain tunnel are read and
written, each value is checked and written anew, and nothing that would run something (PostUp and its like) can be among
them, whoever set the values.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from jitd.core import parsing, text
from jitd.core.parsing import Address, InterfaceAddress, Network

#: Where a user puts the private key of a device.
PLACE: Final = "REPLACE_WITH_PRIVATE_KEY"
#: Bytes; 0 leaves the default.
HIGHEST_MTU: Final = 65535
#: Seconds; WireGuard has 16 bits for it.
HIGHEST_KEEPALIVE: Final = 65535
_COMMENT_LENGTH: Final = 200
_PRESHARED: Final = "# This peer has a preshared key: keep the PresharedKey line of the old file."
_KNOWN: Final = {
    "interface": frozenset({"privatekey", "address", "dns", "mtu"}),
    "peer": frozenset({"publickey", "endpoint", "allowedips", "persistentkeepalive"}),
}


class PrivateKey(Enum):
    """How the private key comes into the tunnel: each is a line of the file that is always the same."""

    PLACE = f"PrivateKey = {PLACE}"
    #: A hook of wg-quick has the standard input of wg-quick itself.
    PIPE = "PostUp = wg set %i private-key /dev/stdin"


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelFile:
    """A tunnel to a gateway. `mtu` is in bytes and `keepalive` in seconds; 0 leaves either as it is by default."""

    comment: str = ""  # the first line, for people
    addresses: tuple[InterfaceAddress, ...]
    dns: tuple[Address | str, ...] = ()  # servers are addresses, domains to search in are text
    mtu: int = 0
    peer: str  # the gateway's public key
    preshared: bool = False  # whether the peer has a preshared key, which is in the old file only
    endpoint: parsing.Endpoint
    routes: tuple[Network, ...]
    keepalive: int = 0

    @property
    def servers(self) -> list[Address]:
        """The DNS servers among `dns`."""
        return [one for one in self.dns if not isinstance(one, str)]

    @property
    def domains(self) -> list[str]:
        """The domains to search in among `dns`."""
        return [one for one in self.dns if isinstance(one, str)]


def write(tunnel: TunnelFile, key: PrivateKey | str) -> str:
    """The file. `key`: how the private key comes into it, or the private key itself (base64).

    Raises ValueError for a value that is none, whoever put it there.
    """
    if not tunnel.addresses or not tunnel.routes:
        raise ValueError("a tunnel needs an address and a route")
    lines = [f"# {text.clean(tunnel.comment)[:_COMMENT_LENGTH]}"] if text.clean(tunnel.comment) else []
    lines.append("[Interface]")
    if key is PrivateKey.PLACE:
        lines.append("# Insert the private key of this device here; it never leaves this machine.")
    lines.append(key.value if isinstance(key, PrivateKey) else f"PrivateKey = {parsing.key(key)}")
    lines.append(f"Address = {', '.join(map(parsing.write_interface, tunnel.addresses))}")
    if tunnel.dns:
        lines.append(f"DNS = {', '.join(map(parsing.write_host, tunnel.dns))}")
    if tunnel.mtu:
        lines.append(f"MTU = {_within(tunnel.mtu, HIGHEST_MTU):d}")
    lines += ["", "[Peer]", f"PublicKey = {parsing.key(tunnel.peer)}"]
    if tunnel.preshared:
        lines.append(_PRESHARED)
    lines += [
        f"Endpoint = {parsing.endpoint(str(tunnel.endpoint))}",
        f"AllowedIPs = {', '.join(map(parsing.write_network, tunnel.routes))}",
    ]
    if tunnel.keepalive:
        lines.append(f"PersistentKeepalive = {_within(tunnel.keepalive, HIGHEST_KEEPALIVE):d}")
    return "\n".join(lines) + "\n"


def read(file: str) -> TunnelFile:
    """What a file says. Raises ValueError for anything that is no plain tunnel."""
    lines = file.split("\n")
    sections = _sections(lines)
    here, there = sections.get("interface", {}), sections.get("peer", {})
    comment = lines[0].removeprefix("#").strip() if lines[0].startswith("#") else ""
    return TunnelFile(
        comment=text.clean(comment)[:_COMMENT_LENGTH],
        addresses=tuple(parsing.interface_address(one) for one in _words(here, "address")),
        dns=tuple(parsing.dns(one) for one in _words(here, "dns", least=0)),
        mtu=_number(here, "mtu", HIGHEST_MTU),
        peer=parsing.key(there.get("publickey", "")),
        preshared=_PRESHARED in lines,
        endpoint=parsing.endpoint(there.get("endpoint", "")),
        routes=tuple(parsing.network(one) for one in _words(there, "allowedips")),
        keepalive=_number(there, "persistentkeepalive", HIGHEST_KEEPALIVE),
    )


def _sections(lines: list[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    section = ""
    for line in lines:
        words = line.partition("#")[0].strip()
        if not words:
            continue
        if words.startswith("["):
            section = words.strip("[]").lower()
            if section not in _KNOWN or section in found:
                raise ValueError(f"it has an unexpected section {words[:40]}")
            found[section] = {}
            continue
        key, equals, value = words.partition("=")
        key = key.strip().lower()
        if not equals or key not in _KNOWN.get(section, ()) or key in found[section]:
            raise ValueError(f"it has the line {words[:60]!r}, which is not allowed in the file of a gateway")
        found[section][key] = value.strip()
    return found


def _words(section: Mapping[str, str], key: str, least: int = 1) -> list[str]:
    found = [one.strip() for one in section.get(key, "").split(",") if one.strip()]
    if len(found) < least:
        raise ValueError(f"it has no {key}")
    return found


def _number(section: Mapping[str, str], key: str, highest: int) -> int:
    value = section.get(key, "0")
    if not value.isascii() or not value.isdigit() or len(value) > len(str(highest)):
        raise ValueError(f"{value[:60]!r} is no {key}")
    return _within(int(value), highest)


def _within(number: int, highest: int) -> int:
    if not 0 <= number <= highest:
        raise ValueError(f"{number} is more than {highest}")
    return number
