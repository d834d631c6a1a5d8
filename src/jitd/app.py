"""The composition root: what starts, in which order, and how it stops."""

import asyncio
import gc
import logging
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from jitd.config import load
from jitd.core.clock import Clock
from jitd.core.configuration import Config
from jitd.core.errors import JitError
from jitd.core.people import Directory
from jitd.diagnostics.machine import Machine
from jitd.enforce.choose import choose, choose_firewall, choose_host, forget_firewall
from jitd.enforce.firewallport import Firewall, KernelChanges
from jitd.enforce.linkchanges import LinkChanges
from jitd.enforce.port import EnforceError, WireGuard
from jitd.engine import scheduler
from jitd.engine.ports import Ports
from jitd.engine.service import Service
from jitd.identity import localfiles
from jitd.identity.directory import SystemDirectory
from jitd.identity.filewatch import FileWatch
from jitd.runtime.lock import Lock, NamespaceLock
from jitd.server.app import Server
from jitd.server.routes import RULES

if TYPE_CHECKING:
    from jitd.notify.workers import DeliveryWorkers

log = logging.getLogger("jitd")

#: In the state directory: loaded at boot before the network, by a unit that needs neither Python nor the store.
CLOSED_FILE: Final = "closed.nft"


#: Seconds between two looks at the socket and the log.
LOOK_SECONDS: Final = 1.0


class Outside(Protocol):
    """What is around the daemon: its log, and who started it."""

    def problem(self) -> str:
        """What is wrong with the log; empty when nothing is."""

    def report(self, problems: Sequence[str], *, alive: bool) -> None:
        """What is wrong now, one sentence each, and whether clients find the socket and the worker works."""


async def run(
    config: Config,
    *,
    clock: Clock,
    wireguard: WireGuard | None = None,
    firewall: Firewall | None = None,
    directory: Directory | None = None,
    lock: Lock | None = None,
    ready: Callable[[], None] | None = None,
    stop: asyncio.Event | None = None,
    reloads: "asyncio.Queue[Config] | None" = None,
    path: Path | None = None,
    outside: "Outside | None" = None,
) -> None:
    """Run the daemon until `stop` is set.

    `path` is the file that the configuration came from, for `doctor` to compare. `ready` is called once it listens; a configuration put into `reloads` replaces the running one. Without
    `wireguard`, `firewall` and `directory` they are the machine's. Raises JitError when it cannot start.
    """
    own_lock = lock or Lock(config.daemon.state_dir)
    try:
        own_lock.write_pid()
        await _run(
            config,
            clock,
            wireguard,
            firewall,
            directory,
            ready,
            stop or asyncio.Event(),
            reloads,
            path,
            outside,
        )
    finally:
        if lock is None:
            own_lock.release()


async def _run(
    config: Config,
    clock: Clock,
    wireguard: WireGuard | None,
    firewall: Firewall | None,
    directory: Directory | None,
    ready: Callable[[], None] | None,
    stop: asyncio.Event,
    reloads: "asyncio.Queue[Config] | None",
    path: Path | None,
    outside: "Outside | None",
) -> None:
    try:
        # In a thread: pyroute2's synchronous classes refuse to be made inside a running loop.
        wireguard_port, firewall_port = await asyncio.to_thread(_layers, config, clock, wireguard, firewall)
    except EnforceError as error:
        raise JitError(
            "enforcement", f"cannot start: {error}", "See [enforce] in the configuration."
        ) from error
    # What was begun is ended in the opposite order, also when one of the ends fails.
    async with AsyncExitStack() as ending:
        if wireguard_port.name != "memory":
            ending.callback(NamespaceLock().release)
        if directory is None:
            directory = own_directory = SystemDirectory()
            ending.callback(own_directory.close)
        service = Service(
            config=config,
            ports=Ports(
                clock=clock,
                wireguard=wireguard_port,
                firewall=firewall_port,
                host=choose_host(wireguard_port.name),
                directory=directory,
                machine=Machine(path, load),
            ),
            api=RULES,
        )
        server = Server(
            config=config, service=service, directory=directory, clock=clock, version=version("jitctl")
        )
        ending.push_async_callback(service.stop)
        await service.start()
        firewall_changes = _kernel_changes(firewall_port.changes)
        links = _kernel_changes(LinkChanges) if wireguard_port.name != "memory" else None
        users = _users_watch()
        for one in (firewall_changes, links, users):
            if one is not None:
                ending.callback(one.close)
        working = asyncio.create_task(scheduler.run(service, clock, firewall_changes, links, users))
        ending.push_async_callback(_cancel, working)
        delivery_workers = _delivery_workers(config, service, clock)
        if delivery_workers is not None:
            for work in (scheduler.make_notices(service, clock), *delivery_workers.works()):
                ending.push_async_callback(_cancel, asyncio.create_task(work))
        ending.push_async_callback(server.stop)
        await server.start()
        ending.push_async_callback(_cancel, asyncio.create_task(_look(server, service, outside)))
        log.info(
            "ready: %s backend, firewall %s, socket %s",
            wireguard_port.name,
            firewall_port.name,
            config.daemon.socket,
        )
        # What is there now stays: a full collection among it takes tens of milliseconds, in the middle of an ending.
        gc.collect()
        gc.freeze()
        if ready is not None:
            ready()

        def reload(new: Config) -> None:
            service.reload(new)
            if delivery_workers is not None:
                delivery_workers.reread()

        await _until_stopped(stop, working, reload, reloads)


async def _look(server: Server, service: Service, outside: Outside | None) -> None:
    """Look, until cancelled, at what jitd itself needs: its socket, its log and its worker."""
    while True:
        try:
            problems = await server.look()
            if outside is not None and (problem := outside.problem()):
                problems.append(problem)
            if problem := service.look_at_worker():
                problems.append(problem)
            service.troubled(problems)
            if outside is not None:
                outside.report(problems, alive=server.is_reachable and not service.is_stuck)
        except Exception:
            log.exception("cannot look after the socket and the log")
        await asyncio.sleep(LOOK_SECONDS)


def _delivery_workers(config: Config, service: Service, clock: Clock) -> "DeliveryWorkers | None":
    """What sends messages, where the configuration has a channel. Raises JitError when a template cannot be used."""
    if not config.notifies:
        return None
    from jitd.notify.workers import DeliveryWorkers  # its libraries only where somebody is told

    return DeliveryWorkers(service, config, clock)


def _users_watch() -> FileWatch | None:
    try:
        return FileWatch(localfiles.DIRECTORY, localfiles.NAMES)
    except OSError as error:
        log.error("cannot watch the files with users: who is gone is noticed at the next check: %s", error)  # noqa: TRY400
        return None


def _kernel_changes(listen: Callable[[], KernelChanges | None]) -> KernelChanges | None:
    try:
        return listen()
    except EnforceError as error:
        log.error("%s: what others change is repaired at the next check", error)  # noqa: TRY400
        return None


def _layers(
    config: Config, clock: Clock, wireguard: WireGuard | None, firewall: Firewall | None
) -> tuple[WireGuard, Firewall]:
    """The machine's, where none is given. Raises EnforceError."""
    enforce = config.enforce
    closed = config.daemon.state_dir / CLOSED_FILE
    if firewall is None and enforce.firewall == "none" and enforce.backend != "memory":
        try:
            forget_firewall(closed)
        except EnforceError as error:
            log.error("tables of an earlier start may be left in nftables: %s", error)  # noqa: TRY400
    return (
        wireguard or choose(enforce.backend, enforce.wireguard_go),
        firewall
        or choose_firewall(
            enforce.firewall,
            enforce.backend,
            closed=closed,
            boot_ms=clock.boot_ms,
        ),
    )


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _until_stopped(
    stop: asyncio.Event,
    working: "asyncio.Task[None]",
    reload_with: Callable[[Config], None],
    reloads: "asyncio.Queue[Config] | None",
) -> None:
    stopping = asyncio.create_task(stop.wait())
    while True:
        reload = asyncio.create_task((reloads or asyncio.Queue()).get())
        done, _ = await asyncio.wait({stopping, working, reload}, return_when=asyncio.FIRST_COMPLETED)
        if reload in done:
            reload_with(reload.result())
            continue
        reload.cancel()
        stopping.cancel()
        if working in done:
            working.result()
        return
