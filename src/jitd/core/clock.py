"""Time, as the daemon sees it: two clocks and a way to wait for either.

Wall time is integer milliseconds UTC since 1970. Boot time is integer milliseconds of CLOCK_BOOTTIME, which goes on
in suspend, cannot be stepped, and means something only together with the boot id it was read under.
"""

from typing import Protocol


class Clock(Protocol):
    """What the daemon needs of time. `jitd.runtime.clock` is the real one; tests inject one that they step."""

    def now_ms(self) -> int:
        """Wall clock, milliseconds UTC since 1970."""

    def boot_ms(self) -> int:
        """CLOCK_BOOTTIME in milliseconds."""

    def boot_id(self) -> str:
        """Name of this boot; boot times of another boot id mean nothing."""

    async def wait(self, wall_ms: int | None, boot_ms: int | None) -> None:
        """Return when the wall clock reaches `wall_ms`, boot time reaches `boot_ms`, or the wall clock was stepped.

        None means that this clock has no deadline; with both None only a step ends the wait. May return early;
        never returns late by more than the timer's own latency. Cancelling it is safe.
        """
