"""`jitctl __complete KIND`: values for a shell that completes, one a line, with a tab and a description behind each.

Runs at every Tab: without Typer, within a short time, and without a word where jitd is away. What is printed is shown,
and put on a command line: names of a safe form alone, and descriptions without anything that a terminal acts on.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from jitctl.api import transport
from jitd.core import text
from jitd.core.errors import JitError

#: Seconds for the answer: a Tab that hangs is worse than one that says nothing.
PATIENCE: Final = 1.0
#: How many are offered; with more, one types more.
MOST: Final = 100
#: Characters of a description.
LENGTH: Final = 60
#: Names as directories have them, too; each shell quotes what it puts on a line. Nothing that would do more than name
#: somebody if one did not: no parentheses, semicolons, pipes, backquotes, patterns, quotes.
_SAFE: Final = re.compile(r"[\w@][\w .@+$\\-]*")

_Values = Iterable[tuple[str, str]]
_Ask = Callable[[str], Any]


def answer(kind: str, where: Sequence[str] = ()) -> str:
    """The values of a kind; "" where there are none, or nobody to ask.

    `where` are the options of the line that say which gateway is meant, each with its value.
    """
    named = dict(zip(where[::2], where[1::2], strict=False))
    socket = named.pop("--socket", "")
    # Over ssh it would take too long.
    if kind not in KINDS or named or (not socket and transport.is_elsewhere()):
        return ""

    def asked(path: str) -> Any:
        line = transport.connect(socket or transport.default_socket())
        line.settimeout(PATIENCE)
        return transport.ask(transport.Channel(line), "GET", path)

    try:
        lines = [
            f"{value}\t{text.clean(words)[:LENGTH]}"
            for value, words in KINDS[kind](asked)
            if _SAFE.fullmatch(value)
        ]
    except (JitError, OSError, KeyError, TypeError, ValueError):
        return ""
    return "".join(f"{line}\n" for line in lines[:MOST])


def _requests(query: str) -> Callable[[_Ask], _Values]:
    def values(ask: _Ask) -> _Values:
        for one in ask(f"/v1/list?limit={MOST}{query}")["requests"]:
            yield str(one["id"]), f"{one['user']} {one['network']} ({one['status']}): {one['reason']}"

    return values


def _own(query: str) -> Callable[[_Ask], _Values]:
    """Requests of one's own, by number and by the name of the network."""

    def values(ask: _Ask) -> _Values:
        for one in ask(f"/v1/list?limit={MOST}&mine=true{query}")["requests"]:
            yield str(one["id"]), f"{one['network']} ({one['status']}): {one['reason']}"
            yield one["network"], f"{one['status']}: {one['reason']}"

    return values


def _networks(ask: _Ask) -> _Values:
    for one in ask("/v1/network/list")["networks"]:
        yield one["name"], ", ".join(one["routes"])


def _users(ask: _Ask) -> _Values:
    for one in ask("/v1/user/list")["users"]:
        yield one["name"], one.get("email") or ""


def _devices(ask: _Ask) -> _Values:
    for one in ask("/v1/device/list")["devices"]:
        yield one["name"], one["user"]


def _interfaces(ask: _Ask) -> _Values:
    for one in ask("/v1/interface/list")["interfaces"]:
        yield one["name"], one.get("endpoint") or ""


def _examined(ask: _Ask) -> _Values:
    """Parts of the gateway, for those who may, and networks."""
    for one in ask("/v1/doctor").get("parts", []):
        yield one, "a part of the gateway"
    yield from _networks(ask)


#: What can be asked for, by the name that the shells' scripts use.
KINDS: Final[Mapping[str, Callable[[_Ask], _Values]]] = {
    "decidable": _requests("&decidable=true"),
    "live": _requests("&status=active&status=scheduled"),
    "requests": _requests(""),
    "own": _own("&status=pending&status=active&status=scheduled"),
    "networks": _networks,
    "users": _users,
    "devices": _devices,
    "interfaces": _interfaces,
    "examined": _examined,
}
