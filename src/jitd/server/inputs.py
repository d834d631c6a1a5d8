"""Bodies and query strings, held against the typed dictionaries of jitd.wire before any verb sees them."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl

import msgspec

from jitd.core.errors import JitError
from jitd.core.text import clean, meant

#: Numbers above this are not the same number everywhere: JSON readers with floating point lose digits.
_LARGEST: Final = 2**53
_MOST_FIELDS: Final = 100
#: Where an empty text means something: it clears what was set, is no comment, or is judged by a rule of its own.
_MAY_BE_EMPTY: Final = frozenset({"comment", "dns", "email", "endpoint", "reason", "text"})
_INTEGER: Final = re.compile(r"-?[0-9]{1,16}", re.ASCII)


def body(raw: bytes, takes: type) -> dict[str, Any]:
    """A JSON body as the typed dictionary `takes`. Raises JitError bad_request that names what is wrong and
    where.
    """
    try:
        value = msgspec.json.decode(raw or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise JitError(
            "bad_request",
            f"cannot read the body as JSON: {_problem(error)}",
            'Send one object, for example {"reason": "ticket 1234"}.',
        ) from error
    if not isinstance(value, dict):
        raise JitError(
            "bad_request", "cannot read the body: it is JSON, but no object", "Send one object: {…}."
        )
    _check_keys(value, takes, "")
    try:
        converted: dict[str, Any] = msgspec.convert(value, takes)
    except msgspec.ValidationError as error:
        raise JitError("bad_request", f"cannot read the body: {_problem(error)}") from error
    _check_values(converted)
    return converted


def query(text: str, takes: type) -> dict[str, Any]:
    """A query string as the typed dictionary `takes`: keys of lists may repeat, booleans are true or false,
    numbers decimal. Raises JitError bad_request that names the key.
    """
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError as error:  # also undecodable UTF-8
        raise JitError(
            "bad_request", "cannot read the query string", "Write it as key=value&key=value."
        ) from error
    kinds = fields(takes)
    found: dict[str, Any] = {}
    for key, value in pairs:
        _check_keys({key: value}, takes, "")
        if get_origin(kinds[key]) is list:
            found.setdefault(key, []).append(_scalar(key, value, get_args(kinds[key])[0]))
        elif key in found:
            raise JitError("bad_request", f"cannot read the query string: {key} is given twice")
        else:
            found[key] = _scalar(key, value, kinds[key])
    _check_values(found)
    for key in sorted(required(takes) - found.keys()):
        raise JitError("bad_request", f"cannot read the query string: {key} is missing", f"Add {key}=…")
    return found


@cache
def fields(takes: type) -> Mapping[str, Any]:
    """The fields of a typed dictionary and their types."""
    return get_type_hints(takes)


def required(takes: type) -> frozenset[str]:
    """The fields that must be there."""
    keys: frozenset[str] = takes.__required_keys__  # type: ignore[attr-defined]  # every TypedDict has it
    return keys


def _check_keys(value: Mapping[Any, Any], takes: type, where: str) -> None:
    """Refuse keys that nobody knows: a mistyped `duraton` must not become a grant of the default length."""
    kinds = fields(takes)
    for key, inner in value.items():
        if key not in kinds:
            shown = clean(str(key))[:40]
            hint = meant(shown, kinds, f"Known keys are: {', '.join(kinds) or 'none'}.")
            raise JitError("unknown_key", f"cannot use the key {where}{shown!r}: it is not known here", hint)
        for item_type in get_args(kinds[key]):
            if isinstance(inner, list) and hasattr(item_type, "__required_keys__"):
                for at, item in enumerate(inner):
                    if isinstance(item, dict):
                        _check_keys(item, item_type, f"{key}[{at}].")


def _scalar(key: str, text: str, kind: Any) -> str | int | bool:
    if get_origin(kind) is Literal and text not in get_args(kind):
        hint = f"{meant(text, get_args(kind))} Use one of {', '.join(get_args(kind))}.".strip()
        raise JitError("bad_request", f"cannot use {key}={clean(text)[:40]!r}", hint)
    if kind is bool:
        if text in ("true", "false"):
            return text == "true"
        raise JitError(
            "bad_request", f"cannot read {key}={clean(text)[:40]!r}", f"Write {key}=true or {key}=false."
        )
    if kind is int:
        if _INTEGER.fullmatch(text) and abs(int(text)) <= _LARGEST:
            return int(text)
        raise JitError(
            "bad_request", f"cannot read {key}={clean(text)[:40]!r} as a number", f"Write {key}=12."
        )
    return text


def _check_values(value: object, where: str = "", key: str = "") -> None:
    """Refuse integers that the store or a reader of our JSON could not hold, text that other programs would read only the
    beginning of, and text that says nothing where nothing has no meaning.
    """
    match value:
        case int() if abs(value) > _LARGEST:
            raise JitError("bad_request", f"cannot read the body: the number in {where} is too large")
        case str() if "\0" in value:
            raise JitError(
                "bad_request",
                f"cannot use {where}: it contains a NUL character",
                "Remove that character.",
            )
        case "" if key not in _MAY_BE_EMPTY:
            raise JitError("bad_request", f"cannot use {where}: it is empty", "Omit it, or give a value.")
        case dict():
            for name, inner in value.items():
                _check_values(inner, f"{where}.{name}" if where else name, name)
        case list():
            for at, inner in enumerate(value):
                _check_values(inner, f"{where}[{at}]", key)
        case _:
            return


def _problem(error: Exception) -> str:
    """What msgspec said, without its marks: "missing required field reason", "expected str, got int
    (duration)".
    """
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    what, _, where = str(error).partition(" - at `$")
    what = clean(what.replace("`", "").removeprefix("Object "))
    place = clean(where.rstrip("`").lstrip("."))
    first = what[:1] if what[1:2].isupper() else what[:1].lower()  # "JSON is malformed" stays
    return f"{first}{what[1:]}"[:120] + (f" ({place})"[:80] if place else "")
