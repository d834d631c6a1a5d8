"""The text protocol of userspace WireGuard without a process."""

import base64

import pytest

from jitd.enforce import uapi
from jitd.enforce.port import Change, EnforceError, RemovePeer, SetPeer
from support.wireguard_contract import ips, new_key, new_peer, public_key

FIRST = base64.b64encode(bytes([1] * 32)).decode()
SECOND = base64.b64encode(bytes([2] * 32)).decode()


def test_changes_are_one_operation() -> None:
    """Changes stand in one operation, in order; what is None is not in it."""
    changes: list[Change] = [
        SetPeer(
            public_key=FIRST,
            allowed_ips=ips("10.0.0.2/32"),
            endpoint="[fd00::1]:7",
            keepalive=0,
            preshared_key="",
        ),
        RemovePeer(SECOND),
        SetPeer(public_key=SECOND, allowed_ips=ips()),
    ]
    assert uapi.set_peers(changes).decode() == (
        "set=1\n"
        f"public_key={'01' * 32}\n"
        f"preshared_key={'00' * 32}\n"
        "endpoint=[fd00::1]:7\n"
        "persistent_keepalive_interval=0\n"
        "replace_allowed_ips=true\n"
        "allowed_ip=10.0.0.2/32\n"
        f"public_key={'02' * 32}\n"
        "remove=true\n"
        f"public_key={'02' * 32}\n"
        "replace_allowed_ips=true\n"
        "\n"
    )


def test_a_reply_is_read() -> None:
    """Key, port and peers of a reply, with what is hexadecimal there as base64, and times in milliseconds."""
    private = new_key()
    reply = (
        f"private_key={base64.b64decode(private).hex()}\nlisten_port=51820\n"
        f"public_key={'01' * 32}\npreshared_key={'00' * 32}\nprotocol_version=1\nendpoint=192.0.2.1:7\n"
        "last_handshake_time_sec=1700000000\nlast_handshake_time_nsec=123456789\ntx_bytes=5\nrx_bytes=6\n"
        "persistent_keepalive_interval=25\nallowed_ip=10.0.0.2/32\nallowed_ip=fd00::2/128\n"
        f"public_key={'02' * 32}\npreshared_key={'03' * 32}\nunknown_key=of a later version\n"
        "errno=0\n\n"
    )
    device = uapi.device(reply.encode())
    assert (device.private_key, device.public_key, device.port) == (private, public_key(private), 51820)
    first, second = device.peers[FIRST], device.peers[SECOND]
    assert (first.endpoint, first.keepalive, first.preshared_key) == ("192.0.2.1:7", 25, "")
    assert (first.last_handshake_ms, first.rx_bytes, first.tx_bytes) == (1_700_000_000_123, 6, 5)
    assert first.allowed_ips == ips("10.0.0.2/32", "fd00::2/128")
    assert second.preshared_key == base64.b64encode(bytes([3] * 32)).decode()
    assert second.allowed_ips == ips()


def test_an_interface_without_a_key() -> None:
    """An interface that has no key yet has no public key either."""
    device = uapi.device(b"errno=0\n\n")
    assert (device.private_key, device.public_key, device.port, dict(device.peers)) == ("", "", 0, {})


@pytest.mark.parametrize("reply", [b"errno=-98\n\n", b"errno=98\n\n", b"listen_port=1\nerrno=98\n\n"])
def test_an_error(reply: bytes) -> None:
    """A number other than 0 is an error in words, with either sign."""
    with pytest.raises(EnforceError, match="Address already in use"):
        uapi.check(reply)


@pytest.mark.parametrize(
    "reply",
    [b"", b"listen_port=1\n", b"errno=\n\n", b"listen_port=x\nerrno=0\n\n", b"public_key=zz\nerrno=0\n\n"],
)
def test_a_reply_that_cannot_be_read(reply: bytes) -> None:
    """Half a reply or one of another form is an error, never an interface without peers."""
    with pytest.raises(EnforceError):
        uapi.device(reply)


def test_keys_are_not_shown() -> None:
    """Private and preshared keys do not appear where an interface is printed."""
    private = new_key()
    hexadecimal = base64.b64decode(private).hex()
    device = uapi.device(
        f"private_key={hexadecimal}\npublic_key={base64.b64decode(new_peer()).hex()}\n"
        f"preshared_key={hexadecimal}\nerrno=0\n\n".encode()
    )
    assert private not in repr(device)
