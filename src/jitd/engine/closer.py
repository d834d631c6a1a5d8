"""Closing, by the worker or beside it, with the store or without."""

import logging
from dataclasses import dataclass, replace

from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.events import EventKind, Undone
from jitd.engine.closings import MADE_BESIDE, Closing
from jitd.engine.state import WorkerState
from jitd.engine.transact import CUT_SECONDS, Transactor
from jitd.engine.unrecorded import unrecorded_error
from jitd.reconcile.access import Held
from jitd.verbs import plans, removal
from jitd.verbs.context import Reply

log = logging.getLogger("jitd.engine")


@dataclass(frozen=True, slots=True)
class Closer:
    """`close` belongs to the worker's thread, everything else to that of what is closed beside it."""

    _state: WorkerState
    _transactor: Transactor

    def close(self, closing: Closing) -> Reply:
        """Run a verb that closes: cut first, and record then. Raises JitError; what it raises, it did not change.

        The exception is code `unrecorded`: closing is never stuck, whatever becomes of the store.
        """
        if not self._state.unrecorded.begin(closing):
            return {}  # it took too long, and is recorded with the others of its kind

        # What is held for this very verb is not to change what it finds.
        people = replace(self._state.people, memory=replace(self._state.people.memory, held=Held()))
        try:
            reply = self._transactor.change(closing.verb, closing.actor, closing.body, people, closing)
        except JitError as error:
            if error.code != "store":
                self._undo_closing(closing, error)
                raise
            raise self._hold(closing, error) from error
        except BaseException:
            self._state.unrecorded.settle(closing, keep=True)
            raise
        self._state.unrecorded.settle(closing, keep=False)
        return reply

    def _hold(self, closing: Closing, error: JitError) -> JitError:
        """What could not be recorded stays closed, as far as it is known without the store. Returns what to tell."""
        now = self._state.now()
        try:
            scope = self._state.unrecorded.hold(closing, self._state.people, now)
        except JitError:
            scope = None  # the verb itself would have been refused
        self._state.unrecorded.settle(closing, keep=True)
        if scope is None:
            self._state.look_again()
            if closing.verb is removal.remove and closing.body.get("lost"):
                hint = (
                    "No open access is known for that device. Report it again when the store can be written; "
                    "see "
                    + command("status")
                    + ". An administrator can block all access with "
                    + command("freeze")
                )
                return JitError(error.code, error.message, hint)
            return error
        agrees = self._state.reconciler.settle(scope.held, now)
        if agrees:
            self._state.unrecorded.seen_cut(closing, now)
        log.error(
            "%s has closed %s, which cannot be recorded yet: %s",
            closing.actor.user,
            scope.said,
            error.message,
        )
        return unrecorded_error(scope, error, agrees=agrees)

    def _undo_closing(self, closing: Closing, error: JitError) -> None:
        """A closing that was cut before it was refused: somebody else was first. What the store says counts."""
        one = self._state.unrecorded.settle(closing, keep=False)
        if one is None:
            return
        self._state.look_again()
        self._state.record_event(
            EventKind.CLOSING_UNDONE,
            Undone(verb=one.verb, what=one.said, by=one.actor.user, why=error.message),
        )

    def close_beside(self, closing: Closing) -> None:
        """Cut what a verb closes, while the worker is busy or hangs with the disk. It is recorded by the worker."""
        now = self._state.now()
        try:
            scope = self._state.unrecorded.hold(closing, self._state.people, now)
        except JitError:
            return  # the verb itself is refused as well
        if scope is not None and closing.tombstone is not None:
            cut = self._state.reconciler.close(scope.held)
            closing.has_cut()
            if cut.agrees(CUT_SECONDS):
                self._state.unrecorded.seen_cut(closing, now)

    def plan_beside(self, closing: Closing) -> Reply | None:
        """The plan of a closing from what is known without the store; None when that cannot be told."""
        now = self._state.now()
        scope = closing.look(self._state.reconciler.applied, self._state.people, now)
        if scope is None:
            return None
        taken = self._state.reconciler.applied.without(scope.held, self._state.people)
        before, after = (
            plans.State(frozenset(passage for access in part for passage in access.passages))
            for part in ([one.before for one in taken], [one.rest for one in taken])
        )
        plan = plans.make(
            before, after, ["the store does not answer: the plan is made from the access that is open now"]
        )
        plan["token"] = MADE_BESIDE + plan["token"]
        return {"now": now.wall_ms, "plan": plan, "done": False, "agrees": True, "waiting": ""}

    def leave_to_record(self, closing: Closing) -> JitError | None:
        """The worker has not recorded a closing in time. Returns what to tell the caller; None: that it goes on."""
        now = self._state.now()
        try:
            scope = self._state.unrecorded.hold(closing, self._state.people, now)
        except JitError:
            return None
        if scope is None or closing.tombstone is None:
            return None
        self._state.unrecorded.leave_to_record(closing)
        agrees = self._state.reconciler.close(scope.held).agrees(CUT_SECONDS)
        if agrees:
            self._state.unrecorded.seen_cut(closing, now)
        return unrecorded_error(scope, JitError("store", "the store did not answer in time"), agrees=agrees)

    def close_over(self) -> int | None:
        """Cut the grants whose time is over, while the worker is busy or hangs with the disk.

        Returns when there will be more of them, in boot time: what is over stays known until the worker has its turn.
        """
        now = self._state.now()
        self._state.reconciler.close_over(now)
        return self._state.reconciler.applied.next_end(now)

    def close_lost(self) -> None:
        """Cut those who may not use a network any more, while the worker is busy or hangs with the disk."""
        self._state.reconciler.close_lost(self._state.now())

    def open_names(self) -> set[str]:
        """The names of all whom something is open for."""
        return {one.access.tunnel.account.name for one in self._state.reconciler.applied.all()}
