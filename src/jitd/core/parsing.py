"""Addresses, endpoints, names and keys that somebody else wrote, read in one place for both programs.

A value is made from what was read, and never from what was typed: an address from its number, a name from characters that
mean nothing to a shell, a path or a configuration file. IPv6 zones ("fe80::1%eth0") are refused, because a zone is free
text. Every function here raises ValueError with a reason that may be shown to people.
"""

import base64
import binascii
import ipaddress
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Final

Address = IPv4Address | IPv6Address
InterfaceAddress = IPv4Interface | IPv6Interface
Network = IPv4Network | IPv6Network

HIGHEST_PORT: Final = 65535
NAME_LENGTH: Final = 32
#: Kernel limit for an interface name (IFNAMSIZ less the terminating zero).
INTERFACE_NAME_LENGTH: Final = 15
KEY_BYTES: Final = 32

_HOST_LENGTH: Final = 253
_ADDRESS: Final = re.compile(r"[0-9A-Fa-f:.]{2,45}", re.ASCII)
_PREFIX: Final = re.compile(r"[0-9.]{1,15}", re.ASCII)
_LABEL: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", re.ASCII)
_PORT: Final = re.compile(r"[0-9]{1,5}", re.ASCII)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]*", re.ASCII)
_PROFILE: Final = re.compile(r"[a-z0-9][a-z0-9_-]*", re.ASCII)
_INTERFACE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*", re.ASCII)
#: What the kernel and wg take for something else than one interface.
_NO_INTERFACES: Final = frozenset({"all", "default", "interfaces", "lo"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a WireGuard peer is reached: an address or a host name, and a UDP port."""

    host: Address | str
    port: int

    def __str__(self) -> str:
        """`host:port` or `[v6]:port`."""
        if isinstance(self.host, IPv6Address):
            return f"[{write_address(self.host)}]:{self.port:d}"
        host = write_address(self.host) if isinstance(self.host, IPv4Address) else self.host
        return f"{host}:{self.port:d}"


def address(text: str) -> Address:
    """An IPv4 or IPv6 address."""
    if not _ADDRESS.fullmatch(text):
        raise ValueError(_why_no_address(text))
    return ipaddress.ip_address(text)


def interface_address(text: str) -> InterfaceAddress:
    """An address with the length of its network's prefix; without one it is the address alone."""
    _require_prefix(text)
    return ipaddress.ip_interface(text)


def network(text: str, *, strict: bool = True) -> Network:
    """A network; one address alone is one, too. Not `strict`: bits behind the prefix are read over."""
    _require_prefix(text)
    return ipaddress.ip_network(text, strict=strict)


def network4(text: str) -> IPv4Network:
    """An IPv4 network."""
    found = network(text)
    if not isinstance(found, IPv4Network):
        raise ValueError("it is not an IPv4 network")  # noqa: TRY004 - of the text
    return found


def network6(text: str) -> IPv6Network:
    """An IPv6 network."""
    found = network(text)
    if not isinstance(found, IPv6Network):
        raise ValueError("it is not an IPv6 network")  # noqa: TRY004 - of the text
    return found


def packed_address(raw: bytes) -> Address:
    """An address from its 4 or 16 bytes."""
    return ipaddress.ip_address(raw)


def single(one: Address) -> Network:
    """The network that has just this address."""
    return ipaddress.ip_network((int(one), one.max_prefixlen))


def numbered(number: int, like: Network | Address) -> Network:
    """The network of the one address with this number, in the address family of another one."""
    return single(IPv4Address(number) if like.version == 4 else IPv6Address(number))


def interface_of(one: Network) -> InterfaceAddress:
    """A network as the address of an interface: its first address, with its prefix."""
    return host_of(one, 0)


def host_of(pool: Network, number: int) -> InterfaceAddress:
    """The address of this number in a network, with that network's prefix."""
    return ipaddress.ip_interface((int(pool.network_address) + number, pool.prefixlen))


def write_address(one: Address) -> str:
    """An address as text, from its number alone."""
    plain: Address = IPv4Address(int(one)) if one.version == 4 else IPv6Address(int(one))
    return str(plain)


def write_interface(one: InterfaceAddress) -> str:
    """An address with its prefix as text, from numbers alone."""
    return f"{write_address(one.ip)}/{one.network.prefixlen:d}"


def write_network(one: Network) -> str:
    """A network as text, from numbers alone."""
    return f"{write_address(one.network_address)}/{one.prefixlen:d}"


def domain(text: str) -> str:
    """A host or domain name as RFC 1123 has it, in lower case. One that ends in a number is taken for an address."""
    labels = text.split(".")
    if len(text) > _HOST_LENGTH or not all(_LABEL.fullmatch(one) for one in labels) or labels[-1].isdigit():
        raise ValueError("it is neither an address nor a name of letters, digits, dots and dashes")
    return text.lower()


def host(text: str) -> Address | str:
    """An address, or a host name as RFC 1123 has it."""
    if _ADDRESS.fullmatch(text):
        try:
            return address(text)
        except ValueError:
            pass  # such as "cafe.be"
    return domain(text)


def endpoint(text: str, usual_port: int | None = None) -> Endpoint:
    """`host:port` or `[v6]:port`; without a port `usual_port` is taken, where there is one."""
    if text.startswith("["):
        inner, closed, rest = text[1:].partition("]")
        bracketed = address(inner)
        if bracketed.version != 6 or not closed or (rest and not rest.startswith(":")):
            raise ValueError("brackets are for an IPv6 address, as in [2001:db8::1]:51820")
        where: Address | str = bracketed
        colon, number = rest[:1], rest[1:]
    else:
        before, colon, number = text.partition(":")
        where = host(before)
    if not colon:
        if usual_port is None:
            raise ValueError("it has no port")
        return Endpoint(where, usual_port)
    return Endpoint(where, port(number))


def peer_endpoint(text: str) -> tuple[Address, str, int]:
    """(address, scope, port) of a peer as WireGuard itself says it: `1.2.3.4:5`, `[2001:db8::1]:5`, `[fe80::1%eth0]:5`.

    Only here a zone is taken, which the kernel needs to send there, and only as the name or the number of an interface.
    """
    where, _, number = text.rpartition(":")
    plain, percent, scope = where.removeprefix("[").removesuffix("]").partition("%")
    found = address(plain)
    if (found.version == 6) != where.startswith("[") or (percent and found.version == 4):
        raise ValueError("it is not an address with a port")
    return found, interface_name(scope) if percent else "", port(number)


def write_peer_endpoint(text: str) -> str:
    """The same as text, every part of it written anew."""
    found, scope, number = peer_endpoint(text)
    if found.version == 4:
        return f"{write_address(found)}:{number:d}"
    return f"[{write_address(found)}{f'%{scope}' if scope else ''}]:{number:d}"


def port(text: str) -> int:
    """A port from 1 to 65535."""
    if not _PORT.fullmatch(text) or not 1 <= int(text) <= HIGHEST_PORT:
        raise ValueError(f"ports go from 1 to {HIGHEST_PORT}")
    return int(text)


def dns(text: str) -> Address | str:
    """A DNS server, which is an address, or a domain to search in."""
    return host(text)


def write_host(one: Address | str) -> str:
    """An address or a host name as text."""
    return domain(one) if isinstance(one, str) else write_address(one)


def interface_name(text: str) -> str:
    """A name that the kernel takes for an interface, and that means nothing to a shell, a path or a rule."""
    if len(text) > INTERFACE_NAME_LENGTH or not _INTERFACE.fullmatch(text) or text in _NO_INTERFACES:
        raise ValueError(
            f"the name of an interface has up to {INTERFACE_NAME_LENGTH} letters, digits, dots, dashes and underscores"
        )
    return text


def name(text: str) -> str:
    """The name of a network or of a device."""
    if len(text) > NAME_LENGTH or not _NAME.fullmatch(text):
        raise ValueError(
            f"a name has up to {NAME_LENGTH} lower-case letters, digits, dots, dashes and underscores"
        )
    return text


def profile_name(text: str) -> str:
    """What a gateway is called on a user's machine."""
    if len(text) > NAME_LENGTH or not _PROFILE.fullmatch(text):
        raise ValueError(f"the name of a profile has up to {NAME_LENGTH} lower-case letters, digits, - and _")
    return text


def key(text: str) -> str:
    """A WireGuard key, public or private, in its one spelling: base64 of 32 bytes, not all of them zero."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("it is not base64") from None
    if len(raw) != KEY_BYTES:
        raise ValueError(f"it has {len(raw)} bytes, not {KEY_BYTES}")
    canonical = base64.b64encode(raw).decode()
    if canonical != text:
        # The last character carries unused bits: two spellings of one key would be two devices.
        raise ValueError("its last character is not valid")
    if not any(raw):
        raise ValueError("it is all zeros")
    return canonical


def _require_prefix(text: str) -> None:
    plain, slash, prefix = text.partition("/")
    if not _ADDRESS.fullmatch(plain):
        raise ValueError(_why_no_address(plain))
    if slash and not _PREFIX.fullmatch(prefix):
        raise ValueError("the prefix length is not a number")


def _why_no_address(text: str) -> str:
    return "an IPv6 zone (%) is not allowed" if "%" in text else "it is not an IPv4 or IPv6 address"
