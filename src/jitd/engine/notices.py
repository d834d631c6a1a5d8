"""Making notices of what happened, and keeping what became of them."""

from collections.abc import Callable

from jitd.engine.state import WorkerState
from jitd.notify import planner
from jitd.store.database import Rows


def make_notices(state: WorkerState) -> int | None:
    """Make messages of new events and of reminders that are due. Runs behind everything that cuts.

    Returns when there is something to do again, milliseconds UTC; None: when something happens.
    """
    channels, now = planner.Channels.of(state.config), state.now()
    due_ms = planner.next_due(state.rows)
    if planner.waits(state.rows) or (due_ms is not None and due_ms <= now.wall_ms):
        with state.store.transaction() as rows:
            planner.plan(rows, state.people, channels, now)
            planner.remind(rows, state.people, channels, now)
    return now.wall_ms if planner.waits(state.rows) else planner.next_due(state.rows)


def record_delivery(state: WorkerState, change: Callable[[Rows], None]) -> None:
    """Keep what became of messages."""
    with state.store.transaction() as rows:
        change(rows)
