"""What the server and the scheduler call: the service from the event loop's side.

Verbs that change something go to the worker; queries are read beside it; people are looked up before either.
"""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, Final, TypeVar

from jitd import wire
from jitd.core.commandline import command
from jitd.core.configuration import Config
from jitd.core.errors import JitError
from jitd.core.metrics import Sample
from jitd.core.model import Actor
from jitd.diagnostics import doctor, registry
from jitd.diagnostics.doctor import ExamineVerb
from jitd.diagnostics.examination import Examination, Links
from jitd.engine import notices, startup
from jitd.engine.checks import Checks
from jitd.engine.closer import Closer
from jitd.engine.closings import CLOSING, MADE_BESIDE, Closing
from jitd.engine.deadlines import Deadlines
from jitd.engine.feed import EventFeed
from jitd.engine.late_records import LateRecords
from jitd.engine.measuring import Measuring
from jitd.engine.ports import Ports
from jitd.engine.readers import Reader, Readers
from jitd.engine.state import Deadline, WorkerState, concerned
from jitd.engine.transact import Transactor
from jitd.engine.worker import Priority
from jitd.notify import planner, recipients
from jitd.queries import metrics, report
from jitd.queries.metrics import MeasureVerb
from jitd.reconcile.access import Memory, People
from jitd.store.database import FILE_NAME, Rows
from jitd.verbs.access import Rule
from jitd.verbs.concerned import Names
from jitd.verbs.context import Body, Call, ChangeVerb, PeekVerb, QueryVerb, Reply

T = TypeVar("T")

#: How long one query may read, in seconds: a user's, and an administrator's or a long one.
USERS_SECONDS: Final = 2.0
LONGEST_SECONDS: Final = 20.0
#: What may read for seconds: in a thread of its own, one after the other, so that nobody else waits for it.
LONG: Final = frozenset({report.report})
#: At least so long between two checkpoints of the database, in seconds.
CHECKPOINT_SECONDS: Final = 0.05
#: How long a closing waits for the worker to cut, before that is done beside it; seconds.
PROMPT_SECONDS: Final = 0.01
#: How long the plan of a closing waits for the worker, before it is made of what is known without the store; seconds.
PLAN_SECONDS: Final = 2.0
#: How long the caller of a closing waits for its record, in seconds.
RECORD_SECONDS: Final = 4.5
#: How long the worker may not come to a question before that is told, in seconds.
STUCK_SECONDS: Final = 5.0
#: How long a caller waits for the worker, in seconds. The verb itself is not given up: it was accepted.
LONGEST_WAIT: Final = 25.0
#: What is over is cut again after so many seconds while the worker cannot record it: the first time may have failed.
AGAIN_SECONDS: Final = 1.0


class Service:
    """Everything that callers can do, on top of the store, the interfaces and the system's users."""

    def __init__(
        self,
        *,
        config: Config,
        ports: Ports,
        api: Mapping[Callable[..., Any], Rule],
    ) -> None:
        """`api` says who may call each verb, and whom it is about; no other verb is run."""
        self.feed = EventFeed()
        self.deadline_changed = asyncio.Event()
        self._outbox_watchers: list[asyncio.Event] = []
        self._config = config
        self._clock = ports.clock
        self._directory = ports.directory
        self._memory = Memory()
        self._people = self._make_people(config)
        self._worker = ports.threads.worker()
        self._closing = ports.threads.serial("jitd-closing")
        self._state = WorkerState(
            config=config,
            ports=ports,
            api=api,
            people=self._people,
            committed=self._committed,
            answered=self._answered,
        )
        late = LateRecords(self._state)
        self._deadlines = Deadlines(self._state, late)
        self._transactor = Transactor(self._state, self._deadlines)
        self._closer = Closer(self._state, self._transactor)
        self._checks = Checks(self._state, self._deadlines, late)
        self._readers = Readers(config.daemon.state_dir / FILE_NAME, ports.threads)
        self._measuring = Measuring(self._state, self._worker, self._readers, config.daemon.state_dir)
        self._machine = ports.machine
        self._offset_ms = self._clock.now_ms() - self._clock.boot_ms()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked: asyncio.Future[None] | None = None
        self._asked_at = 0.0
        self._is_stuck = False
        self._making_right: set[asyncio.Future[None]] = set()
        self._deadline: Deadline = (None, None)
        self._checkpointing = False
        self._checkpoint_task: asyncio.Task[None] | None = None
        self._checkpointed = float("-inf")  # when the last one ended, seconds of the loop

    # --- life ---

    async def start(self) -> None:
        """Open the store, end what ended meanwhile, and make every interface agree.

        Raises JitError when the store cannot be used. Interfaces that do not agree are retried, not fatal.
        """
        self._loop = asyncio.get_running_loop()
        self._worker.start()
        names = await self._worker.run(self._state.open, Priority.ENDING)
        await self._worker.run(self._measuring.begin, Priority.ENDING)
        await self._directory.refresh(names, self._state.groups)
        # What ended while jitd was not there is cut before anything else happens.
        await self._worker.run(lambda: startup.begin(self._state, self._deadlines), Priority.ENDING)

    async def stop(self) -> None:
        """Finish what was accepted, record the stop, close the store. Interfaces stay as they are."""
        if self._checkpoint_task is not None:
            # The end of the store does the same.
            self._checkpoint_task.cancel()
        # Readers first: the last connection that is closed puts the write-ahead log into the database.
        await self._readers.close()
        try:
            await self._worker.run(self._state.end, Priority.LAST)
        finally:
            # Whatever became of the record (the disk may be full): the thread ends, so that the process can.
            await self._worker.stop()
            self._closing.shutdown(wait=False)

    def reload(self, config: Config) -> None:
        """Take over what may change while running: admin groups and limits."""
        self._config = config
        self._people = self._make_people(config)
        self._state.reload(config, self._people)

    # --- callers ---

    def troubled(self, problems: Iterable[str]) -> None:
        """What is wrong with jitd's own socket and log now, one sentence each, for `status`."""
        self._state.drift.troubles = tuple(problems)

    def look_at_worker(self) -> str:
        """What is wrong with the worker, empty when nothing is. It is asked through its own queue."""
        assert self._loop is not None
        if self._asked is None or self._asked.done():
            self._asked = asyncio.ensure_future(self._worker.run(lambda: None, Priority.CHECK))
            self._asked.add_done_callback(_take_error)
            self._asked_at = self._loop.time()
        seconds = self._loop.time() - self._asked_at
        self._is_stuck = seconds > STUCK_SECONDS and not self._state.waits_for_disk
        if seconds <= STUCK_SECONDS:
            return ""
        why = "it is stuck" if self._is_stuck else "it waits for the disk; access is still cut on time"
        return f"nothing has been recorded for {seconds:.0f} s: {why}"

    @property
    def is_stuck(self) -> bool:
        """Whether the worker was stuck at the last look, and not with the disk: a new start would help."""
        return self._is_stuck

    async def actor_admin(self, actor: Actor) -> bool:
        """Whether a caller administers this gateway."""
        await self._directory.refresh([actor.user], self._config.daemon.admin_groups)
        return self._is_admin(actor)

    async def change(self, verb: ChangeVerb, actor: Actor, body: Body) -> Reply:
        """Run a verb that changes something. Raises JitError; what it raises, it did not change.

        The exception is code `unrecorded`, of verbs that close.
        """
        if str(body.get("confirm") or "").startswith(MADE_BESIDE):
            body = {
                **body,
                "confirm": None,
            }  # of a plan that was made beside the worker, which it would make otherwise
        closes = verb in CLOSING and not body.get("plan")
        await self._look_up(verb, actor, body, reads=not closes)
        priority = Priority.ADMIN if self._is_admin(actor) else Priority.USER
        if closes:
            return await self._close(verb, actor, body, priority)
        running = asyncio.ensure_future(
            self._worker.run(lambda: self._transactor.change(verb, actor, body), priority)
        )
        running.add_done_callback(_take_error)
        if verb in CLOSING:
            # What closes is asked for with a plan first, also while the worker hangs with the disk.
            await asyncio.wait({running}, timeout=PLAN_SECONDS)
            closing = Closing(verb=verb, actor=actor, body=body)
            if not running.done() and (plan := await self._beside(lambda: self._closer.plan_beside(closing))):
                return plan
        return await self._bounded(running)

    async def _close(self, verb: ChangeVerb, actor: Actor, body: Body, priority: Priority) -> Reply:
        """Cut at once, by the worker or, where that is busy or hangs, beside it; then wait for the record."""
        loop = asyncio.get_running_loop()
        cut = asyncio.Event()

        def has_cut() -> None:
            loop.call_soon_threadsafe(cut.set)

        closing = Closing(verb=verb, actor=actor, body=body, has_cut=has_cut)
        begun = loop.time()
        running = asyncio.ensure_future(self._worker.run(lambda: self._closer.close(closing), priority))
        running.add_done_callback(_take_error)
        if not await _either(running, cut.wait(), PROMPT_SECONDS):
            await self._beside(lambda: self._closer.close_beside(closing))
        done, _ = await asyncio.wait({running}, timeout=max(0, begun + RECORD_SECONDS - loop.time()))
        if not done:
            unrecorded = await self._beside(lambda: self._closer.leave_to_record(closing))
            if unrecorded is not None and not running.done():
                raise unrecorded
        return await self._bounded(running)

    async def _beside(self, call: Callable[[], T]) -> T:
        """In the thread that closes while the worker does not."""
        return await asyncio.wrap_future(self._closing.submit(call))

    async def query(self, verb: QueryVerb[T], actor: Actor, query: Body) -> T:
        """Run a verb that only reads, beside the worker."""
        await self._look_up(verb, actor, query)
        admin = self._is_admin(actor)
        reader = Reader.LONG if verb in LONG else Reader.ADMINS if admin else Reader.USERS
        seconds = LONGEST_SECONDS if admin or verb in LONG else USERS_SECONDS

        def work(rows: Rows) -> T:
            with rows.within(seconds):
                view = self._state.view(rows, actor)
                self._state.authorise(verb, view, query)
                return verb(view, query)

        return await self._readers.read(work, reader)

    async def peek(self, verb: PeekVerb[T], actor: Actor, query: Body) -> T:
        """Run a verb that reads the interfaces too, in the worker that owns them."""
        await self._look_up(verb, actor, query)

        def read(call: Call, query: Body) -> T:
            self._state.authorise(verb, call, query)
            return verb(call, query)

        running = self._worker.run(lambda: self._transactor.peek(read, actor, query), Priority.USER)
        return await self._bounded(running)

    async def examine(self, verb: ExamineVerb[T], actor: Actor, query: Body) -> T:
        """Run a verb that examines the machine: the interfaces are read in the worker, all else in threads of its own."""
        await self._look_up(verb, actor, query)
        machine = self._machine
        if machine is None:
            raise JitError("refused", "cannot examine this machine: jitd was started without examinations")
        links: Links = {}

        def needs_links(rows: Rows) -> bool:
            view = self._state.view(rows, actor)
            self._state.authorise(verb, view, query)
            return doctor.needs_links(view, query)

        if await self._readers.read(needs_links):
            # Anybody may ask as often as they like, and a large interface takes a while to read: behind everything else.
            priority = Priority.ADMIN if self._is_admin(actor) else Priority.CHECK
            running = self._worker.run(lambda: self._transactor.peek(doctor.links, actor, query), priority)
            links = await self._bounded(running)
        stepped_ms = self._clock.now_ms() - self._clock.boot_ms() - self._offset_ms

        def work(rows: Rows) -> T:
            view = self._state.view(rows, actor)
            examination = Examination(view=view, machine=machine, links=links, stepped_ms=stepped_ms)
            return verb(examination, query)

        return await self._bounded(self._readers.read(work, Reader.EXAMINATIONS))

    async def measure(self, verb: MeasureVerb[T], actor: Actor, query: Body) -> T:
        """Run a verb that tells how jitd does. Nothing of it waits for a store that hangs."""
        await self._look_up(verb, actor, query)
        # Who may is a matter of groups; the rows of this view are not read.
        self._state.authorise(verb, self._state.view(self._state.rows, actor), query)
        return verb(await self._measuring.measure(), query)

    async def measured(self) -> list[Sample]:
        """How jitd does, for what the configuration names to read it."""
        return metrics.metrics(await self._measuring.measure(), {})

    # --- time ---

    def next_deadline(self) -> Deadline:
        """(wall ms, boot ms) of the next thing to do by itself; None where there is nothing."""
        return self._deadline

    async def expire(self) -> None:
        """End what is over, and try again what failed and is due. While the worker cannot, what is over is cut beside it."""
        running = asyncio.ensure_future(self._worker.run(self._deadlines.expire, Priority.ENDING))
        running.add_done_callback(_take_error)
        done, _ = await asyncio.wait({running}, timeout=PROMPT_SECONDS)
        while not done:
            next_ms = await self._beside(self._closer.close_over)
            next_over = asyncio.ensure_future(self._clock.wait(None, next_ms))
            done, _ = await asyncio.wait(
                {running, next_over}, timeout=AGAIN_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            next_over.cancel()
            done.discard(next_over)
        await running

    async def check(self) -> None:
        """Compare everything with the kernel, and everybody with the system's users."""
        await self.compare()
        await self._worker.run(self._checks.end, Priority.CHECK)

    async def compare(self) -> None:
        """Compare every interface with the kernel, in steps between which endings and verbs have their turn."""
        for step in await self._worker.run(self._checks.begin, Priority.CHECK):
            await self._worker.run(step, Priority.CHECK)

    async def look(self) -> None:
        """Compare what somebody else may change, and what was changed a moment ago."""
        await self._worker.run(self._checks.look, Priority.CHECK)

    async def look_around(self) -> None:
        """See what else on this machine drops or gets around, for status."""
        actor, machine = Actor(uid=0, user="root"), self._machine
        if machine is None:
            return

        def work(rows: Rows) -> tuple[wire.Check, ...]:
            view = self._state.view(rows, actor)
            return registry.watch(Examination(view=view, machine=machine, links={}, stepped_ms=0))

        self._state.drift.around = await self._readers.read(work)

    @property
    def people_changed(self) -> asyncio.Event:
        """Set when the system says something else about somebody than before; whoever waits for it clears it."""
        return self._directory.changed

    async def refresh_people(self, *, anew: bool = False) -> None:
        """Ask the system about everyone who may have access; `anew` also about those who were asked about just now.

        Who is no member any more is cut; the next check records it.
        """
        if anew:
            self._directory.doubt()
        # Those whom something is open for first: that needs no store, which may hang.
        await self._directory.refresh(self._closer.open_names(), self._state.groups)
        await self._beside(self._closer.close_lost)
        people = self._people

        def names(rows: Rows) -> set[str]:
            return {*concerned(rows), *recipients.all_deciders(rows, people)}

        await self._directory.refresh(await self._readers.read(names), self._state.groups)

    # --- telling ---

    async def make_notices(self) -> int | None:
        """Make messages of what happened. Returns when time alone makes the next one, milliseconds UTC."""
        # Whose name somebody else had before is a matter for the system.
        people = self._people
        names = await self._readers.read(
            lambda rows: recipients.all_deciders(rows, people) if planner.waits(rows) else ()
        )
        await self._directory.refresh(names, self._state.groups)
        next_ms = await self._worker.run(lambda: notices.make_notices(self._state), Priority.CHECK)
        self._outbox_changed()
        return next_ms

    def watch_outbox(self) -> asyncio.Event:
        """An event of one's own that is set whenever something may be there to deliver."""
        watcher = asyncio.Event()
        self._outbox_watchers.append(watcher)
        return watcher

    async def outbox(self, read: Callable[[Rows], T]) -> T:
        """Read from the outbox, beside the worker."""
        return await self._readers.read(read)

    async def record_delivery(self, change: Callable[[Rows], None]) -> None:
        """Keep what became of messages. Whatever cuts goes first."""
        await self._worker.run(lambda: notices.record_delivery(self._state, change), Priority.CHECK)

    # --- shared ---

    def _make_people(self, config: Config) -> People:
        return People(
            directory=self._directory,
            admin_groups=config.daemon.admin_groups,
            daemon_uid=os.geteuid(),
            memory=self._memory,
            kept_when_frozen=config.daemon.kept_when_frozen,
        )

    def _is_admin(self, actor: Actor) -> bool:
        return bool(self._people.admin(actor.user, actor.uid))

    def _committed(self, seq: int, deadline: Deadline) -> None:
        """Called in the worker: make it known in the loop."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._take, seq, deadline)

    def _take(self, seq: int, deadline: Deadline) -> None:
        self.feed.publish(seq)
        self._outbox_changed()
        self._checkpoint_soon()
        if deadline != self._deadline:
            self._deadline = deadline
            self.deadline_changed.set()

    def _answered(self, name: str) -> None:
        """Called in an exchange's thread: an interface that hung answers again."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._make_right, name)

    def _make_right(self, name: str) -> None:
        running = asyncio.ensure_future(self._worker.run(lambda: self._checks.answers(name), Priority.ENDING))
        self._making_right.add(running)
        running.add_done_callback(self._making_right.discard)
        running.add_done_callback(_take_error)

    def _checkpoint_soon(self) -> None:
        """Behind everything else, and not too often: the database's file alone has all that was committed."""
        assert self._loop is not None
        if not self._checkpointing:
            self._checkpointing = True
            wait = max(0.0, self._checkpointed + CHECKPOINT_SECONDS - self._loop.time())
            self._checkpoint_task = asyncio.ensure_future(self._checkpoint(wait))

    async def _checkpoint(self, wait: float) -> None:
        assert self._loop is not None
        await asyncio.sleep(wait)
        self._checkpointing = False
        # Stopping, which does the same; or a disk that is told by whoever has something to write.
        with contextlib.suppress(JitError):
            await self._worker.run(self._state.checkpoint, Priority.CHECK)
        self._checkpointed = self._loop.time()

    def _outbox_changed(self) -> None:
        for watcher in self._outbox_watchers:
            watcher.set()

    async def _look_up(
        self, verb: Callable[..., Any], actor: Actor, body: Body, *, reads: bool = True
    ) -> None:
        """Ask the system about everyone that a verb is about, before the worker may need the answers.

        Without `reads` nobody is looked for in the store, which may hang.
        """
        groups = self._state.groups
        await self._directory.refresh([name for name in (actor.user, actor.login_user) if name], groups)
        concerns, found = self._state.api[verb].concerns, Names()
        if reads and concerns.stored is not None:
            stored = concerns.stored
            # Nobody is looked up in a store that cannot be read; the verb itself finds that out, and may close.
            with contextlib.suppress(JitError):
                found |= await self._readers.read(lambda rows: stored(rows, body))
        if concerns.named is not None and self._is_admin(actor):
            # In a thread: a long file takes a while to read, and the loop has others to serve.
            found |= await asyncio.to_thread(concerns.named, body)
        await self._directory.refresh(found.users, groups | found.groups)

    async def _bounded(self, running: Awaitable[T]) -> T:
        try:
            return await asyncio.wait_for(asyncio.shield(running), LONGEST_WAIT)
        except TimeoutError as error:
            raise JitError(
                "busy",
                f"cannot tell the outcome yet: no answer within {LONGEST_WAIT:.0f} s",
                "It may still be carried out; check with "
                + command("list")
                + " or "
                + command("status")
                + ".",
            ) from error


def _take_error(running: "asyncio.Future[Any]") -> None:
    """Nobody may wait for it any more: then its error has been told already, or concerns nobody."""
    if not running.cancelled():
        running.exception()


async def _either(running: "asyncio.Future[Any]", cut: Coroutine[Any, Any, Any], seconds: float) -> bool:
    """Whether a verb is done, or has cut, within so many seconds."""
    waiting = asyncio.ensure_future(cut)
    done, _ = await asyncio.wait({running, waiting}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    return bool(done)
