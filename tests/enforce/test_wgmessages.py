"""What netlink messages of WireGuard mean, without a kernel: what is encoded for changes is read as a dump."""

from collections.abc import Sequence

import pytest
from pyroute2.netlink.generic.wireguard import wgmsg

from enforce.contract import ips, new_key, new_peer
from jitd.enforce import wgmessages
from jitd.enforce.port import Change, EnforceError, Peer, RemovePeer, SetPeer


def encoded(changes: Sequence[Change]) -> list[bytearray]:
    """The messages for the changes, as bytes."""
    found = []
    for entries in wgmessages.messages(changes):
        message = wgmsg()
        message["attrs"] = [["WGDEVICE_A_PEERS", entries]]
        message.encode()
        found.append(message.data)
    return found


def read(messages: Sequence[bytearray]) -> wgmessages.Device:
    """The messages as a dump."""
    dump = [wgmsg(data) for data in messages]
    for message in dump:
        message.decode()
    return wgmessages.device(dump)


def test_everything_of_a_peer():
    """Both address families, endpoint, keepalive and preshared key survive the encoding."""
    v4, v6, preshared = new_peer(), new_peer(), new_key()
    changes = [
        SetPeer(
            public_key=v4,
            allowed_ips=ips("10.0.0.2/32", "10.5.0.0/16", "fd90::/64"),
            endpoint="192.0.2.1:5",
            keepalive=25,
            preshared_key=preshared,
        ),
        SetPeer(public_key=v6, allowed_ips=ips(), endpoint="[fe80::1%7]:6", preshared_key=""),
    ]
    assert read(encoded(changes)).peers == {
        v4: Peer(
            public_key=v4,
            allowed_ips=changes[0].allowed_ips,
            endpoint="192.0.2.1:5",
            keepalive=25,
            preshared_key=preshared,
        ),
        v6: Peer(public_key=v6, allowed_ips=ips(), endpoint="[fe80::1%7]:6"),
    }


def test_a_peer_over_several_messages():
    """A peer with more allowed IPs than one message holds is put together again, and no message is too long."""
    peer, other = new_peer(), new_peer()
    many = ips(*(f"fd90::{i:x}/128" for i in range(2000)))
    changes = [
        SetPeer(public_key=other, allowed_ips=ips("10.0.0.3/32")),
        SetPeer(public_key=peer, allowed_ips=many),
    ]
    messages = encoded(changes)
    assert len(messages) > 1
    assert max(map(len, messages)) < 0xFFFF
    peers = read(messages).peers
    assert peers[peer].allowed_ips == many
    assert peers[other].allowed_ips == ips("10.0.0.3/32")


def test_many_peers_in_few_messages():
    """A thousand removals take a handful of messages, and a thousand peers are read back from theirs."""
    keys = [new_peer() for _ in range(1000)]
    assert len(encoded([RemovePeer(key) for key in keys])) <= 6
    changes = [
        SetPeer(public_key=key, allowed_ips=ips(f"10.0.{i // 250}.{i % 250}/32"))
        for i, key in enumerate(keys)
    ]
    messages = encoded(changes)
    assert max(map(len, messages)) < 0xFFFF
    assert len(messages) <= 8
    assert {key: peer.allowed_ips for key, peer in read(messages).peers.items()} == {
        change.public_key: change.allowed_ips for change in changes
    }


@pytest.mark.parametrize("endpoint", ["gateway.example:5", "192.0.2.1", "192.0.2.1:x", "[fe80::1%nosuch]:5"])
def test_an_endpoint_that_is_no_address(endpoint: str):
    """A host name, a missing port and an unknown interface are refused before anything is sent."""
    with pytest.raises(EnforceError, match="is no address with a port"):
        encoded([SetPeer(public_key=new_peer(), allowed_ips=ips(), endpoint=endpoint)])
