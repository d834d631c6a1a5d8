"""Facts to try templates with at the start: what usually comes, as little as can come, and what nobody wants to see."""

from collections.abc import Mapping
from typing import Final

from jitd.core.durations import HOUR, MINUTE
from jitd.notify.facts import FACTS, OF_GRANTS

#: Marks a text that somebody typed, and one that is a name, wherever they end up.
MARKER: Final = "qztyped"
NAME_MARKER: Final = "qzname"

_AT: Final = 1_795_437_000_000  # Mon 2026-11-23 09:50 UTC
_USUAL: Final[Mapping[str, object]] = {
    "id": 12,
    "user": "alice",
    "network": "office",
    "reason": "ticket 42: read the logs",
    "requested_by": "alice",
    "requested": _AT,
    "wanted": 2 * HOUR,
    "until": None,
    "start": None,
    "default": HOUR,
    "lapses": _AT + 24 * HOUR,
    "urgent": False,
    "break_glass": False,
    "extends": None,
    "approvals": 1,
    "agreed": "",
    "origin": "pts/3, ssh from 192.0.2.7",
    "decided_by": "carol",
    "comment": "until the release is out",
    "starts": _AT + 5 * MINUTE,
    "ends": _AT + 2 * HOUR + 5 * MINUTE,
    "duration": 2 * HOUR,
    "cap": "",
    "before": _AT + HOUR,
    "ended_by": "carol",
    "ended_comment": "the laptop was lost",
    "device": "laptop",
    "networks": ["office", "prod-db"],
    "what": ["approvals: 2 -> 3", "members: none -> alice"],
    "at": _AT + 5 * MINUTE,
    "by": "carol",
}
_HOSTILE: Final = (
    f"{MARKER} \"'><a href='https://{MARKER}.invalid/'>{MARKER}</a> onclick={MARKER} <!-- {{{{7*7}}}}"
)
_TYPED: Final = ("reason", "origin", "comment", "cap", "ended_comment")
_NAMED: Final = ("user", "network", "requested_by", "decided_by", "ended_by", "device", "by", "agreed")
_NAME: Final = f"{NAME_MARKER} {NAME_MARKER}=\"'><{NAME_MARKER}>"
_FULL: Final[Mapping[str, object]] = {
    **_USUAL,
    **dict.fromkeys(_TYPED, _HOSTILE),
    **dict.fromkeys(_NAMED, _NAME),
    "networks": [_NAME, _NAME],
    "what": [_HOSTILE, _HOSTILE],
    "until": _AT + 3 * HOUR,
    "start": _AT + HOUR,
    "urgent": True,
    "break_glass": True,
    "extends": 7,
    "approvals": 2,
}
_LITTLE: Final[Mapping[str, object]] = {
    **dict.fromkeys(FACTS),
    "id": 12,
    "user": "alice",
    "network": "office",
    "at": _AT,
}


def usual(**other: object) -> dict[str, object]:
    """What a message usually carries, with `other` in place of that."""
    return {**_USUAL, **other}


def of(message: str) -> tuple[Mapping[str, object], ...]:
    """The facts that the template of a message has to do with."""
    times = ("starts", "ends") if message in OF_GRANTS else ()
    return (
        usual(),
        usual(urgent=True, extends=7, cap="the maximum is 8h", decided_by="policy", ended_by=""),
        usual(wanted=None, until=_AT + 3 * HOUR, start=_AT + HOUR, starts=_AT + HOUR, break_glass=True),
        {**_LITTLE, **{name: _USUAL[name] for name in times}},
        _FULL,
    )


def digest() -> tuple[Mapping[str, object], ...]:
    """The same for the digest."""
    line = {"subject": _HOSTILE, "id": 12, "at": _AT, "urgent": True}
    return (
        {"lines": [{**line, "subject": "alice asks for office (request 12)"}], "count": 1, "deciders": True},
        {"lines": [line, {**line, "at": None, "urgent": False}], "count": 3, "deciders": False},
    )
