"""The settings of a network by the names that people type, in `network set`, in a policy file and in events.

Plain values are what TOML and JSON have: text, whole numbers, true and false, lists of text. Durations are text such
as `8h`. A plain value that `plain` gives is read back to the same network.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from jitd.core import addresses, durations, text
from jitd.core import principals as names
from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.hours import parse_hours
from jitd.core.model import AutoApproval, Network
from jitd.core.ports import parse_ports

#: A value as TOML and JSON have it.
Plain = str | int | bool | list[str]

#: Milliseconds in which break-glass and automatic approvals are counted.
WEEK_MS: Final = 7 * durations.DAY
MOST_APPROVALS: Final = 10
_LONGEST_PATTERN: Final = 200  # characters
_AUTO: Final = re.compile(r"(?P<who>.+) up to (?P<most>[^\s,]+),? (?P<number>[0-9]{1,4}) a week", re.ASCII)


class Change(NamedTuple):
    """One change as it is typed: `KEY=VALUE`, `KEY+=VALUE` or `KEY-=VALUE`."""

    key: str
    operator: str
    value: str


class _Kind(NamedTuple):
    """How a kind of value is read and shown. `separator` stands between the values of a list, "" for single ones."""

    read: Callable[[str, Any], Any]
    show: Callable[[Any], Plain]
    expected: str
    separator: str = ""
    suffix: str = ""  # of the field that has it


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: what it is called, and what it says."""

    key: str
    kind: _Kind
    help: str

    @property
    def field(self) -> str:
        """What Network and the store call it: as the key, with the unit of a number of milliseconds."""
        return self.key.replace(".", "_") + self.kind.suffix


def parse_auto_approval(typed: str) -> AutoApproval:
    """Read `@dev,alice up to 1h, 5 a week`. Raises JitError bad_request."""
    found = _AUTO.fullmatch(typed.strip())
    if found is None:
        raise JitError(
            "bad_request",
            f"cannot read the rule {text.clean(typed)[:80]!r}",
            'Write it as "@dev,alice up to 1h, 5 a week": users, the longest duration, uses per week.',
        )
    who = tuple(sorted({names.read("jit.auto_approve", one) for one in names.split(found["who"], ",")}))
    rule = AutoApproval(who, durations.parse(found["most"]), int(found["number"]))
    if rule.a_week < 1:
        raise JitError(
            "bad_request", f"cannot use the rule {typed!r}: it approves nothing", "Remove the rule instead."
        )
    return rule


def _texts(key: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _wrong(key, value, "a list of text")
    return value


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(key, value, "text")
    return text.clean(value)


def _pattern(key: str, value: Any) -> str:
    import regex

    typed = _text(key, value)
    if len(typed) > _LONGEST_PATTERN:
        raise JitError("bad_request", f"cannot use {key}: it is longer than {_LONGEST_PATTERN} characters")
    try:
        regex.compile(typed)
    except regex.error as error:
        raise JitError(
            "bad_request",
            f"cannot use {key}: {text.clean(typed)!r} is not a regular expression: {error}",
            'Write one for the whole reason, for example "OPS-[0-9]+.*".',
        ) from None
    return typed


def _duration(key: str, value: Any) -> int:
    if not isinstance(value, str):
        raise _wrong(key, value, 'a duration in quotes, such as "8h"')
    try:
        return durations.parse(value)
    except JitError as error:
        raise JitError(error.code, f"{error.message} (for {key})", error.hint) from None


def _number(key: str, value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 6:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 100_000:
        raise _wrong(key, value, "a whole number")
    return value


def _switch(key: str, value: Any) -> bool:
    words = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    if not isinstance(value, bool):
        raise _wrong(key, value, "true or false")
    return value


def _need(key: str, value: Any) -> bool:
    if value not in ("required", "optional"):
        raise _wrong(key, value, '"required" or "optional"')
    return bool(value == "required")


def _wrong(key: str, value: object, expected: str) -> JitError:
    return JitError(
        "bad_request", f"cannot use {text.clean(str(value))[:40]!r} for {key}", f"It has to be {expected}."
    )


def _list(each: Callable[[str, str], Any], *, ordered: bool = False) -> Callable[[str, Any], tuple[Any, ...]]:
    def read(key: str, value: Any) -> tuple[Any, ...]:
        found = list(dict.fromkeys(each(key, one) for one in _texts(key, value)))
        return tuple(found if ordered else sorted(found))

    return read


def _shown(values: Iterable[object]) -> list[str]:
    return [str(value) for value in values]


_WHO: Final = _Kind(_list(names.read), _shown, 'users and groups, such as "alice" and "@staff"', ",")
_ROUTES: Final = _Kind(
    lambda key, value: addresses.routes(_texts(key, value)), _shown, 'networks such as "10.0.0.0/8"', ","
)
_PORTS: Final = _Kind(
    _list(lambda _, one: parse_ports(one), ordered=True), _shown, 'ports such as "tcp/5432"; none: all', ","
)
_HOURS: Final = _Kind(
    _list(lambda _, one: parse_hours(one), ordered=True),
    _shown,
    'windows such as "Mon-Fri 08:00-18:00 Europe/Berlin"; none: always',
    ";",
)
_RULES: Final = _Kind(
    _list(lambda _, one: parse_auto_approval(one), ordered=True),
    _shown,
    'rules such as "@dev up to 1h, 5 a week"',
    ";",
)
_DURATION: Final = _Kind(_duration, durations.show, 'a duration such as "8h"', suffix="_ms")
_NUMBER: Final = _Kind(_number, int, "a whole number")
_SWITCH: Final = _Kind(_switch, bool, "true or false")
_TEXT: Final = _Kind(_text, str, "text")
_PATTERN: Final = _Kind(_pattern, str, 'a regular expression for the whole reason, such as "OPS-[0-9]+.*"')
_NEED: Final = _Kind(
    _need, lambda needed: "required" if needed else "optional", '"required" or "optional"', suffix="_required"
)

SETTINGS: Final = (
    Setting("routes", _ROUTES, "the routes that the network opens"),
    Setting("ports", _PORTS, "the ports that it opens; none: all of them"),
    Setting("members", _WHO, "the users and groups that may use the network; none: everybody, as long as everybody has to ask"),
    Setting("approvers", _WHO, "the users and groups that decide about requests, beside administrators"),
    Setting("approvals", _NUMBER, "the number of different people who have to approve a request"),
    Setting("default_duration", _DURATION, "the duration of a grant whose request names none"),
    Setting("max_duration", _DURATION, "the longest grant, at most 365d"),
    Setting("min_duration", _DURATION, "the shortest grant"),
    Setting("extend_beyond_max", _SWITCH, "whether extensions may go on after the maximum"),
    Setting("pending_ttl", _DURATION, "the time after which an undecided request lapses"),
    Setting("reason", _NEED, "whether a request needs a reason"),
    Setting("reason_min_length", _NUMBER, "the minimum length of a reason, in characters"),
    Setting("reason_pattern", _PATTERN, "a pattern that the whole reason has to match"),
    Setting("reason_expected", _TEXT, "a description of that pattern, which is shown to users"),
    Setting("jit.enabled", _SWITCH, "whether access has to be asked for; otherwise members have it standing"),
    Setting("jit.groups", _WHO, "the users and groups that have to ask; none: everybody but administrators"),
    Setting("jit.exempt", _WHO, "the users and groups that never have to ask"),
    Setting("jit.admins_too", _SWITCH, "whether administrators have to ask as everybody else does"),
    Setting("jit.hours", _HOURS, "the shifts: access can be asked for in them, and ends with them"),
    Setting("jit.break_glass", _WHO, "the users and groups that may open the network at once in an emergency"),
    Setting("jit.break_glass_max", _DURATION, "the longest break-glass access"),
    Setting("jit.break_glass_reason_min_length", _NUMBER, "the minimum length of a break-glass reason, in characters"),
    Setting("jit.break_glass_quota", _NUMBER, "the number of break-glass uses per person and week"),
    Setting("jit.auto_approve", _RULES, "the rules by which requests are approved automatically"),
)  # fmt: skip
BY_KEY: Final = {setting.key: setting for setting in SETTINGS}


def plain(network: Network) -> dict[str, Plain]:
    """All settings of a network as plain values, by key."""
    return {setting.key: setting.kind.show(getattr(network, setting.field)) for setting in SETTINGS}


def setting(key: str) -> Setting:
    """The setting of this name. Raises JitError bad_request with a suggestion."""
    found = BY_KEY.get(key)
    if found is None:
        raise JitError(
            "bad_request",
            f"cannot set {text.clean(key)[:40]!r}: there is no such setting",
            text.meant(key, BY_KEY, f"Use one of {', '.join(BY_KEY)}."),
        )
    return found


def with_values(network: Network, values: Mapping[str, Any]) -> Network:
    """The network with these plain values, by key; what is not named stays. Raises JitError bad_request."""
    fields = {}
    for key, value in values.items():
        one = setting(key)
        fields[one.field] = one.kind.read(key, value)
    return replace(network, **fields)


def with_changes(network: Network, changes: Iterable[Change]) -> Network:
    """The network with changes as people type them, one after the other. Raises JitError bad_request."""
    for change in changes:
        one = setting(change.key)
        network = with_values(
            network, {change.key: _changed(one, change, one.kind.show(getattr(network, one.field)))}
        )
    return network


def _changed(one: Setting, change: Change, before: Plain) -> Plain:
    if not one.kind.separator:
        if change.operator != "=":
            raise JitError(
                "bad_request",
                f"cannot use {change.operator} with {one.key}: it has a single value",
                f"Write {one.key}=VALUE; it has to be {one.kind.expected}.",
            )
        return change.value
    assert isinstance(before, list)
    typed = names.split(change.value, one.kind.separator)
    if change.operator == "=":
        return typed
    # As the setting itself writes them, so that 10.1/16 and 10.1.0.0/16 are the same.
    named = one.kind.show(one.kind.read(one.key, typed))
    assert isinstance(named, list)
    if change.operator == "+=":
        return [*before, *(value for value in named if value not in before)]
    missing = [value for value in named if value not in before]
    if missing:
        raise JitError(
            "bad_request",
            f"cannot take {text.clean(missing[0])[:80]!r} from {one.key}: it is not in the list",
            f"There is {', '.join(before) or 'nothing'}.",
        )
    return [value for value in before if value not in named]


def parse_change(typed: str) -> Change:
    """Read `KEY=VALUE`, `KEY+=VALUE` or `KEY-=VALUE`. Raises JitError bad_request."""
    found = re.fullmatch(r"([a-z_.]+)\s*(\+=|-=|=)(.*)", typed, re.DOTALL)
    if found is None:
        raise JitError(
            "bad_request",
            f"cannot read the change {text.clean(typed)[:80]!r}",
            "Write KEY=VALUE, or KEY+=VALUE and KEY-=VALUE for lists, for example jit.exempt+=@oncall",
        )
    return Change(found[1], found[2], found[3].strip())


def check(network: Network) -> None:
    """Whether the settings of a network go together. Raises JitError naming what does not."""
    show = durations.show
    if (
        not durations.SECOND
        <= network.min_duration_ms
        <= network.default_duration_ms
        <= network.max_duration_ms
        <= durations.LONGEST_MS
    ):
        raise JitError(
            "bad_request",
            f"cannot use a default of {show(network.default_duration_ms)} with a maximum of {show(network.max_duration_ms)}"
            f" and a minimum of {show(network.min_duration_ms)}",
            "The minimum is at least 1s and at most the default, the default at most the maximum, and the maximum"
            " at most 365d.",
        )
    if not durations.MINUTE <= network.pending_ttl_ms <= durations.LONGEST_MS:
        raise JitError(
            "bad_request",
            f"cannot let requests wait for {show(max(0, network.pending_ttl_ms))}",
            "Use a duration from 1m to 365d, such as --pending-ttl 24h.",
        )
    if not 1 <= network.approvals <= MOST_APPROVALS:
        raise JitError(
            "bad_request",
            f"cannot ask for {network.approvals} approvals",
            f"Use a number from 1 to {MOST_APPROVALS}.",
        )
    if not network.members and not network.jit_enabled:
        raise JitError(
            "refused",
            f"cannot leave {network.name} without members: with just-in-time access off, its members have "
            "standing access, so they have to be named",
            "Add members first: " + command("network set", network.name, member="@staff"),
        )
    if not network.members and network.jit_groups:
        raise JitError(
            "refused",
            f"cannot let only {', '.join(network.jit_groups)} ask on {network.name}: all other members would "
            "have standing access, so the members have to be named",
            "Add members first: " + command("network set", network.name, member="@staff"),
        )
    if not durations.SECOND <= network.jit_break_glass_max_ms <= durations.LONGEST_MS:
        raise JitError("bad_request", "cannot use jit.break_glass_max", "Use a duration from 1s to 365d.")
    for name, least in (
        ("reason_min_length", network.reason_min_length),
        ("jit.break_glass_reason_min_length", network.jit_break_glass_reason_min_length),
    ):
        if least > text.REASON_LENGTH // 2:
            raise JitError(
                "bad_request", f"cannot use {name} = {least}", f"Use at most {text.REASON_LENGTH // 2}."
            )
    for rule in network.jit_auto_approve:
        if rule.most_ms > network.max_duration_ms:
            raise JitError(
                "bad_request",
                f'cannot use the rule "{rule}": the maximum of {network.name} is {show(network.max_duration_ms)}',
                "Shorten it, or raise max_duration first.",
            )


def principals(changes: Iterable[str]) -> set[str]:
    """Everybody whom changes name, as far as they can be read: whoever checks them must ask about those first."""
    found: set[str] = set()
    for typed in changes:
        try:
            change = parse_change(typed)
            kind = setting(change.key).kind
            parts = names.split(change.value, kind.separator or "\0")
            if kind is _WHO:
                found.update(kind.read(change.key, parts))
            elif kind is _RULES:
                found.update(one for rule in kind.read(change.key, parts) for one in rule.who)
        except JitError:
            continue
    return found
