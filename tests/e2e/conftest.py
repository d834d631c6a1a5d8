"""Sites with real packets; root only."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.deployment import Deployment, Say, deployment
from support.laptop import Laptop, set_up
from support.world import World


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[Deployment]:
    """A machine on which nobody has set up anything yet."""
    with World() as world:
        yield Deployment(world, tmp_path)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Deployment]:
    """A running jitd with wg0 and the network office; alice's and bob's laptops are up, and nobody has access."""
    with deployment(tmp_path) as made:
        made.laptop("alice")
        made.laptop("bob")
        yield made


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Say:
    """Print a measurement past pytest's capture, so that it is in every run's output."""
    reporter = request.config.pluginmanager.getplugin("terminalreporter")
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def line(text: str) -> None:
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(f"    {text}")

    return line


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[Laptop]:
    """A laptop that is set up; alice may become root on it without a password."""
    with set_up(tmp_path) as made:
        yield made
