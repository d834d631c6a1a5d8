"""A seeded selection of the faults that `make faults` plays: no packet passes after the end, whatever happens."""

import random
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from faults.catalogue import FAULTS, Fault
from support.deployment import Deployment, Say

pytestmark = pytest.mark.root

SEED = 3
OFTEN = [fault for fault in FAULTS if fault.often and not fault.limit]


class Shared:
    """A stage for one fault after the other; a new one for those that want another, and after something went wrong."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._stack = ExitStack()
        self._made: object = None
        self._site: Deployment | None = None

    def deployment(self, fault: Fault) -> Deployment:
        """The stage that a fault wants."""
        if self._site is None or self._made is not fault.stage:
            self.leave()
            self._site = self._stack.enter_context(fault.stage(self._factory.mktemp("stage")))
            self._made = fault.stage
        return self._site

    def leave(self) -> None:
        """End it."""
        self._site = None
        self._stack.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """One stage for all tests of this file, as long as nothing goes wrong on it."""
    made = Shared(tmp_path_factory)
    yield made
    made.leave()


@pytest.mark.parametrize("fault", OFTEN, ids=[fault.name for fault in OFTEN])
def test_no_packet_passes_after_the_end(shared: Shared, say: Say, fault: Fault) -> None:
    """After the fault no packet passes past its end, nothing acknowledged is lost, and kernel and store agree."""
    try:
        outcome = fault.play(shared.deployment(fault), random.Random(f"{SEED} {fault.name}"))
    except BaseException:
        shared.leave()
        raise
    say(outcome.line(fault.name))
    assert outcome.past == 0
