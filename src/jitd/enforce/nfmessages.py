"""nftables' netlink messages as far as elements and fingerprints need them. Pure; the socket is in nfnetlink.py.

Written here and not taken from pyroute2, whose `NFTSet` looks sets up by name wrongly (0.9.7) and takes ten times as
long. The numbers are the kernel's interface (linux/netfilter/nf_tables.h) and do not change.
"""

import struct
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Final, NamedTuple

SUBSYSTEM: Final = 10  # nftables within nfnetlink
BATCH_BEGIN: Final = 0x10
BATCH_END: Final = 0x11

REQUEST: Final = 0x1
ACK: Final = 0x4
DUMP: Final = 0x300
CREATE: Final = 0x400
DUMP_INTERRUPTED: Final = 0x10

NLMSG_ERROR: Final = 2
NLMSG_DONE: Final = 3

_NESTED: Final = 0x8000
_TYPE: Final = 0x3FFF
_HEADER: Final = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_FAMILY: Final = struct.Struct("!BBH")  # family, version, resource
_ATTRIBUTE: Final = struct.Struct("=HH")  # length, type
_MS: Final = struct.Struct("!Q")


class Family(IntEnum):
    """Families of tables."""

    INET = 1
    NETDEV = 5


class Kind(IntEnum):
    """Messages within nftables."""

    GET_TABLE = 1
    GET_CHAIN = 4
    GET_RULE = 7
    GET_SET = 10
    NEW_ELEMENT = 12
    GET_ELEMENT = 13
    DEL_ELEMENT = 14


class Message(NamedTuple):
    """A message that was received. `body` begins behind the nfnetlink header."""

    kind: int  # with the subsystem
    flags: int
    sequence: int
    family: int
    body: bytes
    port: int  # of a change that is reported: the socket that asked for the change


class Found(NamedTuple):
    """An element of a set: the address, and how long it lives yet in milliseconds (None: for ever)."""

    key: bytes
    left_ms: int | None


def message(kind: int, flags: int, sequence: int, family: int, body: bytes = b"", resource: int = 0) -> bytes:
    """One message to send."""
    length = _HEADER.size + _FAMILY.size + len(body)
    return _HEADER.pack(length, kind, flags | REQUEST, sequence, 0) + _FAMILY.pack(family, 0, resource) + body


def nftables(kind: Kind, flags: int, sequence: int, family: Family, body: bytes = b"") -> bytes:
    """One message of nftables."""
    return message(SUBSYSTEM << 8 | kind, flags, sequence, family, body)


def text(number: int, value: str) -> bytes:
    """An attribute that holds a name."""
    return _attribute(number, value.encode() + b"\0")


def of_table(name: str) -> bytes:
    """The attribute that names the table; it has the same number in every message."""
    return text(1, name)


def elements(table: str, set_name: str, keys: Iterable[tuple[bytes, int | None]]) -> bytes:
    """The body for elements of one set: (address, timeout in milliseconds or None)."""
    listed = b"".join(
        _attribute(
            1 | _NESTED,
            _attribute(1 | _NESTED, _attribute(1, key))
            + (_attribute(4, _MS.pack(timeout_ms)) if timeout_ms is not None else b""),
        )
        for key, timeout_ms in keys
    )
    return of_table(table) + text(2, set_name) + (_attribute(3 | _NESTED, listed) if listed else b"")


def messages(data: bytes) -> Iterator[Message]:
    """What a datagram holds. Errors and ends keep their own body, from behind the netlink header."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, flags, sequence, port = _HEADER.unpack_from(data, offset)
        body = data[offset + _HEADER.size : offset + length]
        family = 0
        if kind >= BATCH_BEGIN:
            family, body = body[0], body[_FAMILY.size :]
        yield Message(kind, flags, sequence, family, body, port)
        offset += length + (-length % 4)


def error_of(found: Message) -> int:
    """The errno of an error message; 0 for an acknowledgement."""
    code: int = struct.unpack_from("=i", found.body)[0]
    return -code


def attributes(body: bytes) -> dict[int, bytes]:
    """The attributes of one level by number."""
    return dict(_attributes(body))


def name(value: bytes) -> str:
    """An attribute that holds a name."""
    return value.rstrip(b"\0").decode("ascii", "replace")


def found_elements(body: bytes) -> Iterator[Found]:
    """The elements that a message lists."""
    for _, element in _attributes(attributes(body).get(3, b"")):
        parts = attributes(element)
        left = parts.get(5) or parts.get(4)
        yield Found(attributes(parts[1])[1], _MS.unpack(left)[0] if left else None)


def keys(body: bytes) -> Iterator[bytes]:
    """The addresses of the elements that a message lists. As `found_elements`, for long lists of which no more is asked."""
    for _, element in _attributes(attributes(body).get(3, b"")):
        parts = attributes(element)
        yield attributes(parts[1])[1]


def _attributes(body: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset + 4 <= len(body):
        length, number = _ATTRIBUTE.unpack_from(body, offset)
        if length < 4:
            return
        yield number & _TYPE, body[offset + 4 : offset + length]
        offset += length + (-length % 4)


def _attribute(number: int, value: bytes) -> bytes:
    length = len(value) + 4
    return _ATTRIBUTE.pack(length, number) + value + bytes(-length % 4)
