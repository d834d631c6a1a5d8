"""The one way of a change through the engine: authorise, change, cut, record, reconcile, answer."""

from dataclasses import dataclass
from typing import Final

from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.model import Actor
from jitd.engine.closings import NARROWING, Closing
from jitd.engine.deadlines import Deadlines
from jitd.engine.late_records import as_of_then
from jitd.engine.state import WorkerState
from jitd.reconcile import lost_rights
from jitd.reconcile.access import People
from jitd.verbs import quorums
from jitd.verbs.context import Body, Call, ChangeVerb, PeekVerb, PlanOnly, Render, Reply, T
from jitd.verbs.quorums import QuorumNeeded

#: How long a closing is waited for before it is committed, or answered as done; seconds.
CUT_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Transactor:
    """Belongs to the worker's thread."""

    _state: WorkerState
    _deadlines: Deadlines

    def change(
        self,
        verb: ChangeVerb,
        actor: Actor,
        body: Body,
        people: People | None = None,
        closing: Closing | None = None,
    ) -> Reply:
        """Run a verb that changes something. Raises JitError; what it raises, it did not change.

        `people` is what it is decided by, where that is not what everything else is.
        """
        people = people or self._state.people
        # What is over is ended first, so that no verb meets a grant that has ended but is not marked so.
        self._deadlines.expire()
        cuts = False
        try:
            with self._state.transaction(actor, people) as call:
                if closing is not None and closing.is_late and closing.tombstone is not None:
                    as_of_then(call, closing.tombstone)
                self._state.authorise(verb, call, body)
                render = verb(call, body)
                if call.touched.interfaces:
                    # Who has no right any more by this is cut with it: nobody is to be told for 30 s that they are in.
                    call.ended += lost_rights.revoke_all(call.rows, people, call.touched, call.now)
                self._state.note_time(call.rows, call.now)
                # Nothing can refuse any more: what it takes away is cut now, and committed then.
                cuts = bool(call.touched) and (closing is not None or verb in NARROWING)
                if cuts:
                    self._state.reconciler.cut(call.rows, call.touched, call.now).agrees(CUT_SECONDS)
                self._state.mark_is_due |= cuts or closing is not None
                if closing is not None:
                    closing.has_cut()
                    if closing.tombstone is not None:
                        self._state.unrecorded.note(call.rows, closing.tombstone)
        except PlanOnly as plan:
            return plan.reply
        except QuorumNeeded as needed:
            raise self._propose(needed, actor, people) from needed
        except BaseException:
            if cuts and closing is None:
                self._state.look_again()
            raise
        return self._settle(call, render)

    def _propose(self, needed: QuorumNeeded, actor: Actor, people: People) -> JitError:
        """Record a change that several have to agree to. Returns what to tell whoever wanted to make it."""
        with self._state.transaction(actor, people) as call:
            number, agreed = quorums.propose(call, needed)
        self._state.committed()
        return JitError(
            "pending",
            f"cannot do this alone: {'; '.join(needed.need.what)}; it waits as change {number}, with "
            f"{agreed} of {needed.need.quorum} approvals",
            "Another approver can run: " + command("change approve", number),
        )

    def _settle(self, call: Call, render: Render[Reply]) -> Reply:
        """After the commit: make the kernel agree, and answer."""
        agrees = self._state.reconciler.touched(self._state.rows, call.touched, call.now)
        self._state.confirm(call.ended, self._state.now())
        self._state.committed()
        after = self._state.call(self._state.rows, call.actor, self._state.people)
        after.agrees, after.waiting = agrees, "" if agrees else "; ".join(self._state.drift.waiting())
        return render(after)

    def peek(self, verb: PeekVerb[T], actor: Actor, query: Body) -> T:
        """Run a verb that only reads, the interfaces too."""
        return verb(self._state.call(self._state.rows, actor, self._state.people), query)
