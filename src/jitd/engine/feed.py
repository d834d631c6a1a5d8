"""Tells whoever watches that there are new events. Only the number travels; the events are read from the store."""

import asyncio


class EventFeed:
    """The newest committed SEQ, and a way to wait for a newer one. Belongs to the event loop."""

    def __init__(self) -> None:
        self.seq = 0
        self._newer = asyncio.Event()

    def publish(self, seq: int) -> None:
        """Make a newer SEQ known."""
        if seq > self.seq:
            self.seq = seq
            newer, self._newer = self._newer, asyncio.Event()
            newer.set()

    async def wait(self, after: int) -> None:
        """Return as soon as there is an event with a SEQ above `after`."""
        while self.seq <= after:
            await self._newer.wait()
