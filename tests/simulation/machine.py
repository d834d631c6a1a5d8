"""A gateway in one process: kernel, disk, clock, people, and jitd on top of them, all under one seed."""

import asyncio
import contextlib
import gc
import itertools
import logging
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import jitd.identity.nss
from jitd import config
from jitd.core.configuration import Config, Daemon, Enforce, Limits
from jitd.core.errors import JitError
from jitd.core.firewall import Rules
from jitd.core.model import Actor, IPNetwork
from jitd.diagnostics.machine import Machine as Examined
from jitd.enforce import keypair, links, nfnetlink, nft
from jitd.enforce.finding import Finding
from jitd.enforce.hostport import EmptyHost
from jitd.enforce.owner import Owner
from jitd.engine import scheduler
from jitd.engine.ports import Ports
from jitd.engine.service import Service
from jitd.identity.directory import SystemDirectory
from jitd.server.routes import RULES
from jitd.verbs.context import ChangeVerb
from simulation import sqlitevfs
from simulation.clock import Clock
from simulation.disk import Disk
from simulation.eventloop import EventLoop
from simulation.faults import Faults
from simulation.installing import installed
from simulation.kernel import Kernel, public_of
from simulation.layers import (
    SimulatedChanges,
    SimulatedFirewall,
    SimulatedWireGuard,
    Socket,
    nft_program,
    rtnetlink,
    sockets,
)
from simulation.people import NoFiles, People
from simulation.schedule import Process, Scheduler
from simulation.trace import Trace

ADMINS: Final = "admins"
DATABASE: Final = "jitd.db"
#: How long jitd may take to stop, in microseconds; then it is killed, as systemd would.
STOP_US: Final = 60_000_000
#: How long a call that was taken may go on while jitd stops, in seconds.
GRACE_SECONDS: Final = 10.0


class Alone(Examined):
    """A machine with no other rules than jitd's."""

    def firewall(
        self, rules: Rules, pools: Mapping[str, Sequence[IPNetwork]], ports: Mapping[str, int]
    ) -> list[Finding]:
        """Nothing else is there."""
        return []


@dataclass
class Call:
    """A verb of somebody's, from the moment at which it arrives. `reply` and `error` stay empty when jitd dies."""

    number: int
    verb: ChangeVerb
    actor: Actor
    body: dict[str, Any]
    begun_us: int
    begun_wall_ms: int
    reply: dict[str, Any] | None = None
    error: JitError | None = None
    ended_us: int | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether no answer has come yet."""
        return self.ended_us is None

    def __str__(self) -> str:
        module = self.verb.__module__.rpartition(".")[2]
        body = " ".join(f"{key}={value}" for key, value in self.body.items() if key != "public_key")
        who = (
            self.actor.user
            if self.actor.login_user in (None, self.actor.user)
            else (f"{self.actor.user}({self.actor.login_user})")
        )
        return f"#{self.number} {who}: {module}.{self.verb.__name__} {body}"


class Jitd:
    """One life of the daemon."""

    def __init__(self, machine: "Machine", number: int) -> None:
        self._machine = machine
        self.process = Process(f"jitd-{number}")
        self.loop: EventLoop | None = None
        self.service: Service | None = None
        self.is_ready = False
        self.is_over = False
        self.error: JitError | None = None
        self._stop: asyncio.Event | None = None
        self._running: set[asyncio.Task[None]] = set()
        self.thread = machine.scheduler.spawn(self.process.name, self._run, self.process)

    @property
    def is_alive(self) -> bool:
        """Whether there is a process."""
        return not self.is_over and not self.process.dead

    def _run(self) -> None:
        loop = self.loop = EventLoop(self._machine.scheduler)
        self.process.kept.append(loop)
        loop.set_exception_handler(self._complain)
        try:
            loop.run_until_complete(self._main())
        except JitError as error:
            self.error = error
        finally:
            self.process.kept.extend(asyncio.all_tasks(loop))
            self.is_ready, self.is_over = False, True
            self._machine.trace.note(self._machine.scheduler.now_us, self.process.name, "life", "over")

    async def _main(self) -> None:
        machine = self._machine
        self._stop = asyncio.Event()
        directory = SystemDirectory(NoFiles())  # type: ignore[arg-type]  # a file watch that sees nothing
        self.service = service = Service(
            config=machine.config,
            ports=Ports(
                clock=machine.clock,
                wireguard=SimulatedWireGuard(machine.kernel, machine.faults),
                firewall=SimulatedFirewall(machine.kernel, machine.faults, machine.changes),
                directory=directory,
                host=EmptyHost(),
                owner_of=lambda _: Owner(kind="by hand"),
                machine=Alone(None, config.load),
            ),
            api=RULES,
        )
        try:
            await service.start()
            machine.changes.tell = machine.links.tell = self.loop.readable  # type: ignore[union-attr]  # both are the simulated ones
            working = asyncio.create_task(
                scheduler.run(service, machine.clock, machine.changes, machine.links)
            )
            telling = asyncio.create_task(scheduler.make_notices(service, machine.clock))
            self.is_ready = True
            machine.trace.note(machine.scheduler.now_us, self.process.name, "life", "ready")
            stopping = asyncio.create_task(self._stop.wait())
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            # As the server does: nothing new is taken, and who was taken is answered.
            self.is_ready = False
            await asyncio.wait([*self._running, stopping], timeout=GRACE_SECONDS)
            for task in self._running:
                task.cancel()
            for task in (working, telling):
                task.cancel()
            await asyncio.gather(working, telling, return_exceptions=True)
        finally:
            if not self.process.dead:
                await service.stop()
                directory.close()

    def stop(self) -> None:
        """SIGTERM."""
        if self.loop is not None and self._stop is not None and self.is_alive:
            self.loop.call_soon_threadsafe(self._stop.set)

    def call(self, call: Call) -> None:
        """A verb arrives."""
        assert self.loop is not None
        assert self.service is not None
        service = self.service

        async def run() -> None:
            try:
                reply = await service.change(call.verb, call.actor, call.body)
            except JitError as error:
                call.error = error
            except asyncio.CancelledError:
                return
            except Exception as error:  # noqa: BLE001 - no verb may end like this
                self._machine.found(f"{call}: {type(error).__name__}: {error}")
                call.error = JitError("internal", str(error))
            else:
                call.reply = dict(reply)
            call.ended_us = self._machine.scheduler.now_us
            what = "ok" if call.error is None else call.error.code
            self._machine.trace.note(call.ended_us, self.process.name, "answer", f"#{call.number} {what}")

        def begin() -> None:
            task = asyncio.ensure_future(run())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
            self.process.kept.append(task)

        self.loop.call_soon_threadsafe(begin)

    def _complain(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # Of a call that was given up while jitd stops, nobody takes the refusal.
        if not self.process.dead and not isinstance(context.get("exception"), JitError):
            self._machine.found(f"the event loop: {context.get('message')} {context.get('exception')!r}")


class Machine:
    """`found` is called with what nobody may ever see."""

    def __init__(
        self, seed: int, directory: Path, found: Callable[[str], None], limits: Limits | None = None
    ) -> None:
        self.scheduler = Scheduler(seed)
        self.random = self.scheduler.random
        self.trace = Trace()
        self.clock = Clock(self.scheduler)
        self.faults = Faults(self.scheduler, self.trace, self.kill)
        self.kernel = Kernel(lambda: self.scheduler.now_us)
        self.disk = Disk(directory, self.scheduler, self.faults)
        self.people = People(self.faults)
        self.changes, self.links = SimulatedChanges(1_000_001), SimulatedChanges(1_000_002)
        self.found = found
        self.power_goes = False  # whether a kill is one of the whole machine
        self._lives = itertools.count(1)
        self._keys = itertools.count(1)
        self.config = Config(
            daemon=Daemon(
                socket=self.disk.state / "jitd.sock", state_dir=self.disk.state, admin_groups=(ADMINS,)
            ),
            enforce=Enforce(),
            limits=limits or Limits(),
        )
        self.jitd: Jitd | None = None
        self.lives: list[Jitd] = []

    @property
    def now_us(self) -> int:
        """The monotonic clock."""
        return self.scheduler.now_us

    def start(self) -> Jitd:
        """systemd starts jitd."""
        self.jitd = Jitd(self, next(self._lives))
        self.lives.append(self.jitd)
        return self.jitd

    def kill(self, process: Process) -> None:
        """kill -9, or the power goes. May be called in a thread of the process."""
        how = "power" if self.power_goes else "kill"
        self.trace.note(self.now_us, process.name, "life", how)
        self.scheduler.kill(process)
        self.disk.crash(power=self.power_goes)
        self.changes.tell = self.links.tell = lambda _: None

    def generate(self) -> tuple[str, str]:
        """As jitd.enforce.keypair.generate, from the seed."""
        private = f"private-{next(self._keys)}"
        return private, public_of(private)

    @property
    def database(self) -> Path:
        """The store."""
        return self.disk.state / DATABASE


@contextmanager
def machine(seed: int, found: Callable[[str], None]) -> Iterator[Machine]:
    """A machine, and everything of it gone afterwards."""
    memory = Path("/dev/shm")
    directory = Path(tempfile.mkdtemp(prefix="jitd-simulation-", dir=memory if memory.is_dir() else None))
    made = Machine(seed, directory, found)
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    unraisable, sys.unraisablehook = sys.unraisablehook, lambda _: None
    gc.collect()
    gc.disable()
    sqlitevfs.install(made.disk)
    try:
        with installed(
            made.scheduler,
            wall_us=made.clock.wall_us,
            boot_us=made.clock.boot_us,
            files=made.disk.files,
            others={
                id(jitd.identity.nss): made.people.module,
                id(sys.modules["sqlite3"]): made.disk.sqlite3,
                id(keypair): _Keypair(made.generate),
                id(nfnetlink.NftSocket): lambda: Socket(made.kernel, made.faults),
                id(nft): nft_program(made.kernel, made.faults),
                id(links): rtnetlink(made.kernel),
                id(socket): sockets(made.kernel),
            },
        ):
            try:
                yield made
            finally:
                _end(made)
    finally:
        sqlitevfs.install(None)
        gc.enable()
        sys.unraisablehook = unraisable
        logging.disable(disabled)
        shutil.rmtree(directory, ignore_errors=True)


def _end(made: Machine) -> None:
    """Nothing of the run is left to be finalized somewhere else."""
    for life in made.lives:
        if life.is_alive:
            made.scheduler.kill(life.process)
    made.scheduler.drain()
    for life in made.lives:
        for one in life.process.kept:
            if isinstance(one, asyncio.Task):
                one._log_destroy_pending = False  # type: ignore[attr-defined]  # private to asyncio
                with contextlib.suppress(BaseException):
                    one.get_coro().close()
    made.disk.close()
    made.lives.clear()
    gc.collect()


class _Keypair:
    """As jitd.enforce.keypair, with keys from the seed."""

    def __init__(self, generate: Callable[[], tuple[str, str]]) -> None:
        self.generate = generate

    def __getattr__(self, name: str) -> Any:
        return getattr(keypair, name)
