"""Local times that do not depend on the machine."""

import os
import time
from collections.abc import Callable, Iterator

import pytest

Zone = Callable[[str], None]


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
