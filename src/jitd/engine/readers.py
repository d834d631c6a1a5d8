"""Reading the store beside the worker: connections that cannot write, in threads for each kind of reader."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from enum import Enum
from pathlib import Path
from typing import Final, TypeVar

from jitd.engine.threads import Threads
from jitd.store.database import Rows, open_reader

T = TypeVar("T")


class Reader(Enum):
    """Who reads: the name of the threads, and how many of them read at the same time. No kind waits for another one."""

    DECISIONS = ("jitd-reader", 1)  # what decisions read before they go to the worker
    USERS = ("jitd-users-reader", 2)
    ADMINS = ("jitd-admins-reader", 1)
    LONG = ("jitd-long-reader", 1)  # what may read for seconds
    METRICS = ("jitd-metrics-reader", 1)  # what monitoring reads, every few seconds
    EXAMINATIONS = ("jitd-examiner", 2)  # each may wait for other programs and servers for up to 10 seconds


class Readers:
    """The threads and their connections to the store at `path`. Belongs to the event loop."""

    def __init__(self, path: Path, threads: Threads) -> None:
        self._path: Final = path
        self._threads: dict[Reader, Executor] = {
            reader: threads.pool(number, name) for reader in Reader for name, number in [reader.value]
        }
        self._idle: list[Rows] = []  # list.pop and append are atomic

    async def read(self, function: Callable[[Rows], T], reader: Reader = Reader.DECISIONS) -> T:
        """Run a function on a connection that no other thread uses meanwhile, and on one snapshot."""
        return await asyncio.get_running_loop().run_in_executor(self._threads[reader], self._read, function)

    async def close(self) -> None:
        """Finish what was begun."""
        # In a thread: an examination may take some seconds more, and the loop has to answer meanwhile.
        await asyncio.to_thread(self._threads.pop(Reader.EXAMINATIONS).shutdown, cancel_futures=True)
        for threads in self._threads.values():
            threads.shutdown()
        while self._idle:
            self._idle.pop().close()

    def _read(self, function: Callable[[Rows], T]) -> T:
        rows = self._idle.pop() if self._idle else open_reader(self._path)
        try:
            # One snapshot for the whole query: what is committed meanwhile is in all of its answers or in none.
            rows.run("BEGIN")
            try:
                return function(rows)
            finally:
                rows.run("COMMIT")
        finally:
            self._idle.append(rows)
