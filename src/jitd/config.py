"""`/etc/jitd/jitd.toml`: how the daemon runs. What people may do is policy, and lives in the store."""

import difflib
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, get_type_hints

from jitd.core import notices
from jitd.core.commandline import shell
from jitd.core.configuration import (
    BACKENDS,
    FIREWALLS,
    LOG_LEVELS,
    MAIL_SECURITY,
    PLACEHOLDER,
    TABLES,
    Chat,
    Config,
    Mail,
)
from jitd.core.errors import JitError
from jitd.core.ports import parse_always
from jitd.core.text import is_host_name, is_mail_address

DEFAULT_PATH: Final = Path("/etc/jitd/jitd.toml")
_CHOICES: Final = {
    ("enforce", "backend"): BACKENDS,
    ("enforce", "firewall"): FIREWALLS,
    ("mail", "security"): MAIL_SECURITY,
    ("daemon", "log_level"): LOG_LEVELS,
}
#: The smallest and largest value of a number; limits without an entry go from 1 to a million.
_RANGES: Final = {
    ("limits", "connections_reserved"): (0, 10_000),
    ("limits", "header_bytes"): (1024, 1_048_576),
    ("mail", "port"): (1, 65_535),
    ("mail", "remind_minutes"): (1, 10_000),
    ("mail", "timeout_seconds"): (1, 600),
    ("chat", "timeout_seconds"): (1, 600),
}
#: sun_path of a Unix socket, less the terminating zero.
_SOCKET_PATH_BYTES: Final = 107


def default_path() -> Path:
    """The configuration's path: $JITD_CONFIG, else /etc/jitd/jitd.toml."""
    return Path(os.environ.get("JITD_CONFIG") or DEFAULT_PATH)


def load(path: Path) -> Config:
    """Read the configuration. Raises JitError not_found or bad_request that names the key that is wrong."""
    try:
        with path.open("rb") as file:
            _refuse_foreign(path, os.fstat(file.fileno()))
            text = file.read()
    except FileNotFoundError:
        raise JitError(
            "not_found", f"cannot read {path}: there is no such file", "Write one with: jitd init"
        ) from None
    except OSError as error:
        raise JitError("bad_request", f"cannot read {path}: {error.strerror}", "") from error
    try:
        tables = tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise JitError("bad_request", f"cannot read {path}: it is not TOML: {error}", "") from error
    try:
        return parse(tables)
    except JitError as error:
        raise JitError(error.code, f"{error.message} (in {path})", error.hint) from error


def parse(tables: Mapping[str, Any]) -> Config:
    """A configuration from what TOML gave. Raises JitError bad_request that names the key."""
    for name, table in tables.items():
        if name not in TABLES:
            raise _unknown(f"[{name}]", name, TABLES)
        if not isinstance(table, dict):
            raise JitError("bad_request", f"cannot use {name}: it is a table, write [{name}]", "")
    config = Config(
        daemon=_table("daemon", tables.get("daemon", {})),
        enforce=_table("enforce", tables.get("enforce", {})),
        limits=_table("limits", tables.get("limits", {})),
        mail=_mail(_table("mail", tables.get("mail", {}))),
        chat=_chat(_table("chat", tables.get("chat", {}))),
        policy=_table("policy", tables.get("policy", {})),
    )
    limits = config.limits
    if limits.connections_reserved >= limits.connections:
        raise JitError(
            "bad_request",
            "cannot use [limits] connections_reserved: it leaves no connection for users",
            f"Use a number below connections = {limits.connections}.",
        )
    return config


def _table(name: str, values: Mapping[str, Any]) -> Any:
    kind = TABLES[name]
    hints = get_type_hints(kind)
    known = [one.name for one in fields(kind)]
    for key in values:
        if key not in known:
            raise _unknown(f"[{name}] {key}", key, known)
    return kind(**{key: _value(name, key, hints[key], value) for key, value in values.items()})


def _value(table: str, key: str, kind: object, value: Any) -> Any:
    where = f"[{table}] {key}"
    if kind is int:
        lowest, highest = _RANGES.get((table, key), (1, 1_000_000))
        if type(value) is not int or not lowest <= value <= highest:
            raise JitError(
                "bad_request", f"cannot use {where} = {value!r}", f"Use a number from {lowest} to {highest}."
            )
        return value
    if kind is Path:
        if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
            raise JitError("bad_request", f"cannot use {where} = {value!r}", "Use an absolute path.")
        if key == "socket" and len(value.encode()) > _SOCKET_PATH_BYTES:
            raise JitError(
                "bad_request",
                f"cannot use {where}: the path has more than {_SOCKET_PATH_BYTES} bytes, which no socket can have",
                "Use a shorter path.",
            )
        return Path(value)
    if kind is str:
        choices = _CHOICES.get((table, key))
        may_be_empty = table == "mail" and not choices
        if not isinstance(value, str) or not (value or may_be_empty) or (choices and value not in choices):
            hint = f"Use one of {', '.join(choices)}." if choices else "Use a text in quotes."
            raise JitError("bad_request", f"cannot use {where} = {value!r}", hint)
        return value
    if kind is bool:
        if not isinstance(value, bool):
            raise JitError("bad_request", f"cannot use {where} = {value!r}", "Use true or false.")
        return value
    if key == "urls":
        if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
            raise JitError(
                "bad_request",
                f"cannot use {where} = {value!r}",
                'Use a table of names and addresses: { ops = "slack://{secret}/#ops" }',
            )
        return dict(value)
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise JitError("bad_request", f"cannot use {where} = {value!r}", 'Use a list of names: ["wheel"]')
    if key == "always":
        try:
            return tuple(parse_always(one) for one in value)
        except JitError as error:
            raise JitError(error.code, f"cannot use {where}: {error.message}", error.hint) from error
    return tuple(value)


def _mail(mail: Mail) -> Mail:
    """What goes together. Raises JitError bad_request."""
    if not mail.server:
        return mail
    if not is_mail_address(mail.sender):
        raise JitError(
            "bad_request",
            f"cannot use [mail] sender = {mail.sender!r}: it is no mail address",
            'Name where mails come from, for example sender = "jitd@example.org".',
        )
    if mail.email_domain and not is_mail_address(f"alice@{mail.email_domain}"):
        raise JitError(
            "bad_request",
            f"cannot use [mail] email_domain = {mail.email_domain!r}: it is no domain",
            'Name what stands behind the @ of people\'s addresses, for example email_domain = "example.org".',
        )
    if mail.ehlo and not is_host_name(mail.ehlo):
        raise JitError(
            "bad_request",
            f"cannot use [mail] ehlo = {mail.ehlo!r}: it is no name that a mail server takes",
            'Name this machine as others know it, for example ehlo = "gateway.example.org".',
        )
    if mail.user and mail.security == "none":
        raise JitError(
            "bad_request",
            'cannot use [mail] user with security = "none": the password would cross the network as it is',
            'Use security = "starttls" or "tls".',
        )
    return mail


def _chat(chat: Chat) -> Chat:
    """Names that files can have, known messages, and no secret in a file that everybody reads. Raises JitError."""
    for name, url in chat.urls.items():
        where = f"[chat] urls.{name}"
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", name, re.ASCII):
            raise JitError(
                "bad_request",
                f"cannot use {where}: this is no name",
                "Use lower-case letters, digits, - and _.",
            )
        if "://" not in url and url != PLACEHOLDER:
            raise JitError(
                "bad_request",
                f"cannot use {where}: it is no address",
                f'Write it as apprise does, such as "ntfy://ntfy.example.org/jit", or "{PLACEHOLDER}" where all of it is one.',
            )
        if re.search(r"://[^/?#]*:[^/?#]+@", url.replace(PLACEHOLDER, "")):
            raise JitError(
                "bad_request",
                f"cannot use {where}: a password stands in it, and everybody may read this file",
                f"Write {PLACEHOLDER} in its place, and keep it with: jitd secret set chat-{name}",
            )
    for one in chat.about:
        if one not in notices.TEMPLATES:
            raise _unknown(f"[chat] about {one}", one, sorted(notices.TEMPLATES))
    return chat


def _unknown(where: str, name: str, known: Any) -> JitError:
    near = difflib.get_close_matches(name, list(known), n=1)
    hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}."
    return JitError("bad_request", f"cannot use {where}: there is no such key", hint)


def _refuse_foreign(path: Path, status: os.stat_result) -> None:
    """Root takes orders only from files that nobody else can write."""
    if os.geteuid() != 0:
        return
    if status.st_uid != 0 or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise JitError(
            "bad_request",
            f"cannot use {path}: somebody besides root may write it",
            f"Mend it with: {shell('chown', 'root', path)} && {shell('chmod', '644', path)}",
        )
