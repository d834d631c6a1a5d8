"""The text protocol of userspace WireGuard: what is sent for changes, and what a reply means. Pure; no socket here."""

import base64
import binascii
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from jitd.core import parsing
from jitd.core.model import IPNetwork
from jitd.enforce.port import Change, Device, EnforceError, Peer, RemovePeer

GET: Final = b"get=1\n\n"
END: Final = b"\n\n"
_NO_KEY: Final = "0" * 64


def set_device(*, private_key: str | None = None, port: int | None = None) -> bytes:
    """An operation that sets what is given of an interface itself."""
    lines = ["set=1"]
    if private_key is not None:
        lines.append(f"private_key={_hex(private_key)}")
    if port is not None:
        lines.append(f"listen_port={port}")
    return _operation(lines)


def set_peers(changes: Sequence[Change]) -> bytes:
    """One operation for all the changes, in order."""
    lines = ["set=1"]
    for change in changes:
        lines.append(f"public_key={_hex(change.public_key)}")
        if isinstance(change, RemovePeer):
            lines.append("remove=true")
            continue
        if change.if_there:
            lines.append("update_only=true")
        if change.preshared_key is not None:
            lines.append(f"preshared_key={_hex(change.preshared_key) or _NO_KEY}")
        if change.endpoint:
            lines.append(f"endpoint={_endpoint(change.endpoint)}")
        if change.keepalive is not None:
            lines.append(f"persistent_keepalive_interval={change.keepalive}")
        lines.append("replace_allowed_ips=true")
        lines += [f"allowed_ip={parsing.write_network(network)}" for network in change.allowed_ips]
    return _operation(lines)


def check(reply: bytes) -> None:
    """Raise EnforceError, with the reason as `errno`'s words, when the reply says that an operation failed."""
    _pairs(reply)


def device(reply: bytes) -> Device:
    """The reply to GET. Raises EnforceError when it cannot be understood."""
    private_key = ""
    port = 0
    peers: dict[str, Peer] = {}
    try:
        for block in _blocks(_pairs(reply)):
            first = dict(block)
            if "public_key" in first:
                peer = _peer(block, first)
                peers[peer.public_key] = peer
            else:
                private_key = _base64(first.get("private_key", ""))
                port = int(first.get("listen_port", 0))
    except (ValueError, binascii.Error) as error:
        raise EnforceError(f"userspace WireGuard sent a reply that cannot be read: {error}") from error
    return Device(private_key=private_key, public_key=_public(private_key), port=port, peers=peers)


Pair = tuple[str, str]


def _operation(lines: Iterable[str]) -> bytes:
    return ("\n".join(lines) + "\n\n").encode()


def _pairs(reply: bytes) -> list[Pair]:
    """The reply's lines without the closing errno. Raises EnforceError when that says no or is missing."""
    pairs: list[Pair] = []
    for line in reply.decode("utf-8", "replace").splitlines():
        key, equals, value = line.partition("=")
        if equals:
            pairs.append((key, value))
    if not pairs or pairs[-1][0] != "errno" or not pairs[-1][1].lstrip("-").isdigit():
        raise EnforceError("userspace WireGuard broke off its reply")
    # wireguard-go says it with the sign of a kernel's return value, others without.
    number = abs(int(pairs.pop()[1]))
    if number:
        raise EnforceError(f"userspace WireGuard says: {os.strerror(number)}")
    return pairs


def _blocks(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    """The interface's own lines, then those of each peer, which begin with its public key."""
    block: list[Pair] = []
    for pair in pairs:
        if pair[0] == "public_key":
            yield block
            block = []
        block.append(pair)
    yield block


def _peer(block: Iterable[Pair], first: Mapping[str, str]) -> Peer:
    allowed: set[IPNetwork] = {parsing.network(value) for key, value in block if key == "allowed_ip"}
    seconds, nanoseconds = (int(first.get(f"last_handshake_time_{unit}", 0)) for unit in ("sec", "nsec"))
    preshared_key = first.get("preshared_key", _NO_KEY)
    return Peer(
        public_key=_base64(first["public_key"]),
        allowed_ips=frozenset(allowed),
        endpoint=first.get("endpoint", ""),
        keepalive=int(first.get("persistent_keepalive_interval", 0)),
        preshared_key="" if preshared_key == _NO_KEY else _base64(preshared_key),
        last_handshake_ms=seconds * 1000 + nanoseconds // 1_000_000,
        rx_bytes=int(first.get("rx_bytes", 0)),
        tx_bytes=int(first.get("tx_bytes", 0)),
    )


def _public(private_key: str) -> str:
    # The protocol does not tell it.
    if not private_key:
        return ""
    private = X25519PrivateKey.from_private_bytes(base64.b64decode(private_key))
    return base64.b64encode(private.public_key().public_bytes_raw()).decode()


def _endpoint(text: str) -> str:
    try:
        return parsing.write_peer_endpoint(text)
    except ValueError as error:
        raise EnforceError(f"the endpoint {text!r} is no address with a port") from error


def _hex(key: str) -> str:
    return base64.b64decode(key).hex()


def _base64(text: str) -> str:
    return base64.b64encode(bytes.fromhex(text)).decode()
