"""Moments as people type them, on the clocks of the machine that they type on."""

import contextlib
import os
import re
import time
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from jitd.core.errors import JitError
from jitd.core.localtime import parse_moment, zone_of

_LOCALTIME = Path("/etc/localtime")
_TIMEZONE = Path("/etc/timezone")


def zone() -> tzinfo:
    """The zone of the caller: $TZ, else the system's. Raises JitError bad_request when $TZ names none.

    An unnamed /etc/localtime is read as it is; without one it is UTC, as libc has it.
    """
    named = os.environ.get("TZ", "").removeprefix(":")
    if named:
        return zone_of(named)
    _, found, name = os.path.realpath(_LOCALTIME).partition("zoneinfo/")
    for one in (name if found else "", _first_line(_TIMEZONE)):
        if one:
            try:
                return zone_of(one)
            except JitError:
                continue
    try:
        with _LOCALTIME.open("rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError):
        return UTC


def moment(typed: str) -> int:
    """A moment to come, milliseconds UTC: `18:00`, `tomorrow 09:00`, `2026-12-01 09:00`. Raises JitError bad_request."""
    return parse_moment(typed, time.time_ns() // 1_000_000, zone())


def end_of(typed: str) -> int:
    """A moment to come at which something ends, milliseconds UTC; a date alone is its last moment, as in "until Friday".

    Raises JitError bad_request.
    """
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", typed, re.ASCII):
        # What is no date is told by the parser.
        with contextlib.suppress(ValueError, OverflowError):
            typed = (date.fromisoformat(typed) + timedelta(days=1)).isoformat()
    return moment(typed)


def shown(at_ms: int) -> str:
    """A moment (milliseconds UTC) on the caller's clocks, with the zone: `2026-12-01 09:00 CET`."""
    return datetime.fromtimestamp(at_ms / 1000, zone()).strftime("%Y-%m-%d %H:%M %Z")


def _first_line(path: Path) -> str:
    try:
        return path.read_text("utf-8").partition("\n")[0].strip()
    except (OSError, ValueError):
        return ""
