"""The machine's own clocks."""

import asyncio
import time
from pathlib import Path

import pytest

from jitd.runtime.clock import SystemClock


async def test_waits_for_the_earlier_of_two_deadlines() -> None:
    """The wait ends at the earlier deadline, whichever clock it is of, and not before it."""
    clock = SystemClock()
    for wall, boot in ((50, 10_000), (10_000, 50), (50, None), (None, 50)):
        begun = time.monotonic()
        await asyncio.wait_for(
            clock.wait(
                None if wall is None else clock.now_ms() + wall,
                None if boot is None else clock.boot_ms() + boot,
            ),
            5,
        )
        assert time.monotonic() - begun >= 0.048


async def test_a_deadline_in_the_past_is_over_at_once() -> None:
    """A deadline that has gone by, even before 1970, ends the wait at once."""
    clock = SystemClock()
    for wall, boot in ((0, None), (-5, None), (None, 0), (clock.now_ms() - 1, None)):
        await asyncio.wait_for(clock.wait(wall, boot), 5)


async def test_without_a_deadline_it_waits_on() -> None:
    """With no deadline only a step of the clock ends the wait."""
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(SystemClock().wait(None, None), 0.2)


def open_files() -> int:
    """How many file descriptors this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_nothing_is_left_open() -> None:
    """Waits that end and waits that are cancelled leave no file descriptor behind."""
    clock = SystemClock()
    before = open_files()
    for _ in range(20):
        await clock.wait(clock.now_ms(), None)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(clock.wait(None, clock.boot_ms() + 60_000), 0.001)
    assert open_files() == before


def test_the_boot_has_a_name() -> None:
    """The boot id is the kernel's."""
    assert SystemClock().boot_id() == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
