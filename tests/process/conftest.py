"""A daemon for each test."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemon import Daemon


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    """An initialised jitd that has not been started; stopped at the end."""
    # pytest's own directories have names that are too long for a socket.
    with tempfile.TemporaryDirectory(prefix="jitd-") as directory:
        made = Daemon(Path(directory))
        yield made
        made.stop()
