"""What hangs and does not fail: the disk in a sync, a frozen file system, wireguard-go; and a disk with errors.

Each is measured from the last byte of the request at the socket to the last packet of who is closed out.
"""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from random import Random

from faults.outcome import Outcome
from faults.scene import BACK, STARTED, Granted, Scene, played
from faults.steps import attach
from faults.storage import STATE, other_disk
from support import network
from support.deployment import Deployment
from support.gateway import SOCKET
from support.wait import until

#: Nothing passes so long after the last byte of the request, in nanoseconds: generous, because the machine may be busy.
#: What it was is told in the note.
GENEROUS_NS = 1_000_000_000
#: Revokes a grant, and says when its request was sent and what was answered.
REVOKE = """
import json, socket, sys, time
body = json.dumps({"id": int(sys.argv[2]), "comment": "the fault"}).encode()
with socket.socket(socket.AF_UNIX) as line:
    line.settimeout(60)
    line.connect(sys.argv[1])
    line.sendall(b"POST /v1/revoke HTTP/1.0\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body)
    print(time.monotonic_ns(), flush=True)
    print(line.recv(65536).split()[1].decode(), flush=True)
"""
UNRECORDED, DONE = "507", "200"
#: So often in a row a thread is seen to be held before it counts as hanging.
HELD = 20


def disk_at_revoke(deployment: Deployment, chance: Random) -> Outcome:
    """Each sync of the disk takes 20 s while a grant is revoked: it is cut at once, and recorded when the disk has it."""
    with played(deployment) as scene:
        granted = scene.grant("1h")
        with _hanging_writer(deployment, _slow_or_broken(scene, "delay_enter=20000000")):
            _revoked(scene, granted, UNRECORDED)
        with scene.recovering("cut at once; recorded when the disk continued"):
            deployment.ended(granted.number, BACK)
        return scene.finish()


def frozen_at_revoke(deployment: Deployment, chance: Random) -> Outcome:
    """The file system is frozen, so that writes block too: it is cut at once, and recorded when it goes on."""
    with _own_disk(deployment), played(deployment) as scene:
        granted = scene.grant("1h")
        with _hanging_writer(deployment, _frozen(deployment)):
            _revoked(scene, granted, UNRECORDED)
        with scene.recovering("cut at once; recorded when the file system continued"):
            deployment.ended(granted.number, BACK)
        return scene.finish()


def errors_at_revoke(deployment: Deployment, chance: Random) -> Outcome:
    """The disk gives errors (EIO) in each sync: it is cut at once, and recorded when they are over."""
    with played(deployment) as scene:
        granted = scene.grant("1h")
        with _slow_or_broken(scene, "error=EIO"):
            _revoked(scene, granted, UNRECORDED)
        with scene.recovering("cut at once; recorded when the disk worked again"):
            deployment.ended(granted.number, BACK)
        return scene.finish()


def wireguard_go_at_revoke(deployment: Deployment, chance: Random) -> Outcome:
    """wireguard-go does not answer (SIGSTOP), and so passes nothing; a revoke is answered, and the peer is gone when it
    goes on. A second interface is not held.
    """
    with played(deployment) as scene:
        granted = scene.grant("1h")
        with _second_interface(deployment) as number:
            with _stopped(deployment, "wg1"):
                _revoked(scene, granted, DONE)
                assert deployment.keys["alice"] not in scene.gateway.peers()
                begun = time.monotonic()
                scene.gateway.refusal("carol", "revoke", str(number), "--reason", "the fault")
                assert time.monotonic() - begun < STARTED
            with scene.recovering("wg0 was not delayed; wg1 was reconciled when it answered again"):
                until(lambda: not scene.gateway.peers("wg1"), "wg1 is closed", BACK)
        return scene.finish()


def _revoked(scene: Scene, granted: Granted, answer: str) -> None:
    """Revoke as carol, and see what it takes to the last packet."""
    said = scene.deployment.streams.directory / f"revoke-{time.monotonic_ns()}"
    argv = [sys.executable, "-I", "-S", "-c", REVOKE, SOCKET, str(granted.number)]
    with said.open("w") as output:
        asking = scene.world.start(argv, user="carol", output=output)
    until(lambda: len(said.read_text().split()) == 2, "it is answered", 30)
    asking.popen.wait(10)
    sent, answered = said.read_text().split()
    scene.shut(int(sent) + GENEROUS_NS)
    scene.acknowledged[granted.number] = {"revoked"}
    scene.silent()
    last = max(packet.received for stream in scene.mine for packet in stream.received())
    scene.note = f"the last packet {(last - int(sent)) / 1e6:.0f} ms after the request"
    assert answered == answer, answered


@contextmanager
def _hanging_writer(deployment: Deployment, disk: AbstractContextManager[None]) -> Iterator[None]:
    """While the disk is like that, somebody's verb hangs with it, and the worker with the verb."""
    assert deployment.gateway.daemon is not None
    tasks = Path(f"/proc/{deployment.gateway.daemon.pid}/task")
    seen: dict[str, int] = {}

    def hangs() -> bool:
        for task in tasks.iterdir():
            # In a disk's sleep, or held by strace.
            is_held = (task / "stat").read_text().rpartition(")")[2].split()[0] in "Dt"
            seen[task.name] = seen.get(task.name, 0) + 1 if is_held else 0
        return max(seen.values()) > HELD

    with disk:
        asking = deployment.world.start(["jitctl", "notify", "off"], user="carol")
        until(hangs, "the worker hangs")
        yield
    asking.popen.wait(60)
    deployment.gateway.jitctl("carol", "notify", "on")


@contextmanager
def _slow_or_broken(scene: Scene, what: str) -> Iterator[None]:
    """strace in each sync of jitd's."""
    file = scene.deployment.streams.directory / f"strace-{time.monotonic_ns()}"
    strace = attach(scene, file, "--trace=fdatasync,fsync", f"--inject=fdatasync,fsync:{what}")
    try:
        yield
    finally:
        strace.stop(signal.SIGINT, 60)


@contextmanager
def _own_disk(deployment: Deployment) -> Iterator[None]:
    """The state directory on a file system of its own, that can be frozen."""
    image = "/root/disk.img"
    deployment.world.run(["truncate", "-s", "64M", image])
    deployment.world.run(["mkfs.ext4", "-q", image])
    with other_disk(deployment, ["mount", "-o", "loop", image, STATE], ["chmod", "0700", STATE]):
        yield


@contextmanager
def _frozen(deployment: Deployment) -> Iterator[None]:
    deployment.world.run(["fsfreeze", "--freeze", STATE])
    try:
        yield
    finally:
        deployment.world.run(["fsfreeze", "--unfreeze", STATE])


@contextmanager
def _second_interface(deployment: Deployment) -> Iterator[int]:
    """A second interface, with a grant of alice's behind it. Gives the grant's number."""
    jitctl = deployment.gateway.jitctl
    endpoint = f"{network.OUTER}:51821"
    jitctl(
        "carol", "interface", "add", "wg1", "--pool", "10.8.0.0/24", "--endpoint", endpoint, "--port", "51821"
    )
    jitctl("carol", "network", "add", "lab", "--route", "10.77.0.0/16", "--interface", "wg1", "--yes")
    said = deployment.gateway.json(
        "carol", "grant", "--user", "alice", "--network", "lab", "--duration", "1h"
    )
    try:
        yield int(said["request"]["id"])
    finally:
        jitctl("carol", "network", "remove", "lab", "--yes")
        jitctl("carol", "interface", "remove", "wg1", "--yes")


@contextmanager
def _stopped(deployment: Deployment, interface: str) -> Iterator[None]:
    """Its wireguard-go answers nobody."""
    signalled = ["-f", f"wireguard-go .*{interface}$"]
    deployment.world.run(["pkill", "-STOP", *signalled])
    try:
        yield
    finally:
        deployment.world.run(["pkill", "-CONT", *signalled])
