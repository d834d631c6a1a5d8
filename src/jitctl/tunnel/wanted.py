"""What a tunnel of this machine has to be, from the file that a gateway sends.

Root brings the tunnel up, and the gateway is another machine: of its file only what makes a tunnel is taken, value by
value. A line that would run something here (PostUp) is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import (
    IPv4Interface,
    IPv4Network,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)
from typing import Final

from jitctl.output import clean
from jitd.core.errors import JitError

_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\]", re.ASCII)
_DOMAIN: Final = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_KEY: Final = re.compile(r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,5}", re.ASCII)
#: The keys that may be there, by section. The place of the private key is one of them, and read over.
_KNOWN: Final = {
    "interface": frozenset({"privatekey", "address", "dns", "mtu"}),
    "peer": frozenset({"publickey", "endpoint", "allowedips", "persistentkeepalive"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnel:
    """A tunnel as it has to be. `mtu` is in bytes and `keepalive` in seconds; 0 leaves either as it is by default.

    `public_key` is this machine's own, `peer` the gateway's.
    """

    name: str  # of the interface on this machine
    public_key: str
    addresses: tuple[IPv4Interface | IPv6Interface, ...]
    dns: tuple[str, ...]  # addresses of servers, and domains to search in
    mtu: int
    peer: str
    endpoint: str
    routes: tuple[IPv4Network | IPv6Network, ...]
    keepalive: int

    @property
    def servers(self) -> list[str]:
        """The DNS servers among `dns`."""
        return [one for one in self.dns if _is_address(one)]

    @property
    def domains(self) -> list[str]:
        """The domains among `dns`."""
        return [one for one in self.dns if not _is_address(one)]


def read(file: str, *, name: str, public_key: str) -> Tunnel:
    """What a gateway's file for wg-quick says. Raises JitError bad_request for anything that is no plain tunnel."""
    sections = _sections(file)
    here, there = sections.get("interface", {}), sections.get("peer", {})
    try:
        return Tunnel(
            name=name,
            public_key=public_key,
            addresses=tuple(ip_interface(one) for one in _words(here, "address")),
            dns=tuple(
                _checked(one, _DOMAIN, one) if not _is_address(one) else one
                for one in _words(here, "dns", least=0)
            ),
            mtu=_number(here, "mtu"),
            peer=_checked(there.get("publickey", ""), _KEY, "PublicKey"),
            endpoint=_endpoint(there.get("endpoint", "")),
            routes=tuple(ip_network(one) for one in _words(there, "allowedips")),
            keepalive=_number(there, "persistentkeepalive"),
        )
    except ValueError as error:
        raise _refused(str(error)) from error


def _sections(file: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    section = ""
    for line in file.splitlines():
        words = line.partition("#")[0].strip()
        if not words:
            continue
        if words.startswith("["):
            section = words.strip("[]").lower()
            if section not in _KNOWN or section in found:
                raise _refused(f"it has a section {words} too many")
            found[section] = {}
            continue
        key, equals, value = words.partition("=")
        key = key.strip().lower()
        if not equals or key not in _KNOWN.get(section, ()) or key in found[section]:
            raise _refused(f"it has the line {words[:60]!r}, and only a plain tunnel is taken from a gateway")
        found[section][key] = value.strip()
    return found


def _words(section: Mapping[str, str], key: str, least: int = 1) -> list[str]:
    found = [one.strip() for one in section.get(key, "").split(",") if one.strip()]
    if len(found) < least:
        raise ValueError(f"it has no {key}")
    return found


def _number(section: Mapping[str, str], key: str) -> int:
    return int(_checked(section.get(key, "0"), _NUMBER, key))


def _checked(value: str, pattern: re.Pattern[str], what: str) -> str:
    if pattern.fullmatch(value) is None:
        raise ValueError(f"{value[:60]!r} is no {what}" if value != what else f"{value[:60]!r} is no name")
    return value


def _endpoint(value: str) -> str:
    host, _, port = value.rpartition(":")
    _checked(host, _HOST, "Endpoint")
    _checked(port, _NUMBER, "port")
    return value


def _is_address(word: str) -> bool:
    try:
        ip_address(word)
    except ValueError:
        return False
    return True


def _refused(why: str) -> JitError:
    return JitError(
        "bad_request",
        f"cannot use the file for the tunnel that the gateway sent: {clean(why)}",
        "Ask the administrator of the gateway; what it sent: jitctl device config",
    )
