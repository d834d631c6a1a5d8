"""Writes src/jitctl/shell/completions.json from the program itself: `python packaging/completions.py`. A test holds the file
against this. The scripts in completions/ ask `jitctl __complete`, which reads it: a Tab does not start Typer.
"""

import functools
import json
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from typer.core import TyperOption

from jitctl.cli import app as cli
from jitctl.cli.verbs import GROUPS, VERBS
from jitctl.render.requests import COLUMNS
from jitd.core import settings

FILE_NAME = Path(__file__).resolve().parent.parent / "src/jitctl/shell/completions.json"

#: What stands behind a value that nobody can know: nothing is offered.
FREE: Final = "free"
FILE: Final = "file"
_DECIDES: Final = ("grant", "deny", "review")

#: What the values of options are, by the option.
OPTIONS: Final = {
    "--user": "users",
    "status --output": "=table json i3bar waybar prompt",
    "doctor --output": "=table json nagios",
    "--columns": f"={' '.join(COLUMNS)}",
    "--network": "networks",
    "--interface": "interfaces",
    "--managed-by": "users",
    "--id": "requests",
    "--map": FILE,
    "--socket": FILE,
    "--profile": FREE,
    "--name": FREE,
    "--device": FREE,
}
#: What the metavars of arguments and options say of their values, where the option itself does not.
METAVARS: Final = {
    "NETWORK": "networks",
    "[NETWORK]": "networks",
    "INTERFACE": "interfaces",
    "FILE": FILE,
    "PATH": FILE,
    "on|off": "=on off",
    "PART | NETWORK": "examined",
    "[ID|NETWORK]": "own",
    "[KEY=VALUE]…": f"={' '.join(f'{one.key}=' for one in settings.SETTINGS)}",
}
#: Metavars of what people make up, or what nobody lists.
UNKNOWN: Final = frozenset(
    [
        "TEXT",
        "TIME",
        "WHEN",
        "DATE",
        "KEY",
        "CIDR",
        "PORT",
        "WHO",
        "ADDRESS",
        "HOST:PORT",
        "BYTES",
        "N",
        "PAGE",
        "SEQ",
        "KIND",
        "WORDS",
        "GROUP",
        "WHERE",
        "NAMES",
        "ssh://USER@HOST",
    ]
)


@functools.cache
def _types(verb: str) -> dict[str, Any]:
    """The types that a verb's function declares, by parameter: each version of Typer keeps them in its own way."""
    found = [one for one in VERBS if one.name == verb]
    return get_type_hints(cli.load(found[0]).callback) if found else {}


def _choices(declared: Any) -> Iterator[str]:
    """The values of a closed set."""
    if isinstance(declared, type) and issubclass(declared, Enum):
        yield from (str(choice.value) for choice in declared)
    for one in get_args(declared):
        yield from [one] if get_origin(declared) is Literal else _choices(one)


def kind(verb: str, parameter: Any) -> str:
    """What a value is: one of jitctl's kinds, `=` with a list, a file, or free. Raises LookupError for one that nobody has
    thought of.
    """
    choices = list(_choices(_types(verb).get(parameter.name)))
    if choices:
        return f"={' '.join(choices)}"
    name = max(parameter.opts, key=len) if isinstance(parameter, TyperOption) else ""
    metavar = parameter.metavar or ""
    if f"{verb} {name}" in OPTIONS:
        return OPTIONS[f"{verb} {name}"]
    if name in OPTIONS:
        return OPTIONS[name]
    if metavar in METAVARS:
        return METAVARS[metavar]
    group = verb.partition(" ")[0]
    match metavar:
        case "ID" | "[ID]…":
            if group in ("outbox", "change"):
                return FREE
            return "decidable" if verb in _DECIDES else "live" if verb in ("extend", "revoke") else "requests"
        case "NAME" | "[NAME]" | "[NAME]…" if not name:
            if verb.endswith(" add"):
                return FREE
            return {"network": "networks", "interface": "interfaces", "device": "devices", "user": "users"}[
                group
            ]
        case "NETWORK | USER NETWORK | ID":
            return "networks"
    if not metavar and not name:
        return "networks"  # request and ensure
    if metavar in UNKNOWN:
        return FREE
    raise LookupError(f"{verb}: nobody has said what {name or 'the argument'} {metavar} is")


def table() -> dict[str, Any]:
    """What follows a verb, its options with what their values are, and its arguments; a last one with `*` repeats."""
    names: dict[str, dict[str, str]] = {"": {}}
    verbs = {}
    everywhere = {name: [one.help or "", _value("", one)] for one in cli.everywhere() for name in one.opts}
    for verb in VERBS:
        group, _, name = verb.name.rpartition(" ")
        if group:
            names[""][group] = GROUPS[group].help
        names.setdefault(group, {})[name] = verb.help
        options: dict[str, list[str]] = {}
        arguments: list[str] = []
        for one in cli.load(verb).params:
            if isinstance(one, TyperOption):
                options |= {
                    each: [one.help or "", _value(verb.name, one)]
                    for each in one.opts
                    if each not in everywhere
                }
            else:
                arguments.append(kind(verb.name, one) + ("*" if one.nargs == -1 else ""))
        verbs[verb.name] = {"options": options, "arguments": arguments}
    verbs[""] = {"options": {"--version": ["Print the version.", ""]}, "arguments": []}
    everywhere["--help"] = ["Show what it does.", ""]
    return {"names": names, "verbs": verbs, "everywhere": everywhere}


def _value(verb: str, option: TyperOption) -> str:
    return "" if option.is_flag else kind(verb, option)


def text() -> str:
    """The table as a file: a line for each verb."""
    parts = []
    for name, part in table().items():
        lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in part.items()]
        parts.append(f"{json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n}")
    return "{" + ",\n".join(parts) + "}\n"


if __name__ == "__main__":
    FILE_NAME.write_text(text())
