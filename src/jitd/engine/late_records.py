"""Recording the closings that were cut when they could not be recorded."""

import logging
from dataclasses import dataclass, replace
from typing import Final

from jitd.core.errors import JitError
from jitd.core.model import Now
from jitd.engine.closings import VERBS
from jitd.engine.state import WorkerState
from jitd.reconcile.access import Held
from jitd.store.tombstones import Tombstone
from jitd.verbs.context import Call

log = logging.getLogger("jitd.engine")

#: Milliseconds between two attempts to record what could not be recorded.
RECORD_AGAIN_MS: Final = 10_000


@dataclass(slots=True)
class LateRecords:
    """Belongs to the worker's thread."""

    _state: WorkerState
    _again_ms: int = 0  # boot time of the next attempt, milliseconds

    def record_due(self, now: Now) -> None:
        """Record the closings that could not be recorded when they were done."""
        due = self._state.unrecorded.due()
        if not due or now.boot_ms < self._again_ms:
            return
        for one in due:
            try:
                self._record(one, now)
            except JitError as error:
                if error.code in ("store", "busy"):
                    # A locked database makes the worker wait each time.
                    self._again_ms = now.boot_ms + RECORD_AGAIN_MS
                    log.warning("closings are still not recorded: %s", error.message)
                    return
                # It has ended meanwhile, by whatever else.
                log.warning("%s by %s needs no record: %s", one.said, one.actor.user, error.message)
                self._state.unrecorded.recorded(one)
                self._state.look_again()

    def _record(self, one: Tombstone, now: Now) -> None:
        """Run the verb of a closing as if it were that moment, with the right that its caller had then."""
        people = replace(
            self._state.people,
            memory=replace(self._state.people.memory, held=Held()),
            allowed=(one.actor.uid, one.actor.user),
        )
        with self._state.transaction(one.actor, people) as call:
            body = self._state.unrecorded.body(call.rows, one)
            as_of_then(call, one)
            self._state.authorise(VERBS[one.verb], call, body)
            VERBS[one.verb](call, body)
            self._state.unrecorded.note(call.rows, one)
        self._state.mark_is_due = True
        self._state.unrecorded.recorded(one)
        self._state.reconciler.touched(self._state.rows, call.touched, now)
        self._state.confirm(call.ended, now)


def as_of_then(call: Call, one: Tombstone) -> None:
    """A closing is recorded as of when it was done."""
    call.now = replace(call.now, wall_ms=min(one.at_ms, call.now.wall_ms))
    call.recorded_later = True
