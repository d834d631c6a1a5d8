"""A clock that stands still until a test moves it."""

import asyncio


class TestClock:
    """A jitd.core.clock.Clock. Waiters are woken whenever it is moved."""

    __test__ = False  # not a class of tests, whatever its name

    def __init__(self) -> None:
        self._wall_ms = 1_790_000_000_000
        self._boot_ms = 1_000_000
        self._boots = 1
        self._moved = asyncio.Event()

    def now_ms(self) -> int:
        """Wall clock."""
        return self._wall_ms

    def boot_ms(self) -> int:
        """Boot clock."""
        return self._boot_ms

    def boot_id(self) -> str:
        """A name for each boot."""
        return f"boot-{self._boots}"

    async def wait(self, wall_ms: int | None, boot_ms: int | None) -> None:
        """Return when a deadline is reached, or the wall clock was stepped."""
        while not self._reached(wall_ms, boot_ms):
            moved = self._moved
            await moved.wait()
            if getattr(moved, "stepped", False):
                return

    def _reached(self, wall_ms: int | None, boot_ms: int | None) -> bool:
        return (wall_ms is not None and self._wall_ms >= wall_ms) or (
            boot_ms is not None and self._boot_ms >= boot_ms
        )

    def advance(self, ms: int) -> None:
        """Time goes on, by both clocks."""
        self._wall_ms += ms
        self._boot_ms += ms
        self._wake(stepped=False)

    def step(self, ms: int) -> None:
        """Somebody sets the wall clock."""
        self._wall_ms += ms
        self._wake(stepped=True)

    def reboot(self) -> None:
        """The machine boots: boot time begins anew."""
        self._boots += 1
        self._boot_ms = 1_000
        self._wake(stepped=False)

    def _wake(self, *, stepped: bool) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.stepped = stepped  # type: ignore[attr-defined]  # a mark on the event
        moved.set()
