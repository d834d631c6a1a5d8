"""The policy as a file: networks with all their rules as TOML, and cases that say what must come out of them. Pure.

The file is the whole: what it does not name has its usual value, and a network that is not in it is removed.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from jitd.core import durations, hours, policy, settings, terms, text
from jitd.core.errors import JitError
from jitd.core.localtime import parse_moment, zone_of
from jitd.core.model import Account, Network
from jitd.core.people import Answer, Person
from jitd.core.policy import Verdict

EXPECTED: Final = ("closed", "standing", "outside-hours", "refused", "auto", "ask")
_JIT: Final = "jit."
_CASE_KEYS: Final = (
    "user",
    "groups",
    "admin",
    "network",
    "at",
    "duration",
    "expect",
    "break_glass",
    "decides",
)
#: 2001-01-01 UTC, milliseconds.
_LONG_AGO_MS: Final = 978_307_200_000
#: The uid of the user of a case.
_UID: Final = 1000
#: Kept in a file even where it is as usual, because everybody wants to read it.
_ALWAYS: Final = ("routes", "default_duration", "max_duration", "jit.enabled")


@dataclass(frozen=True, slots=True)
class Entry:
    """A network of the file. `values` are plain, by the keys of settings.py; `line` is where it begins."""

    name: str
    interface: str
    values: Mapping[str, Any]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What must come out for somebody. `at_ms` None: at any hour."""

    line: int
    user: str
    groups: frozenset[str]
    admin: bool
    network: str
    at_ms: int | None
    duration_ms: int | None
    expect: str | None
    break_glass: bool | None
    decides: bool | None


@dataclass(frozen=True, slots=True)
class Policy:
    """A file that was read."""

    entries: tuple[Entry, ...]
    cases: tuple[Case, ...]


def read(typed: str) -> Policy:
    """Read a policy file. Raises JitError bad_request that names the line and what to type instead."""
    try:
        found = tomllib.loads(typed)
    except (ValueError, RecursionError) as error:  # no TOML; also a number of thousands of digits
        why = "it is nested too deeply" if isinstance(error, RecursionError) else text.clean(str(error))
        raise JitError(
            "bad_request", f"cannot read the policy: {why}", "Correct that line; nothing was changed."
        ) from None
    lines = _Lines(typed)
    _refuse_unknown(found, ("network", "case"), lines, "")
    tables = found.get("network", {})
    if not isinstance(tables, dict) or not all(isinstance(one, dict) for one in tables.values()):
        raise _wrong(
            lines.of("", "network"), "network is not a table", "Write [network.office] and its keys below it."
        )
    return Policy(
        tuple(_entry(name, table, lines) for name, table in tables.items()),
        tuple(_case(number, one, lines) for number, one in enumerate(_cases(found, lines))),
    )


def _entry(name: str, table: dict[str, Any], lines: "_Lines") -> Entry:
    place = f"network.{name}"
    line = lines.of(place)
    try:
        text.name(name, "network")
    except JitError as error:
        raise _wrong(line, error.message, error.hint) from None
    known = ["interface", "jit", *(key for key in settings.BY_KEY if not key.startswith(_JIT))]
    _refuse_unknown(table, known, lines, place)
    inner = table.get("jit", {})
    if not isinstance(inner, dict):
        raise _wrong(
            lines.of(place, "jit"), "jit is not a table", f"Write [{place}.jit] and its keys below it."
        )
    jit_keys = [key.removeprefix(_JIT) for key in settings.BY_KEY if key.startswith(_JIT)]
    _refuse_unknown(inner, jit_keys, lines, f"{place}.jit")
    interface = table.get("interface", "")
    if not isinstance(interface, str):
        raise _wrong(lines.of(place, "interface"), "interface is not text", 'Write interface = "wg0".')
    if interface:
        try:
            text.interface_name(interface)
        except JitError as error:
            raise _wrong(lines.of(place, "interface"), error.message, error.hint) from None
    values = {key: value for key, value in table.items() if key not in ("interface", "jit")}
    values |= {f"{_JIT}{key}": value for key, value in inner.items()}
    entry = Entry(name, interface, values, line)
    for key, value in values.items():
        # Each by itself, so that the line of the wrong one can be told.
        try:
            settings.with_values(usual(name, 0), {key: value})
        except JitError as error:
            place_of = (f"{place}.jit", key.removeprefix(_JIT)) if key.startswith(_JIT) else (place, key)
            raise _wrong(lines.of(*place_of), error.message, error.hint) from None
    if not values.get("routes"):
        raise _wrong(line, f"{name} has no routes", 'Write routes = ["10.0.0.0/8"].')
    try:
        settings.check(network(entry, usual(name, 0)))
    except JitError as error:
        raise _wrong(line, error.message, error.hint) from None
    return entry


def usual(name: str, created_ms: int) -> Network:
    """A network as it is where nothing is said of it."""
    return Network(id=0, name=name, interface_id=0, created_ms=created_ms)


def network(entry: Entry, before: Network) -> Network:
    """The network that the file describes, in the place of `before`: all other settings are as usual."""
    plain = usual(before.name, before.created_ms)
    found = settings.with_values(plain, entry.values)
    if "default_duration" not in entry.values:
        found = replace(found, default_duration_ms=min(found.default_duration_ms, found.max_duration_ms))
    return replace(found, id=before.id, interface_id=before.interface_id)


def write(networks: Iterable[tuple[Network, str]]) -> str:
    """The file of these networks, each with the name of its interface; `read` gives the same ones back."""
    import tomli_w  # only who exports needs it

    tables: dict[str, Any] = {}
    for one, interface in networks:
        plain, usually = settings.plain(one), settings.plain(usual(one.name, 0))
        table: dict[str, Any] = {"interface": interface}
        jit: dict[str, Any] = {}
        for key, value in plain.items():
            if key in _ALWAYS or value != usually[key]:
                (jit if key.startswith(_JIT) else table)[key.removeprefix(_JIT)] = value
        tables[one.name] = {**table, "jit": jit}
    head = (
        "# The policy of this gateway: jitctl policy apply FILE makes it so. What is not here is as usual; a network\n"
        "# that is not here is removed. See jitd-policy(5).\n\n"
    )
    return head + (tomli_w.dumps({"network": tables}) if tables else "")


# --- cases ---


def failures(networks: Iterable[Network], cases: Iterable[Case]) -> list[str]:
    """One sentence for each thing that does not come out as a case says, with its line and the rule that decided."""
    by_name = {one.name: one for one in networks}
    found = []
    for case in cases:
        one = by_name.get(case.network)
        if one is None:
            found.append(f"line {case.line}: there is no network {case.network} in the file")
            continue
        found += [f"line {case.line}: {sentence}" for sentence in _failures(one, case)]
    return found


def _failures(one: Network, case: Case) -> list[str]:
    # The user of a case is the one whom the rules mean.
    one = one.bind(None, lambda _: _UID)
    person = Person(name=case.user, exists=Answer.YES, uid=_UID, groups=case.groups)
    admin = Verdict(Answer.YES if case.admin else Answer.NO, "the case says so")
    found = []
    if case.expect is not None:
        outcome, why = _outcome(one, person, admin, case)
        if outcome != case.expect:
            found.append(f"{case.user} on {one.name} is {outcome}, and not {case.expect}: {why}")
    for wanted, verdict, what in (
        (case.break_glass, _may_break_glass(one, person, admin), "use break-glass"),
        (case.decides, policy.may_decide(one, person, admin), "decide"),
    ):
        if wanted is not None and bool(verdict) is not wanted:
            found.append(f"{case.user} may {'not ' if wanted else ''}{what} on {one.name}: {verdict.why}")
    return found


def _may_break_glass(one: Network, person: Person, admin: Verdict) -> Verdict:
    """As a request is judged: who may not use the network at all has no emergency there either."""
    member = policy.may_use(one, person, admin)
    if not member:
        return member
    if not one.jit_break_glass_quota:
        return Verdict(Answer.NO, "jit.break_glass_quota is 0")
    return policy.may_break_glass(one, person)


def _outcome(one: Network, person: Person, admin: Verdict, case: Case) -> tuple[str, str]:
    """What becomes of somebody who wants in, and why."""
    member = policy.may_use(one, person, admin)
    if not member:
        return "closed", member.why
    standing = policy.has_standing(one, person, admin, None)
    if standing:
        return "standing", standing.why
    if case.at_ms is not None and one.jit_hours and not hours.is_open(one.jit_hours, case.at_ms):
        return "outside-hours", f"the hours are {'; '.join(map(str, one.jit_hours))}"
    try:
        # As a request is judged: too long or too short is refused, and the end of the shift shortens.
        term = terms.term(
            one if case.at_ms is not None else replace(one, jit_hours=()),
            Account(id=0, uid=person.uid or 0, name=case.user),
            _LONG_AGO_MS if case.at_ms is None else case.at_ms,
            [terms.Wish(case.duration_ms)],
        )
    except JitError as error:
        return "refused", error.message
    rule, why = policy.auto_approval(one, person, term.duration_ms, {})
    if rule is not None:
        return "auto", why
    return "ask", policy.must_ask(one, person, admin, None).why


def _cases(found: dict[str, Any], lines: "_Lines") -> list[dict[str, Any]]:
    cases = found.get("case", [])
    if not isinstance(cases, list) or not all(isinstance(one, dict) for one in cases):
        raise _wrong(
            lines.of("", "case"), "case is not a list of tables", "Write [[case]] and its keys below it."
        )
    return cases


def _case(number: int, one: dict[str, Any], lines: "_Lines") -> Case:
    line = lines.of_case(number)
    for key in one:
        if key not in _CASE_KEYS:
            hint = text.meant(key, _CASE_KEYS, f"Use {', '.join(_CASE_KEYS)}.")
            raise _wrong(line, f"cannot use {text.clean(key)[:40]!r} in a case: there is no such key", hint)
    for key in ("user", "network"):
        if not isinstance(one.get(key), str) or not one[key]:
            raise _wrong(line, f"a case has no {key}", f'Write {key} = "…".')
        if text.clean(one[key]) != one[key]:
            raise _wrong(
                line, f"cannot use {text.clean(one[key])[:40]!r} as the {key} of a case", "Write a name."
            )
    groups = one.get("groups", [])
    if not isinstance(groups, list) or not all(isinstance(group, str) for group in groups):
        raise _wrong(line, "groups of a case is not a list of names", 'Write groups = ["staff"].')
    for key in ("admin", "break_glass", "decides"):
        if not isinstance(one.get(key, False), bool):
            raise _wrong(line, f"{key} of a case is neither true nor false", f"Write {key} = true.")
    expect = one.get("expect")
    if expect is not None and expect not in EXPECTED:
        raise _wrong(line, f"cannot expect {str(expect)[:40]!r}", f"Use one of {', '.join(EXPECTED)}.")
    if expect is None and "break_glass" not in one and "decides" not in one:
        raise _wrong(line, "a case expects nothing", "Add expect, break_glass or decides.")
    try:
        return Case(
            line=line,
            user=one["user"],
            groups=frozenset(group.removeprefix("@") for group in groups),
            admin=one.get("admin", False),
            network=one["network"],
            at_ms=_moment(one["at"]) if "at" in one else None,
            duration_ms=durations.parse(str(one["duration"])) if "duration" in one else None,
            expect=expect,
            break_glass=one.get("break_glass"),
            decides=one.get("decides"),
        )
    except JitError as error:
        raise _wrong(line, error.message, error.hint) from None


def _moment(typed: object) -> int:
    """`Mon 09:00 Europe/Berlin`, or `2026-12-01 09:00 UTC`. A case may lie in the past: it is read from long ago on."""
    return parse_moment(str(typed), _LONG_AGO_MS, zone_of("UTC"))


# --- lines ---


class _Lines:
    """Where in a text a table or a key of it stands."""

    def __init__(self, typed: str) -> None:
        self._tables: dict[str, int] = {}
        self._keys: dict[tuple[str, str], int] = {}
        self._case_lines: list[int] = []
        table = ""
        for number, line in enumerate(typed.split("\n"), start=1):  # what TOML calls a line
            if found := re.match(r"\s*\[\[\s*case\s*\]\]", line):
                self._case_lines.append(number)
                table = f"case.{len(self._case_lines)}"
            elif found := re.match(r"\s*\[([^\[\]]+)\]", line):
                table = ".".join(part.strip().strip("\"'") for part in found[1].split("."))
                self._tables.setdefault(table, number)
            elif found := re.match(r"\s*([A-Za-z0-9_.\"'-]+)\s*=", line):
                key = found[1].replace('"', "").replace("'", "")
                place, _, last = f"{table}.{key}".strip(".").rpartition(".")
                self._keys.setdefault((place, last), number)

    def of(self, table: str, key: str = "") -> int:
        """The line of a key, else of its table; 1 when neither is found."""
        return self._keys.get((table, key)) or self._tables.get(table) or 1

    def of_case(self, number: int) -> int:
        """The line where a case begins."""
        return self._case_lines[number] if number < len(self._case_lines) else 1


def _refuse_unknown(found: Mapping[str, Any], known: Iterable[str], lines: _Lines, table: str) -> None:
    names = list(known)
    for key in found:
        if key not in names:
            place = f" in [{table}]" if table else ""
            raise _wrong(
                lines.of(f"{table}.{key}".strip(".")) if lines.of(table, key) == 1 else lines.of(table, key),
                f"cannot use {text.clean(key)[:40]!r}{place}: there is no such key",
                text.meant(key, names, f"There are {', '.join(names)}."),
            )


def _wrong(line: int, message: str, hint: str) -> JitError:
    return JitError("bad_request", f"line {line}: {message}", hint)


def principals(typed: str) -> set[str]:
    """Everybody whom a file names, as far as it can be read: whoever checks them must ask about those first."""
    try:
        return {
            one for entry in read(typed).entries for one in network(entry, usual(entry.name, 0)).principals
        }
    except JitError:
        return set()
