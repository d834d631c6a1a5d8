r"""Whom a rule names: `alice` is a user, `@staff` a group, each by the name that the system has for it.

Directories have names with blanks, backslashes, `@`, dots and capitals (`DOM\anna lee`, `domain users@corp.example`). No
name holds a colon, which separates the fields of passwd(5) and group(5); so `user:@web` names the user `@web`, and
`group:staff` is another way to write `@staff`.
"""

import re
from collections.abc import Iterable
from typing import Final

from jitd.core import text
from jitd.core.errors import JitError

#: LOGIN_NAME_MAX, in bytes; no name is longer.
_LONGEST: Final = 256
_USER: Final = "user:"
_GROUP: Final = "group:"
_QUOTED: Final = re.compile(r'"[^"]*"')


def read(key: str, typed: str) -> str:
    """One principal as it is kept. Raises JitError bad_request that names `key`, where it was typed."""
    whole = typed[1:-1] if _QUOTED.fullmatch(typed) else typed
    named = _GROUP + whole[1:] if whole.startswith("@") else whole
    is_group = named.startswith(_GROUP)
    name = named.removeprefix(_GROUP if is_group else _USER)
    if (
        not name
        or text.clean(name) != name
        or any(char in name for char in ':"')
        or len(name.encode()) > _LONGEST
    ):
        raise JitError(
            "bad_request",
            f"cannot use {text.clean(typed)[:40]!r} in {key}",
            "Name users as alice and groups as @staff, as getent passwd and getent group show them; in a list, a name"
            ' with a comma stands in "quotes".',
        )
    return of_group(name) if is_group else of_user(name)


def of_user(name: str) -> str:
    """The principal that means this user."""
    return f"{_USER}{name}" if name.startswith("@") else name


def of_group(name: str) -> str:
    """The principal that means the members of this group."""
    return f"@{name}"


def user_of(principal: str) -> str | None:
    """The name of the user whom a principal means; None: it means a group."""
    return None if principal.startswith("@") else principal.removeprefix(_USER)


def group_of(principal: str) -> str | None:
    """The name of the group that a principal means; None: it means a user."""
    return principal[1:] if principal.startswith("@") else None


def users(principals: Iterable[str]) -> list[str]:
    """The names of the users among principals."""
    return [name for one in principals if (name := user_of(one)) is not None]


def groups(principals: Iterable[str]) -> list[str]:
    """The names of the groups among principals."""
    return [name for one in principals if (name := group_of(one)) is not None]


def split(typed: str, separator: str) -> list[str]:
    """The parts of a list as it is typed, stripped; a separator inside of double quotes separates nothing."""
    parts, rest = [""], typed
    while rest:
        found = _QUOTED.match(rest)
        piece = found[0] if found else rest[0]
        rest = rest[len(piece) :]
        if piece == separator:
            parts.append("")
        else:
            parts[-1] += piece
    return [part.strip() for part in parts if part.strip()]


def as_value(user: str) -> str:
    """How a user is typed in the value of a setting."""
    return join([of_user(user)])


def join(principals: Iterable[str]) -> str:
    """A list as it is typed: `split` and `read` give the same principals back."""
    return ",".join(f'"{one}"' if any(char in one for char in ",;") else one for one in principals)
