"""What a jitd answers, as JSON: read within bounds, and held to its form where something else is made from it.

The gateway is another machine, and may be hostile. Text is cleaned where it is printed (render/output.py). Numbers go into
commands, pages of HTML and sums as they are, so each is seen here to be one.
"""

import json
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from jitctl.render import progress
from jitd.core.commandline import written
from jitd.core.errors import JitError

#: Bytes of an answer, or of a line of a stream: more than any jitd sends, and what every laptop has room for.
MOST_BYTES: Final = 64 * 1024 * 1024
#: What is a number, true, false or null in every answer that has it. tests/jitctl/api/test_answers.py holds it against jitd.wire.
NUMBERS: Final = frozenset((
    "active", "admin", "adopted", "agrees", "already", "approval_rate", "approvals", "asked",
    "asked_before", "at", "attempts", "automatic", "break_glass", "cancelled", "collected", "count",
    "counted", "created", "decided", "decides", "default_duration", "denied", "direct", "done",
    "ended", "ends", "enforced", "extends", "frozen", "given", "granted", "granted_before",
    "grants", "id", "jit", "lapsed", "lapses", "last_handshake", "lasted", "left_out",
    "login_claimed", "login_uid", "mail", "managed", "mark", "max_duration", "median",
    "messages_waiting", "mine", "mtu", "now", "number", "of", "outdated", "p90", "paused",
    "pending", "pending_ttl", "pid", "port", "preshared_key_dropped", "proposed", "quorum",
    "registered", "requested", "retired", "reviewed", "rx_bytes", "seq", "since", "start",
    "started", "starts", "stuck", "suspended", "tells", "told", "tx_bytes", "uid", "unmanaged",
    "unreachable", "until", "unused", "up", "used", "wanted",
))  # fmt: skip
#: What may be anything: the values of a setting, before and after a change.
ANY: Final = frozenset({"after", "before"})
#: What has keys of its own.
FREE: Final = frozenset({"addresses", "counts", "data", "heard", "settings"})


class _Said(dict[str, Any]):
    """An object of an answer. What an older or newer jitd leaves away is told in words where somebody looks for it."""

    version = ""

    def __missing__(self, key: str) -> Any:
        from jitctl.api import skew

        raise skew.MissingError(key, self.version)


@cache
def _said_by(version: str) -> Callable[[dict[str, Any]], Any]:
    """Makes the objects of a jitd of this version; of a hint its text, with the commands in it quoted for a shell."""
    made = type("_Said", (_Said,), {"version": version})

    def said(found: dict[str, Any]) -> Any:
        match found:
            case {"verb": [*verb], "args": [*args], **others} if not others:
                return written(map(str, verb), map(str, args))
            case {"parts": [*parts], **others} if not others:
                return "".join(map(str, parts))
        return made(found)

    return said


def decoded(text: bytes, version: str) -> dict[str, Any]:
    """An object from a jitd of this version. Raises ValueError for what is none, and JitError internal for one of
    another form.
    """
    progress.answered = True
    try:
        found = json.loads(text, object_hook=_said_by(version))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("it is no object")  # noqa: TRY004 - of the text
    _check(found)
    return found


def _check(said: dict[str, Any]) -> None:
    """Raises JitError internal where text, a list or an object stands in the place of a number."""
    for key, value in said.items():
        if key in NUMBERS and not isinstance(value, int | float | None):
            raise JitError(
                "internal",
                f"cannot read the reply: {key} is not a number",
                "Check that jitd answers there, and report it to the administrator of the gateway: it may "
                "have been tampered with.",
            )
        if key not in FREE and key not in ANY:
            for one in value if isinstance(value, list) else (value,):
                if isinstance(one, dict):
                    _check(one)
