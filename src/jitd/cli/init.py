"""`jitd init`: an explained configuration and a safe state directory."""

import json
import os
import textwrap
import tomllib
from collections.abc import Mapping
from pathlib import Path

from jitd import config
from jitd.core import configuration
from jitd.core.errors import JitError
from jitd.identity import nss

_HEAD = """\
# The configuration of jitd. Networks, their rules and interfaces are not in this file: see jitctl network and
# jitctl interface. After a change, type: jitd check, then systemctl reload jitd (or send SIGHUP). A key that is
# missing has the default value. All defaults are in jitd.toml(5).
"""


def template(given: Mapping[str, object]) -> str:
    """The configuration with a sentence for each key, and with these values, by key, in place of the defaults."""
    lines = [_HEAD]
    for table, kind in configuration.TABLES.items():
        lines += [_comment(kind.__doc__ or ""), f"[{table}]"]
        for name, key in configuration.keys(table).items():
            value = json.dumps(given.get(name, key.default), ensure_ascii=False)
            lines += [_comment(key.meta.description or ""), f"{name} = {value}"]
        lines.append("")
    return "\n".join(lines)


def _comment(text: str) -> str:
    return textwrap.fill(
        text, 110, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False, break_long_words=False
    )


def initialise(
    path: Path,
    *,
    socket: Path,
    state_dir: Path,
    backend: str,
    admin_group: str | None,
    force: bool,
) -> list[str]:
    """Write the configuration to `path` and make the state directory; returns what to tell, line by line.

    An existing configuration is overwritten only with `force`. Raises JitError conflict or bad_request; then no
    configuration was written.
    """
    text = template(
        {
            "socket": str(socket),
            "state_dir": str(state_dir),
            "backend": backend,
            "admin_groups": [admin_group] if admin_group else [],
        }
    )
    try:
        config.parse(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise JitError(
            "bad_request", f"cannot write a configuration with these paths and names: {error}", ""
        ) from error
    if os.path.lexists(path) and not force:
        raise JitError(
            "conflict",
            f"cannot write {path}: it exists",
            f"Check it with: jitd check --config {path}, or overwrite it with --force.",
        )
    new = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        _write(new, text)
        try:
            _make_state_dir(state_dir)
            # The configuration appears as a whole, and only when everything else is there.
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        failed = path if error.filename == str(new) else error.filename
        raise JitError(
            "bad_request",
            f"cannot write {failed}: {error.strerror}",
            "Run it as root, or set other paths with --config, --state-dir and --socket.",
        ) from error
    told = [f"wrote {path}", f"state directory {state_dir} (mode 0700)"]
    if admin_group:
        told += _missing(admin_group)
    plain = "" if path == config.DEFAULT_PATH else f" --config {path}"
    told.append(f"next: jitd{plain} check, then jitd{plain} run (or systemctl enable --now jitd)")
    return told


def _missing(group: str) -> list[str]:
    """What to tell when a group is not there."""
    try:
        if nss.group_by_name(group) is not None:
            return []
    except nss.Unavailable:
        return [f"the group {group} cannot be looked up now; until then, it makes nobody an administrator"]
    return [f"there is no group {group} yet; make it with: groupadd --system {group}"]


def _make_state_dir(state_dir: Path) -> None:
    state_dir.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    # The mode is given when it is made, so that there is no moment in which others may look in.
    try:
        state_dir.mkdir(mode=0o700)
    except FileExistsError:
        if not state_dir.is_dir() or state_dir.is_symlink() or state_dir.stat().st_uid != os.geteuid():
            raise JitError(
                "bad_request",
                f"cannot use {state_dir}: it is not a directory of this user",
                "Set another one with --state-dir.",
            ) from None
        state_dir.chmod(0o700)


def _write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
