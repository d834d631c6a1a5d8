"""How the lines of doctor are shown: the words and the style of each level."""

from collections.abc import Sequence
from typing import Final

#: (before a line, one of them in a sum, several, style) from the worst to the best: a colour never says anything alone.
LEVELS: Final = {
    "broken": ("BROKEN", "broken", "broken", "bold red"),
    "warning": ("warning", "warning", "warnings", "yellow"),
    "unknown": ("unknown", "unknown", "unknown", "cyan"),
    "ok": ("ok", "ok", "ok", "green"),
}
WIDTH: Final = 7


def total(found: Sequence[str]) -> str:
    """`2 broken, 1 warning, 14 ok`, of the levels of the lines."""
    counts = {level: found.count(level) for level in LEVELS}
    return ", ".join(
        f"{count} {LEVELS[level][1 if count == 1 else 2]}"
        for level, count in counts.items()
        if count or level == "ok"
    )
