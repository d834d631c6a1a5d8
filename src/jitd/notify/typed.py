"""What people typed, on its way into a mail: on one line, nothing invisible, and no address that a mail program links."""

import re
from collections.abc import Mapping
from typing import Final

from jitd.core.text import clean

#: Facts that are names, or one of jitd's own words. They are shown, and stand in commands, as they are; people cannot
#: choose them freely. Every other text is taken for something that somebody typed.
NAMES: Final = frozenset(
    {
        "user",
        "network",
        "requested_by",
        "decided_by",
        "ended_by",
        "by",
        "agreed",
        "interface",
        "device",
        "devices",
        "networks",
        "status",
    }
)
TYPED_LENGTH: Final = 1000  # characters of a reason, which is the most that is kept of one
NAME_LENGTH: Final = 200  # characters; a name of the system may be longer than one of ours

# Characters that white space does not fold, and that leave room as if nothing were there: a line could be faked.
_BLANK: Final = str.maketrans(dict.fromkeys("\u115f\u1160\u2800\u3164\uffa0\u034f\u17b4\u17b5", " "))
_JOINERS: Final = "\u200c\u200d"
_LETTER: Final = rf"[^\W\d_][{_JOINERS}]*"
# A dot in the middle of a name whose next part could be a top-level domain: two letters or more, in any script. The
# full-width and Chinese dots count as dots in names.
_DOT: Final = re.compile(rf"(?<=[\w{_JOINERS}-])([.\u3002\uff0e\uff61])(?=[{_JOINERS}]*{_LETTER}{_LETTER})")
_WWW: Final = re.compile(r"\b(www)([.\u3002\uff0e\uff61])(?=\S)", re.IGNORECASE)
_SLASHES: Final = re.compile(r"(?<=[A-Za-z0-9]):(?=[/\\]{2})")
# Schemes that programs act on without two slashes.
_SCHEME: Final = re.compile(
    r"\b(mailto|callto|tel|sms|sips?|skype|xmpp|facetime(?:-audio)?|news|magnet|data|javascript|vbscript):(?=\S)",
    re.ASCII | re.IGNORECASE,
)
_SHARE: Final = re.compile(r"(?<!\S)(\\\\)(?=\w)")


def defused(typed: str) -> str:
    """The text with its addresses made unusable where anybody sees it: `https[:]//evil[.]example`.

    Mail programs make links of what looks like one, in plain text as well.
    """
    text = _SHARE.sub(r"[\1]", typed)
    text = _SLASHES.sub("[:]", text)
    text = _SCHEME.sub(r"\1[:]", text)
    text = _WWW.sub(r"\1[\2]", text)
    return _DOT.sub(r"[\1]", text)


def harmless(facts: Mapping[str, object]) -> dict[str, object]:
    """The facts of a message with every text in them made harmless. Numbers and truth values stay."""
    return {key: _value(value, name=key in NAMES) for key, value in facts.items()}


def one_line(text: str, length: int) -> str:
    """The text on one line, at most `length` characters, the last of them an ellipsis where something was cut."""
    cleaned = clean(text.translate(_BLANK))
    return cleaned if len(cleaned) <= length else f"{cleaned[: length - 1].rstrip()}…"


def _value(value: object, *, name: bool) -> object:
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return one_line(value, NAME_LENGTH) if name else defused(one_line(value, TYPED_LENGTH))
        case Mapping():
            return {str(key): _value(inner, name=name) for key, inner in value.items()}
        case list() | tuple():
            return [_value(inner, name=name) for inner in value]
        case _:
            return _value(str(value), name=name)
