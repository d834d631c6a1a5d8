"""How many cells of a terminal words take, and how they are broken into lines by that: pure."""

import unicodedata
from collections.abc import Iterator
from typing import Final

_WIDE: Final = frozenset("WF")
#: Categories of characters that stand on the one before.
_MARKS: Final = frozenset({"Mn", "Me", "Cf"})


def width(words: str) -> int:
    """Cells that words take on a terminal."""
    return len(words) if words.isascii() else sum(map(_width, words))


def _width(char: str) -> int:
    if unicodedata.east_asian_width(char) in _WIDE:
        return 2
    return 0 if unicodedata.category(char) in _MARKS else 1


def cut(words: str, cells: int) -> str:
    """The beginning of words that takes at most so many cells, with an ellipsis where something is missing."""
    if width(words) <= cells:
        return words
    return _beginning(words, cells - 1) + "…" if cells > 0 else ""


def _beginning(words: str, cells: int) -> str:
    taken = 0
    for place, char in enumerate(words):
        taken += _width(char)
        if taken > cells:
            return words[:place]
    return words


def wrap(words: str, cells: int, *, whole: bool = False) -> Iterator[str]:
    """Lines of at most so many cells, at least one. Broken at blanks; a word only where it is longer than a line, and not
    even there if words are to stay `whole`.
    """
    line = ""
    for word in words.split():
        rest = word
        if line and width(line) + 1 + width(rest) <= cells:
            line = f"{line} {rest}"
            continue
        if line:
            yield line
        while width(rest) > cells and not whole:
            begins = _beginning(rest, cells) or rest[0]
            yield begins
            rest = rest[len(begins) :]
            if not rest:
                break
        line = rest
    yield line
