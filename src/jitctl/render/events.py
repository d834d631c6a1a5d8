"""Events in words and as lines: of a request's history, and of the audit log."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from jitctl.render import times
from jitctl.render.output import clean, hang, out, out_flush
from jitctl.render.statuses import STATUS
from jitd.core import durations
from jitd.core.events import EventKind, Severity

if TYPE_CHECKING:
    from jitd import wire

#: Styles of events: only what somebody has to notice among the rest.
_STYLES: Final = {
    Severity.ASKS: STATUS["pending"][1],
    Severity.OPENS: STATUS["active"][1],
    Severity.CLOSES: STATUS["revoked"][1],
    Severity.ALARM: "bold red",
}
#: Why an end came when it did, where somebody has set a clock.
_CLOCK: Final = {
    "boot": "by the boot clock, the wall clock was set back",
    "wall": "by the wall clock, it was set forward",
}
#: How facts are shown that are no text, by their name.
_SHOWN: Final[Mapping[str, Callable[[Any], str]]] = {
    "duration": durations.show,
    "wanted": durations.show,
    "begins": times.local,
    "ends": times.local,
    "start": times.local,
}


def sentence(event: wire.EventView) -> str:
    """What happened. A kind that this jitctl does not know is named as it is."""
    kind, data = EventKind.of(event["kind"]), event["data"]
    words = event["kind"].replace("_", " ")
    if kind is not None:
        # A newer daemon may tell it with other facts.
        with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError, OverflowError):
            words = kind.row.sentence.format_map(_Facts(event, data))
    later = " (recorded later: the store could not be written then)" if data.get("recorded_later") else ""
    return clean(words + later)


def style(event: wire.EventView) -> str:
    """The style of an event's kind; "" where it has none."""
    kind = EventKind.of(event["kind"])
    return _STYLES.get(kind.row.severity, "") if kind is not None else ""


def by(event: wire.EventView) -> str:
    """Who acted: `carol`, `root (carol)` behind sudo, `svc (login claimed: carol)` otherwise, `jitd` by itself."""
    actor = event["actor"]
    if actor is None:
        return "jitd"
    login = actor["login_user"]
    if not login or login == actor["user"]:
        return clean(actor["user"])
    return clean(f"{actor['user']} ({'login claimed: ' if actor['uid'] else ''}{login})")


def print_history(reply: wire.ShowReply) -> None:
    """Print the history of one request. Where it is long, jitd has left events out in the middle of it."""
    events, left_out, number = reply["events"], reply.get("left_out", 0), reply["request"]["id"]
    gap = max(range(1, len(events)), key=lambda at: events[at]["seq"] - events[at - 1]["seq"], default=0)
    for at, event in enumerate(events):
        if left_out and at == gap:
            out(f"… {left_out} events are left out here: jitctl events --id {number} --all")
        when, told = line(event).split("  ", 1)
        hang(f"{when}  ", told)


def line(event: wire.EventView) -> str:
    """An event of one request as a line of its history: when, by whom, what, from where."""
    return _line(event, "")


def entry(event: wire.EventView) -> str:
    """An event as a line among those of others: as `line`, with the request that it is about and whose that is."""
    about = f", {event['id']}" if event["id"] else ""
    if about and event["user"] and event["user"] != by(event):
        about += f" of {clean(event['user'])}"
    return _line(event, about)


def _line(event: wire.EventView, about: str) -> str:
    origin = f" [{clean(event['actor']['origin'])}]" if event["actor"] and event["actor"]["origin"] else ""
    return f"{times.local(event['at'])}  {by(event)}{about}: {sentence(event)}{origin}"


def print_event(event: wire.EventView, *, flush: bool = False) -> None:
    """Print an event behind its number, in colour where somebody has to notice it."""
    at, told = entry(event).split("  ", 1)
    hang(f"{event['seq']:>6}  {at}  ", told, style=style(event))
    if flush:
        out_flush()


class _Fact:
    """What stands in a sentence for one fact: its value, or what is said around it, or without it."""

    def __init__(self, name: str, value: Any) -> None:
        self._name = name
        self._value = value

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._value or ())

    def __format__(self, around: str) -> str:
        if around and not self._value:
            return around.partition("|")[2]
        shown = _SHOWN.get(self._name, str)
        if self._value is None:
            raise KeyError(self._name)
        if isinstance(self._value, list):
            value = ("; " if self._name == "what" else ", ").join(map(shown, self._value))
        else:
            value = shown(self._value)
        return around.partition("|")[0].replace("%", value) if around else value


class _Facts(dict[str, _Fact]):
    """The facts of an event by name: its columns, its data, and what is worked out of that."""

    def __init__(self, event: wire.EventView, data: dict[str, Any]) -> None:
        super().__init__()
        self._event: Mapping[str, Any] = event
        self._data = data

    def __missing__(self, name: str) -> _Fact:
        if name in ("user", "network", "interface", "device"):
            return _Fact(name, self._event[name])
        worked_out = _WORKED_OUT.get(name)
        return _Fact(name, worked_out(self._event, self._data) if worked_out else self._data.get(name))


def _begins(event: Mapping[str, Any], data: dict[str, Any]) -> int | None:
    """When access begins, where that is later."""
    return data["starts"] if data.get("starts", 0) > event["at"] else None


def _people(_event: object, data: dict[str, Any]) -> str:
    named = (("gained", data.get("gains")), ("lost", data.get("loses")))
    return "; ".join(f"{', '.join(who)} {how} access" for how, who in named if who)


def _whose(event: Mapping[str, Any], data: dict[str, Any]) -> str:
    if data.get("device"):
        return f"{event['user']}'s {data['device']}, which has no access,"
    return "an unknown peer"


def _changes(_event: object, data: dict[str, Any]) -> str:
    before, after = data.get("before", {}), data.get("after", {})
    return ", ".join(
        f"{key} {_value(before.get(key))} -> {_value(after[key])}"
        for key in after
        if before.get(key) != after[key]
    )


def _ends_and_mail(_event: object, data: dict[str, Any]) -> str:
    before, after = data["before"], data["after"]
    parts = []
    if before["ends"] != after["ends"]:
        parts.append(f"ends {times.local(after['ends'])}")
    if before["email"] != after["email"]:
        parts.append(f"mail goes to {after['email'] or 'nowhere'}")
    return ", ".join(parts)


def _value(value: object) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


_WORKED_OUT: Final[Mapping[str, Callable[[Mapping[str, Any], dict[str, Any]], object]]] = {
    "begins": _begins,
    "changes": _changes,
    "ends_and_mail": _ends_and_mail,
    "missing": lambda _, data: data["mark"] - data["seq"],
    "people": _people,
    "set_clock": lambda _, data: _CLOCK.get(data.get("clock", "")),
    "whose": _whose,
}
