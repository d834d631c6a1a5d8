"""Durations as people type them: `90m`, `1h30m`, `1h 30m`, `2d`. Nothing means for ever."""

import re
from typing import Final

from jitd.core.errors import JitError

SECOND: Final = 1000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
WEEK: Final = 7 * DAY

#: Nothing is granted for longer, whatever the policy says.
LONGEST_MS: Final = 365 * DAY

# ASCII only, each unit once, biggest first: a pattern that leaves no room for another reading.
_PATTERN: Final = re.compile(
    r"(?:(?P<w>[0-9]{1,9})w)?(?:(?P<d>[0-9]{1,9})d)?(?:(?P<h>[0-9]{1,9})h)?"
    r"(?:(?P<m>[0-9]{1,9})m)?(?:(?P<s>[0-9]{1,9})s)?",
    re.ASCII,
)
_BETWEEN: Final = re.compile(r"(?<=[wdhms]) (?=[0-9])", re.ASCII)
_UNITS: Final = {"w": WEEK, "d": DAY, "h": HOUR, "m": MINUTE, "s": SECOND}


def parse(text: str) -> int:
    """Read a duration such as `90m`, `1h30m`, `2d` or `1w`; returns milliseconds, from 1000 to LONGEST_MS.

    Raises JitError bad_request that says what was wrong and what to type.
    """
    hint = "Type a number and a unit, for example 45m, 8h, 1h30m or 2d (s, m, h, d, w)."
    # As times left are shown, with a blank between two units.
    matched = _PATTERN.fullmatch(_BETWEEN.sub("", text))
    if not text or matched is None:
        why = "it has no unit" if re.fullmatch(r"[0-9]+", text, re.ASCII) else "it is not a duration"
        raise JitError("bad_request", f"cannot read the duration {text[:40]!r}: {why}", hint)
    total = sum(int(number) * _UNITS[unit] for unit, number in matched.groupdict(default="0").items())
    if total == 0:
        raise JitError("bad_request", f"cannot use the duration {text!r}: it is zero", hint)
    if total > LONGEST_MS:
        raise JitError("bad_request", f"cannot use the duration {text!r}: it is longer than 365 days", hint)
    return total


def show(duration_ms: int) -> str:
    """The duration with all its units, exactly, as `parse` reads it: `1d 2h` without the space. Zero is `0s`.

    Milliseconds are rounded down. A negative duration shows as `0s`.
    """
    seconds = max(0, duration_ms) // SECOND
    parts = []
    for unit, size in (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND)):
        count, seconds = divmod(seconds, size // SECOND)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
