"""`/etc/jitd/jitd.toml`: how the daemon runs. What people may do is policy, and lives in the store."""

import json
import os
import re
import stat
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from jitd.core import notices
from jitd.core.commandline import shell
from jitd.core.configuration import PLACEHOLDER, TABLES, Chat, Config, Daemon, Key, Mail, Metrics, keys
from jitd.core.errors import JitError
from jitd.core.release import VERSION
from jitd.core.text import is_host_name, is_mail_address, meant
from jitd.store.upgrade import newer_release

DEFAULT_PATH: Final = Path("/etc/jitd/jitd.toml")
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
    _refuse_newer(path, tables)
    try:
        return parse(tables)
    except JitError as error:
        raise JitError(error.code, f"{error.message} (in {path})", error.hint) from error


def parse(tables: Mapping[str, Any]) -> Config:
    """A configuration from what TOML gave. Raises JitError bad_request that names the key."""
    for table, values in tables.items():
        if table not in TABLES:
            raise _unknown(f"[{table}]", table, TABLES)
        if not isinstance(values, dict):
            raise JitError("bad_request", f"cannot use {table}: it is a table, write [{table}]", "")
        for key in values:
            if key not in keys(table):
                raise _unknown(f"[{table}] {key}", key, keys(table))
    try:
        config = msgspec.convert(tables, Config, dec_hook=_path)
    except msgspec.ValidationError as error:
        # Such as: Expected `int` >= 1 - at `$.limits.connections`
        table, key = re.findall(r"`\$\.(\w+)\.(\w+)", str(error))[0]
        raise JitError(
            "bad_request",
            f"cannot use [{table}] {key} = {tables[table][key]!r}",
            _expected(keys(table)[key]),
        ) from None
    _check_daemon(config)
    _check_mail(config.mail)
    _check_chat(config.chat)
    _check_metrics(config.metrics)
    return config


def _refuse_newer(path: Path, tables: Mapping[str, Any]) -> None:
    """Raises JitError bad_request for keys of a newer jitd, all at once, where one ran here last."""
    unknown = [f"[{table}]" for table in tables if table not in TABLES]
    for table, values in tables.items():
        if table in TABLES and isinstance(values, dict):
            unknown += [f"[{table}] {key}" for key in values if key not in keys(table)]
    daemon = tables.get("daemon")
    state_dir = daemon.get("state_dir") if isinstance(daemon, dict) else None
    release = unknown and newer_release(
        Path(state_dir) if isinstance(state_dir, str) and "\0" not in state_dir else Daemon().state_dir
    )
    if release:
        raise JitError(
            "bad_request",
            f"cannot use {path}: jitd {release} ran here last, and this is {VERSION}, which does not know {', '.join(unknown)}",
            f"Install jitd {release} again; or, to stay with this one, remove what it does not know (docs/upgrading.md).",
        )


def _path(kind: type, value: object) -> Path:
    if kind is not Path or not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        raise ValueError(value)
    return Path(value)


def _expected(key: Key) -> str:
    """What to write as a value."""
    if key.choices:
        return f"Use one of {', '.join(key.choices)}."
    if key.type is int:
        return f"Use a number from {key.meta.ge} to {key.meta.le}."
    simple = {Path: "Use an absolute path.", str: "Use text in quotes.", bool: "Use true or false."}
    if key.type in simple:
        return simple[key.type]
    example = (key.meta.examples or [[]])[0]
    if isinstance(example, list):
        return f"Use a list of names: {json.dumps(example)}"
    pairs = ", ".join(f"{name} = {json.dumps(value)}" for name, value in example.items())
    return f"Use a table of names and addresses: {{ {pairs} }}"


def _check_daemon(config: Config) -> None:
    """What no socket, firewall or limit can be. Raises JitError bad_request."""
    if len(os.fsencode(config.daemon.socket)) > _SOCKET_PATH_BYTES:
        raise JitError(
            "bad_request",
            f"cannot use [daemon] socket: the path has more than {_SOCKET_PATH_BYTES} bytes, which no socket can have",
            "Use a shorter path.",
        )
    try:
        config.enforce.reachable()
    except JitError as error:
        raise JitError(error.code, f"cannot use [enforce] always: {error.message}", error.hint) from error
    limits = config.limits
    if limits.connections_reserved >= limits.connections:
        raise JitError(
            "bad_request",
            "cannot use [limits] connections_reserved: it leaves no connection for users",
            f"Use a number below connections = {limits.connections}.",
        )


def _check_mail(mail: Mail) -> None:
    """What goes together. Raises JitError bad_request."""
    if not mail.server:
        return
    if not is_mail_address(mail.sender):
        raise JitError(
            "bad_request",
            f"cannot use [mail] sender = {mail.sender!r}: it is not a mail address",
            'Set the address of the sender, for example sender = "jitd@example.org".',
        )
    if mail.email_domain and not is_mail_address(f"alice@{mail.email_domain}"):
        raise JitError(
            "bad_request",
            f"cannot use [mail] email_domain = {mail.email_domain!r}: it is not a domain",
            'Set the domain of people\'s addresses, for example email_domain = "example.org".',
        )
    if mail.ehlo and not is_host_name(mail.ehlo):
        raise JitError(
            "bad_request",
            f"cannot use [mail] ehlo = {mail.ehlo!r}: it is not a host name that a mail server accepts",
            'Set the public name of this machine, for example ehlo = "gateway.example.org".',
        )
    if mail.user and mail.security == "none":
        raise JitError(
            "bad_request",
            'cannot use [mail] user with security = "none": the password would be sent unencrypted',
            'Use security = "starttls" or "tls".',
        )


def _check_metrics(metrics: Metrics) -> None:
    """What a file and an address for metrics cannot be. Raises JitError bad_request."""
    path = metrics.textfile
    if path and not (path.startswith("/") and path.endswith(".prom") and "\0" not in path):
        raise JitError(
            "bad_request",
            f"cannot use [metrics] textfile = {path!r}: node_exporter reads files whose names end with .prom",
            "Use an absolute path, such as /var/lib/prometheus/node-exporter/jitd.prom.",
        )
    try:
        metrics.address()
    except JitError as error:
        raise JitError(error.code, f"cannot use [metrics] listen: {error.message}", error.hint) from error


def _check_chat(chat: Chat) -> None:
    """Names that files can have, known messages, and no secret in a file that everybody reads. Raises JitError."""
    for name, url in chat.urls.items():
        where = f"[chat] urls.{name}"
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", name, re.ASCII):
            raise JitError(
                "bad_request",
                f"cannot use {where}: it is not a valid name",
                "Use lower-case letters, digits, - and _.",
            )
        if "://" not in url and url != PLACEHOLDER:
            raise JitError(
                "bad_request",
                f"cannot use {where}: it is not an address",
                f'Write it as apprise does, such as "ntfy://ntfy.example.org/jit", or "{PLACEHOLDER}" if the '
                "whole address is secret.",
            )
        if re.search(r"://[^/?#]*:[^/?#]+@", url.replace(PLACEHOLDER, "")):
            raise JitError(
                "bad_request",
                f"cannot use {where}: it contains a password, and every user can read this file",
                f"Write {PLACEHOLDER} in its place, and store it with: jitd secret set chat-{name}",
            )
    for one in chat.about:
        if one not in notices.TEMPLATES:
            raise _unknown(f"[chat] about {one}", one, sorted(notices.TEMPLATES))


def _unknown(where: str, name: str, known: Iterable[str]) -> JitError:
    hint = meant(name, known, f"There are: {', '.join(known)}.")
    return JitError("bad_request", f"cannot use {where}: there is no such key", hint)


def _refuse_foreign(path: Path, status: os.stat_result) -> None:
    """Root takes orders only from files that nobody else can write."""
    if os.geteuid() != 0:
        return
    if status.st_uid != 0 or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise JitError(
            "bad_request",
            f"cannot use {path}: users other than root may write it",
            f"Repair it with: {shell('chown', 'root', path)} && {shell('chmod', '644', path)}",
        )
