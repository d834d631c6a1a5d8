"""The kernel's WireGuard keeps the contract, and what is peculiar to it. Runs in a machine of its own."""

import socket
import subprocess
from pathlib import Path

import pytest

from jitd.enforce.choose import choose
from jitd.enforce.kernel import KernelWireGuard, kernel_can
from jitd.enforce.port import EnforceError, InterfaceGone, RemovePeer, SetPeer
from support.wireguard_contract import Contract, ips, known, new_peer, spec
from support.wireguard_machine import RealMachine, flushed_routes_come_back, ip


def interfaces() -> list[str]:
    """The names of all interfaces."""
    return sorted(one.name for one in Path("/sys/class/net").iterdir())


def test_asking_loads_the_module() -> None:
    """Asking whether the kernel can makes it load WireGuard by itself, and leaves no interface behind."""
    before = interfaces()
    assert not Path("/sys/module/wireguard").exists()
    assert kernel_can()
    assert Path("/sys/module/wireguard").exists()
    assert interfaces() == before


class TestKernel(Contract):
    """The contract."""

    @pytest.fixture
    def machine(self) -> RealMachine:
        """The virtual machine."""
        return RealMachine(KernelWireGuard())

    def test_wg_sees_the_same(self, wireguard: KernelWireGuard, wg: str) -> None:
        """The program wg shows the peers that were set."""
        peer = new_peer()
        wireguard.apply(wg, [SetPeer(public_key=peer, allowed_ips=ips("10.90.0.2/32"), keepalive=15)])
        dump = subprocess.run(["wg", "show", wg, "dump"], check=True, capture_output=True, text=True).stdout
        (line,) = dump.splitlines()[1:]
        assert line.split("\t") == [peer, "(none)", "(none)", "10.90.0.2/32", "0", "0", "0", "15"]

    def test_an_endpoint_with_a_zone(self, wireguard: KernelWireGuard, wg: str) -> None:
        """A link-local endpoint keeps the interface that it is reached through."""
        ip("link", "add", "zone0", "type", "dummy")
        try:
            index = int(Path("/sys/class/net/zone0/ifindex").read_text())
            peer = new_peer()
            wireguard.apply(wg, [SetPeer(public_key=peer, allowed_ips=ips(), endpoint="[fe80::1%zone0]:7")])
            assert wireguard.read(wg).peers[peer].endpoint == f"[fe80::1%{index}]:7"
            shown = subprocess.run(
                ["wg", "show", wg, "endpoints"], check=True, capture_output=True, text=True
            )
            assert shown.stdout == f"{peer}\t[fe80::1%zone0]:7\n"
        finally:
            ip("link", "del", "zone0")

    def test_an_interface_of_somebody_else(self, wireguard: KernelWireGuard) -> None:
        """An interface that an administrator made, down and without a key, is read and changed; its peers stay."""
        ip("link", "add", "wgadopt", "type", "wireguard")
        try:
            theirs, ours = new_peer(), new_peer()
            subprocess.run(
                [
                    "wg",
                    "set",
                    "wgadopt",
                    "listen-port",
                    "20999",
                    "peer",
                    theirs,
                    "allowed-ips",
                    "10.8.0.2/32",
                ],
                check=True,
            )
            wireguard.apply("wgadopt", [SetPeer(public_key=ours, allowed_ips=ips("10.8.0.3/32"))])
            state = wireguard.read("wgadopt")
            assert (state.private_key, state.public_key, state.port, state.up) == ("", "", 20999, False)
            assert {key: peer.allowed_ips for key, peer in state.peers.items()} == {
                theirs: ips("10.8.0.2/32"),
                ours: ips("10.8.0.3/32"),
            }
        finally:
            wireguard.remove_link("wgadopt")

    def test_a_restarted_jitd_finds_a_renamed_interface(self, wireguard: KernelWireGuard) -> None:
        """Attack: an interface is renamed while jitd is dead, and another one takes its name, also as an alternative name.
        It is known by its key, and the other one is not touched.
        """
        wanted, other, peer = spec("wgdead", "10.94.0.1/24"), spec("wgelse", "10.96.0.1/24"), new_peer()
        wireguard.ensure_link(wanted)
        wireguard.ensure_link(other)
        wireguard.apply("wgdead", [SetPeer(public_key=peer, allowed_ips=ips("10.94.0.2/32"))])
        machine = RealMachine(wireguard)
        machine.rename("wgdead", "wgother")
        ip("link", "property", "add", "dev", "wgelse", "altname", "wgdead")
        another = KernelWireGuard()
        another.know(known(wanted))
        try:
            state = another.read("wgdead")
            assert (state.name, set(state.peers)) == ("wgother", {peer})
            ip("link", "property", "del", "dev", "wgelse", "altname", "wgdead")
            machine.rename("wgelse", "wgdead")
            assert another.ensure_link(wanted) is False
            another.apply("wgdead", [RemovePeer(peer)])
            assert (another.read("wgdead").name, len(another.read("wgdead").peers)) == ("wgother", 0)
            assert wireguard.read("wgelse").port == other.port
        finally:
            another.remove_link("wgdead")
            wireguard.remove_link("wgelse")

    def test_an_interface_that_was_moved_away_and_back(self, wireguard: KernelWireGuard) -> None:
        """In another network namespace it is gone for us; when it comes back, under whatever name, it is read again."""
        wanted, peer = spec("wgmove", "10.95.0.1/24"), new_peer()
        wireguard.know(known(wanted))
        wireguard.ensure_link(wanted)
        wireguard.apply("wgmove", [SetPeer(public_key=peer, allowed_ips=ips("10.95.0.2/32"))])
        ip("netns", "add", "away")
        try:
            ip("link", "set", "wgmove", "netns", "away")
            with pytest.raises(InterfaceGone):
                wireguard.apply("wgmove", [RemovePeer(peer)])
            ip("-n", "away", "link", "set", "wgmove", "name", "wgback")
            ip("-n", "away", "link", "set", "wgback", "netns", "1")
            assert (wireguard.read("wgmove").name, set(wireguard.read("wgmove").peers)) == ("wgback", {peer})
        finally:
            ip("netns", "del", "away")
            wireguard.remove_link("wgmove")

    def test_a_port_in_use(self, wireguard: KernelWireGuard) -> None:
        """A UDP port that another program has is an error that names it, and no half-made interface stays."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("0.0.0.0", 0))
            port = other.getsockname()[1]
            with pytest.raises(EnforceError, match=rf"UDP port {port}.*already in use"):
                wireguard.ensure_link(spec("wgport", port=port))
        assert not Path("/sys/class/net/wgport").exists()


def test_automatic_choice_prefers_the_kernel() -> None:
    """`auto` makes interfaces in the kernel, and still works with one that a userspace process carries."""
    wireguard = choose("auto", "wireguard-go")
    assert wireguard.name == "kernel"
    wireguard.ensure_link(spec("wgkernel"))
    subprocess.run(["wireguard-go", "wguser"], check=True, capture_output=True)
    try:
        assert "wireguard" in ip("-d", "link", "show", "wgkernel")
        peer = new_peer()
        wireguard.apply("wguser", [SetPeer(public_key=peer, allowed_ips=ips("10.90.0.2/32"))])
        assert set(wireguard.read("wguser").peers) == {peer}
        assert set(wireguard.read("wgkernel").peers) == set()
        with pytest.raises(EnforceError, match=r'backend = "kernel"'):
            choose("userspace", "wireguard-go").read("wgkernel")
    finally:
        wireguard.remove_link("wgkernel")
        wireguard.remove_link("wguser")
    assert not Path("/sys/class/net/wguser").exists()


def test_flushed_routes_come_back() -> None:
    """The ways to the clients are put back after `ip route flush`, and what stands in their place is left."""
    flushed_routes_come_back(KernelWireGuard())
