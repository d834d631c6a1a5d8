"""Sleeps until the next deadline of either clock, and acts. No sweep ends anything; the checks only compare."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from jitd.core.clock import Clock
from jitd.service.service import Service

log = logging.getLogger("jitd.scheduler")

#: Seconds between two comparisons of every interface with the store, and of everyone with the system's users.
CHECK_SECONDS: Final = 30.0
#: The same for interfaces that somebody else owns, and for what has just been changed.
LOOK_SECONDS: Final = 2.0
PEOPLE_SECONDS: Final = 15.0
#: Seconds to wait after a round that failed.
PATIENCE_SECONDS: Final = 1.0


async def run(service: Service, clock: Clock) -> None:
    """Work until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_for_ever(lambda: _deadlines(service, clock)))
        tasks.create_task(_for_ever(lambda: _every(CHECK_SECONDS, service.check)))
        tasks.create_task(_for_ever(lambda: _every(LOOK_SECONDS, service.look)))
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
    finally:
        waiting.cancel()
        changed.cancel()


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
