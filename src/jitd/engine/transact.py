"""The one way through the service, in the worker: authorise, change, record, reconcile, answer."""

import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Final

from jitd.core import principals
from jitd.core.clock import Clock
from jitd.core.commandline import jitctl
from jitd.core.configuration import Config
from jitd.core.errors import JitError
from jitd.core.events import EventKind, Nothing, Restored, Started, Undone
from jitd.core.model import Account, Actor, Interface, Now, Request
from jitd.enforce.firewallport import Firewall
from jitd.enforce.hostport import HostReader
from jitd.enforce.owner import Owner
from jitd.enforce.port import WireGuard
from jitd.engine.closings import MADE_BESIDE, NARROWING, VERBS, Closing
from jitd.engine.unrecorded import Unrecorded, told
from jitd.notify import planner
from jitd.reconcile import (
    activation,
    confirmation,
    expiry,
    lapsing,
    lifetimes,
    lost_rights,
    survey,
    suspending,
)
from jitd.reconcile.access import Held, People
from jitd.reconcile.changeset import ChangeSet
from jitd.reconcile.closed import Closed
from jitd.reconcile.drift import Drift
from jitd.reconcile.exchange import Exchanges
from jitd.reconcile.firewall import FirewallReconciler
from jitd.reconcile.peers import PeerReconciler
from jitd.reconcile.reconciler import Reconciler
from jitd.reconcile.recording import Recorder
from jitd.store import accounts, events, facts, interfaces, networks, requests, restored
from jitd.store.database import FILE_NAME, Rows, Store
from jitd.store.mark import FILE_NAME as MARK
from jitd.store.mark import Mark
from jitd.store.tombstones import FILE_NAME as TOMBSTONES
from jitd.store.tombstones import Tombstone, TombstoneFile
from jitd.verbs import deciding, plans, quorums, removal, restoring, rules
from jitd.verbs.access import Access
from jitd.verbs.context import Body, Call, ChangeVerb, PeekVerb, PlanOnly, Render, Reply, T, View
from jitd.verbs.quorums import QuorumNeeded

#: Told until the next orderly stop.
_LACKS_LOG: Final = (
    "the database was not closed in order and its -wal file is missing: if it is a copy of a live one, what was decided"
    " last is not in it. Copies are made with: jitd backup FILE"
)

log = logging.getLogger("jitd.service")

#: Milliseconds between two attempts to record what could not be recorded.
RECORD_AGAIN_MS: Final = 10_000
#: How long a closing is waited for before it is committed, or told as done; seconds.
CUT_SECONDS: Final = 1.0
_HIGH_WATER: Final = "wall_high_ms"

#: (wall ms, boot ms) of the next thing that happens by itself; None where there is nothing.
Deadline = tuple[int | None, int | None]
#: A part of a check.
Step = Callable[[], None]


def concerned(rows: Rows) -> list[str]:
    """The names of all users of the system whom the store is about: who may have access, or is named by a rule."""
    stored = {one.name for one in accounts.at_stake(rows) if not one.is_registered}
    return sorted(stored | rules.users(rows))


class Transactor:
    """Owns the writing store and the interfaces. Every method but `view` and those of "beside the worker" is called in the worker
    thread only.

    `committed` is called with the newest SEQ and the next deadline whenever one of them may have changed, `answered` with
    the name of an interface that hung and answers again; `serial` makes threads (`threads.py`).
    """

    def __init__(
        self,
        *,
        config: Config,
        clock: Clock,
        wireguard: WireGuard,
        firewall: Firewall,
        host: HostReader,
        people: People,
        access: Mapping[Callable[..., Any], Access],
        owner_of: Callable[[str], Owner],
        committed: Callable[[int, Deadline], None],
        answered: Callable[[str], None],
        serial: Callable[[str], Executor],
    ) -> None:
        self._config = config
        self._clock = clock
        closed = Closed()
        self._wireguard = Exchanges(wireguard, closed, serial, answered)
        self._host = host
        self._people = people
        self._access = access
        self._owner_of = owner_of
        self._committed_to = committed
        self._started_ms = clock.now_ms()
        self._store_or_none: Store | None = None
        drift = Drift()
        firewall_reconciler = FirewallReconciler(
            firewall=firewall,
            record_event=self._record_event,
            boot_ms=clock.boot_ms,
            closed=closed,
            always=config.enforce.reachable(),
            close_local_users=config.enforce.close_local_users,
            held=drift.held,
        )
        peer_reconciler = PeerReconciler(
            wireguard=self._wireguard, record_event=self._record_event, boot_ms=clock.boot_ms, hear=drift.hear
        )
        self._reconciler = Reconciler(
            peer_reconciler=peer_reconciler,
            firewall_reconciler=firewall_reconciler,
            people=people,
            record_event=self._record_event,
            closed=closed,
            drift=drift,
        )
        self._high_water_ms = 0
        self._files = serial("jitd-files")
        self._mark = Mark(config.daemon.state_dir / MARK)
        self._mark_is_due = False
        self._unrecorded = Unrecorded(
            file=TombstoneFile(config.daemon.state_dir / TOMBSTONES),
            writing=self._files,
            applied=self._reconciler.applied,
            memory=people.memory,
            note_waiting=drift.note_unrecorded,
        )
        self._record_again_ms = 0
        self._unconfirmed: list[Request] = []  # endings that the kernel does not agree with yet
        #: Every group that a rule names, for whoever asks the system about people.
        self.groups: frozenset[str] = frozenset(config.daemon.admin_groups)

    def reload(self, config: Config, people: People) -> None:
        """Take over what may change while running. May be called in any thread: each value is replaced as a whole."""
        self._config = config
        self._people = self._reconciler.people = people
        self.groups |= frozenset(config.daemon.admin_groups)

    @property
    def drift(self) -> Drift:
        """What the kernel does not agree with, and other news for status."""
        return self._reconciler.drift

    # --- life ---

    def open(self) -> list[str]:
        """Open the store. Returns the names of all who may have access or are named. Raises JitError store."""
        self._store_or_none = Store(self._config.daemon.state_dir / FILE_NAME)
        self.groups = self._listed_groups(self._rows)
        self._unrecorded.load(self._rows)
        if self._store.lacks_log:
            log.error("%s", _LACKS_LOG)
            self.drift.doubts = (_LACKS_LOG,)
        return concerned(self._rows)

    def checkpoint(self) -> None:
        """Make the database's file whole by itself, for whoever copies it."""
        if self._store_or_none is not None:
            self._store_or_none.checkpoint()

    def begin(self) -> None:
        """End what ended meanwhile, before anything else; then make every interface agree."""
        now = self._now()
        self._high_water_ms = facts.get(self._rows, _HIGH_WATER) or 0
        if now.wall_ms < self._high_water_ms:
            log.error(
                "the clock is %d ms behind what it was: grants of an earlier boot stay closed until it is right",
                self._high_water_ms - now.wall_ms,
            )
        with self._store.transaction() as rows:
            self._compare_with_mark(rows, now)
            rules.bind(rows, self._people)
            Recorder(rows, now.wall_ms)(EventKind.STARTED, Started(backend=self._wireguard.name))
            (planner.begin if self._config.tells else planner.leave)(rows)
            self._unrecorded.forget_notes(rows)
        self._reconciler.peer_reconciler.sampler.load(self._rows)
        self._reconciler.prepare(self._rows)
        if restored.current(self._rows) is not None:
            restoring.keep_leases(self._rows, self._reconciler, self._people.memory, now)
        self.expire()
        self._reconciler.everything(self._rows, now, touched=True)
        waiting = {request.id for request in self._unconfirmed}
        self._confirm(
            [one for one in confirmation.unconfirmed(self._rows) if one.id not in waiting], self._now()
        )
        self._committed()

    def _compare_with_mark(self, rows: Rows, now: Now) -> None:
        """See whether the store is the one in which something was closed last, or an older copy of it."""
        last, mark = events.last_seq(rows), self._mark.load()
        self._mark_is_due = mark is None
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

    def end(self) -> None:
        """Record the stop and close the store. Interfaces stay as they are."""
        if self._store_or_none is not None:
            self._record_event(EventKind.STOPPED)
            self._store.close()
            self._store_or_none = None
        self._unrecorded.close()
        self._wireguard.close()
        self._reconciler.firewall_reconciler.firewall.close()

    # --- verbs ---

    def authorise(self, verb: Callable[..., Any], view: View) -> None:
        """Refuse what the caller may not call. Raises JitError not_permitted, and KeyError for what is no verb of the API."""
        self._access[verb].require(view)

    def change(self, verb: ChangeVerb, actor: Actor, body: Body) -> Reply:
        """Run a verb that changes something. Raises JitError; what it raises, it did not change."""
        return self._change(verb, actor, body, self._people)

    def close(self, closing: Closing) -> Reply:
        """Run a verb that closes: cut first, and record then. Raises JitError; what it raises, it did not change.

        The exception is code `unrecorded`: closing is never stuck, whatever becomes of the store.
        """
        if not self._unrecorded.begin(closing):
            return {}  # it took too long, and is recorded with the others of its kind

        # What is held for this very verb is not to change what it finds.
        people = replace(self._people, memory=replace(self._people.memory, held=Held()))
        try:
            reply = self._change(closing.verb, closing.actor, closing.body, people, closing)
        except JitError as error:
            if error.code != "store":
                self._undo_closing(closing, error)
                raise
            raise self._hold(closing, error) from error
        except BaseException:
            self._unrecorded.settle(closing, keep=True)
            raise
        self._unrecorded.settle(closing, keep=False)
        return reply

    def _hold(self, closing: Closing, error: JitError) -> JitError:
        """What could not be recorded stays closed, as far as it is known without the store. Returns what to tell."""
        now = self._now()
        try:
            scope = self._unrecorded.hold(closing, self._people, now)
        except JitError:
            scope = None  # the verb itself would have been refused
        self._unrecorded.settle(closing, keep=True)
        if scope is None:
            self._look_again()
            if closing.verb is removal.remove and closing.body.get("lost"):
                hint = (
                    "Nothing is known to be open for that device. Report it again when the store can be written: see"
                    " jitctl status. An administrator closes everything with jitctl freeze."
                )
                return JitError(error.code, error.message, hint)
            return error
        agrees = self._reconciler.settle(scope.held, now)
        if agrees:
            self._unrecorded.seen_cut(closing, now)
        log.error(
            "%s has closed %s, which cannot be recorded yet: %s",
            closing.actor.user,
            scope.said,
            error.message,
        )
        return told(scope, error, agrees=agrees)

    def _undo_closing(self, closing: Closing, error: JitError) -> None:
        """A closing that was cut before it was refused: somebody else was first. What the store says counts."""
        one = self._unrecorded.settle(closing, keep=False)
        if one is None:
            return
        self._look_again()
        self._record_event(
            EventKind.CLOSING_UNDONE,
            Undone(verb=one.verb, what=one.said, by=one.actor.user, why=error.message),
        )

    def _look_again(self) -> None:
        """Something may have been cut that the store lets in: it is put right."""
        try:
            self._reconciler.everything(self._rows, self._now(), touched=True)
            self._committed()
        except JitError as error:
            log.error("what was cut stays so until the store can be read: %s", error.message)  # noqa: TRY400

    def _change(
        self, verb: ChangeVerb, actor: Actor, body: Body, people: People, closing: Closing | None = None
    ) -> Reply:
        # What is over is ended first, so that no verb meets a grant that has ended but is not marked so.
        self.expire()
        call: Call | None = None
        cuts = False
        try:
            with self._store.transaction() as rows:
                call = self._call(rows, actor, people)
                if closing is not None and closing.is_late and closing.tombstone is not None:
                    _as_of_then(call, closing.tombstone)
                self.authorise(verb, call)
                render = verb(call, body)
                if call.touched.interfaces:
                    # Who has no right any more by this is cut with it: nobody is to be told for 30 s that they are in.
                    call.ended += lost_rights.revoke_all(rows, people, call.touched, call.now)
                self._note_time(rows, call.now)
                # Nothing can refuse any more: what it takes away is cut now, and committed then.
                cuts = bool(call.touched) and (closing is not None or verb in NARROWING)
                if cuts:
                    self._reconciler.cut(rows, call.touched, call.now).agrees(CUT_SECONDS)
                self._mark_is_due |= cuts or closing is not None
                if closing is not None:
                    closing.told()
                    if closing.tombstone is not None:
                        self._unrecorded.note(rows, closing.tombstone)
        except PlanOnly as plan:
            self._undo(call)
            return plan.reply
        except QuorumNeeded as needed:
            self._undo(call)
            raise self._propose(needed, actor, people) from needed
        except BaseException:
            self._undo(call)
            if cuts and closing is None:
                self._look_again()
            raise
        return self._settle(call, render)

    def _propose(self, needed: QuorumNeeded, actor: Actor, people: People) -> JitError:
        """Record a change that several have to agree to. Returns what to tell whoever wanted to make it."""
        with self._store.transaction() as rows:
            number, agreed = quorums.propose(self._call(rows, actor, people), needed)
        self._committed()
        return JitError(
            "pending",
            f"cannot do this alone: {'; '.join(needed.need.what)}; it waits as change {number}, and {agreed} of"
            f" {needed.need.quorum} have agreed",
            f"Somebody else who decides types: {jitctl('change', 'approve', number)}",
        )

    def _settle(self, call: Call, render: Render[Reply]) -> Reply:
        """After the commit: make the kernel agree, and answer."""
        agrees = self._reconciler.touched(self._rows, call.touched, call.now)
        self._confirm(call.ended, self._now())
        self._committed()
        after = self._call(self._rows, call.actor, self._people)
        after.agrees, after.waiting = agrees, "" if agrees else "; ".join(self.drift.waiting())
        return render(after)

    # --- beside the worker ---

    def close_beside(self, closing: Closing) -> None:
        """Cut what a verb closes, while the worker is busy or hangs with the disk. It is recorded by the worker."""
        now = self._now()
        try:
            scope = self._unrecorded.hold(closing, self._people, now)
        except JitError:
            return  # the verb itself is refused as well
        if scope is not None and closing.tombstone is not None:
            cut = self._reconciler.close(scope.held)
            closing.told()
            if cut.agrees(CUT_SECONDS):
                self._unrecorded.seen_cut(closing, now)

    def plan_beside(self, closing: Closing) -> Reply | None:
        """The plan of a closing from what is known without the store; None when that cannot be told."""
        now = self._now()
        scope = closing.look(self._reconciler.applied, self._people, now)
        if scope is None:
            return None
        taken = self._reconciler.applied.without(scope.held, self._people)
        before, after = (
            plans.State(frozenset(passage for access in part for passage in access.passages))
            for part in ([one.before for one in taken], [one.rest for one in taken])
        )
        plan = plans.make(before, after, ["the store does not answer: this is what is open now"])
        plan["token"] = MADE_BESIDE + plan["token"]
        return {"now": now.wall_ms, "plan": plan, "done": False, "agrees": True, "waiting": ""}

    def leave_to_record(self, closing: Closing) -> JitError | None:
        """The worker has not recorded a closing in time. Returns what to tell the caller; None: that it goes on."""
        now = self._now()
        try:
            scope = self._unrecorded.hold(closing, self._people, now)
        except JitError:
            return None
        if scope is None or closing.tombstone is None:
            return None
        self._unrecorded.leave_to_record(closing)
        agrees = self._reconciler.close(scope.held).agrees(CUT_SECONDS)
        if agrees:
            self._unrecorded.seen_cut(closing, now)
        return told(scope, JitError("store", "the store has not taken it in time"), agrees=agrees)

    def close_over(self) -> int | None:
        """Cut the grants whose time is over, while the worker is busy or hangs with the disk.

        Returns when there will be more of them, in boot time: what is over stays known until the worker has its turn.
        """
        now = self._now()
        self._reconciler.close_over(now)
        return self._reconciler.applied.next_end(now)

    def close_lost(self) -> None:
        """Cut those who may not use a network any more, while the worker is busy or hangs with the disk."""
        self._reconciler.close_lost(self._now())

    @property
    def waits_for_disk(self) -> bool:
        """Whether the worker waits for the store at this moment."""
        return self._store_or_none is not None and self._store_or_none.rows.waits

    def open_names(self) -> set[str]:
        """The names of all whom something is open for."""
        return {one.access.tunnel.account.name for one in self._reconciler.applied.all()}

    # --- in the worker ---

    def answers(self, name: str) -> None:
        """An interface that hung answers again."""
        self._reconciler.answers(self._rows, name, self._now())
        self._confirm([], self._now())
        self._committed()

    def peek(self, verb: PeekVerb[T], actor: Actor, query: Body) -> T:
        """Run a verb that only reads, the interfaces too."""
        return verb(self._call(self._rows, actor, self._people), query)

    def view(self, rows: Rows, actor: Actor) -> View:
        """What a query is rendered from, on any connection and in any thread."""
        # Before anything is read: what is committed later counts as not compared yet.
        return View(**self._common(rows, actor), settled=self.drift.settled)

    # --- time ---

    def expire(self) -> None:
        """End what is over, activate what begins, and try again what failed and is due."""
        now = self._now()
        # Cut first, record then: a grant that is over opens nothing, recorded or not, and a full disk or a locked
        # database must not keep anybody in.
        try:
            over = expiry.due(self._rows, now)
            if over:
                ids = [request.id for request in over]
                self._reconciler.touched(
                    self._rows, ChangeSet(devices=requests.tunnels_of(self._rows, ids)), now
                )
        except JitError:
            # It cannot even be read. What is open is also known without it.
            for request_id in self._reconciler.applied.over(now):
                if self._reconciler.settle(Held(grants=frozenset({request_id})), now):
                    self._unrecorded.cut_ms.setdefault(request_id, self._now().wall_ms)
            raise
        cut = self._now()
        self._reconciler.retry(self._rows, now)
        self._record_held(cut)
        if over:
            try:
                with self._store.transaction() as rows:
                    expiry.expire(rows, over, now)
                self._mark_is_due = True
            except JitError:
                for request in over:
                    if self.drift.open.isdisjoint(requests.keys_of(self._rows, request.id)):
                        self._unrecorded.cut_ms.setdefault(request.id, cut.wall_ms)
                raise
        self._confirm(over, cut)
        people_end = lifetimes.next_end(self._rows)
        if people_end is not None and people_end <= now.wall_ms:
            # Cut first here, too.
            self._reconciler.touched(self._rows, lifetimes.due(self._rows, now), now)
            with self._store.transaction() as rows:
                ended, touched = lifetimes.end(rows, self._people, now)
                self._mark_is_due = True
            self._reconciler.touched(self._rows, touched, now)
            self._confirm(ended, self._now())
        lapses_ms = requests.next_lapse(self._rows)
        if lapses_ms is not None and lapses_ms <= now.wall_ms:
            with self._store.transaction() as rows:
                lapsing.lapse(rows, now)
        if requests.waiting(self._rows, now.boot_id, now.wall_ms):
            with self._store.transaction() as rows:
                never_begun, touched = activation.activate(rows, self._people, now, self._high_water_ms)
            self._reconciler.touched(self._rows, touched, now)
            self._confirm(never_begun, self._now())
        self._committed()

    def begin_check(self) -> list[Step]:
        """Begin to compare everything with the kernel, and everybody with the system's users.

        Returns steps that are to be called in the worker one after the other, with others' turns in between. Who is
        gone opens nothing, recorded or not: the record comes last (`end_check`).
        """
        steps: list[Step] = []
        with self._rules_kept():
            for interface in interfaces.all_(self._rows):
                parts = survey.slices(self._rows, interface)
                steps += (
                    [partial(self._compare, interface.id)]
                    if len(parts) <= 1
                    else self._survey(interface, parts)
                )
        return steps

    def _compare(self, interface_id: int) -> None:
        with self._rules_kept():
            interface = interfaces.by_id(self._rows, interface_id)
            if interface in interfaces.all_(self._rows):
                self._reconciler.interface(self._rows, interface, self._now())

    @contextmanager
    def _rules_kept(self) -> Iterator[None]:
        """While the store cannot be read, rules that somebody flushed are put back as they were last."""
        try:
            yield
        except JitError as error:
            if error.code == "store":
                self._reconciler.ensure_known()
            raise

    def _survey(self, interface: Interface, parts: list[list[int]]) -> list[Step]:
        surveyed: list[survey.Survey] = []

        def begin() -> None:
            with self._rules_kept():
                if interface in interfaces.all_(self._rows):
                    found = survey.begin(self._reconciler, self._rows, interface, self._now())
                    surveyed.extend([found] if found is not None else [])

        def compare(part: list[int]) -> None:
            with self._rules_kept():
                for one in surveyed:
                    survey.compare(self._reconciler, self._rows, one, part, self._now())

        return [begin, *(partial(compare, part) for part in parts)]

    def end_check(self) -> None:
        """Record what a check found."""
        now = self._now()
        self.expire()
        with self._store.transaction() as rows:
            rules.bind(rows, self._people)
            suspending.check(rows, self._people, now)
            deciding.check(rows, self._people, now)
            lost = lost_rights.find(rows, self._people, now)
            lost_rights.revoke(rows, lost, now)
            self._mark_is_due |= bool(lost)
            self._note_time(rows, now)
            self.groups = self._listed_groups(rows)
            self._reconciler.peer_reconciler.sampler.flush(rows)
        self._reconciler.peer_reconciler.sampler.flushed()
        self._confirm([request for request, _ in lost], self._now())
        self._committed()

    def tell(self) -> int | None:
        """Make messages of new events and of reminders that are due. Runs behind everything that cuts.

        Returns when there is something to do again, milliseconds UTC; None: when something happens.
        """
        channels, now = planner.Channels.of(self._config), self._now()
        due_ms = planner.next_due(self._rows)
        if planner.waits(self._rows) or (due_ms is not None and due_ms <= now.wall_ms):
            with self._store.transaction() as rows:
                planner.tell(rows, self._people, channels, now)
                planner.remind(rows, self._people, channels, now)
        return now.wall_ms if planner.waits(self._rows) else planner.next_due(self._rows)

    def record_delivery(self, change: Callable[[Rows], None]) -> None:
        """Keep what became of messages."""
        with self._store.transaction() as rows:
            change(rows)

    def look(self) -> None:
        """Compare what somebody else may change, and what was changed a moment ago."""
        now = self._now()
        with self._rules_kept():
            self._reconciler.look(self._rows, now)
        self._record_held(now)
        self._confirm([], self._now())
        self._committed()

    # --- shared ---

    def _undo(self, call: Call | None) -> None:
        for step in reversed(call.undo if call else []):
            step()

    def _record_held(self, now: Now) -> None:
        """Record the closings that could not be recorded when they were done."""
        due = self._unrecorded.due()
        if not due or now.boot_ms < self._record_again_ms:
            return
        for one in due:
            try:
                self._record(one, now)
            except JitError as error:
                if error.code in ("store", "busy"):
                    # A locked database makes the worker wait each time.
                    self._record_again_ms = now.boot_ms + RECORD_AGAIN_MS
                    log.warning("closings are still not recorded: %s", error.message)
                    return
                # It has ended meanwhile, by whatever else.
                log.warning("%s by %s needs no record: %s", one.said, one.actor.user, error.message)
                self._unrecorded.recorded(one)
                self._look_again()

    def _record(self, one: Tombstone, now: Now) -> None:
        """Run the verb of a closing as if it were that moment, with the right that its caller had then."""
        people = replace(
            self._people,
            memory=replace(self._people.memory, held=Held()),
            allowed=(one.actor.uid, one.actor.user),
        )
        call: Call | None = None
        try:
            with self._store.transaction() as rows:
                body = self._unrecorded.body(rows, one)
                call = self._call(rows, one.actor, people)
                _as_of_then(call, one)
                self.authorise(VERBS[one.verb], call)
                VERBS[one.verb](call, body)
                self._unrecorded.note(rows, one)
        except BaseException:
            self._undo(call)
            raise
        self._mark_is_due = True
        self._unrecorded.recorded(one)
        self._reconciler.touched(self._rows, call.touched, now)
        self._confirm(call.ended, now)

    def _confirm(self, ended: list[Request], now: Now) -> None:
        """Record for each ending that the kernel was seen to agree at `now`, and how late that was.

        Those that it does not agree with yet are kept, and recorded when it does.
        """
        waiting = [*self._unconfirmed, *ended]
        if not waiting:
            return
        seen_ms = self._unrecorded.cut_ms
        confirmed = confirmation.confirmed(self._rows, waiting, self.drift, now, seen_ms)
        done = {one.request.id for one in confirmed}
        self._unconfirmed = [request for request in waiting if request.id not in done]
        if confirmed:
            with self._store.transaction() as rows:
                self._reconciler.peer_reconciler.sampler.flush(rows)
                confirmation.record(rows, confirmed, now)
            self._reconciler.peer_reconciler.sampler.flushed()
            for request_id in done:
                seen_ms.pop(request_id, None)

    def _committed(self) -> None:
        now = self._now()
        wall, boot = expiry.next_end(self._rows, now)
        start = activation.next_start(self._rows, now, self._high_water_ms)
        retry = self._reconciler.next_retry()
        lapse = requests.next_lapse(self._rows)
        people = lifetimes.next_end(self._rows)
        wall = min((at for at in (wall, start, lapse, people) if at is not None), default=None)
        boot = min((at for at in (boot, retry) if at is not None), default=None)
        self.drift.settled = events.last_seq(self._rows)
        if self._mark_is_due:
            # Behind the commit, and in a thread of its own: the disk may hang.
            self._mark_is_due = False
            self._files.submit(self._mark.save, self.drift.settled)
        self._committed_to(self.drift.settled, (wall, boot))

    def _note_time(self, rows: Rows, now: Now) -> None:
        """Keep the highest value of the wall clock."""
        if now.wall_ms > self._high_water_ms:
            self._high_water_ms = now.wall_ms
            facts.put(rows, _HIGH_WATER, now.wall_ms)

    def _record_event(
        self,
        kind: EventKind,
        data: Nothing | None = None,
        *,
        interface: str | None = None,
        account: Account | None = None,
        network: str | None = None,
    ) -> None:
        """Record something that jitd itself did or saw. What cannot be recorded stops no reconciliation."""
        try:
            with self._store.transaction() as rows:
                record = Recorder(rows, self._clock.now_ms())
                record(kind, data, interface=interface, account=account, network=network)
        except JitError as error:
            log.error("cannot record %s on %s: %s", kind, interface, error.message)  # noqa: TRY400

    @property
    def _store(self) -> Store:
        assert self._store_or_none is not None, "the store has not been opened"
        return self._store_or_none

    @property
    def _rows(self) -> Rows:
        return self._store.rows

    def _now(self) -> Now:
        return Now(self._clock.now_ms(), self._clock.boot_ms(), self._clock.boot_id())

    def _listed_groups(self, rows: Rows) -> frozenset[str]:
        """Every group that a rule names."""
        named = {one for network in networks.all_(rows) for one in network.principals}
        return frozenset(principals.groups(named)) | frozenset(self._config.daemon.admin_groups)

    def _call(self, rows: Rows, actor: Actor, people: People) -> Call:
        return Call(
            **{**self._common(rows, actor), "people": people},
            wireguard=self._wireguard,
            host=self._host,
            link_spec=self._reconciler.peer_reconciler.spec,
            forget_interface=self._reconciler.forget,
        )

    def _common(self, rows: Rows, actor: Actor) -> dict[str, Any]:
        return {
            "rows": rows,
            "actor": actor,
            "now": self._now(),
            "people": self._people,
            "config": self._config,
            "drift": self.drift,
            "backend": self._wireguard.name,
            "firewall": self._reconciler.firewall_reconciler.firewall,
            "rules": self._reconciler.firewall_reconciler.rules,
            "gateway": self._reconciler.firewall_reconciler.gateway,
            "started_ms": self._started_ms,
            "owner_of": self._owner_of,
        }


def _as_of_then(call: Call, one: Tombstone) -> None:
    """A closing is recorded as of when it was done."""
    call.now = replace(call.now, wall_ms=min(one.at_ms, call.now.wall_ms))
    call.recorded_later = True
