"""The world that the service's tests play in."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from world import World


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
