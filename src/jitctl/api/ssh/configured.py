"""How ssh itself is configured for a machine: what `ssh -G` says, and what follows from it."""

from __future__ import annotations

import os
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jitctl.machine import programs
from jitd.core import parsing

if TYPE_CHECKING:
    from jitctl.api.ssh import Login
    from jitd.core.parsing import Address

#: Seconds for ssh's own files, and for a name server.
_SECONDS: Final = 5.0


def settings(way: Login) -> dict[str, list[str]]:
    """Every setting by its lower-case name, with its values in order; nothing where the program cannot say it."""
    return _settings((*way.program, "-G", *way.options, *way.address))


@cache
def _settings(words: tuple[str, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in output(words).splitlines():
        name, _, value = line.partition(" ")
        found.setdefault(name.lower(), []).append(value)
    return found


def is_through_another(settings: dict[str, list[str]]) -> bool:
    """Whether another machine or program is on the way, so that the address is not this machine's to reach."""
    return any(settings.get(name, ["none"]) != ["none"] for name in ("proxyjump", "proxycommand"))


def addresses(settings: dict[str, list[str]]) -> list[Address]:
    """The addresses of the machine, as far as a resolver says them in time."""
    import socket

    host = settings.get("hostname", [""])[0]
    found: list[Address] = []

    def ask() -> None:
        try:
            answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return
        found.extend(dict.fromkeys(parsing.address(str(one[4][0]).partition("%")[0]) for one in answers))

    # In a thread, because a resolver can hang for a minute.
    thread = threading.Thread(target=ask, daemon=True)
    if host:
        thread.start()
        thread.join(_SECONDS)
    return list(found)


def expanded(name: str) -> Path:
    """A file as it stands in a setting: `~` and the two tokens that are usual there."""
    home = os.path.expanduser("~")  # noqa: PTH111 - a string is wanted
    name = name.replace("%d", home).replace("%u", os.environ.get("USER", ""))
    return Path(name).expanduser()


def output(words: tuple[str, ...], given: str = "") -> str:
    """What a program prints, its times in UTC; nothing where it fails."""
    try:
        done = programs.run(words, seconds=_SECONDS, given=given, TZ="UTC0")
    except OSError:
        return ""
    return done.stdout if done.returncode == 0 else ""
