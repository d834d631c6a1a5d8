"""The machine's own clocks, and waiting for them with timerfd, which notices a stepped wall clock and a suspend."""

import asyncio
import ctypes
import os
import time
from pathlib import Path
from typing import Final

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")

# <sys/timerfd.h>. Python has these only from 3.13 on.
_TFD_NONBLOCK: Final = os.O_NONBLOCK
_TFD_CLOEXEC: Final = os.O_CLOEXEC
_TFD_TIMER_ABSTIME: Final = 1
_TFD_TIMER_CANCEL_ON_SET: Final = 2

#: Far enough away for "no deadline": the timer is armed all the same, because only an armed one notices a step.
_FAR_MS: Final = 2**52

_libc = ctypes.CDLL(None, use_errno=True)


class _Timespec(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("it_interval", _Timespec), ("it_value", _Timespec))


class SystemClock:
    """A jitd.core.clock.Clock on CLOCK_REALTIME and CLOCK_BOOTTIME."""

    def __init__(self) -> None:
        self._boot_id = _BOOT_ID.read_text("ascii").strip()

    def now_ms(self) -> int:
        """Wall clock, milliseconds UTC since 1970."""
        return time.time_ns() // 1_000_000

    def boot_ms(self) -> int:
        """CLOCK_BOOTTIME in milliseconds."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000

    def boot_id(self) -> str:
        """The kernel's name of this boot."""
        return self._boot_id

    async def wait(self, wall_ms: int | None, boot_ms: int | None) -> None:
        """Return at either deadline, or when the wall clock is stepped."""
        loop = asyncio.get_running_loop()
        fired: asyncio.Future[None] = loop.create_future()
        timers: list[int] = []

        def fire() -> None:
            if not fired.done():
                fired.set_result(None)

        try:
            for clock, deadline, flags in (
                (time.CLOCK_REALTIME, wall_ms, _TFD_TIMER_ABSTIME | _TFD_TIMER_CANCEL_ON_SET),
                (time.CLOCK_BOOTTIME, boot_ms, _TFD_TIMER_ABSTIME),
            ):
                if deadline is None and clock != time.CLOCK_REALTIME:
                    continue
                timer = _create(clock)
                timers.append(timer)
                if _set(timer, _FAR_MS if deadline is None else deadline, flags):
                    loop.add_reader(timer, fire)
                else:
                    fire()
            await fired
        finally:
            for timer in timers:
                loop.remove_reader(timer)
                os.close(timer)


def _create(clock: int) -> int:
    timer: int = _libc.timerfd_create(clock, _TFD_NONBLOCK | _TFD_CLOEXEC)
    if timer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return timer


def _set(timer: int, deadline_ms: int, flags: int) -> bool:
    """Arm a timer. False: the clock was stepped at this very moment, so that the deadline has to be worked out anew."""
    # A value of zero would disarm it; a deadline in the past fires at once.
    seconds, rest = divmod(max(1, deadline_ms), 1000)
    value = _Itimerspec(_Timespec(0, 0), _Timespec(seconds, rest * 1_000_000))
    if _libc.timerfd_settime(timer, flags, ctypes.byref(value), None) == 0:
        return True
    number = ctypes.get_errno()
    if number == 125:  # ECANCELED, see timerfd_create(2): armed all the same, and the clock was stepped
        return False
    raise OSError(number, os.strerror(number))
