"""Steps of the wall clock. Run in a machine of its own, whose clock may be set."""

import asyncio
import time

import pytest

from jitd.runtime.clock import SystemClock


@pytest.mark.parametrize("seconds", [-600, 600])
async def test_a_step_of_the_wall_clock_ends_the_wait(seconds: int) -> None:
    """A wait for a far deadline of either clock, or for none, returns when somebody sets the wall clock."""
    clock = SystemClock()
    deadlines = (
        (clock.now_ms() + 3_600_000, None),
        (None, clock.boot_ms() + 3_600_000),
        (None, None),
    )
    waiting = [asyncio.create_task(clock.wait(wall, boot)) for wall, boot in deadlines]
    await asyncio.sleep(0)  # each has armed its timers
    assert not any(task.done() for task in waiting)
    time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds)
    await asyncio.wait_for(asyncio.gather(*waiting), 10)


async def test_the_boot_clock_goes_on_through_steps() -> None:
    """A step of the wall clock neither moves boot time nor brings a boot deadline nearer."""
    clock = SystemClock()
    before = clock.boot_ms()
    time.clock_settime(time.CLOCK_REALTIME, time.time() + 86_400)
    assert clock.boot_ms() - before < 5_000
    deadline = clock.boot_ms() + 300
    while clock.boot_ms() < deadline:
        await asyncio.wait_for(clock.wait(None, deadline), 10)
    assert clock.boot_ms() < deadline + 5_000
