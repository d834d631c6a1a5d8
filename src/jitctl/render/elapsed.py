"""A clock for what is left of a grant: it goes on while the machine sleeps."""

from __future__ import annotations

import time
from typing import Final

# Linux's CLOCK_MONOTONIC stands still in a suspended machine; elsewhere there is no other.
_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def seconds() -> float:
    """Seconds since some moment before this machine's programs began."""
    return time.clock_gettime(_CLOCK)
