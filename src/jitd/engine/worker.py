"""The one thread that owns the writing store. It runs one call at a time, so that decisions cannot race."""

import asyncio
import itertools
import queue
import threading
import time
from collections.abc import Callable
from enum import IntEnum
from typing import Final, TypeVar

from jitd.core.errors import JitError

T = TypeVar("T")
_Job = Callable[[], None]
#: The longest turn is remembered by the minute, for so many minutes.
_MINUTES: Final = 5


class Priority(IntEnum):
    """What goes first. Endings never wait behind what people asked for."""

    ENDING = 0
    ADMIN = 1
    USER = 2
    CHECK = 3
    LAST = 9


class Worker:
    """Runs functions in its own thread, most urgent first, and in order among equals."""

    def __init__(self) -> None:
        self._jobs: queue.PriorityQueue[tuple[int, int, _Job | None]] = queue.PriorityQueue()
        self._number = itertools.count()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._begun: float | None = None  # when the job that runs now began, monotonic seconds
        self._longest: tuple[tuple[int, float], ...] = ()  # (minute, seconds), replaced as a whole

    @property
    def waiting(self) -> int:
        """How many jobs wait. In any thread."""
        return self._jobs.qsize()

    def longest_turn(self) -> float:
        """The longest that one job took in the last five minutes, the one that runs now included; seconds. In any thread."""
        now, begun = time.monotonic(), self._begun
        oldest = int(now // 60) - _MINUTES
        running = 0.0 if begun is None else now - begun
        return max([running, *(seconds for minute, seconds in self._longest if minute > oldest)])

    def start(self) -> None:
        """Start the thread."""
        # Not a daemon thread: what was begun is finished before the process goes.
        self._thread = threading.Thread(target=self._work, name="jitd-worker")
        self._thread.start()

    async def run(self, function: Callable[[], T], priority: Priority) -> T:
        """Run `function` in the worker and return what it returns, or raise what it raises.

        Cancelling the wait does not undo the call: once it was queued it runs. Raises JitError busy while stopping.
        """
        if self._stopping:
            raise JitError("busy", "cannot do this now: jitd is stopping", "Try again in a moment.")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            if future.cancelled():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]

        def job() -> None:
            try:
                result = function()
            except BaseException as error:  # noqa: BLE001 - handed to whoever waits
                loop.call_soon_threadsafe(settle, None, error)
            else:
                loop.call_soon_threadsafe(settle, result, None)

        self._jobs.put((priority, next(self._number), job))
        return await future

    async def stop(self) -> None:
        """Finish what is queued, then end the thread. A second stop does nothing."""
        if self._thread is None:
            return
        self._stopping = True
        self._jobs.put((Priority.LAST, next(self._number), None))
        thread, self._thread = self._thread, None
        await asyncio.get_running_loop().run_in_executor(None, thread.join)

    def _work(self) -> None:
        while True:
            _, _, job = self._jobs.get()
            if job is None:
                return
            self._begun = begun = time.monotonic()
            job()
            self._begun, now = None, time.monotonic()
            self._note(int(now // 60), now - begun)

    def _note(self, minute: int, seconds: float) -> None:
        if not self._longest or self._longest[-1][0] != minute:
            self._longest = (*self._longest[1 - _MINUTES :], (minute, seconds))
        elif seconds > self._longest[-1][1]:
            self._longest = (*self._longest[:-1], (minute, seconds))
