"""What monitoring is told. It must say most while something is wrong: what is read from the store has a limit, and what is
in memory is told without it.
"""

import asyncio
from pathlib import Path
from typing import Final

from jitd.core.errors import JitError
from jitd.engine.readers import Reader, Readers
from jitd.engine.state import WorkerState
from jitd.engine.worker import Worker
from jitd.queries.metrics import Measured, Past
from jitd.store import events, metrics
from jitd.store.database import FILE_NAME, Rows
from jitd.store.metrics import Stored

#: How long the store is waited for, in seconds: less than the 10 s that Prometheus waits for a scrape.
STORE_SECONDS: Final = 3.0
#: How long one reading may take, in seconds. After a long time without any, the next ones catch up.
_READ_SECONDS: Final = 2.0


class Measuring:
    """Belongs to the event loop, but for what says otherwise."""

    def __init__(self, state: WorkerState, worker: Worker, readers: Readers, state_dir: Path) -> None:
        self._state = state
        self._worker = worker
        self._readers = readers
        self._path = state_dir / FILE_NAME
        self._past = Past()  # of the reading thread
        self._told = Past()  # as it was when a reading was through last
        self._reading: asyncio.Future[tuple[Stored, Past]] | None = None

    def begin(self) -> None:
        """Count what happens from now on. In the worker, before anything is recorded."""
        self._past.seq = events.last_seq(self._state.rows)

    async def measure(self) -> Measured:
        """What is known now."""
        stored = await self._stored()
        state = self._state
        return Measured(
            now=state.now(),
            started_ms=state.started_ms,
            backend=state.wireguard.name,
            firewall=state.reconciler.firewall_reconciler.firewall.name,
            stored=stored,
            past=self._told,
            drift=state.drift,
            unconfirmed=len(state.unconfirmed),
            queue=self._worker.waiting,
            longest_turn=self._worker.longest_turn(),
        )

    async def _stored(self) -> Stored | None:
        """None while the store cannot be read, or not in time. A reading that hangs is waited for again, not begun again."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.ensure_future(self._readers.read(self._read, Reader.METRICS))
        reading = self._reading
        done, _ = await asyncio.wait({reading}, timeout=STORE_SECONDS)
        if not done:
            return None
        try:
            stored, self._told = reading.result()
        except JitError:
            return None  # whoever has something to write tells why
        return stored

    def _read(self, rows: Rows) -> tuple[Stored, Past]:
        """In the reading thread."""
        with rows.within(_READ_SECONDS):
            stored = metrics.stored(rows, self._path, self._state.now())
        try:
            with rows.within(_READ_SECONDS):
                newest = events.last_seq(rows)
                while self._past.seq < newest:
                    found, reached = metrics.happened(rows, self._past.seq, newest)
                    for one in found:
                        self._past.add(one)
                    self._past.seq = reached
        except JitError as error:
            if error.code != "limit":
                raise
        return stored, self._past.copy()
