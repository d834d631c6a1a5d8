"""What happens to the store: a full disk, a locked database."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from random import Random

from faults.outcome import Outcome
from faults.scene import BACK, STARTED, Granted, Scene, played
from support.deployment import Deployment
from support.wait import until

STATE = "/var/lib/jitd"
KEPT = "/root/jitd-state"
LOCK = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1], isolation_level=None) as line:
    line.execute("BEGIN IMMEDIATE")
    print("locked", flush=True)
    sys.stdin.read()
"""

EMPTIED = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1], isolation_level=None) as line:
    line.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
"""


def disk_full_at_expiry(deployment: Deployment, chance: Random) -> Outcome:
    """The disk is full when a grant ends: it is cut on time; a new grant is refused and changes nothing."""
    with _small_disk(deployment), played(deployment) as scene:
        granted = scene.grant("8s")
        _fill(deployment)
        scene.shut(granted.end_ns)
        scene.wait(granted.end_ns + 200_000_000)
        scene.silent()
        assert deployment.keys["alice"] not in scene.gateway.peers()
        refused = scene.gateway.refusal(
            "carol", "grant", "--user", "alice", "--network", "office", "-d", "1h"
        )
        assert "cannot" in refused.stderr, refused
        scene.silent()
        with scene.recovering("cut on time; recorded when there was space"):
            _free(deployment)
            deployment.ended(granted.number, BACK)
        return scene.finish()


def disk_full_at_revoke(deployment: Deployment, chance: Random) -> Outcome:
    """The disk is full when a grant is revoked: it is cut, the caller is told, and it is recorded later."""
    with _small_disk(deployment), played(deployment) as scene:
        granted = scene.grant("1h")
        _fill(deployment)
        _revoked_unrecorded(scene, granted)
        with scene.recovering("cut at once; recorded when there was space"):
            _free(deployment)
            deployment.ended(granted.number, BACK)
        return scene.finish()


def locked_at_expiry(deployment: Deployment, chance: Random) -> Outcome:
    """Another process holds the database locked for seconds before and after a grant's end: it is cut on time."""
    with played(deployment) as scene:
        granted = scene.grant("8s")
        scene.wait(granted.end_ns - chance.randrange(200, 4000) * 1_000_000)
        with _locked(deployment):
            scene.shut(granted.end_ns)
            scene.wait(granted.end_ns + chance.randrange(500, 6000) * 1_000_000)
            scene.silent()
            begun = time.monotonic_ns()
        with scene.recovering("cut on time; recorded when the lock was gone"):
            deployment.ended(granted.number, BACK)
        assert begun > granted.end_ns
        return scene.finish()


def locked_at_revoke(deployment: Deployment, chance: Random) -> Outcome:
    """Another process holds the database locked when a grant is revoked: it is cut, and recorded later."""
    with played(deployment) as scene:
        granted = scene.grant("1h")
        with _locked(deployment):
            _revoked_unrecorded(scene, granted)
        with scene.recovering("cut at once; recorded when the lock was gone"):
            deployment.ended(granted.number, BACK)
        return scene.finish()


def corrupted_at_expiry(deployment: Deployment, chance: Random) -> Outcome:
    """The database is overwritten with nonsense before a grant ends: it is cut on time, and recorded in the backup."""
    with played(deployment) as scene:
        granted = scene.grant("15s")
        _backed_up(scene)
        _corrupt(deployment)
        scene.shut(granted.end_ns)
        scene.wait(granted.end_ns + chance.randrange(100, 3000) * 1_000_000)
        scene.silent()
        assert deployment.keys["alice"] not in scene.gateway.peers()
        with scene.recovering("cut on time; recorded after a backup was restored"):
            _restored(scene)
            deployment.ended(granted.number, BACK)
        return scene.finish()


def corrupted_at_revoke(deployment: Deployment, chance: Random) -> Outcome:
    """The database is overwritten with nonsense when a grant is revoked: it is cut, and stays out of the backup too."""
    with played(deployment) as scene:
        granted = scene.grant("1h")
        _backed_up(scene)
        scene.passes()
        _corrupt(deployment)
        _revoked_unrecorded(scene, granted)
        with scene.recovering("cut at once; recorded after a backup was restored"):
            _restored(scene)
            deployment.ended(granted.number, BACK)
        return scene.finish()


def _backed_up(scene: Scene) -> None:
    """Stop, copy the database, go on."""
    scene.gateway.stop()
    scene.world.run(["sh", "-c", f"rm -rf {KEPT}; mkdir {KEPT}; cp -a {STATE}/jitd.db* {KEPT}"])
    scene.start()


def _corrupt(deployment: Deployment) -> None:
    """Overwrite all of the database but the first page, and the log, without changing how long they are."""
    for name, skip in (("jitd.db", 4096), ("jitd.db-wal", 0)):
        file = deployment.world.path(f"{STATE}/{name}")
        with file.open("r+b") as stream:
            length = stream.seek(0, 2)
            stream.seek(min(skip, length))
            stream.write(b"nonsense" * ((length - min(skip, length)) // 8))


def _restored(scene: Scene) -> None:
    """Put the copy in the place of what is broken. What jitd keeps beside the database stays."""
    scene.gateway.stop()
    scene.world.run(["sh", "-c", f"rm {STATE}/jitd.db*; cp -a {KEPT}/jitd.db* {STATE}"])
    scene.start()


def _revoked_unrecorded(scene: Scene, granted: Granted) -> None:
    """Revoke where the store does not take it: that is said, and access is cut."""
    refused = scene.gateway.refusal("carol", "revoke", str(granted.number), "--reason", "the fault")
    scene.shut()
    assert f"cut: {granted.number}" in refused.stderr, refused
    scene.acknowledged[granted.number] = {"revoked"}
    assert scene.deployment.keys["alice"] not in scene.gateway.peers()
    scene.silent()


@contextmanager
def _locked(deployment: Deployment) -> Iterator[None]:
    """A transaction of another process holds the database."""
    said = deployment.streams.directory / f"lock-{time.monotonic_ns()}"
    with said.open("w") as output:
        holder = deployment.world.start(
            [sys.executable, "-I", "-c", LOCK, f"{STATE}/jitd.db"], stdin=subprocess.PIPE, output=output
        )
    try:
        until(lambda: "locked" in said.read_text(), "the database is locked")
        yield
    finally:
        assert holder.popen.stdin is not None
        holder.popen.stdin.close()
        holder.popen.wait(10)


@contextmanager
def other_disk(deployment: Deployment, *mount: list[str]) -> Iterator[None]:
    """The state directory on what these commands mount, and back where it was afterwards."""

    def moved(*between: list[str]) -> None:
        deployment.gateway.stop()
        for line in (["rm", "-rf", KEPT], ["cp", "-a", STATE, KEPT], *between):
            deployment.world.run(line)
        deployment.world.run(["cp", "-a", f"{KEPT}/.", STATE])
        deployment.gateway.start(STARTED)

    moved(*mount)
    try:
        yield
    finally:
        moved(["umount", STATE])


def _small_disk(deployment: Deployment) -> AbstractContextManager[None]:
    """A disk of 4 MB."""
    return other_disk(deployment, ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", STATE])


def no_inodes_at_revoke(deployment: Deployment, chance: Random) -> Outcome:
    """No file can be made any more when a grant is revoked: it is cut and recorded, as what is written is there already."""
    tmpfs = ["mount", "-t", "tmpfs", "-o", "nr_inodes=64,mode=0700", "tmpfs", STATE]
    with other_disk(deployment, tmpfs), played(deployment) as scene:
        granted = scene.grant("1h")
        deployment.world.run(["sh", "-c", f"i=0; while : >{STATE}/f$i; do i=$((i+1)); done"], check=False)
        assert deployment.world.run(["sh", "-c", f": >{STATE}/more"], check=False).returncode != 0
        scene.revoke(granted.number)
        scene.shut()
        scene.silent()
        with scene.recovering("cut and recorded at once"):
            deployment.world.run(["sh", "-c", f"rm -f {STATE}/f*"])
            deployment.ended(granted.number, BACK)
        return scene.finish()


def _fill(deployment: Deployment) -> None:
    """Leave no room, in the write-ahead log neither: what it has of its own is enough for a commit."""

    def filled() -> bool:
        _free(deployment)
        deployment.world.run([sys.executable, "-I", "-c", EMPTIED, f"{STATE}/jitd.db"])
        # The last part of a page too.
        deployment.world.run(["sh", "-c", f"cat /dev/zero >{STATE}/full"], check=False)
        return deployment.world.path(f"{STATE}/jitd.db-wal").stat().st_size == 0

    until(filled, "the disk is full, and the log is empty")
    assert deployment.world.run(["sh", "-c", f"echo more >{STATE}/more"], check=False).returncode != 0


def _free(deployment: Deployment) -> None:
    deployment.world.run(["rm", "-f", f"{STATE}/full", f"{STATE}/more"])
