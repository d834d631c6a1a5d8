"""What each WireGuard backend has to do, once. A backend's own file names its machine and inherits the tests."""

import base64
import itertools
import os
from collections.abc import Iterator
from ipaddress import ip_interface, ip_network
from typing import Protocol

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from jitd.core.model import IPNetwork
from jitd.enforce.port import (
    EnforceError,
    InterfaceGone,
    Known,
    LinkSpec,
    Peer,
    RemovePeer,
    SetPeer,
    WireGuard,
)

PORTS = itertools.count(21_000)


class Machine(Protocol):
    """What the tests need of a machine apart from the port: to be somebody else on it."""

    wireguard: WireGuard

    def make_other(self, name: str) -> None:
        """Make an interface that is no WireGuard one."""

    def delete(self, name: str) -> None:
        """Delete an interface, as an administrator would by hand."""

    def rename(self, name: str, new: str) -> None:
        """Give an interface another name."""


def new_key() -> str:
    """A private key."""
    return base64.b64encode(X25519PrivateKey.generate().private_bytes_raw()).decode()


def public_key(private_key: str) -> str:
    """Its public key."""
    private = X25519PrivateKey.from_private_bytes(base64.b64decode(private_key))
    return base64.b64encode(private.public_key().public_bytes_raw()).decode()


def new_peer() -> str:
    """A public key. Nobody has its private key, which would take long to make in a slow machine."""
    return base64.b64encode(os.urandom(32)).decode()


def ips(*texts: str) -> frozenset[IPNetwork]:
    """Allowed IPs."""
    return frozenset(ip_network(text) for text in texts)


def spec(name: str, *addresses: str, mtu: int = 1400, key: str = "", port: int = 0) -> LinkSpec:
    """An interface with a key and a port of its own."""
    return LinkSpec(
        name=name,
        private_key=key or new_key(),
        port=port or next(PORTS),
        addresses=tuple(ip_interface(address) for address in addresses or ("10.90.0.1/24", "fd90::1/64")),
        mtu=mtu,
    )


def known(spec: LinkSpec) -> Known:
    """How it is recognised under another name."""
    pools = tuple(address.network for address in spec.addresses)
    return Known(name=spec.name, public_key=public_key(spec.private_key), pools=pools)


class Contract:
    """The tests. A subclass has the fixture `machine`."""

    @pytest.fixture
    def wireguard(self, machine: Machine) -> WireGuard:
        """The backend."""
        return machine.wireguard

    @pytest.fixture
    def wg(self, wireguard: WireGuard) -> Iterator[str]:
        """The name of an interface that is there, without peers."""
        wireguard.ensure_link(spec("wgtest"))
        yield "wgtest"
        wireguard.remove_link("wgtest")

    # --- interfaces ---

    def test_an_interface_is_made_as_specified(self, wireguard: WireGuard) -> None:
        """Key, port, addresses of both versions, MTU and state of a new interface are those of its spec."""
        wanted = spec("wgnew", "10.91.0.1/24", "fd91::1/64", mtu=1380)
        try:
            assert wireguard.ensure_link(wanted) is True
            state = wireguard.read("wgnew")
        finally:
            wireguard.remove_link("wgnew")
        assert (state.name, state.port, state.mtu, state.up) == ("wgnew", wanted.port, 1380, True)
        assert state.private_key == wanted.private_key
        assert state.public_key == public_key(wanted.private_key)
        assert state.addresses == frozenset(wanted.addresses)
        assert dict(state.peers) == {}

    def test_ensuring_twice_changes_nothing(self, wireguard: WireGuard) -> None:
        """A second ensure_link says that nothing was made, and index and peers stay."""
        wanted = spec("wgtwice")
        peer = new_peer()
        try:
            wireguard.ensure_link(wanted)
            wireguard.apply("wgtwice", [SetPeer(public_key=peer, allowed_ips=ips("10.90.0.2/32"))])
            before = wireguard.read("wgtwice")
            assert wireguard.ensure_link(wanted) is False
            assert wireguard.read("wgtwice") == before
        finally:
            wireguard.remove_link("wgtwice")

    def test_an_existing_interface_is_brought_to_the_spec(self, wireguard: WireGuard) -> None:
        """Another key, port, MTU and other addresses, also of the same subnet, are set; peers stay."""
        peer = new_peer()
        try:
            wireguard.ensure_link(spec("wgchange", "10.90.0.1/24", "10.90.0.3/24", "fd90::1/64"))
            wireguard.apply("wgchange", [SetPeer(public_key=peer, allowed_ips=ips("10.90.0.2/32"))])
            wanted = spec("wgchange", "10.90.0.4/24", "10.90.0.5/24", "fd91::1/64", mtu=1390)
            assert wireguard.ensure_link(wanted) is False
            state = wireguard.read("wgchange")
        finally:
            wireguard.remove_link("wgchange")
        assert (state.private_key, state.port, state.mtu) == (wanted.private_key, wanted.port, 1390)
        assert state.addresses == frozenset(wanted.addresses)
        assert state.peers[peer].allowed_ips == ips("10.90.0.2/32")

    def test_an_mtu_of_zero_leaves_it(self, wireguard: WireGuard) -> None:
        """MTU 0 gives a new interface WireGuard's default, and leaves that of an existing one."""
        wanted = spec("wgmtu", mtu=0)
        try:
            wireguard.ensure_link(wanted)
            assert wireguard.read("wgmtu").mtu == 1420
            wireguard.ensure_link(spec("wgmtu", mtu=1333, key=wanted.private_key, port=wanted.port))
            wireguard.ensure_link(wanted)
            assert wireguard.read("wgmtu").mtu == 1333
        finally:
            wireguard.remove_link("wgmtu")

    def test_an_interface_that_is_gone(self, wireguard: WireGuard, machine: Machine) -> None:
        """An interface that somebody deleted is InterfaceGone to read and apply; made again it has another index."""
        wanted = spec("wggone")
        try:
            wireguard.ensure_link(wanted)
            before = wireguard.read("wggone")
            machine.delete("wggone")
            with pytest.raises(InterfaceGone):
                wireguard.read("wggone")
            with pytest.raises(InterfaceGone):
                wireguard.apply("wggone", [RemovePeer(new_peer())])
            assert wireguard.ensure_link(wanted) is True
            assert wireguard.read("wggone").index != before.index
        finally:
            wireguard.remove_link("wggone")

    def test_removing_an_interface_twice(self, wireguard: WireGuard) -> None:
        """To remove an interface that is not there is not an error."""
        wireguard.ensure_link(spec("wgonce"))
        wireguard.remove_link("wgonce")
        wireguard.remove_link("wgonce")
        with pytest.raises(InterfaceGone):
            wireguard.read("wgonce")

    def test_an_interface_of_another_kind_is_refused(self, wireguard: WireGuard, machine: Machine) -> None:
        """An interface that is no WireGuard one is not read, not changed and not removed, and the error says so."""
        machine.make_other("wgother")
        try:
            for step in (
                lambda: wireguard.ensure_link(spec("wgother")),
                lambda: wireguard.read("wgother"),
                lambda: wireguard.apply("wgother", [RemovePeer(new_peer())]),
                lambda: wireguard.remove_link("wgother"),
            ):
                with pytest.raises(EnforceError, match=r"wgother.* is not a WireGuard interface") as caught:
                    step()
                assert not isinstance(caught.value, InterfaceGone)
        finally:
            machine.delete("wgother")

    def test_a_renamed_interface_is_read_and_changed(self, wireguard: WireGuard, machine: Machine) -> None:
        """Attack: an interface is renamed, so that a peer which is to go cannot be found. It is the same interface: its
        peers are changed and read, it is configured and not made again, and removed, all by the name that it had.
        """
        wanted = spec("wgname")
        peer, stays = new_peer(), new_peer()
        wireguard.know(known(wanted))
        try:
            wireguard.ensure_link(wanted)
            before = wireguard.read("wgname")
            wireguard.apply("wgname", [SetPeer(public_key=one, allowed_ips=ips()) for one in (peer, stays)])
            machine.rename("wgname", "wgnamed")
            assert wireguard.ensure_link(wanted) is False
            wireguard.apply("wgname", [RemovePeer(peer)])
            state = wireguard.read("wgname")
            assert (state.name, state.index, set(state.peers)) == ("wgnamed", before.index, {stays})
            assert state.addresses == before.addresses
            place = wireguard.locate("wgname")
            assert place is not None
            assert (place.name, place.index, place.up) == ("wgnamed", before.index, True)
        finally:
            wireguard.remove_link("wgname")
        with pytest.raises(InterfaceGone):
            wireguard.read("wgnamed")
        assert wireguard.locate("wgname") is None

    def test_names_that_were_swapped(self, wireguard: WireGuard, machine: Machine) -> None:
        """Attack: two interfaces swap their names, so that what is taken from one would be taken from the other."""
        specs = [spec("wgone", "10.92.0.1/24"), spec("wgtwo", "10.93.0.1/24")]
        peers = {one.name: new_peer() for one in specs}
        for one in specs:
            wireguard.know(known(one))
        try:
            for one in specs:
                wireguard.ensure_link(one)
                wireguard.apply(one.name, [SetPeer(public_key=peers[one.name], allowed_ips=ips())])
            for name, new in (("wgone", "wgtmp"), ("wgtwo", "wgone"), ("wgtmp", "wgtwo")):
                machine.rename(name, new)
            for one in specs:
                state = wireguard.read(one.name)
                assert (state.private_key, set(state.peers)) == (one.private_key, {peers[one.name]})
                assert state.addresses == frozenset(one.addresses)
                assert state.name != one.name
        finally:
            for one in specs:
                wireguard.remove_link(one.name)

    # --- peers ---

    def test_a_peer_that_is_not_there_is_not_added(self, wireguard: WireGuard, wg: str) -> None:
        """What is only to be changed where it is there: a peer that somebody has just removed does not come back."""
        there, gone = new_peer(), new_peer()
        wireguard.apply(wg, [SetPeer(public_key=there, allowed_ips=ips("10.90.0.2/32"))])
        wireguard.apply(
            wg, [SetPeer(public_key=key, allowed_ips=ips(), if_there=True) for key in (there, gone)]
        )
        peers = wireguard.read(wg).peers
        assert {key: peer.allowed_ips for key, peer in peers.items()} == {there: ips()}

    def test_a_peer_is_set_whole(self, wireguard: WireGuard, wg: str) -> None:
        """Everything that a peer was given is read back."""
        peer, preshared = new_peer(), new_key()
        wanted = SetPeer(
            public_key=peer,
            allowed_ips=ips("10.90.0.2/32", "10.5.0.0/16", "fd90::2/128", "fd05::/32"),
            endpoint="192.0.2.7:1234",
            keepalive=25,
            preshared_key=preshared,
        )
        wireguard.apply(wg, [wanted])
        assert dict(wireguard.read(wg).peers) == {
            peer: Peer(
                public_key=peer,
                allowed_ips=wanted.allowed_ips,
                endpoint="192.0.2.7:1234",
                keepalive=25,
                preshared_key=preshared,
            )
        }

    def test_an_endpoint_over_ipv6(self, wireguard: WireGuard, wg: str) -> None:
        """An IPv6 endpoint is read back as it was set."""
        peer = new_peer()
        wireguard.apply(wg, [SetPeer(public_key=peer, allowed_ips=ips(), endpoint="[2001:db8::1]:51820")])
        assert wireguard.read(wg).peers[peer].endpoint == "[2001:db8::1]:51820"

    def test_none_leaves_and_empty_takes_away(self, wireguard: WireGuard, wg: str) -> None:
        """None leaves endpoint, keepalive and preshared key; 0 and the empty key take the latter two away."""
        peer, preshared = new_peer(), new_key()
        wireguard.apply(
            wg,
            [
                SetPeer(
                    public_key=peer,
                    allowed_ips=ips("10.90.0.2/32"),
                    endpoint="192.0.2.7:1234",
                    keepalive=25,
                    preshared_key=preshared,
                )
            ],
        )
        wireguard.apply(wg, [SetPeer(public_key=peer, allowed_ips=ips("10.90.0.3/32"))])
        state = wireguard.read(wg).peers[peer]
        assert state.allowed_ips == ips("10.90.0.3/32")
        assert (state.endpoint, state.keepalive, state.preshared_key) == ("192.0.2.7:1234", 25, preshared)
        wireguard.apply(wg, [SetPeer(public_key=peer, allowed_ips=ips(), keepalive=0, preshared_key="")])
        state = wireguard.read(wg).peers[peer]
        assert state == Peer(public_key=peer, allowed_ips=ips(), endpoint="192.0.2.7:1234")

    def test_an_allowed_ip_moves(self, wireguard: WireGuard, wg: str) -> None:
        """An allowed IP that is set on another peer is taken from the one that had it."""
        first, second = new_peer(), new_peer()
        wireguard.apply(wg, [SetPeer(public_key=first, allowed_ips=ips("10.90.0.2/32", "10.90.0.3/32"))])
        wireguard.apply(wg, [SetPeer(public_key=second, allowed_ips=ips("10.90.0.3/32"))])
        peers = wireguard.read(wg).peers
        assert peers[first].allowed_ips == ips("10.90.0.2/32")
        assert peers[second].allowed_ips == ips("10.90.0.3/32")

    def test_changes_are_applied_in_order(self, wireguard: WireGuard, wg: str) -> None:
        """Of several changes in one call that touch the same thing, the last one stands."""
        first, second = new_peer(), new_peer()
        wireguard.apply(
            wg,
            [
                SetPeer(public_key=first, allowed_ips=ips("10.90.0.2/32")),
                RemovePeer(first),
                SetPeer(public_key=first, allowed_ips=ips("10.90.0.4/32")),
                SetPeer(public_key=second, allowed_ips=ips("10.90.0.4/32")),
            ],
        )
        peers = wireguard.read(wg).peers
        assert {key: peer.allowed_ips for key, peer in peers.items()} == {
            first: ips(),
            second: ips("10.90.0.4/32"),
        }

    def test_removing_a_peer(self, wireguard: WireGuard, wg: str) -> None:
        """A removed peer is gone, the other stays, and to remove one that is not there is not an error."""
        first, second = new_peer(), new_peer()
        wireguard.apply(wg, [SetPeer(public_key=one, allowed_ips=ips()) for one in (first, second)])
        wireguard.apply(wg, [RemovePeer(new_peer()), RemovePeer(first), RemovePeer(first)])
        assert set(wireguard.read(wg).peers) == {second}

    def test_the_interface_is_no_peer_of_itself(self, wireguard: WireGuard, wg: str) -> None:
        """A peer with the interface's own key is not taken."""
        wireguard.apply(
            wg, [SetPeer(public_key=wireguard.read(wg).public_key, allowed_ips=ips("10.0.0.0/8"))]
        )
        assert dict(wireguard.read(wg).peers) == {}

    def test_a_thousand_peers(self, wireguard: WireGuard, wg: str) -> None:
        """A thousand peers are set in one call, read back completely, and removed in one call."""
        wanted = {
            new_peer(): ips(f"10.{i // 250}.{i % 250}.0/24", f"fd90::{i + 9:x}/128") for i in range(1000)
        }
        changes = [SetPeer(public_key=key, allowed_ips=allowed) for key, allowed in wanted.items()]
        wireguard.apply(wg, changes)
        peers = wireguard.read(wg).peers
        assert {key: peer.allowed_ips for key, peer in peers.items()} == wanted
        gone = list(wanted)[::2]
        wireguard.apply(wg, [RemovePeer(key) for key in gone])
        assert set(wireguard.read(wg).peers) == set(wanted) - set(gone)

    def test_a_peer_with_many_allowed_ips(self, wireguard: WireGuard, wg: str) -> None:
        """Two thousand allowed IPs of one peer, more than a netlink message holds, are read back and replaced."""
        peer, other = new_peer(), new_peer()
        many = ips(*(f"fd90:1::{i:x}/128" for i in range(2000)))
        wireguard.apply(
            wg,
            [
                SetPeer(public_key=peer, allowed_ips=many),
                SetPeer(public_key=other, allowed_ips=ips("10.90.0.2/32")),
            ],
        )
        peers = wireguard.read(wg).peers
        assert peers[peer].allowed_ips == many
        assert peers[other].allowed_ips == ips("10.90.0.2/32")
        wireguard.apply(wg, [SetPeer(public_key=peer, allowed_ips=ips("10.90.0.3/32"))])
        assert wireguard.read(wg).peers[peer].allowed_ips == ips("10.90.0.3/32")

    def test_changes_without_an_interface(self, wireguard: WireGuard) -> None:
        """To read or change an interface that never was is InterfaceGone."""
        with pytest.raises(InterfaceGone):
            wireguard.read("wgnever")
        with pytest.raises(InterfaceGone):
            wireguard.apply("wgnever", [SetPeer(public_key=new_peer(), allowed_ips=ips())])
