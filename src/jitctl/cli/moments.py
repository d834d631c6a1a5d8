"""Moments as people type them, on the clocks of the machine that they type on."""

import os
import re
import time
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo

from jitd.core import durations, text
from jitd.core.errors import JitError
from jitd.core.localtime import parse_moment, zone_of

#: How a rule for $TZ begins (POSIX): the name of winter time and its distance from UTC.
_RULE = re.compile(r"(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)[+-]?[0-9]{1,3}", re.ASCII)
_LOCALTIME = Path("/etc/localtime")
_TIMEZONE = Path("/etc/timezone")


def zone() -> tzinfo:
    """The zone of the caller: $TZ in every form that libc takes, else the system's. Raises JitError bad_request when $TZ
    names none.

    An unnamed /etc/localtime is read as it is; without one it is UTC, as libc has it.
    """
    if "TZ" in os.environ:
        named = os.environ["TZ"].removeprefix(":")
        if not named:
            return UTC
        try:
            return zone_of(named)
        except JitError:
            if _RULE.match(named) or any((Path(one) / named).is_file() for one in ("/", *TZPATH)):
                return _Libc(named)
            raise
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


class _Libc(tzinfo):
    """The zone of this process as libc counts it: a rule such as CET-1CEST, or any file."""

    def __init__(self, name: str) -> None:
        self._name = name

    def utcoffset(self, at: datetime | None) -> timedelta | None:
        return _there(at).utcoffset()

    def tzname(self, at: datetime | None) -> str | None:
        return _there(at).tzname()

    def dst(self, at: datetime | None) -> timedelta | None:  # noqa: ARG002
        return None

    def fromutc(self, at: datetime) -> datetime:
        there = at.replace(tzinfo=UTC).astimezone()
        wall = there.replace(tzinfo=self, fold=0)
        return wall if wall.utcoffset() == there.utcoffset() else wall.replace(fold=1)

    def __str__(self) -> str:
        return self._name


def _there(at: datetime | None) -> datetime:
    return (at or datetime.now(UTC)).replace(tzinfo=None).astimezone()


def moment(typed: str) -> int:
    """A moment to come, milliseconds UTC: `18:00`, `tomorrow 09:00`, `2026-12-01 09:00`. Raises JitError bad_request."""
    return parse_moment(typed, time.time_ns() // 1_000_000, zone())


def end_of(typed: str) -> int:
    """A moment to come at which something ends, milliseconds UTC; a day alone is its last moment, as in "until Friday".

    Raises JitError bad_request.
    """
    return parse_moment(typed, time.time_ns() // 1_000_000, zone(), last=True)


def shown(at_ms: int) -> str:
    """A moment (milliseconds UTC) on the caller's clocks, with the zone: `2026-12-01 09:00 CET`."""
    return datetime.fromtimestamp(at_ms / 1000, zone()).strftime("%Y-%m-%d %H:%M %Z")


def _first_line(path: Path) -> str:
    try:
        return path.read_text("utf-8").partition("\n")[0].strip()
    except (OSError, ValueError):
        return ""


def past_ms(typed: str | None, *, last: bool = False) -> int | None:
    """A duration before now, or a local date and time, as milliseconds UTC; None stays None.

    `last`: a date alone is its last moment, and not its first. Raises JitError bad_request.
    """
    if typed is None:
        return None
    try:
        return int(datetime.now().astimezone().timestamp() * 1000) - durations.parse(typed)
    except JitError:
        pass
    try:
        at = datetime.fromisoformat(typed)
        if last and len(typed) == len("2026-12-01"):
            at += timedelta(days=1, milliseconds=-1)
        return int(at.astimezone().timestamp() * 1000)
    except (ValueError, OverflowError):
        raise JitError(
            "bad_request",
            f"cannot read the time {text.clean(typed)[:40]!r}",
            'Type a duration such as 2h, or "2026-12-01 09:00".',
        ) from None
