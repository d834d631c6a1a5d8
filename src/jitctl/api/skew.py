"""A jitctl and a jitd of different versions: what one of them does not know, and which of them to update."""

from __future__ import annotations

import re
from typing import Final

from jitd.core.errors import JitError
from jitd.core.release import VERSION

_KEY: Final = re.compile(r"cannot use (the key .{1,80}): it is not known here")


def unknown(error: JitError, path: str, theirs: str) -> JitError:
    """What to say when jitd does not know the verb or a key of it. `theirs` is its version, "" for one that does not
    tell.
    """
    verb = path.removeprefix("/v1/").partition("?")[0].replace("/", " ")
    key = _KEY.search(error.message)
    what = f"{key[1]} of `{verb}`" if key else f"`{verb}`"
    return JitError(
        error.code,
        f"cannot do that: the gateway runs {_jitd(theirs)}, which does not know {what}",
        _advice(theirs),
    )


class MissingError(JitError, KeyError):
    """An answer lacks what this jitctl shows. It is a KeyError, too, for those who can do without."""

    def __init__(self, key: str, theirs: str) -> None:
        super().__init__(
            "unknown_key",
            f"cannot show that: the gateway runs {_jitd(theirs)}, which does not report {key!r}",
            _advice(theirs),
        )


def _jitd(theirs: str) -> str:
    return f"jitd {theirs}" if theirs else "an older jitd"


def _advice(theirs: str) -> str:
    ours = VERSION
    if theirs and _ordered(theirs) > _ordered(ours):
        return f"Update this jitctl (version {ours})."
    if theirs == ours:
        return f"This jitctl is {ours} too, but a different build. Update both."
    return f"Update jitd there: this jitctl is {ours}."


def _ordered(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"[0-9]{1,9}", version)]
