"""Sleeps until the next deadline of either clock, and acts. No sweep ends anything; the checks only compare."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from jitd.core.clock import Clock
from jitd.enforce.firewallport import KernelChanges
from jitd.engine.service import Service
from jitd.identity.filewatch import FileWatch

log = logging.getLogger("jitd.engine")

#: Seconds between two comparisons of every interface with the store, and of everyone with the system's users.
CHECK_SECONDS: Final = 30.0
#: The same for interfaces that somebody else owns, and for what has just been changed.
LOOK_SECONDS: Final = 2.0
#: Seconds to rest after a comparison that somebody else's change of the firewall or of an interface caused.
NOTICE_SECONDS: Final = 0.2
#: Seconds between two questions to the system about everybody.
PEOPLE_SECONDS: Final = 15.0
#: Seconds to let a program finish that changes the files with the system's users, and to rest after a check for people.
SETTLED_SECONDS: Final = 0.1
RESTED_SECONDS: Final = 0.5
#: Seconds between two looks at the machine's own firewall, routes and settings.
AROUND_SECONDS: Final = 60.0
#: Seconds to wait after a round that failed.
PATIENCE_SECONDS: Final = 1.0


async def run(
    service: Service,
    clock: Clock,
    firewall: KernelChanges | None = None,
    links: KernelChanges | None = None,
    users: FileWatch | None = None,
) -> None:
    """Work until cancelled. `firewall` reports what others change in the firewall, `links` what they change about interfaces,
    `users` of those to passwd(5).
    """
    async with asyncio.TaskGroup() as tasks:
        if firewall is not None:
            tasks.create_task(_for_ever(lambda: _on_change(service.compare, firewall)))
        if links is not None:
            tasks.create_task(_for_ever(lambda: _on_change(service.look, links)))
        if users is not None:
            tasks.create_task(_for_ever(lambda: _on_users(service, users)))
        tasks.create_task(_for_ever(lambda: _on_people(service)))
        tasks.create_task(_for_ever(lambda: _deadlines(service, clock)))
        tasks.create_task(_for_ever(lambda: _every(CHECK_SECONDS, service.check)))
        tasks.create_task(_for_ever(lambda: _every(LOOK_SECONDS, service.look)))
        tasks.create_task(_for_ever(lambda: _first_then_every(AROUND_SECONDS, service.look_around)))
        tasks.create_task(_for_ever(lambda: _every(PEOPLE_SECONDS, service.refresh_people)))


async def _deadlines(service: Service, clock: Clock) -> None:
    service.deadline_changed.clear()
    wall_ms, boot_ms = service.next_deadline()
    waiting = asyncio.create_task(clock.wait(wall_ms, boot_ms))
    changed = asyncio.create_task(service.deadline_changed.wait())
    try:
        done, _ = await asyncio.wait({waiting, changed}, return_when=asyncio.FIRST_COMPLETED)
        if waiting in done:
            waiting.result()
            await service.expire()
            if not _reached(wall_ms, clock.now_ms()) and not _reached(boot_ms, clock.boot_ms()):
                # The wall clock was stepped: what is left of each grant is another number now.
                await service.compare()
    finally:
        waiting.cancel()
        changed.cancel()


def _reached(deadline_ms: int | None, now_ms: int) -> bool:
    return deadline_ms is not None and now_ms >= deadline_ms


async def make_notices(service: Service, clock: Clock) -> None:
    """Make messages of what happens, until cancelled."""
    await _for_ever(lambda: _make_notices(service, clock))


async def _make_notices(service: Service, clock: Clock) -> None:
    seq = service.feed.seq
    next_ms = await service.make_notices()
    waiting = [asyncio.create_task(service.feed.wait(seq)), asyncio.create_task(clock.wait(next_ms, None))]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


async def _on_change(act: Callable[[], Awaitable[None]], changes: KernelChanges) -> None:
    """Compare soon after somebody else changed something, and not more often than is good for everybody's turn."""
    loop = asyncio.get_running_loop()
    came = asyncio.Event()
    loop.add_reader(changes.fileno(), came.set)
    try:
        while True:
            await came.wait()
            came.clear()
            if changes.foreign():
                await act()
                await asyncio.sleep(NOTICE_SECONDS)
    finally:
        loop.remove_reader(changes.fileno())


async def _on_users(service: Service, users: FileWatch) -> None:
    """Ask about everybody as soon as one of the files with the system's users was changed."""
    loop = asyncio.get_running_loop()
    came = asyncio.Event()
    loop.add_reader(users.fileno(), came.set)
    try:
        while True:
            await came.wait()
            came.clear()
            if users.changed():
                await asyncio.sleep(SETTLED_SECONDS)
                await service.refresh_people(anew=True)
    finally:
        loop.remove_reader(users.fileno())


async def _on_people(service: Service) -> None:
    """Look at everybody's access as soon as the system says something else of somebody, whoever has asked about them."""
    await service.people_changed.wait()
    service.people_changed.clear()
    await service.check()
    await asyncio.sleep(RESTED_SECONDS)


async def _first_then_every(seconds: float, act: Callable[[], Awaitable[None]]) -> None:
    await act()
    await asyncio.sleep(seconds)


async def _every(seconds: float, act: Callable[[], Awaitable[None]]) -> None:
    await asyncio.sleep(seconds)
    await act()


async def _for_ever(round_: Callable[[], Awaitable[None]]) -> None:
    """One round after the other. A round that fails is told loudly, and followed by the next."""
    while True:
        try:
            await round_()
        except Exception:
            log.exception("a round of the scheduler failed; trying again in %.0f s", PATIENCE_SECONDS)
            await asyncio.sleep(PATIENCE_SECONDS)
