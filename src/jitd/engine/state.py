"""What the worker owns: the writing store, the reconciler, and the ends that the kernel has not been seen to follow."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from jitd.core import principals
from jitd.core.configuration import Config
from jitd.core.errors import JitError
from jitd.core.events import EventKind
from jitd.core.model import Actor, Now, Request
from jitd.engine.ports import Ports
from jitd.engine.unrecorded import Unrecorded
from jitd.reconcile import (
    activation,
    confirmation,
    expiry,
    lifetimes,
)
from jitd.reconcile.access import People
from jitd.reconcile.closed import Closed
from jitd.reconcile.drift import Drift
from jitd.reconcile.exchange import Exchanges
from jitd.reconcile.firewall import FirewallReconciler
from jitd.reconcile.peers import PeerReconciler
from jitd.reconcile.reconciler import Reconciler
from jitd.reconcile.recording import RecordEvent
from jitd.store import accounts, events, facts, networks, requests, upgrade
from jitd.store.database import FILE_NAME, Rows, Store
from jitd.store.mark import FILE_NAME as MARK
from jitd.store.mark import Mark
from jitd.store.tombstones import FILE_NAME as TOMBSTONES
from jitd.store.tombstones import TombstoneFile
from jitd.verbs import rules
from jitd.verbs.access import Rule
from jitd.verbs.context import Body, Call, View

log = logging.getLogger("jitd.engine")

#: Told until the next orderly stop.
_LACKS_LOG: Final = (
    "the database was not closed in order and its -wal file is missing: if it is a copy of a live one, what was decided"
    " last is not in it. Copies are made with: jitd backup FILE"
)

_HIGH_WATER: Final = "wall_high_ms"

#: (wall ms, boot ms) of the next thing that happens by itself; None where there is nothing.
Deadline = tuple[int | None, int | None]


def concerned(rows: Rows) -> list[str]:
    """The names of all users of the system whom the store is about: who may have access, or is named by a rule."""
    stored = {one.name for one in accounts.at_stake(rows) if not one.is_registered}
    return sorted(stored | rules.users(rows))


class WorkerState:
    """Belongs to the worker's thread, but for what says otherwise.

    `committed` is called with the newest SEQ and the next deadline whenever one of them may have changed, `answered` with
    the name of an interface that hung and answers again.
    """

    def __init__(
        self,
        *,
        config: Config,
        ports: Ports,
        api: Mapping[Callable[..., Any], Rule],
        people: People,
        committed: Callable[[int, Deadline], None],
        answered: Callable[[str], None],
    ) -> None:
        self.config = config
        self.ports = ports
        self.clock = clock = ports.clock
        closed = Closed()
        self.wireguard = Exchanges(ports.wireguard, closed, ports.threads.serial, answered)
        self.people = people
        self.api = api
        self._publish = committed
        self.started_ms = clock.now_ms()
        self._store_or_none: Store | None = None
        self.record_event = RecordEvent(lambda: self.store, clock.now_ms)
        drift = Drift()
        firewall_reconciler = FirewallReconciler(
            firewall=ports.firewall,
            record_event=self.record_event,
            boot_ms=clock.boot_ms,
            closed=closed,
            always=config.enforce.reachable(),
            close_local_users=config.enforce.close_local_users,
            held=drift.held,
        )
        peer_reconciler = PeerReconciler(
            wireguard=self.wireguard, record_event=self.record_event, boot_ms=clock.boot_ms, hear=drift.hear
        )
        self.reconciler = Reconciler(
            peer_reconciler=peer_reconciler,
            firewall_reconciler=firewall_reconciler,
            people=people,
            record_event=self.record_event,
            closed=closed,
            drift=drift,
        )
        self.high_water_ms = 0
        self._files = ports.threads.serial("jitd-files")
        self.mark = Mark(config.daemon.state_dir / MARK)
        self.mark_is_due = False
        self.unrecorded = Unrecorded(
            file=TombstoneFile(config.daemon.state_dir / TOMBSTONES),
            writing=self._files,
            applied=self.reconciler.applied,
            memory=people.memory,
            note_waiting=drift.note_unrecorded,
        )
        self.unconfirmed: list[Request] = []  # endings that the kernel does not agree with yet
        #: Every group that a rule names, for whoever asks the system about people.
        self.groups: frozenset[str] = config.groups

    def reload(self, config: Config, people: People) -> None:
        """Take over what may change while running. May be called in any thread: each value is replaced as a whole."""
        self.config = config
        self.people = self.reconciler.people = people
        self.groups |= config.groups

    @property
    def drift(self) -> Drift:
        """What the kernel does not agree with, and other news for status."""
        return self.reconciler.drift

    def open(self) -> list[str]:
        """Open the store. Returns the names of all who may have access or are named. Raises JitError store."""
        self._store_or_none = Store(self.config.daemon.state_dir / FILE_NAME)
        upgrade.note_release(self.config.daemon.state_dir)
        self.groups = self.listed_groups(self.rows)
        self.high_water_ms = facts.get(self.rows, _HIGH_WATER) or 0
        self.unrecorded.load(self.rows)
        if self.store.lacks_log:
            log.error("%s", _LACKS_LOG)
            self.drift.doubts = (_LACKS_LOG,)
        return concerned(self.rows)

    @property
    def waits_for_disk(self) -> bool:
        """Whether the worker waits for the store at this moment. In any thread."""
        return self._store_or_none is not None and self._store_or_none.rows.waits

    def checkpoint(self) -> None:
        """Make the database's file whole by itself, for whoever copies it."""
        if self._store_or_none is not None:
            self._store_or_none.checkpoint()

    def end(self) -> None:
        """Record the stop and close the store. Interfaces stay as they are."""
        if self._store_or_none is not None:
            self.record_event(EventKind.STOPPED)
            self.store.close()
            self._store_or_none = None
        self.unrecorded.close()
        self.wireguard.close()
        self.reconciler.firewall_reconciler.firewall.close()

    def authorise(self, verb: Callable[..., Any], view: View, body: Body) -> None:
        """Refuse what the caller may not call. Raises JitError not_permitted, and KeyError for what is no verb of the API."""
        self.api[verb].access.require(view, body)

    def view(self, rows: Rows, actor: Actor) -> View:
        """What a query is rendered from, on any connection and in any thread."""
        # Before anything is read: what is committed later counts as not compared yet.
        return View(**self._common(rows, actor), settled=self.drift.settled)

    @contextmanager
    def transaction(self, actor: Actor, people: People) -> Iterator[Call]:
        """A transaction, and what a verb is called with in it. What a verb did beside it is undone when it fails."""
        call: Call | None = None
        try:
            with self.store.transaction() as rows:
                call = self.call(rows, actor, people)
                yield call
        except BaseException:
            for step in reversed(call.undo if call else []):
                step()
            raise

    def call(self, rows: Rows, actor: Actor, people: People) -> Call:
        """What a verb is called with."""
        return Call(
            **{**self._common(rows, actor), "people": people},
            wireguard=self.wireguard,
            host=self.ports.host,
            link_spec=self.reconciler.peer_reconciler.spec,
            forget_interface=self.reconciler.forget,
        )

    def _common(self, rows: Rows, actor: Actor) -> dict[str, Any]:
        return {
            "rows": rows,
            "actor": actor,
            "now": self.now(),
            "people": self.people,
            "config": self.config,
            "drift": self.drift,
            "backend": self.wireguard.name,
            "firewall": self.reconciler.firewall_reconciler.firewall,
            "rules": self.reconciler.firewall_reconciler.rules,
            "gateway": self.reconciler.firewall_reconciler.gateway,
            "started_ms": self.started_ms,
            "owner_of": self.ports.owner_of,
        }

    def confirm(self, ended: list[Request], now: Now) -> None:
        """Record for each ending that the kernel was seen to agree at `now`, and how late that was.

        Those that it does not agree with yet are kept, and recorded when it does.
        """
        waiting = [*self.unconfirmed, *ended]
        if not waiting:
            return
        seen_ms = self.unrecorded.cut_ms
        confirmed = confirmation.confirmed(self.rows, waiting, self.drift, now, seen_ms)
        done = {one.request.id for one in confirmed}
        self.unconfirmed = [request for request in waiting if request.id not in done]
        if confirmed:
            with self.store.transaction() as rows:
                self.reconciler.peer_reconciler.sampler.flush(rows)
                confirmation.record(rows, confirmed, now)
            self.reconciler.peer_reconciler.sampler.flushed()
            for request_id in done:
                seen_ms.pop(request_id, None)

    def committed(self) -> None:
        """Behind a commit: say what is new, and when there is something to do again."""
        now = self.now()
        wall, boot = expiry.next_end(self.rows, now)
        start = activation.next_start(self.rows, now, self.high_water_ms)
        retry = self.reconciler.next_retry()
        lapse = requests.next_lapse(self.rows)
        people = lifetimes.next_end(self.rows)
        wall = min((at for at in (wall, start, lapse, people) if at is not None), default=None)
        boot = min((at for at in (boot, retry) if at is not None), default=None)
        self.drift.settled = events.last_seq(self.rows)
        if self.mark_is_due:
            # Behind the commit, and in a thread of its own: the disk may hang.
            self.mark_is_due = False
            self._files.submit(self.mark.save, self.drift.settled)
        self._publish(self.drift.settled, (wall, boot))

    def note_time(self, rows: Rows, now: Now) -> None:
        """Keep the highest value of the wall clock."""
        if now.wall_ms > self.high_water_ms:
            self.high_water_ms = now.wall_ms
            facts.put(rows, _HIGH_WATER, now.wall_ms)

    def look_again(self) -> None:
        """Something may have been cut that the store lets in: it is put right."""
        try:
            self.reconciler.everything(self.rows, self.now(), touched=True)
            self.committed()
        except JitError as error:
            log.error("what was cut stays so until the store can be read: %s", error.message)  # noqa: TRY400

    @property
    def store(self) -> Store:
        """The writing store."""
        assert self._store_or_none is not None, "the store has not been opened"
        return self._store_or_none

    @property
    def rows(self) -> Rows:
        """Its connection."""
        return self.store.rows

    def now(self) -> Now:
        """What both clocks say. In any thread."""
        # Boot time first: whoever is held up between the two makes an end early, never late.
        boot_ms = self.clock.boot_ms()
        return Now(self.clock.now_ms(), boot_ms, self.clock.boot_id())

    def listed_groups(self, rows: Rows) -> frozenset[str]:
        """Every group that a rule names."""
        named = {one for network in networks.all_(rows) for one in network.principals}
        return frozenset(principals.groups(named)) | self.config.groups
