"""Bars and sparklines in text. They never say anything that no number beside them says."""

import sys
from collections.abc import Sequence
from typing import Final

_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_HEIGHTS: Final = "▁▂▃▄▅▆▇█"
#: For terminals and files that cannot show these.
_PLAIN_HEIGHTS: Final = ".:-=+*#@"


def bar(value: float, most: float, width: int) -> str:
    """A bar as long as the value is of the most, at most `width` characters; what is not nothing can be seen."""
    if value <= 0 or most <= 0:
        return ""
    share = min(1.0, value / most)
    if not is_drawn():
        return "#" * max(1, round(share * width))
    full, rest = divmod(max(1, round(share * width * 8)), 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")


def sparkline(values: Sequence[int]) -> str:
    """A character for each value, as high as the value is of the highest; a dot or blank for nothing."""
    heights, nothing = (_HEIGHTS, "·") if is_drawn() else (_PLAIN_HEIGHTS, "_")
    most = max(values, default=0)
    return "".join(
        nothing if value <= 0 else heights[min(len(heights) - 1, (value * len(heights) - 1) // most)]
        for value in values
    )


def is_drawn() -> bool:
    """Whether what is printed can hold more than ASCII."""
    return (sys.stdout.encoding or "ascii").lower().replace("-", "").startswith("utf")
