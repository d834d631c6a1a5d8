"""The one way through the service: authorise, change, record, converge, answer."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from jitd.config import Config
from jitd.core import policy
from jitd.core.clock import Clock
from jitd.core.errors import JitError
from jitd.core.model import Actor, Now, Request
from jitd.core.people import Directory
from jitd.enforce.owner import Owner, find_owner
from jitd.enforce.port import WireGuard
from jitd.service import endings
from jitd.service.access import People, StandingMemory
from jitd.service.call import Body, Call, ChangeVerb, PeekVerb, PlanOnly, QueryVerb, Reply, View
from jitd.service.converge import Converger
from jitd.service.feed import EventFeed
from jitd.service.worker import Priority, Worker
from jitd.store import devices, events, facts, networks, requests
from jitd.store.database import FILE_NAME, Rows, Store, open_reader

log = logging.getLogger("jitd.service")

T = TypeVar("T")

#: How many queries read at the same time, each on a connection of its own.
READERS: Final = 2
#: How long a caller waits for the worker, in seconds. The verb itself is not given up: it was accepted.
LONGEST_WAIT: Final = 25.0
_HIGH_WATER: Final = "wall_high_ms"


class Service:
    """Everything that callers can do, on top of the store, the interfaces and the system's users."""

    def __init__(
        self,
        *,
        config: Config,
        clock: Clock,
        wireguard: WireGuard,
        directory: Directory,
        owner_of: Callable[[str], Owner] = find_owner,
    ) -> None:
        self.feed = EventFeed()
        self.deadline_changed = asyncio.Event()
        self._config = config
        self._clock = clock
        self._wireguard = wireguard
        self._directory = directory
        self._owner_of = owner_of
        self._daemon_uid = os.geteuid()
        self._memory = StandingMemory()
        self._worker = Worker()
        self._idle: list[Rows] = []  # read-only connections; list.pop and append are atomic
        self._reading = ThreadPoolExecutor(READERS, thread_name_prefix="jitd-reader")
        self._started_ms = clock.now_ms()
        self._store: Store | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._groups: frozenset[str] = frozenset(config.daemon.admin_groups)
        self._converger = Converger(wireguard=wireguard, people=self._people(config), tell=self._tell)
        self._high_water_ms = 0
        self._next_deadline: tuple[int | None, int | None] = (None, None)

    # --- life ---

    async def start(self) -> None:
        """Open the store, end what ended meanwhile, and make every interface agree.

        Raises JitError when the store cannot be used. Interfaces that do not agree are retried, not fatal.
        """
        self._loop = asyncio.get_running_loop()
        self._worker.start()
        names = await self._worker.run(self._open, Priority.ENDING)
        await self._directory.refresh(names, self._groups)
        # What ended while jitd was not there is cut before anything else happens.
        await self._worker.run(self._begin, Priority.ENDING)

    async def stop(self) -> None:
        """Finish what was accepted, record the stop, close the store. Interfaces stay as they are."""
        await self._worker.run(self._end, Priority.LAST)
        await self._worker.stop()
        self._reading.shutdown()

    def reload(self, config: Config) -> None:
        """Take over what may change while running: admin groups and limits."""
        self._config = config
        self._converger.people = self._people(config)

    # --- callers ---

    async def actor_admin(self, actor: Actor) -> bool:
        """Whether a caller administers this gateway."""
        await self._directory.refresh([actor.user], self._config.daemon.admin_groups)
        person = self._directory.person(actor.user)
        return bool(policy.is_admin(actor.uid, person, self._config.daemon.admin_groups, self._daemon_uid))

    async def change(self, verb: ChangeVerb, actor: Actor, body: Body) -> Reply:
        """Run a verb that changes something. Raises JitError; what it raises, it did not change."""
        await self._look_up(actor, body)
        person = self._directory.person(actor.user)
        admin = policy.is_admin(actor.uid, person, self._config.daemon.admin_groups, self._daemon_uid)
        running = self._worker.run(
            lambda: self._change(verb, actor, body), Priority.ADMIN if admin else Priority.USER
        )
        return await self._bounded(running)

    async def query(self, verb: QueryVerb, actor: Actor, query: Body) -> Reply:
        """Run a verb that only reads, beside the worker."""
        await self._look_up(actor, query)
        return await self._in_reader(
            lambda rows: {"now": self._clock.now_ms(), **verb(self._view(rows, actor), query)}
        )

    async def peek(self, verb: PeekVerb, actor: Actor, query: Body) -> Reply:
        """Run a verb that reads the interfaces too, in the worker that owns them."""
        await self._look_up(actor, query)
        running = self._worker.run(lambda: self._peek(verb, actor, query), Priority.USER)
        return await self._bounded(running)

    # --- time ---

    def next_deadline(self) -> tuple[int | None, int | None]:
        """(wall ms, boot ms) of the next thing to do by itself; None where there is nothing."""
        return self._next_deadline

    async def expire(self) -> None:
        """End what is over, and try again what failed and is due."""
        await self._worker.run(self._expire, Priority.ENDING)

    async def check(self) -> None:
        """Compare everything with the kernel, and everybody with the system's users."""
        await self._worker.run(self._check, Priority.CHECK)

    async def refresh_people(self) -> None:
        """Ask the system about everyone who may have access."""
        names = await self._in_reader(lambda rows: [account.name for account in devices.owners(rows)])
        await self._directory.refresh(names, self._groups)

    # --- in the worker ---

    def _open(self) -> list[str]:
        path = self._config.daemon.state_dir / FILE_NAME
        self._store = Store(path)
        self._groups = self._listed_groups(self._rows)
        return [account.name for account in devices.owners(self._rows)]

    def _begin(self) -> None:
        now = self._now()
        assert self._store is not None
        self._high_water_ms = facts.get(self._rows, _HIGH_WATER) or 0
        if now.wall_ms < self._high_water_ms:
            log.error(
                "the clock is %d ms behind what it was: grants of an earlier boot stay closed until it is right",
                self._high_water_ms - now.wall_ms,
            )
        with self._store.transaction() as rows:
            self._tell_in(rows, "started", data={"backend": self._wireguard.name})
        self._expire()
        self._converger.everything(self._rows, now)
        self._committed()

    def _end(self) -> None:
        if self._store is not None:
            with self._store.transaction() as rows:
                self._tell_in(rows, "stopped")
            self._store.close()
            self._store = None
        self._wireguard.close()

    def _change(self, verb: ChangeVerb, actor: Actor, body: Body) -> Reply:
        # What is over is ended first, so that no verb meets a grant that has ended but is not marked so.
        self._expire()
        assert self._store is not None
        call: Call | None = None
        try:
            with self._store.transaction() as rows:
                call = self._call(rows, actor)
                render = verb(call, body)
                self._note_time(rows, call.now)
        except PlanOnly as plan:
            self._undo(call)
            return {"now": self._clock.now_ms(), **plan.reply}
        except BaseException:
            self._undo(call)
            raise
        agrees = self._converger.touched(self._rows, call.touched, call.now)
        self._confirm(call.ended)
        self._committed()
        waiting = "" if agrees else "; ".join(self._converger.agreement.waiting())
        reply = render(self._call(self._rows, actor))
        return {"now": self._clock.now_ms(), "agrees": agrees, "waiting": waiting, **reply}

    def _peek(self, verb: PeekVerb, actor: Actor, query: Body) -> Reply:
        return {"now": self._clock.now_ms(), **verb(self._call(self._rows, actor), query)}

    def _undo(self, call: Call | None) -> None:
        for step in reversed(call.undo if call else []):
            step()

    def _expire(self) -> None:
        now = self._now()
        assert self._store is not None
        if requests.of_other_boots(self._rows, now.boot_id):
            with self._store.transaction() as rows:
                touched = endings.activate(rows, now, self._high_water_ms)
            self._converger.touched(self._rows, touched, now)
        over = endings.due(self._rows, now)
        if over:
            with self._store.transaction() as rows:
                touched = endings.expire(rows, over, now)
            self._converger.touched(self._rows, touched, now)
            self._confirm(over)
            self._committed()
        self._converger.retry(self._rows, now)
        self._plan_deadline()

    def _check(self) -> None:
        now = self._now()
        assert self._store is not None
        self._expire()
        gone = endings.without_account(self._rows, self._people(self._config))
        if gone:
            with self._store.transaction() as rows:
                touched = endings.revoke_gone(rows, gone, now)
            self._converger.touched(self._rows, touched, now)
            self._confirm([request for request, _ in gone])
        self._converger.everything(self._rows, now)
        with self._store.transaction() as rows:
            self._note_time(rows, now)
            self._groups = self._listed_groups(rows)
        self._committed()

    def _confirm(self, ended: list[Request]) -> None:
        """Record for each ending when the kernel was seen to agree, and how late that was."""
        assert self._store is not None
        if not ended:
            return
        now = self._now()
        confirmed = endings.confirmed(self._rows, ended, self._converger.agreement)
        if confirmed:
            with self._store.transaction() as rows:
                for one in confirmed:
                    events.add(
                        rows,
                        "cut_confirmed",
                        at_ms=now.wall_ms,
                        actor=None,
                        request_id=one.request.id,
                        user=one.request.account.name,
                        user_uid=one.request.account.uid,
                        network=one.network,
                        data={
                            "due": one.due_ms,
                            "confirmed": now.wall_ms,
                            "lateness": now.wall_ms - one.due_ms,
                        },
                    )

    def _committed(self) -> None:
        self._plan_deadline()
        seq = events.last_seq(self._rows)
        self._in_loop(lambda: self.feed.publish(seq))

    def _plan_deadline(self) -> None:
        now = self._now()
        wall, boot = endings.next_end(self._rows, now)
        start = endings.next_start(self._rows, now, self._high_water_ms)
        wall = min((at for at in (wall, start) if at is not None), default=None)
        retry = self._converger.next_retry()
        boot = min((at for at in (boot, retry) if at is not None), default=None)
        if (wall, boot) != self._next_deadline:
            self._next_deadline = (wall, boot)
            self._in_loop(self.deadline_changed.set)

    def _note_time(self, rows: Rows, now: Now) -> None:
        """Keep the highest value of the wall clock."""
        if now.wall_ms > self._high_water_ms:
            self._high_water_ms = now.wall_ms
            facts.put(rows, _HIGH_WATER, now.wall_ms)

    def _tell(self, kind: str, *, interface: str | None = None, **data: object) -> None:
        """Record something that jitd itself did or saw. What cannot be recorded stops no convergence."""
        assert self._store is not None
        try:
            with self._store.transaction() as rows:
                self._tell_in(rows, kind, interface=interface, data=data)
        except JitError as error:
            log.error("cannot record %s on %s: %s", kind, interface, error.message)  # noqa: TRY400

    def _tell_in(
        self, rows: Rows, kind: str, *, interface: str | None = None, data: dict[str, object] | None = None
    ) -> None:
        events.add(rows, kind, at_ms=self._clock.now_ms(), actor=None, interface=interface, data=data)

    # --- shared ---

    @property
    def _rows(self) -> Rows:
        assert self._store is not None, "the service has not been started"
        return self._store.rows

    def _in_loop(self, step: Callable[[], None]) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(step)

    def _now(self) -> Now:
        return Now(self._clock.now_ms(), self._clock.boot_ms(), self._clock.boot_id())

    def _people(self, config: Config) -> People:
        return People(
            directory=self._directory,
            admin_groups=config.daemon.admin_groups,
            daemon_uid=self._daemon_uid,
            memory=self._memory,
        )

    def _listed_groups(self, rows: Rows) -> frozenset[str]:
        """Every group that a rule names."""
        members = {member for network in networks.all_(rows) for member in network.members}
        return frozenset(member[1:] for member in members if member.startswith("@")) | frozenset(
            self._config.daemon.admin_groups
        )

    async def _look_up(self, actor: Actor, body: Body) -> None:
        """Ask the system about everyone that a verb is about, before the worker may need the answers."""
        names = {actor.user, actor.login_user, body.get("user")}
        if body.get("id") is not None:
            names.add(await self._in_reader(lambda rows: _user_of(rows, body["id"])))
        names.update(line["user"] for line in body.get("devices", []))
        members = body.get("members", [])
        names.update(member for member in members if not member.startswith("@"))
        groups = {member[1:] for member in members if member.startswith("@")}
        await self._directory.refresh([name for name in names if name], self._groups | groups)

    async def _bounded(self, running: Awaitable[Reply]) -> Reply:
        try:
            return await asyncio.wait_for(asyncio.shield(running), LONGEST_WAIT)
        except TimeoutError as error:
            raise JitError(
                "busy",
                f"cannot say yet what became of this: no answer within {LONGEST_WAIT:.0f} s",
                "It goes on; see with jitctl list or jitctl status whether it was done.",
            ) from error

    async def _in_reader(self, function: Callable[[Rows], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._reading, self._read, function)

    def _read(self, function: Callable[[Rows], T]) -> T:
        """Run a function on a read-only connection that no other thread uses meanwhile."""
        rows = self._idle.pop() if self._idle else open_reader(self._config.daemon.state_dir / FILE_NAME)
        try:
            # One snapshot for the whole query: what is committed meanwhile is in all of its answers or in none.
            rows.run("BEGIN")
            try:
                return function(rows)
            finally:
                rows.run("COMMIT")
        finally:
            self._idle.append(rows)

    def _view(self, rows: Rows, actor: Actor) -> View:
        return View(**self._common(rows, actor))

    def _call(self, rows: Rows, actor: Actor) -> Call:
        return Call(
            **self._common(rows, actor),
            wireguard=self._wireguard,
            owner_of=self._owner_of,
            link_spec=self._converger.link_spec,
            forget_interface=self._converger.forget,
        )

    def _common(self, rows: Rows, actor: Actor) -> dict[str, Any]:
        return {
            "rows": rows,
            "actor": actor,
            "now": self._now(),
            "people": self._people(self._config),
            "config": self._config,
            "agreement": self._converger.agreement,
            "backend": self._wireguard.name,
            "started_ms": self._started_ms,
        }


def _user_of(rows: Rows, request_id: int) -> str | None:
    """Whose request this is, None when there is none."""
    request = requests.by_id(rows, request_id)
    return request.account.name if request else None
