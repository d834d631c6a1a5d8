"""Shifts: the hours of the week in which a network may be asked for, on the clocks of a zone.

A window says at which wall times it is open, week after week. Where the clocks change, access must never last
longer than these wall times say, as an hour too many is a hole and an hour too few is only asked for again: a start
that the clocks show twice is the later one, an end the earlier one, and a start or end that they skip is the moment
of the change. Windows of one zone that adjoin or overlap are joined before that, so that windows around the clock
have no gap where one ends and the next begins.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from jitd.core.durations import DAY, LONGEST_MS, SECOND
from jitd.core.errors import JitError
from jitd.core.localtime import DAYS, readings, weekday, zone_of
from jitd.core.text import clean

_DAY_MINUTES: Final = 24 * 60
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - wall times are naive until their zone gives them a meaning
_EPOCH_WEEKDAY: Final = _EPOCH.weekday()
_LONGEST_TEXT: Final = 200  # characters

#: How many days around a moment are looked at. For whether it is open, those that zones may be ahead or behind.
_HERE_DAYS: Final = 3
#: For a shift. Windows come again each week, so this holds the longest of one zone that ends, and a window that a
#: change of the clocks leaves out once.
_NEAR_DAYS: Final = 16
#: For a shift that goes on further: around the clock, or made of zones that change their clocks on different days.
_FAR_DAYS: Final = LONGEST_MS // DAY + 2

_HINT: Final = (
    'Type days, hours and a time zone, for example "Mon-Fri 08:00-18:00 Europe/Berlin", '
    '"Sat,Sun 22:00-06:00 Europe/Berlin" or "daily 00:00-24:00 UTC".'
)
_SPAN: Final = r"[A-Za-z]+(?:-[A-Za-z]+)?"
_PATTERN: Final = re.compile(
    rf"(?P<days>{_SPAN}(?:, ?{_SPAN})*) +"
    r"(?P<start>[0-9]{1,2}:[0-9]{2})-(?P<end>[0-9]{1,2}:[0-9]{2})(?: +(?P<zone>[^ ]+))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Window:
    """Hours on some days of each week. Its text, `Mon-Fri 08:00-18:00 Europe/Berlin`, is read back to an equal one.

    `days` are those on which it begins (0 is Monday). `start` and `end` are minutes since midnight of such a day, the
    end not included: from 0 to 1439, and from `start` + 1 to `start` + 1440; an end above 1440 is on the next day.
    """

    days: frozenset[int]
    start: int
    end: int
    zone: ZoneInfo

    def __str__(self) -> str:
        end = self.end if self.end <= _DAY_MINUTES else self.end - _DAY_MINUTES
        return f"{_show_days(self.days)} {_show_clock(self.start)}-{_show_clock(end)} {self.zone.key}"


@dataclass(frozen=True, slots=True)
class Shift:
    """A time without a gap in which windows are open: from `start_ms` up to and not including `end_ms`, UTC.

    None stands for an end (or a start) more than 365 days away: nothing is granted for that long.
    """

    start_ms: int | None
    end_ms: int | None


def parse_hours(typed: str) -> Window:
    """Read `Mon-Fri 08:00-18:00 Europe/Berlin`, `Sat,Sun 10:00-14:00 UTC` or `daily 00:00-24:00 UTC`.

    Days have English names, short or long; a range may go over the weekend (`Fri-Mon`). Hours that end before they
    begin end on the next day, and belong to the day they begin on. Raises JitError bad_request.
    """
    matched = _PATTERN.fullmatch(typed) if len(typed) <= _LONGEST_TEXT else None
    if matched is None:
        raise _unreadable(typed, "they are not days and hours")
    start, end = _clock(typed, matched["start"]), _clock(typed, matched["end"])
    if start == end:
        raise _unreadable(
            typed, "they end when they begin", 'Type 00:00-24:00 for whole days, as in "Sat 00:00-24:00 UTC".'
        )
    if start == _DAY_MINUTES:
        raise _unreadable(typed, "a time cannot begin at 24:00", "Type 00:00 and the next day.")
    days = _days(typed, matched["days"])
    if matched["zone"] is None:
        text = f"{matched['days']} {matched['start']}-{matched['end']}"
        raise _unreadable(typed, "they name no time zone", f'Add the zone, as in "{text} Europe/Berlin".')
    return Window(days, start, end if end > start else end + _DAY_MINUTES, zone_of(matched["zone"]))


def is_open(windows: Sequence[Window], at_ms: int) -> bool:
    """Whether one of the windows is open at a moment (milliseconds UTC). Without windows nothing is open."""
    return any(start <= at_ms < end for start, end in _spans(windows, at_ms, _HERE_DAYS))


def shift_at(windows: Sequence[Window], at_ms: int) -> Shift | None:
    """The shift that holds a moment (milliseconds UTC), adjoining and overlapping windows joined; None when closed."""
    for days in (_NEAR_DAYS, _FAR_DAYS):
        span = next((one for one in _spans(windows, at_ms, days) if one[0] <= at_ms < one[1]), None)
        if span is None:
            return None
        # Nearer to the border than two days, it may go on with windows that were not looked at.
        whole = (days - 2) * DAY
        starts = span[0] if at_ms - span[0] < whole else None
        ends = span[1] if span[1] - at_ms < whole else None
        if starts is not None and ends is not None:
            break
    return Shift(starts, ends)


def next_open(windows: Sequence[Window], at_ms: int) -> int | None:
    """The first moment from `at_ms` on at which a window is open (`at_ms` itself when it is), milliseconds UTC.

    None when there is none in the next two weeks, as without windows.
    """
    return next((max(start, at_ms) for start, end in _spans(windows, at_ms, _NEAR_DAYS) if end > at_ms), None)


def _spans(windows: Sequence[Window], at_ms: int, days: int) -> list[tuple[int, int]]:
    """What is open from `days` before to `days` after a moment: separate spans in order, milliseconds UTC."""
    today = at_ms // DAY
    walls: dict[ZoneInfo, list[tuple[int, int]]] = {}  # in minutes of the zone's own clocks since 1970
    for window in windows:
        walls.setdefault(window.zone, []).extend(
            (day * _DAY_MINUTES + window.start, day * _DAY_MINUTES + window.end)
            for day in range(today - days, today + days + 1)
            if (day + _EPOCH_WEEKDAY) % 7 in window.days
        )
    found = []
    for zone, ours in walls.items():
        for start, end in _joined(ours):
            starts, ends = _latest(start, zone), _earliest(end, zone)
            if starts < ends:
                found.append((starts, ends))
    return _joined(found)


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same time in as few spans as possible, in order."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _latest(wall_minutes: int, zone: ZoneInfo) -> int:
    """When a wall time begins to be over for good: the later of two readings, or the change that skips it."""
    first, second = readings(_EPOCH + timedelta(minutes=wall_minutes), zone)
    return second if first <= second else _change(second, first, zone)


def _earliest(wall_minutes: int, zone: ZoneInfo) -> int:
    """When the clocks reach a wall time: the earlier of two readings, or the change that skips it."""
    first, second = readings(_EPOCH + timedelta(minutes=wall_minutes), zone)
    return first if first <= second else _change(second, first, zone)


def _change(before_ms: int, after_ms: int, zone: ZoneInfo) -> int:
    """The second at which the zone's clocks change between two moments, milliseconds UTC."""
    before, after = before_ms // SECOND, after_ms // SECOND
    old = datetime.fromtimestamp(before, zone).utcoffset()
    while after - before > 1:
        middle = (before + after) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after * SECOND


def _clock(typed: str, text: str) -> int:
    """Minutes since midnight, from 00:00 to 24:00."""
    hours, minutes = (int(part) for part in text.split(":"))
    if minutes > 59 or hours * 60 + minutes > _DAY_MINUTES:
        raise _unreadable(typed, f"there is no time of day {text}")
    return hours * 60 + minutes


def _days(typed: str, text: str) -> frozenset[int]:
    """The days that `Mon-Fri,Sun` or `daily` names."""
    if text.lower() == "daily":
        return frozenset(range(7))
    found: set[int] = set()
    for span in text.replace(" ", "").split(","):
        ends = []
        for name in span.split("-"):
            number = weekday(name)
            if number is None:
                names = ", ".join(day[:3].title() for day in DAYS)
                raise _unreadable(
                    typed, f"{name[:20]!r} is not a day", f"Days are {names}, or daily for all of them."
                )
            ends.append(number)
        if len(ends) == 2 and ends[0] == ends[1]:
            raise _unreadable(
                typed, f"{span} begins and ends with the same day", "Type that day alone, or daily."
            )
        found.update((ends[0] + more) % 7 for more in range((ends[-1] - ends[0]) % 7 + 1))
    return frozenset(found)


def _show_days(days: frozenset[int]) -> str:
    """The days as ranges where three or more follow each other, over the weekend too: `Fri-Mon`, `Sat,Sun`."""
    if len(days) == 7:
        return "daily"
    shown = []
    for first in sorted(day for day in days if (day - 1) % 7 not in days):
        run = [first]
        while (run[-1] + 1) % 7 in days:
            run.append((run[-1] + 1) % 7)
        names = [DAYS[day][:3].title() for day in run]
        shown += [f"{names[0]}-{names[-1]}"] if len(names) > 2 else names
    return ",".join(shown)


def _show_clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _unreadable(typed: str, why: str, hint: str = _HINT) -> JitError:
    return JitError("bad_request", f"cannot read the hours {clean(typed)[:80]!r}: {why}", hint)
