"""The daemon as a test wants it: a service in the test's process, or a process of its own."""

import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from jitd.core.errors import JitError
from jitd.runtime.lock import Lock
from jitd.store import database
from support.daemon import Daemon
from support.service import World
from support.wait import until


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    """An initialised jitd that has not been started; stopped at the end, one in the background too."""
    # pytest's own directories have names that are too long for a socket.
    with tempfile.TemporaryDirectory(prefix="jitd-") as directory:
        made = Daemon(Path(directory))
        yield made
        made.stop()
        if is_locked(made):
            os.kill(int((made.state_dir / "lock").read_text()), signal.SIGKILL)
            until(lambda: not is_locked(made), "the daemon in the background is gone")


def is_locked(daemon: Daemon) -> bool:
    """Whether a jitd works in the state directory."""
    content = (daemon.state_dir / "lock").read_text() if (daemon.state_dir / "lock").exists() else ""
    if not content:
        return False
    try:
        Lock(daemon.state_dir).release()
    except JitError:
        return True
    return False


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A started service with nothing in it."""
    made = World(tmp_path)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def office(world: World) -> World:
    """A service with an interface, the network office, and devices of alice and bob."""
    await world.furnish()
    return world


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits two seconds for a lock that the test holds."""
    monkeypatch.setattr(database, "BUSY_MS", 50)
