"""What time alone makes: ends, beginnings, and another attempt at what failed."""

from dataclasses import dataclass

from jitd.core.errors import JitError
from jitd.engine.late_records import LateRecords
from jitd.engine.state import WorkerState
from jitd.reconcile import (
    activation,
    expiry,
    lapsing,
    lifetimes,
)
from jitd.reconcile.access import Held
from jitd.reconcile.changeset import ChangeSet
from jitd.store import requests


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Belongs to the worker's thread."""

    _state: WorkerState
    _late: LateRecords

    def expire(self) -> None:
        """End what is over, activate what begins, and try again what failed and is due."""
        now = self._state.now()
        # Cut first, record then: a grant that is over opens nothing, recorded or not, and a full disk or a locked
        # database must not keep anybody in.
        try:
            over = expiry.due(self._state.rows, now)
            if over:
                ids = [request.id for request in over]
                self._state.reconciler.touched(
                    self._state.rows, ChangeSet(devices=requests.tunnels_of(self._state.rows, ids)), now
                )
        except JitError:
            # It cannot even be read. What is open is also known without it.
            for request_id in self._state.reconciler.applied.over(now):
                if self._state.reconciler.settle(Held(grants=frozenset({request_id})), now):
                    self._state.unrecorded.cut_ms.setdefault(request_id, self._state.now().wall_ms)
            raise
        cut = self._state.now()
        self._state.reconciler.retry(self._state.rows, now)
        self._late.record_due(cut)
        if over:
            try:
                with self._state.store.transaction() as rows:
                    expiry.expire(rows, over, now)
                self._state.mark_is_due = True
            except JitError:
                for request in over:
                    if self._state.drift.open.isdisjoint(requests.keys_of(self._state.rows, request.id)):
                        self._state.unrecorded.cut_ms.setdefault(request.id, cut.wall_ms)
                raise
        self._state.confirm(over, cut)
        people_end = lifetimes.next_end(self._state.rows)
        if people_end is not None and people_end <= now.wall_ms:
            # Cut first here, too.
            self._state.reconciler.touched(self._state.rows, lifetimes.due(self._state.rows, now), now)
            with self._state.store.transaction() as rows:
                ended, touched = lifetimes.end(rows, self._state.people, now)
                self._state.mark_is_due = True
            self._state.reconciler.touched(self._state.rows, touched, now)
            self._state.confirm(ended, self._state.now())
        lapses_ms = requests.next_lapse(self._state.rows)
        if lapses_ms is not None and lapses_ms <= now.wall_ms:
            with self._state.store.transaction() as rows:
                lapsing.lapse(rows, now)
        if requests.waiting(self._state.rows, now.boot_id, now.wall_ms):
            with self._state.store.transaction() as rows:
                never_begun, touched = activation.activate(
                    rows, self._state.people, now, self._state.high_water_ms
                )
            self._state.reconciler.touched(self._state.rows, touched, now)
            self._state.confirm(never_begun, self._state.now())
        self._state.committed()
