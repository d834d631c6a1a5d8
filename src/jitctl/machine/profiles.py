"""The gateways that this user's jitctl knows: `~/.config/jitctl/config.toml`.

default = "office"

[profile.office]
host = "ssh://alice@gateway"
device = "laptop"
tunnel = "wg-quick"        # or "networkmanager"; without it the one that is in charge on this machine

`notifications = false` at the top switches what jitctl agent shows on the desktop off.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jitd.core import parsing
from jitd.core.errors import JitError


@dataclass(frozen=True, slots=True)
class Profile:
    """A gateway: how it is reached, the name of this machine there ("" before it has one), what brings the tunnel up ("" for
    what is in charge here), and to which of the gateway's interfaces there was one.
    """

    name: str
    host: str
    device: str = ""
    tunnel: str = ""
    interfaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Profiles:
    """All of them, and which one is meant where nobody says ("" for none)."""

    default: str = ""
    known: dict[str, Profile] = field(default_factory=dict)
    notifications: bool = True

    def named(self, name: str) -> Profile:
        """The profile of this name. Raises JitError not_found with those that there are."""
        found = self.known.get(name)
        if found is None:
            there = f"There is: {', '.join(sorted(self.known))}." if self.known else ""
            raise JitError(
                "not_found",
                f"cannot find the profile {name[:40]!r}",
                f"{there} Make one: jitctl setup ssh://you@gateway".strip(),
            )
        return found

    def with_(self, profile: Profile) -> Profiles:
        """With this profile in it; the first one is the default."""
        known = {**self.known, profile.name: profile}
        return replace(self, default=self.default or profile.name, known=known)


def directory() -> Path:
    """Where jitctl keeps what belongs to its user ($XDG_CONFIG_HOME, else ~/.config)."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    # What is not absolute is to be ignored (XDG Base Directory Specification).
    return Path(base if base.startswith("/") else Path.home() / ".config") / "jitctl"


def path() -> Path:
    """The file of the profiles."""
    return directory() / "config.toml"


def read() -> Profiles:
    """What the file says; no file, no profiles. Raises JitError bad_request that names what is wrong in it."""
    import tomllib

    file = path()
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        return Profiles()
    except (OSError, UnicodeDecodeError) as error:
        raise JitError("bad_request", f"cannot read {file}: {error}") from error
    try:
        return _parsed(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValueError) as error:
        raise JitError(
            "bad_request", f"cannot read {file}: {error}", "Mend it, or take it away and type jitctl setup."
        ) from error


def write(profiles: Profiles) -> None:
    """Write all of them, in one step, for this user alone. Raises JitError bad_request."""
    import tomli_w

    from jitctl.machine import ownfiles

    tables: dict[str, Any] = {"default": profiles.default} if profiles.default else {}
    if not profiles.notifications:
        tables["notifications"] = False
    tables["profile"] = {
        one.name: {
            key: value
            for key, value in (
                ("host", one.host),
                ("device", one.device),
                ("tunnel", one.tunnel),
                ("interfaces", list(one.interfaces)),
            )
            if value
        }
        for one in profiles.known.values()
    }
    file = path()
    try:
        ownfiles.write(file, tomli_w.dumps(tables))
    except OSError as error:
        raise JitError("bad_request", f"cannot write {file}: {error.strerror}") from error


def is_name(typed: str) -> bool:
    """Whether this can be the name of a profile."""
    try:
        parsing.profile_name(typed)
    except ValueError:
        return False
    return True


def _parsed(tables: dict[str, Any]) -> Profiles:
    """Raises ValueError that names the key."""
    known = {}
    for name, table in tables.get("profile", {}).items():
        if not is_name(name) or not isinstance(table, dict):
            raise ValueError(f"[profile.{name}] is no profile")
        host, device, tunnel = table.get("host"), table.get("device", ""), table.get("tunnel", "")
        if not isinstance(host, str) or not host:
            raise ValueError(f'[profile.{name}] needs host = "ssh://you@gateway"')
        if not isinstance(device, str) or not isinstance(tunnel, str):
            raise ValueError(f"[profile.{name}] has a device or tunnel that is no text")  # noqa: TRY004 - of the file
        interfaces = table.get("interfaces", [])
        if not isinstance(interfaces, list) or not all(isinstance(one, str) for one in interfaces):
            raise ValueError(f"[profile.{name}] has interfaces that are no list of names")
        for interface in interfaces:
            parsing.interface_name(interface)
        known[name] = Profile(name, host, device, tunnel, tuple(interfaces))
    notifications = tables.get("notifications", True)
    if not isinstance(notifications, bool):
        raise ValueError("notifications is true or false")  # noqa: TRY004 - as above
    default = tables.get("default", "")
    if default and default not in known:
        raise ValueError(f"default = {default!r} names no profile")
    return Profiles(str(default), known, notifications)
