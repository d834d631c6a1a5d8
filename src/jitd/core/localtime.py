"""Moments as people type them: `18:00`, `tomorrow 09:00`, `2026-12-01 09:00 Europe/Berlin`, on the clocks of a zone.

The zone's rules come from the system's time zone database. A time that the clocks of the zone skip or show twice is
never guessed: it is an error that names both readings.
"""

import difflib
import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from jitd.core.errors import JitError
from jitd.core.text import clean

#: Days of the week in the order of `date.weekday`; the first three letters are enough.
DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_YEARS: Final = range(1970, 2200)  # far inside what datetime can count, whatever is added
_LONGEST_TEXT: Final = 100  # characters; more is no moment
_WIDEST_OFFSET: Final = timedelta(hours=14)

_DATE: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME: Final = r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?"
_OFFSET: Final = r"[+-][0-9]{2}(?::?[0-9]{2})?"
_NAME: Final = r"[A-Za-z][A-Za-z0-9_+/-]*"
_DAY: Final = "(?i:today|tomorrow|" + "|".join(f"{day[:3]}(?:{day[3:]})?" for day in DAYS) + ")"
_DAY_ONLY: Final = re.compile(rf"({_DATE}|{_DAY})((?: +(?:{_OFFSET}|{_NAME}))?)", re.ASCII)
_MOMENT: Final = re.compile(
    rf"(?:(?P<day>[A-Za-z]+|{_DATE}) +|(?P<iso>{_DATE})[Tt])?(?P<time>{_TIME})"
    rf"(?: *(?P<offset>[Zz]|{_OFFSET})| +(?P<zone>{_NAME}))?",
    re.ASCII,
)

# No dots: neither a parent folder nor one of the database's tables can be named.
_ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,31}(?:/[A-Za-z][A-Za-z0-9_+-]{0,31}){0,2}", re.ASCII)
#: In the database's folder, but no zones: other counts of seconds, or another zone on each machine.
_NO_ZONES: Final = frozenset({"posix", "right", "posixrules", "localtime", "Factory"})
#: Zones that are called like winter time and have summer time as well.
_SEASONAL: Final = frozenset({"CET", "EET", "MET", "WET"})

_HINT: Final = (
    'Type for example 18:00, "tomorrow 09:00", "Mon 09:00" or "2026-12-01 09:00"; '
    'a zone can follow, as in "2026-12-01 09:00 Europe/Berlin" or "2026-12-01 09:00 +01:00".'
)


def zone_of(name: str) -> ZoneInfo:
    """The zone of that name in the time zone database, such as `Europe/Berlin` or `UTC`.

    Raises JitError bad_request, with similar names in the hint, when there is none.
    """
    if _ZONE.fullmatch(name) and name.partition("/")[0] not in _NO_ZONES:
        try:
            return ZoneInfo(name)
        except (
            LookupError,
            ValueError,
            OSError,
        ):  # no such file; not a zone; a folder, which is no zone either
            pass
    raise JitError("bad_request", f"cannot find the time zone {clean(name)[:60]!r}", _zone_hint(name))


def parse_moment(typed: str, now_ms: int, zone: tzinfo, *, last: bool = False) -> int:
    """Read a moment after `now_ms` as `zone` has it; both the argument and the result are milliseconds UTC.

    Reads `18:00` (the next one), `today 18:00`, `tomorrow 09:00`, `Mon 09:00` (the next one) and `2026-12-01 09:00`, with
    a T instead of the space too, and seconds with a fraction if wanted; and a day alone (`2026-12-01`, `tomorrow`, `Friday`),
    which is its first moment, or its `last` one. A zone in the text
    wins over `zone`, for what is today as well: a name, an offset such as `+02:00`, `UTC`, `Z`, or an abbreviation
    that `zone` itself uses then (so that what `show_moment` shows can be typed).

    Raises JitError bad_request for anything else, for a time that the clocks skip or show twice (both readings are
    in the message), and for one that is not after `now_ms`.
    """
    matched = dated = None
    if len(typed) <= _LONGEST_TEXT:
        dated = _DAY_ONLY.fullmatch(typed)
        matched = _MOMENT.fullmatch(f"{dated[1]} 00:00{dated[2]}" if dated else typed)
    if matched is None:
        raise _unreadable(typed, "it is not a time")
    day, clock = matched["day"] or matched["iso"], _time_of_day(typed, matched["time"])
    place = zone
    if matched["offset"]:
        place = _fixed(typed, matched["offset"])
    elif matched["zone"]:
        own = _own_abbreviation(matched["zone"], _walls(typed, day, clock, _wall(now_ms, zone).date()), zone)
        place = own or zone_of(matched["zone"])

    now_there = _wall(now_ms, place)
    walls = _walls(typed, day, clock, now_there.date())
    if dated and last:
        walls = [one + timedelta(days=1) for one in walls]
    wall = next((one for one in walls if not _is_past(one, now_ms, now_there, place)), walls[-1])
    first, second = readings(wall, place)
    if max(first, second) <= now_ms:
        raise JitError(
            "bad_request",
            f"cannot use the time {typed!r}: it is not in the future, it was {show_moment(second, place)}",
            f"It is {show_moment(now_ms, place)} now: type a later time.",
        )
    if first != second:
        raise _no_single_reading(typed, wall, place)
    if matched["zone"] in _SEASONAL and matched["zone"] != wall.replace(tzinfo=place).tzname():
        raise JitError(
            "bad_request",
            f"cannot use the time {typed!r}: {matched['zone']} is not in force then",
            "Name the zone by a place, such as Europe/Berlin, or type an offset, such as +01:00.",
        )
    return first


def show_moment(at_ms: int, zone: tzinfo) -> str:
    """A moment (milliseconds UTC) on the zone's clocks, with their name then: `2026-12-01 09:00:00 CET`."""
    return (_EPOCH + at_ms * _MILLISECOND).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def readings(wall: datetime, zone: tzinfo) -> tuple[int, int]:
    """What a naive wall time can mean in a zone, milliseconds UTC: read before and after a change of its clocks.

    Both are the same for ordinary times. The first is smaller when the clocks show the time twice, and bigger when
    they skip it (neither is a moment at which they show it, then).
    """
    first, second = ((wall.replace(tzinfo=zone, fold=fold) - _EPOCH) // _MILLISECOND for fold in (0, 1))
    return first, second


def weekday(name: str) -> int | None:
    """The day of the week that `Mon` or `Monday` names, in any case: 0 is Monday. None when it names none."""
    lower = name.lower()
    return next((number for number, day in enumerate(DAYS) if lower in (day, day[:3])), None)


def _wall(at_ms: int, zone: tzinfo) -> datetime:
    """What the zone's clocks show at a moment, naive."""
    return (_EPOCH + at_ms * _MILLISECOND).astimezone(zone).replace(tzinfo=None, fold=0)


def _walls(typed: str, day: str | None, clock: time, today: date) -> list[datetime]:
    """The wall times that are meant: the first of them that is not over counts."""
    if day is None:
        days = [today, today + timedelta(days=1)]
    elif day[0].isdigit():
        days = [_date(typed, day)]
    elif day.lower() == "today":
        days = [today]
    elif day.lower() == "tomorrow":
        days = [today + timedelta(days=1)]
    else:
        number = weekday(day)
        if number is None:
            raise _unreadable(typed, f"{day[:20]!r} is not a day")
        ahead = (number - today.weekday()) % 7
        days = [today + timedelta(days=ahead), today + timedelta(days=ahead + 7)]
    return [datetime.combine(one, clock) for one in days]


def _is_past(wall: datetime, now_ms: int, now_there: datetime, zone: tzinfo) -> bool:
    """Whether the clocks have passed a wall time for the last time; one that they skip, when they show a later one."""
    first, second = readings(wall, zone)
    return wall <= now_there if first > second else second <= now_ms


def _date(typed: str, text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise _unreadable(typed, "there is no such day") from None
    if found.year not in _YEARS:
        raise _unreadable(typed, f"the year is not between {_YEARS[0]} and {_YEARS[-1]}")
    return found


def _time_of_day(typed: str, text: str) -> time:
    try:
        return time.fromisoformat(f"0{text}" if text[1] == ":" else text)
    except ValueError:
        raise _unreadable(typed, "there is no such time of day") from None


def _fixed(typed: str, offset: str) -> timezone:
    """The zone of `Z`, `+02`, `+0200` or `+02:00`."""
    if offset in "Zz":
        return UTC
    minutes = int(offset[-2:]) if len(offset) > 3 else 0
    size = timedelta(hours=int(offset[1:3]), minutes=minutes)
    if minutes > 59 or size > _WIDEST_OFFSET:
        raise _unreadable(typed, f"there is no offset {offset}")
    return timezone(-size if offset[0] == "-" else size)


def _own_abbreviation(name: str, walls: list[datetime], zone: tzinfo) -> timezone | None:
    """The offset that an abbreviation such as CEST stands for in a zone, if its clocks bear that name then."""
    for wall in walls:
        for fold in (0, 1):
            there = wall.replace(tzinfo=zone, fold=fold)
            offset = there.utcoffset()
            if there.tzname() == name and offset is not None:
                return timezone(offset, name)
    return None


def _unreadable(typed: str, why: str) -> JitError:
    return JitError("bad_request", f"cannot read the time {clean(typed)[:60]!r}: {why}", _HINT)


def _no_single_reading(typed: str, wall: datetime, zone: tzinfo) -> JitError:
    """The error for a wall time that the clocks skip or show twice."""
    first, second = readings(wall, zone)
    # The offset under which the typed time was read, not the one in force at the moment that comes of it.
    offsets = [wall.replace(tzinfo=zone, fold=fold).isoformat()[19:] for fold in (0, 1)]
    shown = [show_moment(at, zone) for at in (first, second)]
    if first < second:
        why = f"exists twice in {zone}, as {shown[0]} ({offsets[0]}) and as {shown[1]} ({offsets[1]})"
    else:
        why = (
            f"does not exist in {zone}, whose clocks skip it: "
            f"with {offsets[0]} it would be {shown[0]}, with {offsets[1]} {shown[1]}"
        )
    text = wall.strftime("%Y-%m-%d %H:%M:%S").removesuffix(":00")
    return JitError(
        "bad_request",
        f"cannot use the time {typed!r}: {text} {why}",
        f'Type it with an offset: "{text} {offsets[0]}" or "{text} {offsets[1]}".',
    )


@cache
def _zone_names() -> dict[str, str]:
    """Names of the database's zones by their lower-case form. Read once: they serve suggestions only."""
    return {name.lower(): name for name in sorted(available_timezones() - _NO_ZONES)}


def _zone_hint(name: str) -> str:
    names = _zone_names()
    if not names:
        return "This machine has no time zone database: install the package tzdata."
    lower = name[:64].lower()
    cities = [known for known in names if known.rpartition("/")[2] == lower]
    similar = list(dict.fromkeys([*cities, *difflib.get_close_matches(lower, names, n=3, cutoff=0.8)]))[:3]
    if similar:
        return f"Did you mean {' or '.join(names[one] for one in similar)}?"
    return "Type the name of a zone, such as Europe/Berlin, America/New_York or UTC."
