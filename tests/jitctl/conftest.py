"""A running daemon, and jitctl as somebody types it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from support.background_command import BackgroundCommand
from support.command_result import CommandResult, RunCommand
from support.in_process_daemon import InProcessDaemon, in_process_daemon

Zone = Callable[[str], None]


@pytest.fixture
def daemon() -> Iterator[InProcessDaemon]:
    """A running daemon with an interface, a network, and two users with a laptop each."""
    with in_process_daemon() as made:
        made.furnish()
        yield made


@pytest.fixture
def jitctl(daemon: InProcessDaemon) -> RunCommand:
    """Run jitctl against the daemon, in UTC and 100 columns, without a terminal."""

    def typed(*words: str, given: str = "", **environment: str) -> CommandResult:
        done = subprocess.run(
            [sys.executable, "-m", "jitctl", *words],
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "JITCTL_SOCKET": os.fspath(daemon.socket), "TZ": "UTC", "COLUMNS": "100"}
            | environment,
        )
        return CommandResult(done.returncode, done.stdout, done.stderr)

    return typed


@pytest.fixture
def begin(daemon: InProcessDaemon) -> Iterator[Callable[..., BackgroundCommand]]:
    """Run jitctl as `jitctl` does, and do something else while it runs. What still runs at the end is killed."""
    all_: list[BackgroundCommand] = []

    def begun(*words: str, socket: os.PathLike[str] | None = None) -> BackgroundCommand:
        environment = {"JITCTL_SOCKET": os.fspath(socket or daemon.socket), "TZ": "UTC", "COLUMNS": "100"}
        all_.append(
            BackgroundCommand([sys.executable, "-m", "jitctl", *words], {**os.environ, **environment})
        )
        return all_[-1]

    yield begun
    for one in all_:
        one.kill()


@pytest.fixture
def zone() -> Iterator[Zone]:
    """Move this process to a time zone, until the end of the test."""
    before = os.environ.get("TZ")

    def move(name: str | None) -> None:
        if name is None:
            os.environ.pop("TZ", None)
        else:
            os.environ["TZ"] = name
        time.tzset()

    yield move
    move(before)
