"""The first thing that the worker does: what ended while jitd was not there ends."""

import logging

from jitd.core.events import EventKind, Restored, Started
from jitd.core.model import Now
from jitd.engine.deadlines import Deadlines
from jitd.engine.state import WorkerState
from jitd.notify import planner
from jitd.reconcile import confirmation
from jitd.store import events, restored
from jitd.store.database import Rows
from jitd.store.events import Recorder
from jitd.store.mark import FILE_NAME as MARK
from jitd.verbs import restoring, rules

log = logging.getLogger("jitd.engine")


def begin(state: WorkerState, deadlines: Deadlines) -> None:
    """End what ended meanwhile, before anything else; then make every interface agree."""
    now = state.now()
    if now.wall_ms < state.high_water_ms:
        log.error(
            "the clock is %d ms behind its highest value: grants from before the last boot stay closed until "
            "it is right",
            state.high_water_ms - now.wall_ms,
        )
    with state.store.transaction() as rows:
        _compare_with_mark(state, rows, now)
        rules.bind(rows, state.people)
        Recorder(rows, now.wall_ms)(EventKind.STARTED, Started(backend=state.wireguard.name))
        (planner.begin if state.config.notifies else planner.leave)(rows)
        state.unrecorded.forget_notes(rows)
    state.reconciler.peer_reconciler.sampler.load(state.rows)
    state.reconciler.prepare(state.rows)
    if restored.current(state.rows) is not None:
        restoring.keep_leases(state.rows, state.reconciler, state.people.memory, now)
    deadlines.expire()
    state.reconciler.everything(state.rows, now, touched=True)
    waiting = {request.id for request in state.unconfirmed}
    state.confirm([one for one in confirmation.unconfirmed(state.rows) if one.id not in waiting], state.now())
    state.committed()


def _compare_with_mark(state: WorkerState, rows: Rows, now: Now) -> None:
    """See whether the store is the one in which something was closed last, or an older copy of it."""
    last, mark = events.last_seq(rows), state.mark.load()
    state.mark_is_due = mark is None
    if mark is None:
        if last:
            log.warning(
                "there is no %s: whether the store was restored from an older copy cannot be told", MARK
            )
            Recorder(rows, now.wall_ms)(EventKind.MARK_MISSING)
    elif last < mark:
        log.critical(
            "the store was restored from an older copy: %d events are missing; see jitctl accept-restored",
            mark - last,
        )
        restored.note(rows, now.wall_ms, last, mark)
        Recorder(rows, now.wall_ms)(EventKind.STORE_RESTORED, Restored(seq=last, mark=mark))
