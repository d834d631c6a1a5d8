"""The clock that tests move: what it shares with the real one."""

import asyncio

from support.clock import TestClock


async def woken(clock: TestClock, wall_ms: int | None, boot_ms: int | None, *, by: str, ms: int) -> bool:
    """Whether a wait has ended after the clock was moved once."""
    waiting = asyncio.create_task(clock.wait(wall_ms, boot_ms))
    await asyncio.sleep(0)
    getattr(clock, by)(ms)
    for _ in range(3):
        await asyncio.sleep(0)
    done = waiting.done()
    waiting.cancel()
    return done


async def test_a_wait_ends_at_either_deadline() -> None:
    """A wait ends when one of its deadlines is reached, and not a millisecond before."""
    clock = TestClock()
    assert not await woken(clock, clock.now_ms() + 100, clock.boot_ms() + 200, by="advance", ms=99)
    assert await woken(clock, clock.now_ms() + 1, None, by="advance", ms=1)
    assert await woken(clock, None, clock.boot_ms() + 1, by="advance", ms=1)


async def test_a_step_ends_every_wait_and_moves_only_the_wall_clock() -> None:
    """As with the real clock, a step back or forth ends a wait, whatever it waits for."""
    clock = TestClock()
    boot = clock.boot_ms()
    for ms in (-1000, 1000):
        assert await woken(clock, None, None, by="step", ms=ms)
        assert await woken(clock, clock.now_ms() + 10_000, clock.boot_ms() + 10_000, by="step", ms=ms)
    assert clock.boot_ms() == boot


def test_a_reboot_has_a_new_name() -> None:
    """After a reboot boot time begins anew under another boot id; the wall clock goes on."""
    clock = TestClock()
    wall, name = clock.now_ms(), clock.boot_id()
    clock.advance(5_000_000)
    clock.reboot()
    assert clock.boot_id() != name
    assert clock.boot_ms() < 5_000_000
    assert clock.now_ms() == wall + 5_000_000
