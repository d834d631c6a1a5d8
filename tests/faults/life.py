"""What happens to the daemon itself: killed, stopped, started under another boot clock."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

from faults.outcome import Outcome
from faults.scene import BACK, STARTED, Scene, played
from support.deployment import Deployment
from support.gateway import SOCKET
from support.wait import until


def killed_before_expiry(deployment: Deployment, chance: Random) -> Outcome:
    """kill -9 up to two seconds before a grant ends, and a start after it."""
    with played(deployment) as scene:
        granted = scene.grant("8s")
        scene.wait(granted.end_ns - chance.randrange(50, 2000) * 1_000_000)
        scene.gateway.stop(signal.SIGKILL)
        scene.shut(granted.end_ns)
        scene.wait(granted.end_ns + chance.randrange(100, 1500) * 1_000_000)
        scene.silent()
        with scene.recovering("the kernel cut on time; jitd recorded it at its start"):
            scene.start()
            deployment.ended(granted.number, BACK)
        return scene.finish()


def stopped_across_expiry(deployment: Deployment, chance: Random) -> Outcome:
    """SIGSTOP before a grant ends, SIGCONT after it."""
    with played(deployment) as scene:
        granted = scene.grant("8s")
        daemon = scene.gateway.daemon
        assert daemon is not None
        scene.wait(granted.end_ns - chance.randrange(20, 2000) * 1_000_000)
        daemon.send(signal.SIGSTOP)
        scene.shut(granted.end_ns)
        scene.wait(granted.end_ns + chance.randrange(100, 1500) * 1_000_000)
        scene.silent()
        with scene.recovering("the kernel cut on time; jitd recorded it when it continued"):
            daemon.send(signal.SIGCONT)
            # nsenter stops with its program, and has to be woken by itself.
            daemon.popen.send_signal(signal.SIGCONT)
            deployment.ended(granted.number, BACK)
        return scene.finish()


def boot_clock_back(deployment: Deployment, chance: Random) -> Outcome:
    """A start under a boot clock that is behind: by that clock alone a grant would last longer."""
    behind = min(600, int(time.clock_gettime(time.CLOCK_BOOTTIME)) // 2)
    with played(deployment) as scene:
        granted = scene.grant("12s")
        scene.gateway.stop(signal.SIGKILL)
        scene.shut(granted.end_ns)
        with _under(scene, -behind):
            deployment.ended(granted.number, BACK)
            scene.silent()
        scene.recovery = "the kernel cut on time; the wall clock decided"
        assert _clock(scene, granted.number) == "wall"
        return scene.finish()


def boot_clock_ahead(deployment: Deployment, chance: Random) -> Outcome:
    """A start under a boot clock that is ahead: the grant is over, and its event says which clock said so."""
    with played(deployment) as scene:
        granted = scene.grant("1h")
        scene.gateway.stop(signal.SIGKILL)
        with _under(scene, 2 * 3600):
            deployment.ended(granted.number, BACK)
            scene.shut()
            scene.silent()
        scene.acknowledged[granted.number] = {"expired"}
        assert _clock(scene, granted.number) == "boot"
        scene.recovery = "the boot clock decided, and the event names it"
        return scene.finish()


def run_directory_gone(deployment: Deployment, chance: Random) -> Outcome:
    """Somebody removes the run directory with the socket in it: jitd puts both back, and a revoke is taken again."""
    with played(deployment) as scene:
        granted = scene.grant("1h")
        scene.world.run(["rm", "-rf", str(Path(SOCKET).parent)])
        with scene.recovering("jitd created its socket again; the revoke cut"):
            until(scene.gateway.answers, "the socket is back", BACK)
            scene.revoke(granted.number)
            scene.shut()
            deployment.ended(granted.number, BACK)
        scene.silent()
        return scene.finish()


def log_pipe_full(deployment: Deployment, chance: Random) -> Outcome:
    """Nobody drains the pipe that jitd logs to, and it is full: a revoke is answered, and cuts, all the same."""
    with played(deployment) as scene, _with_full_log(scene):
        granted = scene.grant("1h")
        daemon = scene.gateway.daemon
        assert daemon is not None
        daemon.send(signal.SIGHUP)  # a line for the log
        with scene.recovering("no thread waited for the log; the revoke cut"):
            scene.revoke(granted.number)
            scene.shut()
            deployment.ended(granted.number, BACK)
        scene.silent()
        return scene.finish()


@contextmanager
def _with_full_log(scene: Scene) -> Iterator[None]:
    """jitd with a full pipe as its standard error, and with its file again afterwards."""
    scene.gateway.stop()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(4096))
    os.set_blocking(writing, True)
    with os.fdopen(reading, "rb"), os.fdopen(writing, "w") as output:
        scene.gateway.daemon = scene.world.start(["jitd", "run"], output=output)
        until(scene.gateway.answers, "jitd answers", STARTED)
        yield
        # It is not to wait at its end for lines that nobody takes.
        scene.gateway.stop(signal.SIGKILL)
    scene.start()


def _clock(scene: Scene, number: int) -> str:
    events = scene.gateway.get(f"/v1/show?id={number}")["events"]
    return str(next(event["data"]["clock"] for event in events if event["kind"] == "expired"))


@contextmanager
def _under(scene: Scene, offset: int) -> Iterator[None]:
    """jitd started with another boot clock, so many seconds ahead, and under the machine's own one afterwards."""
    with scene.gateway.log.open("a") as log:
        argv = ["unshare", "--time", "--boottime", str(offset), "--fork", "--kill-child", "jitd", "run"]
        above = scene.world.start(argv, output=log)
    until(scene.gateway.answers, "jitd answers", STARTED)
    try:
        yield
    finally:
        inside = scene.world.path(f"/proc/{scene.gateway.get('/v1/health')['pid']}")
        above.stop(signal.SIGKILL)
        until(lambda: not inside.exists(), "jitd has ended")
        scene.gateway.daemon = None
        scene.start()
