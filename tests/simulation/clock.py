"""Wall and boot clock of the simulated machine. The wall clock is stepped; both go on in a suspend, timers do not."""

import asyncio
from typing import Final

from simulation.schedule import Scheduler

_BEGIN_US: Final = 1_790_000_000_000_000


class Clock:
    """A jitd.core.clock.Clock."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._stepped_us = 0
        self.suspended_us = 0
        self._booted_us = scheduler.now_us - 60_000_000
        self.boots = 1
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def wall_us(self) -> int:
        """Microseconds UTC since 1970."""
        return _BEGIN_US + self._stepped_us + self.suspended_us + self._scheduler.now_us

    def boot_us(self) -> int:
        """Microseconds since the boot, in suspend, too."""
        return self.suspended_us + self._scheduler.now_us - self._booted_us

    def now_ms(self) -> int:
        """As the port says."""
        return self.wall_us() // 1000

    def boot_ms(self) -> int:
        """As the port says."""
        return self.boot_us() // 1000

    def boot_id(self) -> str:
        """As the port says."""
        return f"boot-{self.boots}"

    async def wait(self, wall_ms: int | None, boot_ms: int | None) -> None:
        """As the port says."""
        loop, stepped = asyncio.get_running_loop(), asyncio.Event()
        entry = (loop, stepped)
        self._waiting.append(entry)
        try:
            while not stepped.is_set():
                lefts = [
                    at - now
                    for at, now in ((wall_ms, self.now_ms()), (boot_ms, self.boot_ms()))
                    if at is not None
                ]
                if any(left <= 0 for left in lefts):
                    return
                try:
                    async with asyncio.timeout(min(lefts) / 1000 if lefts else None):
                        await stepped.wait()
                except TimeoutError:
                    continue
        finally:
            self._waiting.remove(entry)

    # --- what happens to it ---

    def step(self, us: int) -> None:
        """Somebody sets the wall clock."""
        self._stepped_us += us
        self._wake()

    def suspend(self, us: int) -> None:
        """The machine was suspended for so long."""
        self.suspended_us += us
        self._wake()

    def reboot(self, us: int) -> None:
        """The machine was off for so long, and boots."""
        self.suspended_us += us
        self._booted_us = self.suspended_us + self._scheduler.now_us - 1_000_000
        self.boots += 1
        self._waiting.clear()

    def _wake(self) -> None:
        for loop, event in list(self._waiting):
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)
