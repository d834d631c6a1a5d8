"""Requests that run at the same time, and open streams, counted for each person. No sockets here."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from jitd.core.errors import JitError
from jitd.server.places import Person


class ConcurrencyLimiter:
    """`at_once` requests of one person run, up to `waiting` more wait in the order they came."""

    def __init__(self, *, at_once: int, waiting: int) -> None:
        self._at_once = at_once
        self._waiting = waiting
        self._running: Counter[Person] = Counter()
        self._queues: dict[Person, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def slot(self, person: Person) -> AsyncIterator[None]:
        """Wait for a slot and keep it inside the block. Raises JitError limit when too many wait already."""
        await self._begin(person)
        try:
            yield
        finally:
            self._end(person)

    async def _begin(self, person: Person) -> None:
        if self._running[person] < self._at_once:
            self._running[person] += 1
            return
        queue = self._queues.setdefault(person, deque())
        if len(queue) >= self._waiting:
            raise JitError(
                "limit",
                f"cannot take another request: {self._at_once} of your requests are in progress and "
                f"{len(queue)} wait",
                "Wait for the replies first.",
            )
        slot = asyncio.get_running_loop().create_future()
        queue.append(slot)
        try:
            await slot
        except asyncio.CancelledError:
            if slot.done() and not slot.cancelled():
                self._end(person)  # the slot was given in the same moment: hand it on
            elif slot in queue:
                queue.remove(slot)
            raise

    def _end(self, person: Person) -> None:
        queue = self._queues.get(person)
        while queue:
            slot = queue.popleft()
            if not slot.done():
                slot.set_result(None)  # the slot goes over to the next one
                return
        self._queues.pop(person, None)
        self._running[person] -= 1
        if not self._running[person]:
            del self._running[person]


class Watchers:
    """At most `per_user` open streams of one person."""

    def __init__(self, per_user: int) -> None:
        self._per_user = per_user
        self._of: Counter[Person] = Counter()
        #: All open streams.
        self.open = 0

    @contextmanager
    def place(self, person: Person) -> Iterator[None]:
        """Hold a place inside the block. Raises JitError limit when all are taken."""
        if self._of[person] >= self._per_user:
            raise JitError(
                "limit",
                f"cannot watch: you have {self._of[person]} streams open, which is the limit",
                "End one of them first.",
            )
        self._of[person] += 1
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1
            self._of[person] -= 1
            if not self._of[person]:
                del self._of[person]
