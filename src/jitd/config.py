"""`/etc/jitd/jitd.toml`: how the daemon runs. What people may do is policy, and lives in the store."""

import difflib
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, get_type_hints

from jitd.core import notices
from jitd.core.commandline import shell
from jitd.core.errors import JitError
from jitd.core.firewall import Always
from jitd.core.ports import parse_always
from jitd.core.text import is_host_name, is_mail_address

DEFAULT_PATH: Final = Path("/etc/jitd/jitd.toml")
BACKENDS: Final = ("auto", "kernel", "userspace", "memory")
FIREWALLS: Final = ("nftables", "none")
#: What every member of any network of an interface reaches: the gateway answers pings and is asked for names.
ALWAYS: Final = ("ping", "udp/53", "tcp/53")
MAIL_SECURITY: Final = ("starttls", "tls", "none")
#: Stands for what `jitd secret set chat-NAME` keeps.
PLACEHOLDER: Final = "{secret}"
LOG_LEVELS: Final = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """Where jitd keeps things, and whom it obeys."""

    socket: Path = Path("/run/jitd/jitd.sock")
    state_dir: Path = Path("/var/lib/jitd")
    admin_groups: tuple[str, ...] = ()
    kept_when_frozen: tuple[str, ...] = ()  # administrators whom `jitctl freeze` does not close out
    gate_users: tuple[str, ...] = ()  # shared accounts whose ssh keys say who is there (`jitctl gate`)
    log_level: str = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enforce:
    """How access is enforced."""

    backend: str = "auto"
    wireguard_go: str = "wireguard-go"  # the program of the userspace backend: a name in PATH or a path
    firewall: str = "nftables"
    always: tuple[Always, ...] = tuple(parse_always(one) for one in ALWAYS)
    close_local_users: bool = True  # ordinary uids of the gateway do not reach what networks open


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """How people are told by mail. Without a server nobody is. Passwords stand elsewhere: `jitd secret set smtp`."""

    server: str = ""
    port: int = 587
    security: str = "starttls"
    ca_file: str = ""  # of a certification authority of one's own; "": the system's
    user: str = ""  # whom to log in as; "": without
    keyring: str = ""  # a keyring backend to look the password up in; "": none
    secrets: Path = Path("/etc/jitd/secrets")
    sender: str = ""
    ehlo: str = ""  # the name that this machine greets the server with; "": see notify/hello.py
    email_domain: str = ""  # user@email_domain, for those who have set no address
    jitctl_host: str = ""  # what --host of the commands in mails names
    review_url: str = ""  # a link for those who decide; {id} is the request
    templates: Path = Path("/etc/jitd/templates")
    remind_minutes: int = 30  # when those who decide are told again; then after twice as long each time
    digest_from: int = 10  # so many mails within ten minutes, then they come together
    timeout_seconds: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """Rooms and everything else that apprise knows, for those who decide. The links in it are those of [mail]."""

    urls: Mapping[str, str] = field(
        default_factory=dict
    )  # by name; {secret} stands for what `jitd secret set` keeps
    about: tuple[str, ...] = (
        "requested",
        "break_glass",
        "waiting",
        "lapsed",
        "device_lost",
        "undecidable",
        "change_proposed",
        "rules_changed",
        "people_changed",
    )
    digest_from: int = 10
    timeout_seconds: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What callers may take. Places are kept free for administrators, and they may change ten times as much."""

    connections: int = 256
    connections_reserved: int = 32
    connections_per_user: int = 16
    requests_open_per_user: int = 20
    requests_per_hour: int = 60
    devices_per_user: int = 10
    devices_added_per_month: int = 100
    changes_per_minute: int = 60
    changes_per_day: int = 1000
    header_bytes: int = 16384
    body_bytes: int = 65536
    read_seconds: int = 10
    idle_seconds: int = 30
    watchers_per_user: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What holds for all rules, and is root's alone: whoever may change the rules may not change these."""

    four_eyes: bool = False  # everywhere, as on networks with several approvals
    reasons: bool = False  # whoever changes rules or people says why


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole configuration."""

    daemon: Daemon = field(default_factory=Daemon)
    enforce: Enforce = field(default_factory=Enforce)
    limits: Limits = field(default_factory=Limits)
    mail: Mail = field(default_factory=Mail)
    chat: Chat = field(default_factory=Chat)
    policy: Policy = field(default_factory=Policy)

    @property
    def tells(self) -> bool:
        """Whether there is a way to tell anybody anything."""
        return bool(self.mail.server or self.chat.urls)


_TABLES: Final[Mapping[str, type]] = {
    "daemon": Daemon,
    "enforce": Enforce,
    "limits": Limits,
    "mail": Mail,
    "chat": Chat,
    "policy": Policy,
}
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
        if name not in _TABLES:
            raise _unknown(f"[{name}]", name, _TABLES)
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


#: What a running jitd takes over; everything else is read once, at the start.
_LIVE: Final = frozenset(
    {f"daemon.{key}" for key in ("admin_groups", "kept_when_frozen", "gate_users", "log_level")}
    | {"policy.four_eyes", "policy.reasons"}
    | {
        f"limits.{key}"
        for key in (
            "requests_open_per_user",
            "requests_per_hour",
            "devices_per_user",
            "devices_added_per_month",
        )
    }
)


def needs_restart(old: Config, new: Config) -> list[str]:
    """The keys that differ and take effect only at the next start."""
    return [
        f"{table}.{key.name}"
        for table, kind in _TABLES.items()
        for key in fields(kind)
        if getattr(getattr(old, table), key.name) != getattr(getattr(new, table), key.name)
        and f"{table}.{key.name}" not in _LIVE
    ]


def taken_over(old: Config, new: Config) -> Config:
    """`old` with what a running jitd takes over from `new`. The rest must stay: there is one store, and one socket."""
    return Config(
        **{
            table: replace(
                getattr(old, table),
                **{
                    key.name: getattr(getattr(new, table), key.name)
                    for key in fields(kind)
                    if f"{table}.{key.name}" in _LIVE
                },
            )
            for table, kind in _TABLES.items()
        }
    )


def _table(name: str, values: Mapping[str, Any]) -> Any:
    kind = _TABLES[name]
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
