"""doctor as a monitoring plugin says it: one line with performance data, and an exit status from 0 to 3."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from jitctl.render.levels import total
from jitd.core import text

if TYPE_CHECKING:
    from jitd import wire

OK: Final = 0
WARNING: Final = 1
CRITICAL: Final = 2
UNKNOWN: Final = 3

_WORDS: Final = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
#: Programs of that kind read some thousand bytes, and people less.
_LONGEST: Final = 300


def line(status: int, words: str, numbers: Mapping[str, tuple[int, str]] | None = None) -> str:
    """The line. `numbers` are (value, thresholds) by name; thresholds are `WARNING;CRITICAL;MINIMUM`."""
    # Behind a bar begins what is for programs: nobody's words may bring one.
    said = text.clean(words).replace("|", "/")
    if len(said) > _LONGEST:
        said = f"{said[: _LONGEST - 1]}…"
    data = " ".join(f"{name}={value};{limits}" for name, (value, limits) in (numbers or {}).items())
    return f"JITD {_WORDS[status]} - {said}{f' | {data}' if data else ''}"


def report(checks: "Sequence[wire.Check]", gateway: "wire.GatewayStatus | None") -> tuple[int, str]:
    """(exit status, line) of an examination. What cannot be known from there is no reason for an alarm."""
    if not checks:
        return UNKNOWN, line(
            UNKNOWN, "cannot examine anything as this user: run it as root or as an administrator"
        )
    levels = [one["level"] for one in checks]
    worst = next((level for level in ("broken", "warning") if level in levels), "ok")
    status = {"broken": CRITICAL, "warning": WARNING}.get(worst, OK)
    words = total(levels)
    if status != OK:
        words += ": " + "; ".join(one["what"] for one in checks if one["level"] == worst)
    numbers = {
        "broken": (levels.count("broken"), ";0;0"),
        "warnings": (levels.count("warning"), "0;;0"),
        "unknown": (levels.count("unknown"), ";;0"),
        "ok": (levels.count("ok"), ";;0"),
    }
    if gateway is not None:
        numbers |= {
            "pending": (gateway["pending"], ";;0"),
            "active": (gateway["active"], ";;0"),
            "differing": (len(gateway["waiting"]), ";0;0"),
        }
    return status, line(status, words, numbers)
