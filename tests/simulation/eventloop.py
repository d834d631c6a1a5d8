"""asyncio's own event loop on simulated time: what differs is where it waits."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

from simulation.schedule import Scheduler, Thread


class _Selector:
    """Waits for time to pass or for another thread to say something; there are no descriptors."""

    def __init__(self, loop: "EventLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        """Nothing is ever found: callbacks come by `call_soon_threadsafe`."""
        scheduler, loop = self._loop.scheduler, self._loop
        if timeout is not None and timeout <= 0:
            scheduler.seam()
            return []
        until = None if timeout is None else scheduler.now_us + max(1, round(timeout * 1e6))
        loop.waiting = scheduler.current
        try:
            while not loop.told and (until is None or scheduler.now_us < until):
                scheduler.wait(until)
        finally:
            loop.waiting, loop.told = None, False
        return []

    def close(self) -> None:
        """Nothing to give back."""


class _Task(asyncio.Task[Any]):
    """A task whose place in a set is the same in each run: asyncio walks through sets of them."""

    number = 0

    def __hash__(self) -> int:
        return self.number


class _Future(asyncio.Future[Any]):
    """The same for futures."""

    number = 0

    def __hash__(self) -> int:
        return self.number


class EventLoop(asyncio.BaseEventLoop):
    """An event loop for one simulated process."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__()
        self.scheduler = scheduler
        self.waiting: Thread | None = None
        self.told = False
        self.readers: dict[int, Callable[[], object]] = {}
        self._selector = _Selector(self)
        self._numbers = itertools.count(1)
        self.set_task_factory(self._task)

    def _task(self, _loop: asyncio.AbstractEventLoop, coroutine: Any, **more: Any) -> _Task:
        # Its place is asked for while it is made.
        _Task.number = next(self._numbers)
        made = _Task(coroutine, loop=self, **more)
        made.number = _Task.number
        return made

    def create_future(self) -> _Future:
        """As asyncio's."""
        made = _Future(loop=self)
        made.number = next(self._numbers)
        return made

    def time(self) -> float:
        """The monotonic clock, in seconds."""
        return self.scheduler.now_us / 1e6

    def _write_to_self(self) -> None:
        self.told = True
        if self.waiting is not None:
            self.scheduler.wake(self.waiting)

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def add_reader(self, fd: Any, callback: Callable[..., Any], *args: Any) -> None:  # type: ignore[override]  # typeshed returns a handle
        """Call back when `readable` says so."""
        self.readers[fd] = lambda: callback(*args)

    def remove_reader(self, fd: Any) -> bool:
        """As asyncio's."""
        return self.readers.pop(fd, None) is not None

    def readable(self, fd: int) -> None:
        """The world has something to read."""
        reader = self.readers.get(fd)
        if reader is not None and not self.is_closed():
            self.call_soon_threadsafe(reader)
