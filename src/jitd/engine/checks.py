"""Comparing what is with what should be: the kernel with the store, and people with the system's users."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from jitd.core.errors import JitError
from jitd.core.model import Interface
from jitd.engine.deadlines import Deadlines
from jitd.engine.late_records import LateRecords
from jitd.engine.state import WorkerState
from jitd.reconcile import (
    lost_rights,
    survey,
    suspending,
)
from jitd.store import interfaces
from jitd.verbs import deciding, rules

#: A part of a check.
Step = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Checks:
    """Belongs to the worker's thread."""

    _state: WorkerState
    _deadlines: Deadlines
    _late: LateRecords

    def begin(self) -> list[Step]:
        """Begin to compare everything with the kernel, and everybody with the system's users.

        Returns steps that are to be called in the worker one after the other, with others' turns in between. Who is
        gone opens nothing, recorded or not: the record comes last (`end`).
        """
        steps: list[Step] = []
        with self._rules_kept():
            for interface in interfaces.all_(self._state.rows):
                parts = survey.slices(self._state.rows, interface)
                steps += (
                    [partial(self._compare, interface.id)]
                    if len(parts) <= 1
                    else self._survey(interface, parts)
                )
        return steps

    def _compare(self, interface_id: int) -> None:
        with self._rules_kept():
            interface = interfaces.by_id(self._state.rows, interface_id)
            if interface in interfaces.all_(self._state.rows):
                self._state.reconciler.interface(self._state.rows, interface, self._state.now())

    @contextmanager
    def _rules_kept(self) -> Iterator[None]:
        """While the store cannot be read, rules that somebody flushed are put back as they were last."""
        try:
            yield
        except JitError as error:
            if error.code == "store":
                self._state.reconciler.ensure_known()
            raise

    def _survey(self, interface: Interface, parts: list[list[int]]) -> list[Step]:
        surveyed: list[survey.Survey] = []

        def begin() -> None:
            with self._rules_kept():
                if interface in interfaces.all_(self._state.rows):
                    found = survey.begin(
                        self._state.reconciler, self._state.rows, interface, self._state.now()
                    )
                    surveyed.extend([found] if found is not None else [])

        def compare(part: list[int]) -> None:
            with self._rules_kept():
                for one in surveyed:
                    survey.compare(self._state.reconciler, self._state.rows, one, part, self._state.now())

        return [begin, *(partial(compare, part) for part in parts)]

    def end(self) -> None:
        """Record what a check found."""
        now = self._state.now()
        self._deadlines.expire()
        with self._state.store.transaction() as rows:
            rules.bind(rows, self._state.people)
            suspending.check(rows, self._state.people, now)
            deciding.check(rows, self._state.people, now)
            lost = lost_rights.find(rows, self._state.people, now)
            lost_rights.revoke(rows, lost, now)
            self._state.mark_is_due |= bool(lost)
            self._state.note_time(rows, now)
            self._state.groups = self._state.listed_groups(rows)
            self._state.reconciler.peer_reconciler.sampler.flush(rows)
        self._state.reconciler.peer_reconciler.sampler.flushed()
        self._state.confirm([request for request, _ in lost], self._state.now())
        self._state.committed()

    def look(self) -> None:
        """Compare what somebody else may change, and what was changed a moment ago."""
        now = self._state.now()
        with self._rules_kept():
            self._state.reconciler.look(self._state.rows, now)
        self._late.record_due(now)
        self._state.confirm([], self._state.now())
        self._state.committed()

    def answers(self, name: str) -> None:
        """An interface that hung answers again."""
        self._state.reconciler.answers(self._state.rows, name, self._state.now())
        self._state.confirm([], self._state.now())
        self._state.committed()
