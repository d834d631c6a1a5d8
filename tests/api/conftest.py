"""A running daemon."""

from collections.abc import Iterator

import pytest

from support.running import Running, running


@pytest.fixture
def daemon() -> Iterator[Running]:
    """A running daemon with an interface, a network, and two users with a laptop each."""
    with running() as made:
        made.furnish()
        yield made
