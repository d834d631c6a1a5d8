"""wireguard-go keeps the contract, and what is peculiar to it. Runs in network and mount namespaces of its own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from jitd.enforce.choose import choose
from jitd.enforce.kernel import kernel_can
from jitd.enforce.port import EnforceError, InterfaceGone, OutOfSight, RemovePeer, SetPeer
from jitd.enforce.userspace import SOCKETS, UserspaceWireGuard
from support.wait import until
from support.wireguard_contract import Contract, ips, known, new_key, new_peer, spec
from support.wireguard_machine import RealMachine, flushed_routes_come_back, ip

WIREGUARD_GO = shutil.which("wireguard-go") or "wireguard-go"


def processes(name: str) -> list[int]:
    """The ids of the living wireguard-go processes for an interface."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            argv = (directory / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if argv[0].endswith(b"wireguard-go") and name.encode() in argv:
            found.append(int(directory.name))
    return found


@pytest.fixture
def wireguard() -> UserspaceWireGuard:
    """The backend with Debian's wireguard-go."""
    return UserspaceWireGuard(WIREGUARD_GO)


class TestUserspace(Contract):
    """The contract."""

    @pytest.fixture
    def machine(self, wireguard: UserspaceWireGuard) -> RealMachine:
        """The namespaces that the tests run in."""
        return RealMachine(wireguard)


def test_a_restarted_jitd_finds_a_renamed_interface(wireguard: UserspaceWireGuard) -> None:
    """Attack: an interface is renamed while jitd is dead. The process keeps the socket that it was started with, and its
    interface is known by the addresses on it.
    """
    wanted = spec("wgdead", "10.94.0.1/24")
    peer = new_peer()
    wireguard.ensure_link(wanted)
    try:
        wireguard.apply("wgdead", [SetPeer(public_key=peer, allowed_ips=ips("10.94.0.2/32"))])
        RealMachine(wireguard).rename("wgdead", "wgother")
        another = UserspaceWireGuard(WIREGUARD_GO)
        another.know(known(wanted))
        state = another.read("wgdead")
        assert (state.name, set(state.peers)) == ("wgother", {peer})
        assert another.ensure_link(wanted) is False
        assert another.carries("wgdead")
    finally:
        another.remove_link("wgdead")
    assert not processes("wgdead")


def test_an_interface_in_another_namespace_is_closed_all_the_same(wireguard: UserspaceWireGuard) -> None:
    """Attack: an interface is moved away with everybody in it. Its process is ours by its key, and takes who is to go out
    of it; nobody can be let in there. When it comes back it is read again.
    """
    wanted = spec("wgmove", "10.95.0.1/24")
    leaves, stays = new_peer(), new_peer()
    wireguard.know(known(wanted))
    wireguard.ensure_link(wanted)
    wireguard.apply("wgmove", [SetPeer(public_key=one, allowed_ips=ips()) for one in (leaves, stays)])
    ip("netns", "add", "away")
    try:
        ip("link", "set", "wgmove", "netns", "away")
        with pytest.raises(OutOfSight):
            wireguard.read("wgmove")
        assert wireguard.locate("wgmove") is None
        wireguard.apply("wgmove", [RemovePeer(leaves), SetPeer(public_key=stays, allowed_ips=ips())])
        with pytest.raises(OutOfSight):
            wireguard.apply("wgmove", [SetPeer(public_key=leaves, allowed_ips=ips("10.95.0.2/32"))])
        with pytest.raises(OutOfSight):
            wireguard.remove_link("wgmove")
        ip("-n", "away", "link", "set", "wgmove", "netns", str(os.getpid()))
        assert set(wireguard.read("wgmove").peers) == {stays}
    finally:
        ip("netns", "del", "away")
        wireguard.remove_link("wgmove")


def test_a_killed_process(wireguard: UserspaceWireGuard) -> None:
    """After kill -9 of wireguard-go the interface is gone, its socket stays behind, and both are made again."""
    wanted = spec("wgkill")
    wireguard.ensure_link(wanted)
    try:
        (pid,) = processes("wgkill")
        os.kill(pid, signal.SIGKILL)
        until(lambda: not Path("/sys/class/net/wgkill").exists(), "the interface is gone")
        assert (SOCKETS / "wgkill.sock").exists()
        with pytest.raises(InterfaceGone):
            wireguard.read("wgkill")
        with pytest.raises(InterfaceGone):
            wireguard.apply("wgkill", [SetPeer(public_key=new_peer(), allowed_ips=ips())])
        assert wireguard.ensure_link(wanted) is True
        assert wireguard.read("wgkill").port == wanted.port
    finally:
        wireguard.remove_link("wgkill")


def test_an_interface_that_is_dying(wireguard: UserspaceWireGuard) -> None:
    """Right after the kill, while the kernel still shows the interface, it is made again, or removed, all the same."""
    try:
        for _ in range(5):
            wireguard.ensure_link(spec("wgdying"))
            os.kill(processes("wgdying")[0], signal.SIGKILL)
            assert wireguard.ensure_link(spec("wgdying")) is True
            os.kill(processes("wgdying")[0], signal.SIGKILL)
            wireguard.remove_link("wgdying")
            assert not (SOCKETS / "wgdying.sock").exists()
    finally:
        wireguard.remove_link("wgdying")


def test_removal_ends_the_process(wireguard: UserspaceWireGuard) -> None:
    """remove_link leaves no process and no socket, not even the socket of a process that was killed."""
    wireguard.ensure_link(spec("wgend"))
    wireguard.remove_link("wgend")
    until(lambda: not processes("wgend"), "wireguard-go has ended")
    assert not (SOCKETS / "wgend.sock").exists()
    wireguard.ensure_link(spec("wgend"))
    os.kill(processes("wgend")[0], signal.SIGKILL)
    until(lambda: not Path("/sys/class/net/wgend").exists(), "the interface is gone")
    wireguard.remove_link("wgend")
    assert not (SOCKETS / "wgend.sock").exists()


def test_it_outlives_its_maker(wireguard: UserspaceWireGuard, tmp_path: Path) -> None:
    """Without systemd it is nobody's child, in a session of its own, holds no file of its maker, and lives on."""
    program = (
        "import os, sys; from support.wireguard_contract import spec; from jitd.enforce.userspace import UserspaceWireGuard\n"
        "os.set_inheritable(os.open(sys.argv[1], os.O_RDWR | os.O_CREAT), True)\n"
        f"UserspaceWireGuard({WIREGUARD_GO!r}).ensure_link(spec('wglive'))\n"
        "print(os.getpid(), os.getsid(0), flush=True)\n"
        "os.killpg(0, 9)\n"
    )
    try:
        # The pipe is read to its end: a wireguard-go that held it would keep it open.
        maker = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "held")],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=30,
            check=False,
            start_new_session=True,
            env={**os.environ, "LOG_LEVEL": "verbose", "PYTHONPATH": ":".join(sys.path)},
        )
        assert maker.returncode == -signal.SIGKILL, maker.stdout
        made_by, session = map(int, maker.stdout.split())
        (pid,) = processes("wglive")
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        assert int(stat[1]) != made_by
        assert int(stat[3]) != session
        held = [str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir()]
        assert str(tmp_path / "held") not in held
        assert wireguard.read("wglive").up
    finally:
        wireguard.remove_link("wglive")


def test_an_interface_of_somebody_else(wireguard: UserspaceWireGuard) -> None:
    """A wireguard-go that an administrator started and configured with wg is read and changed."""
    subprocess.run(["wireguard-go", "wgadopt"], check=True, capture_output=True)
    try:
        theirs, ours, key = new_peer(), new_peer(), new_key()
        subprocess.run(
            [
                *("wg", "set", "wgadopt", "private-key", "/dev/stdin", "listen-port", "20999"),
                *("peer", theirs, "allowed-ips", "10.8.0.2/32", "persistent-keepalive", "15"),
            ],
            input=key,
            text=True,
            check=True,
        )
        ip("address", "add", "10.8.0.1/24", "dev", "wgadopt")
        ip("link", "set", "wgadopt", "up")
        wireguard.apply("wgadopt", [SetPeer(public_key=ours, allowed_ips=ips("10.8.0.3/32"))])
        state = wireguard.read("wgadopt")
        assert (state.private_key, state.port, state.up) == (key, 20999, True)
        assert [str(one) for one in state.addresses] == ["10.8.0.1/24"]
        assert {one: peer.keepalive for one, peer in state.peers.items()} == {theirs: 15, ours: 0}
    finally:
        wireguard.remove_link("wgadopt")


def test_the_same_name_in_another_namespace(wireguard: UserspaceWireGuard) -> None:
    """A wireguard-go in another network namespace shares the socket directory: it is left alone, with a clear error."""
    elsewhere = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "wireguard-go wgfar && echo ready && exec cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert elsewhere.stdin is not None
    assert elsewhere.stdout is not None
    try:
        assert elsewhere.stdout.readline() == "ready\n"
        for step in (lambda: wireguard.ensure_link(spec("wgfar")), lambda: wireguard.read("wgfar")):
            with pytest.raises(EnforceError, match="another network namespace") as caught:
                step()
            assert not isinstance(caught.value, InterfaceGone)
        wireguard.remove_link("wgfar")
        assert processes("wgfar")
    finally:
        elsewhere.stdin.close()
        elsewhere.wait(10)
        elsewhere.stdout.close()
        for pid in processes("wgfar"):
            os.kill(pid, signal.SIGTERM)
        until(lambda: not processes("wgfar"), "the other wireguard-go has ended")


def test_a_port_in_use(wireguard: UserspaceWireGuard) -> None:
    """A UDP port that another program has is an error that names it, and no half-made interface stays."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("0.0.0.0", 0))
        port = other.getsockname()[1]
        with pytest.raises(EnforceError, match=f"UDP port {port}.*already in use"):
            wireguard.ensure_link(spec("wgport", port=port))
    assert not Path("/sys/class/net/wgport").exists()


def test_a_refused_port_leaves_nobody_deaf(wireguard: UserspaceWireGuard) -> None:
    """wireguard-go closes its sockets before it opens others: refused a port, it listens on none, until it is given one
    that can be had.
    """
    wanted = spec("wgdeaf")
    try:
        wireguard.ensure_link(wanted)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("0.0.0.0", 0))
            with pytest.raises(EnforceError, match="cannot listen on UDP port"):
                wireguard.ensure_link(replace(wanted, port=other.getsockname()[1]))
            assert wireguard.read("wgdeaf").port == 0
            assert wireguard.ensure_link(wanted) is False
            assert wireguard.read("wgdeaf").port == wanted.port
    finally:
        wireguard.remove_link("wgdeaf")


def test_a_process_that_does_not_answer(
    wireguard: UserspaceWireGuard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped wireguard-go costs a bounded time and is an error, not a missing interface."""
    monkeypatch.setattr("jitd.enforce.userspace.LIMIT", 0.3)
    wireguard.ensure_link(spec("wgstuck"))
    (pid,) = processes("wgstuck")
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(EnforceError, match="did not answer") as caught:
            wireguard.read("wgstuck")
        assert not isinstance(caught.value, InterfaceGone)
    finally:
        os.kill(pid, signal.SIGCONT)
        wireguard.remove_link("wgstuck")


def test_a_program_that_fails() -> None:
    """What a program that cannot start said last is in the error."""
    with pytest.raises(EnforceError, match="false failed: exit status 1"):
        UserspaceWireGuard("/bin/false").ensure_link(spec("wgfalse"))
    with pytest.raises(EnforceError, match="cannot be started: No such file"):
        UserspaceWireGuard("/nonexistent").ensure_link(spec("wgfalse"))


def test_readers_beside_each_other(wireguard: UserspaceWireGuard) -> None:
    """Two threads that read the same interface at once both get the whole of it."""
    wireguard.ensure_link(spec("wgtwo"))
    try:
        wanted = {new_peer() for _ in range(200)}
        wireguard.apply("wgtwo", [SetPeer(public_key=one, allowed_ips=ips()) for one in wanted])
        seen: list[set[str]] = []
        readers = [
            threading.Thread(target=lambda: seen.append(set(wireguard.read("wgtwo").peers))) for _ in range(2)
        ]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(10)
        assert seen == [wanted, wanted]
    finally:
        wireguard.remove_link("wgtwo")


def test_automatic_choice() -> None:
    """`auto` takes wireguard-go exactly when the kernel has no WireGuard."""
    assert choose("auto", "wireguard-go").name == ("kernel" if kernel_can() else "userspace")


def test_flushed_routes_come_back(wireguard: UserspaceWireGuard) -> None:
    """The ways to the clients are put back after `ip route flush`, and what stands in their place is left."""
    flushed_routes_come_back(wireguard)
