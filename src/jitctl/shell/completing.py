"""`jitctl __complete WORDS`: what may stand at the end of a line, one value a line, with a tab and a description behind it.

Verbs, options and their values stand in completions.json, which packaging/completions.py writes from the program.
Runs at every Tab: without Typer, within a short time, and without a word where jitd is away. What is printed is shown,
and put on a command line: names of a safe form alone, and descriptions without anything that a terminal acts on.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
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

#: Stands alone where the name of a file is wanted, which shells know better.
FILES: Final = ":files"
_TABLE: Final = Path(__file__).with_name("completions.json")
#: The options that say which gateway is asked.
_GATEWAYS: Final = ("--socket", "--host", "--profile")

_Values = Iterable[tuple[str, str]]
_Ask = Callable[[str], Any]


def answer(words: Sequence[str]) -> str:
    """What may stand in the place of the last of the words of a line; "" where there is nothing, or nobody to ask."""
    *before, current = words
    table = json.loads(_TABLE.read_text("utf-8"))
    verb, place, pending, gateway = "", 0, "", {}
    for word in before:
        name, sign, value = word.partition("=")
        if pending:
            gateway[pending], pending = word, ""
        elif word.startswith("-"):
            gateway[name] = value
            pending = name if not sign and _option(table, verb, name) else ""
        elif verb in table["names"]:
            verb = f"{verb} {word}".strip()
        else:
            place += 1
    name, sign, _ = current.partition("=")
    begins = f"{name}=" if not pending and sign and name.startswith("--") else ""
    of_verb = table["verbs"].get(verb, {"options": {}, "arguments": []})
    if pending or begins:
        kind = _option(table, verb, pending or name)
    elif current.startswith("-"):
        return _lines((one, text) for one, (text, _) in {**of_verb["options"], **table["everywhere"]}.items())
    elif verb in table["names"]:
        return _lines(table["names"][verb].items())
    else:
        kinds = of_verb["arguments"]
        last = kinds[-1] if kinds and kinds[-1].endswith("*") else ""  # it may be repeated
        kind = (kinds[place] if place < len(kinds) else last).rstrip("*")
    if kind == "file":
        return f"{FILES}\n"
    if kind.startswith("="):
        found: _Values = ((one, "") for one in kind[1:].split())
    else:
        found = _asked(kind, {one: gateway[one] for one in _GATEWAYS if one in gateway})
    return _lines((begins + value, text) for value, text in found)


def _option(table: Any, verb: str, name: str) -> str:
    """The kind of an option's value, "" for one that takes none."""
    options = {**table["verbs"].get(verb, {"options": {}})["options"], **table["everywhere"]}
    return str(options.get(name, ("", ""))[1])


def _lines(found: _Values) -> str:
    return "".join(f"{value}\t{words}\n" for value, words in found)


def _asked(kind: str, gateway: dict[str, str]) -> list[tuple[str, str]]:
    """The values of a kind that jitd knows; none where it cannot be asked in time."""
    socket = gateway.pop("--socket", "")
    # Over ssh it would take too long.
    if kind not in KINDS or gateway or (not socket and transport.is_elsewhere()):
        return []

    def asked(path: str) -> Any:
        line = transport.connect(socket or transport.default_socket())
        line.settimeout(PATIENCE)
        return transport.ask(transport.Channel(line), "GET", path)

    try:
        return [
            (value, text.clean(words)[:LENGTH])
            for value, words in KINDS[kind](asked)
            if _SAFE.fullmatch(value)
        ][:MOST]
    except (JitError, OSError, KeyError, TypeError, ValueError):
        return []


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


#: What can be asked for, by the name that completions.json uses.
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
