"""Sockets that any uid of the machine can reach."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def socket_path() -> Iterator[Path]:
    """A path for a socket in a directory that everyone may enter (pytest's own ones are private)."""
    directory = Path(tempfile.mkdtemp(prefix="jitd-server-"))
    directory.chmod(0o755)
    yield directory / "run" / "jitd.sock"
    shutil.rmtree(directory)
