"""A running daemon, and sockets that any uid of the machine can reach."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.in_process_daemon import InProcessDaemon, in_process_daemon


@pytest.fixture
def socket_path() -> Iterator[Path]:
    """A path for a socket in a directory that everyone may enter (pytest's own ones are private)."""
    directory = Path(tempfile.mkdtemp(prefix="jitd-server-"))
    directory.chmod(0o755)
    yield directory / "run" / "jitd.sock"
    shutil.rmtree(directory)


@pytest.fixture
def daemon() -> Iterator[InProcessDaemon]:
    """A running daemon with an interface, a network, and two users with a laptop each."""
    with in_process_daemon() as made:
        made.furnish()
        yield made
