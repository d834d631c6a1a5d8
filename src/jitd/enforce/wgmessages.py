"""WireGuard's netlink messages: what is sent for changes, and what dumps mean. Pure; the socket is in kernel.py."""

import base64
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from pyroute2.netlink.generic.wireguard import (
    WGPEER_F_REMOVE_ME,
    WGPEER_F_REPLACE_ALLOWEDIPS,
    WGPEER_F_UPDATE_ONLY,
)

from jitd.core import parsing
from jitd.core.model import IPNetwork
from jitd.enforce.port import Change, Device, EnforceError, Peer, RemovePeer, SetPeer

#: The attribute that holds the peers has a 16-bit length. Half of it leaves room for what is estimated below.
BYTES_A_MESSAGE: Final = 32_000
ALLOWED_IPS_AN_ENTRY: Final = 500
_ENTRY_BYTES: Final = 160  # an entry with everything but allowed IPs
_ALLOWED_IP_BYTES: Final = 40  # with an IPv6 address

NO_KEY: Final = base64.b64encode(bytes(32)).decode()

Entry = dict[str, Any]  # one nested attribute of WGDEVICE_A_PEERS, as pyroute2 encodes it


def messages(changes: Sequence[Change]) -> Iterator[list[Entry]]:
    """The peers of each message to send, in order. Raises EnforceError for an endpoint that is no address."""
    entries: list[Entry] = []
    size = 0
    for change in changes:
        for entry, entry_size in _entries(change):
            if entries and size + entry_size > BYTES_A_MESSAGE:
                yield entries
                entries, size = [], 0
            entries.append(entry)
            size += entry_size
    if entries:
        yield entries


def device(dump: Iterable[Any]) -> Device:
    """What a dump says. It may take several messages, and one peer may be spread over several of them."""
    private_key = public_key = ""
    port = 0
    peers: dict[str, Peer] = {}
    for message in dump:
        # Only the first message has them.
        private_key = _key(message.get_attr("WGDEVICE_A_PRIVATE_KEY")) or private_key
        public_key = _key(message.get_attr("WGDEVICE_A_PUBLIC_KEY")) or public_key
        port = message.get_attr("WGDEVICE_A_LISTEN_PORT") or port
        for found in message.get_attr("WGDEVICE_A_PEERS") or ():
            peer = _peer(found)
            begun = peers.get(peer.public_key)
            if begun is not None:
                # The rest of a peer that did not fit carries its key and more allowed IPs, and nothing else.
                peer = replace(begun, allowed_ips=begun.allowed_ips | peer.allowed_ips)
            peers[peer.public_key] = peer
    return Device(private_key=private_key, public_key=public_key, port=port, peers=peers)


def _entries(change: Change) -> Iterator[tuple[Entry, int]]:
    """The entries for one change, each with about how many bytes it takes."""
    if isinstance(change, RemovePeer):
        attributes = [
            ["WGPEER_A_PUBLIC_KEY", change.public_key],
            ["WGPEER_A_FLAGS", WGPEER_F_REMOVE_ME],
        ]
        yield {"attrs": attributes}, _ENTRY_BYTES
        return
    networks = sorted(change.allowed_ips, key=str)
    for start in range(0, max(len(networks), 1), ALLOWED_IPS_AN_ENTRY):
        part = networks[start : start + ALLOWED_IPS_AN_ENTRY]
        attributes = _first(change) if start == 0 else _rest(change)
        if part:
            attributes.append(["WGPEER_A_ALLOWEDIPS", [_allowed_ip(network) for network in part]])
        yield {"attrs": attributes}, _ENTRY_BYTES + len(part) * _ALLOWED_IP_BYTES


def _first(change: SetPeer) -> list[list[Any]]:
    attributes: list[list[Any]] = [
        ["WGPEER_A_PUBLIC_KEY", change.public_key],
        ["WGPEER_A_FLAGS", WGPEER_F_REPLACE_ALLOWEDIPS | (WGPEER_F_UPDATE_ONLY if change.if_there else 0)],
    ]
    if change.preshared_key is not None:
        attributes.append(["WGPEER_A_PRESHARED_KEY", change.preshared_key or NO_KEY])
    if change.endpoint:
        attributes.append(["WGPEER_A_ENDPOINT", _endpoint(change.endpoint)])
    if change.keepalive is not None:
        attributes.append(["WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL", change.keepalive])
    return attributes


def _rest(change: SetPeer) -> list[list[Any]]:
    return [["WGPEER_A_PUBLIC_KEY", change.public_key], ["WGPEER_A_FLAGS", WGPEER_F_UPDATE_ONLY]]


def _allowed_ip(network: IPNetwork) -> Entry:
    family = socket.AF_INET if network.version == 4 else socket.AF_INET6
    return {
        "attrs": [
            ["WGALLOWEDIP_A_FAMILY", family],
            ["WGALLOWEDIP_A_IPADDR", network.network_address.packed],
            ["WGALLOWEDIP_A_CIDR_MASK", network.prefixlen],
        ]
    }


def _endpoint(text: str) -> dict[str, Any]:
    try:
        address, scope, port = parsing.peer_endpoint(text)
        plain = parsing.write_address(address)
        if address.version == 4:
            return {"addr": plain, "port": port}
        index = int(scope) if scope.isdigit() else socket.if_nametoindex(scope) if scope else 0
        # pyroute2 writes the scope in network order, and the kernel reads it in its own.
        return {"addr": plain, "port": port, "flowinfo": 0, "scope_id": socket.htonl(index)}
    except (ValueError, OSError) as error:
        raise EnforceError(f"the endpoint {text!r} is no address with a port") from error


def _peer(found: Any) -> Peer:
    # Not one[:2]: pyroute2's slices compare attributes before they are decoded, and break on lists.
    attributes = {one[0]: one[1] for one in found["attrs"]}
    endpoint = attributes.get("WGPEER_A_ENDPOINT")
    handshake = attributes.get("WGPEER_A_LAST_HANDSHAKE_TIME")
    preshared_key = _key(attributes.get("WGPEER_A_PRESHARED_KEY"))
    return Peer(
        public_key=_key(attributes["WGPEER_A_PUBLIC_KEY"]),
        allowed_ips=frozenset(
            parsing.network(one["addr"]) for one in attributes.get("WGPEER_A_ALLOWEDIPS") or ()
        ),
        endpoint=_endpoint_text(endpoint) if endpoint else "",
        keepalive=attributes.get("WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL") or 0,
        preshared_key="" if preshared_key == NO_KEY else preshared_key,
        last_handshake_ms=handshake["tv_sec"] * 1000 + handshake["tv_nsec"] // 1_000_000 if handshake else 0,
        rx_bytes=attributes.get("WGPEER_A_RX_BYTES") or 0,
        tx_bytes=attributes.get("WGPEER_A_TX_BYTES") or 0,
    )


def _endpoint_text(endpoint: Any) -> str:
    if endpoint["family"] == socket.AF_INET:
        return f"{endpoint['addr']}:{endpoint['port']}"
    scope = socket.ntohl(endpoint["scope_id"])
    return f"[{endpoint['addr']}{f'%{scope}' if scope else ''}]:{endpoint['port']}"


def _key(value: bytes | None) -> str:
    return value.decode() if value else ""
