"""Times and durations for people. `now` is always the daemon's, so that a wrong local clock shows nothing wrong."""

import time
from datetime import datetime
from typing import Final

from jitd.core.durations import DAY, HOUR, MINUTE, SECOND

# Linux's CLOCK_MONOTONIC stands still in a suspended machine; elsewhere there is no other.
_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed() -> float:
    """Seconds since some moment before this machine's programs began, those included in which it slept."""
    return time.clock_gettime(_CLOCK)


def left(ms: int) -> str:
    """Time left in its two biggest units: `1h 59m`, `14m 05s`, `9s`, `3d 4h`. Rounded up: 0 only when it is over."""
    seconds = max(0, -(-ms // SECOND))
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes:02}m"
    if minutes:
        return f"{minutes}m {seconds:02}s"
    return f"{seconds}s"


def ago(at: int, now: int) -> str:
    """How long ago something was, in its biggest unit: `5 minutes ago`."""
    passed = now - at
    if passed < 5 * SECOND:
        return "just now"
    for size, unit in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (SECOND, "second")):
        if passed >= size:
            count = passed // size
            return f"{count} {unit}{'s' if count != 1 else ''} ago"
    return "just now"


def local(at: int, now: int | None = None) -> str:
    """A local time with the name of its zone; without the date when it is today (`now` given)."""
    moment = datetime.fromtimestamp(at / SECOND).astimezone()
    same_day = now is not None and datetime.fromtimestamp(now / SECOND).astimezone().date() == moment.date()
    return moment.strftime("%H:%M:%S %Z" if same_day else "%Y-%m-%d %H:%M:%S %Z")
