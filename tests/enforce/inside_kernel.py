"""The kernel's WireGuard keeps the contract, and what is peculiar to it. Runs in a kernel of its own, with systemd."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from enforce.contract import Contract, ips, new_peer, spec
from enforce.real import RealMachine, ip
from jitd.enforce.choose import choose
from jitd.enforce.kernel import KernelWireGuard, kernel_can
from jitd.enforce.port import EnforceError, SetPeer
from jitd.enforce.userspace import UserspaceWireGuard
from support.wait import until


@pytest.fixture
def wireguard() -> KernelWireGuard:
    """The backend."""
    return KernelWireGuard()


class TestKernel(Contract):
    """The contract."""

    @pytest.fixture
    def machine(self, wireguard: KernelWireGuard) -> RealMachine:
        """The virtual machine."""
        return RealMachine(wireguard)


def test_the_question_leaves_nothing():
    """kernel_can says yes here, `auto` agrees, and no interface appears by asking."""
    before = ip("-o", "link")
    assert kernel_can() is True
    assert choose("auto", "wireguard-go").name == "kernel"
    assert ip("-o", "link") == before


def test_wg_sees_the_same(wireguard: KernelWireGuard):
    """The program wg, which shares no code with this backend, sees each of a thousand peers as it was set."""
    wireguard.ensure_link(spec("wgsame"))
    try:
        wanted = {new_peer(): f"10.{i // 250}.{i % 250}.0/24" for i in range(1000)}
        wireguard.apply(
            "wgsame", [SetPeer(public_key=key, allowed_ips=ips(one)) for key, one in wanted.items()]
        )
        said = subprocess.run(
            ["wg", "show", "wgsame", "allowed-ips"], check=True, capture_output=True, text=True
        ).stdout
        assert dict(line.split("\t") for line in said.splitlines()) == wanted
    finally:
        wireguard.remove_link("wgsame")


def test_an_interface_of_somebody_else(wireguard: KernelWireGuard):
    """An interface that an administrator made without a key is read and changed, its own peers undisturbed."""
    ip("link", "add", "wgadopt", "type", "wireguard")
    try:
        theirs, ours = new_peer(), new_peer()
        subprocess.run(
            ["wg", "set", "wgadopt", "listen-port", "20999", "peer", theirs, "allowed-ips", "10.8.0.2/32"],
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


def test_a_port_in_use(wireguard: KernelWireGuard):
    """A UDP port that another program has is an error that names it, and no half-made interface stays."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("0.0.0.0", 0))
        port = other.getsockname()[1]
        with pytest.raises(EnforceError, match=rf"UDP port {port}.*already in use"):
            wireguard.ensure_link(spec("wgport", port=port))
    assert not Path("/sys/class/net/wgport").exists()


def test_userspace_beside_the_kernel():
    """With `auto`, an interface that a wireguard-go carries is read, changed and removed through that one."""
    program = shutil.which("wireguard-go")
    assert program is not None
    auto = choose("auto", program)
    wanted, peer = spec("wgbeside"), new_peer()
    UserspaceWireGuard(program).ensure_link(wanted)
    try:
        assert auto.ensure_link(wanted) is False
        auto.apply("wgbeside", [SetPeer(public_key=peer, allowed_ips=ips("10.90.0.2/32"))])
        assert set(auto.read("wgbeside").peers) == {peer}
    finally:
        auto.remove_link("wgbeside")
    assert not Path("/sys/class/net/wgbeside").exists()


def test_the_kernel_refuses_one_that_userspace_carries(wireguard: KernelWireGuard):
    """The kernel backend says of an interface on a tun device that it is not the kernel's."""
    ip("tuntap", "add", "wgtun", "mode", "tun")
    try:
        with pytest.raises(EnforceError, match=r"wgtun that is no WireGuard interface .*tun"):
            wireguard.read("wgtun")
    finally:
        ip("link", "del", "wgtun")


def test_wireguard_go_outlives_a_service():
    """Under systemd, wireguard-go has a unit of its own, and lives on when the service that made it is killed."""
    program = (
        "import os; from enforce.contract import spec; from jitd.enforce.userspace import UserspaceWireGuard\n"
        f"UserspaceWireGuard({shutil.which('wireguard-go')!r}).ensure_link(spec('wgunit'))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    service = subprocess.run(
        [
            *("systemd-run", "--wait", "--pipe", "--collect", "--unit=maker"),
            *(f"--setenv=PYTHONPATH={':'.join(sys.path)}", f"--setenv=PATH={os.environ['PATH']}"),
            *(sys.executable, "-c", program),
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=90,
    )
    userspace = UserspaceWireGuard("wireguard-go")
    unit = "jitd-wireguard-go-wgunit.service"
    try:
        assert "KILL" in service.stderr
        assert _active(unit) == "active"
        assert userspace.read("wgunit").up
    finally:
        userspace.remove_link("wgunit")
    until(lambda: _active(unit) == "inactive", "the unit of wireguard-go has ended")


def _active(unit: str) -> str:
    return subprocess.run(
        ["systemctl", "is-active", unit], check=False, capture_output=True, text=True
    ).stdout.strip()
