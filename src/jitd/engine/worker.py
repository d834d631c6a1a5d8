"""The one thread that owns the writing store. It runs one call at a time, so that decisions cannot race."""

import asyncio
import itertools
import queue
import threading
from collections.abc import Callable
from enum import IntEnum
from typing import TypeVar

from jitd.core.errors import JitError

T = TypeVar("T")
_Job = Callable[[], None]


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
            job()
