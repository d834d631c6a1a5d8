"""WireGuard's netlink messages without a kernel."""

from ipaddress import ip_address

import pytest
from pyroute2.netlink.generic.wireguard import WGPEER_F_REPLACE_ALLOWEDIPS, WGPEER_F_UPDATE_ONLY, wgmsg

from jitd.enforce import wgmessages
from jitd.enforce.port import EnforceError, RemovePeer, SetPeer
from support.wireguard_contract import ips, new_key, new_peer


def decoded(entries: list[wgmessages.Entry], *attributes: list[object]) -> wgmsg:
    """The entries as they come out of a message's bytes."""
    message = wgmsg()
    message["attrs"] += [*attributes, ["WGDEVICE_A_PEERS", entries]]
    message.encode()
    found = wgmsg(bytes(message.data))
    found.decode()
    return found


def test_what_is_sent_is_what_is_read() -> None:
    """A peer with everything survives the way into a message's bytes and back."""
    change = SetPeer(
        public_key=new_peer(),
        allowed_ips=ips("10.0.0.0/8", "fd00::/16", "0.0.0.0/0"),
        endpoint="[2001:db8::7]:65535",
        keepalive=65535,
        preshared_key=new_key(),
    )
    (entries,) = wgmessages.messages([change])
    peer = wgmessages.device([decoded(entries)]).peers[change.public_key]
    assert (peer.allowed_ips, peer.endpoint, peer.keepalive, peer.preshared_key) == (
        change.allowed_ips,
        change.endpoint,
        change.keepalive,
        change.preshared_key,
    )


def test_a_peer_spread_over_messages() -> None:
    """A peer that a dump splits is one peer with all its allowed IPs, and the first message's facts stay."""
    first, split, last = new_peer(), new_peer(), new_peer()
    parts = [ips("10.0.0.1/32"), ips("10.0.0.2/32", "10.0.0.3/32"), ips("fd00::4/128")]
    key = new_key()
    (one,) = wgmessages.messages(
        [
            SetPeer(public_key=first, allowed_ips=ips()),
            SetPeer(public_key=split, allowed_ips=parts[0], keepalive=7),
        ]
    )
    (two,) = wgmessages.messages([SetPeer(public_key=split, allowed_ips=parts[1])])
    (three,) = wgmessages.messages(
        [SetPeer(public_key=split, allowed_ips=parts[2]), SetPeer(public_key=last, allowed_ips=ips())]
    )
    device = wgmessages.device(
        [
            decoded(one, ["WGDEVICE_A_PRIVATE_KEY", key], ["WGDEVICE_A_LISTEN_PORT", 51820]),
            decoded(two),
            decoded(three),
        ]
    )
    assert (device.private_key, device.port) == (key, 51820)
    assert set(device.peers) == {first, split, last}
    assert device.peers[split].allowed_ips == parts[0] | parts[1] | parts[2]
    assert device.peers[split].keepalive == 7


def test_many_changes_take_few_messages() -> None:
    """A thousand peers go in a handful of messages, in order, each below the limit of 64 KiB."""
    changes = [SetPeer(public_key=new_peer(), allowed_ips=ips(f"fd00::{i:x}/128")) for i in range(1000)]
    sent = list(wgmessages.messages([*changes, RemovePeer(changes[0].public_key)]))
    assert len(sent) < 10
    assert all(len(decoded(entries).data) < 65_000 for entries in sent)
    keys = [dict(entry["attrs"])["WGPEER_A_PUBLIC_KEY"] for entries in sent for entry in entries]
    assert keys == [*(change.public_key for change in changes), changes[0].public_key]


def test_a_peer_too_large_for_a_message() -> None:
    """Allowed IPs beyond a message's size follow in others, which add to the peer and never make it."""
    change = SetPeer(public_key=new_peer(), allowed_ips=ips(*(f"fd00::{i:x}/128" for i in range(1700))))
    sent = [entry for entries in wgmessages.messages([change]) for entry in entries]
    flags = [dict(entry["attrs"])["WGPEER_A_FLAGS"] for entry in sent]
    assert flags == [
        WGPEER_F_REPLACE_ALLOWEDIPS,
        *[WGPEER_F_UPDATE_ONLY] * (len(flags) - 1),
    ]
    assert all(len(decoded(entries).data) < 65_000 for entries in wgmessages.messages([change]))


def test_nothing_to_send() -> None:
    """No changes are no messages."""
    assert list(wgmessages.messages([])) == []


@pytest.mark.parametrize(
    "endpoint", ["vpn.example.org:51820", "10.0.0.1", "10.0.0.1:x", "[fe80::1%nosuch]:1"]
)
def test_an_endpoint_that_is_no_address(endpoint: str) -> None:
    """A name, a missing port or an unknown zone is refused with the endpoint named."""
    with pytest.raises(EnforceError, match="is no address with a port"):
        list(wgmessages.messages([SetPeer(public_key=new_peer(), allowed_ips=ips(), endpoint=endpoint)]))


def test_an_ipv4_endpoint() -> None:
    """An IPv4 endpoint is sent with its family."""
    (entries,) = wgmessages.messages(
        [SetPeer(public_key=new_peer(), allowed_ips=ips(), endpoint="192.0.2.1:7")]
    )
    ((_, found),) = [one for one in entries[0]["attrs"] if one[0] == "WGPEER_A_ENDPOINT"]
    assert (ip_address(found["addr"]), found["port"]) == (ip_address("192.0.2.1"), 7)
