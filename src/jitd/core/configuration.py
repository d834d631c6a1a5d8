"""The keys of `jitd.toml`, each once: its name, type, range, default, and the sentence for people. `jitd/config.py` reads
and checks the file by this table, `jitd init` writes it from here, and so is man/jitd.toml.5 made (packaging/manual.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from jitd.core.firewall import Always
from jitd.core.ports import parse_always

Backend = Literal["auto", "kernel", "userspace", "memory"]
LogLevel = Literal["debug", "info", "warning", "error"]
BACKENDS: Final[tuple[str, ...]] = get_args(Backend)
LOG_LEVELS: Final[tuple[str, ...]] = get_args(LogLevel)
#: Stands for what `jitd secret set chat-NAME` keeps.
PLACEHOLDER: Final = "{secret}"


def _key(sentence: str, *, live: bool = False, **limits: Any) -> msgspec.Meta:
    """What the table says of a key. `live`: a running jitd takes a change over when it reloads its configuration."""
    return msgspec.Meta(description=sentence, extra={"live": live}, **limits)


def _number(sentence: str, lowest: int = 1, highest: int = 1_000_000, *, live: bool = False) -> msgspec.Meta:
    return _key(sentence, live=live, ge=lowest, le=highest)


_Names = tuple[Annotated[str, msgspec.Meta(min_length=1)], ...]


# One line a key, so that each table can be read as one.
# fmt: off
@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """Where jitd keeps its files, and who administers it."""

    socket: Annotated[Path, _key("The socket of the API, an absolute path. Everyone may connect; what they may do is decided for each call, by the identity that the kernel gives.")] = Path("/run/jitd/jitd.sock")
    state_dir: Annotated[Path, _key("The directory of the store, interface keys and the lock, an absolute path. Only jitd reads it (mode 0700).")] = Path("/var/lib/jitd")
    admin_groups: Annotated[_Names, _key("Members of these groups administer this gateway, as root does: they see everything, grant, deny and revoke.", live=True, examples=[["wheel"]])] = ()
    kept_when_frozen: Annotated[_Names, _key("Administrators of these names keep their access while everything is frozen (jitctl freeze).", live=True, examples=[["alice"]])] = ()
    gate_users: Annotated[_Names, _key("Shared accounts whose ssh keys say who is there (jitctl gate), for contractors without an account of their own.", live=True, examples=[["jit"]])] = ()
    log_level: Annotated[LogLevel, _key("debug, info, warning or error.", live=True)] = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enforce:
    """How access is enforced."""

    backend: Annotated[Backend, _key("kernel: WireGuard of the kernel; userspace: wireguard-go; auto: the kernel's if it has one, else wireguard-go; memory: enforces nothing, for dry runs.")] = "auto"
    wireguard_go: Annotated[str, _key("The program of the userspace backend: a name in PATH, or a path.", min_length=1)] = "wireguard-go"
    firewall: Annotated[Literal["nftables", "none"], _key("nftables: the second layer, a table of jitd's own (nft list table inet jitd) in which every member of a network has a timeout that the kernel counts: access ends on time also while jitd is dead. none: WireGuard alone; access stays open while jitd is dead, one network per interface, no ports.")] = "nftables"
    always: Annotated[_Names, _key("What members of any network of an interface reach besides: ping, tcp/PORT or udp/PORT on the gateway itself, or elsewhere, as in udp/53@10.0.0.53.", examples=[["ping", "udp/53"]])] = ("ping", "udp/53", "tcp/53")
    close_local_users: Annotated[bool, _key("A shell on the gateway is a way around: with true, ordinary users of this machine (uid 1000 and up) cannot open connections to what the networks open.")] = True

    def reachable(self) -> tuple[Always, ...]:
        """`always`, as it was read. Raises JitError bad_request."""
        return tuple(parse_always(one) for one in self.always)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What callers may take."""

    connections: Annotated[int, _number("Connections at a time, altogether.")] = 256
    connections_reserved: Annotated[int, _number("Those of them that are kept free for administrators.", 0, 10_000)] = 32
    connections_per_user: Annotated[int, _number("Connections of one user at a time.")] = 16
    requests_open_per_user: Annotated[int, _number("Pending requests of one user.", live=True)] = 20
    requests_per_hour: Annotated[int, _number("Requests that one user may make within an hour.", live=True)] = 60
    devices_per_user: Annotated[int, _number("Devices of one user.", live=True)] = 10
    devices_added_per_month: Annotated[int, _number("Devices that one user may add within 30 days, those that were removed again included.", live=True)] = 100
    changes_per_minute: Annotated[int, _number("Changes that one person may make within a minute; an administrator may make ten times as many, root any number. What closes access (revoke, release, pause, deny, cancel, freeze, every removal) is never refused, and neither are policy apply and device import.")] = 60
    changes_per_day: Annotated[int, _number("The same within a day.")] = 1000
    header_bytes: Annotated[int, _number("The largest headers of one call, in bytes.", 1024, 1_048_576)] = 16384
    body_bytes: Annotated[int, _number("The largest body of one call, in bytes.")] = 65536
    read_seconds: Annotated[int, _number("How long one call may take to arrive, in seconds.")] = 10
    idle_seconds: Annotated[int, _number("How long an idle connection is kept, in seconds.")] = 30
    watchers_per_user: Annotated[int, _number("Event streams that one user may follow at a time.")] = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """Mail to users and to those who decide. Try it with: jitctl notify test --to you@example.org"""

    server: Annotated[str, _key("The mail server; without one no mail is sent.")] = ""
    port: Annotated[int, _number("Its port.", 1, 65_535)] = 587
    security: Annotated[Literal["starttls", "tls", "none"], _key("starttls or tls, with the server's certificate verified; none: not encrypted, for a server on this machine.")] = "starttls"
    ca_file: Annotated[str, _key("The file of a certification authority of your own; empty: the system's.")] = ""
    user: Annotated[str, _key("The name to log in with; the password is kept with: jitd secret set smtp")] = ""
    keyring: Annotated[str, _key("The class of a keyring backend that has the password, such as keyring.backends.SecretService.Keyring; empty: none.")] = ""
    secrets: Annotated[Path, _key("The directory in which passwords are files of mode 0600, unless systemd gives them as credentials.")] = Path("/etc/jitd/secrets")
    sender: Annotated[str, _key("The address that mails come from.", examples=["jitd@example.org"])] = ""
    ehlo: Annotated[str, _key("The name that this machine greets the server with (EHLO), such as gateway.example.org; empty: its own, where that has a domain, else the domain of sender. A server that refuses the greeting is tried again.", examples=["gateway.example.org"])] = ""
    email_domain: Annotated[str, _key("People get mail at NAME@email_domain, unless they have another address (jitctl user set NAME --email); empty: only those do.", examples=["example.org"])] = ""
    jitctl_host: Annotated[str, _key("The gateway that the commands in mails name behind --host, such as ssh://gateway.example.org; empty: none.")] = ""
    review_url: Annotated[str, _key("A page to review requests on, such as https://jit.example.org/requests/{id}; {id} is the number of the request; empty: none.")] = ""
    templates: Annotated[Path, _key("The directory of templates of your own, see docs/mail.md.")] = Path("/etc/jitd/templates")
    remind_minutes: Annotated[int, _number("Minutes until those who decide are reminded of a waiting request; then after twice as long each time.", 1, 10_000)] = 30
    digest_from: Annotated[int, _number("With so many mails to one recipient within ten minutes, they come together.")] = 10
    timeout_seconds: Annotated[int, _number("How long the server may take for an answer, in seconds.", 1, 600)] = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """Chat rooms, pagers and everything else that the library apprise knows (pip install 'jitctl[chat]'), for those who decide. Templates, links and reminders are those of [mail]. Try it with: jitctl notify test"""

    urls: Annotated[Mapping[str, str], _key("A table of names and apprise's addresses, such as { ops = \"slack://{secret}/#ops\" }; {secret} stands for what is kept with: jitd secret set chat-ops", examples=[{"ops": "slack://{secret}/#ops"}])] = field(default_factory=dict)
    about: Annotated[_Names, _key("The messages that go there, see docs/mail.md.", examples=[["requested", "waiting"]])] = ("requested", "break_glass", "waiting", "lapsed", "device_lost", "undecidable", "change_proposed", "rules_changed", "people_changed")
    digest_from: Annotated[int, _number("With so many messages to one of them within ten minutes, they come together.")] = 10
    timeout_seconds: Annotated[int, _number("How long one of them may take, in seconds.", 1, 600)] = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What holds for all rules. It stands here because whoever may change the rules must not be able to change this."""

    four_eyes: Annotated[bool, _key("Everywhere as on networks with approvals of 2 and more: nobody decides for a device that they registered in another name, nor for a person whom they made; and a change of rules that lets anybody in, or asks for fewer approvals, needs as many people as the network asks for, two at least. With false such a grant stays unreviewed until another person acknowledges it.", live=True)] = False
    reasons: Annotated[bool, _key("Whoever changes rules or people has to say why (--reason).", live=True)] = False
# fmt: on


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


#: The tables of jitd.toml.
TABLES: Final[Mapping[str, type]] = get_type_hints(Config)


class Key(NamedTuple):
    """A key of a table: its type, what is said of it, and its default as TOML and JSON have it."""

    type: Any
    meta: msgspec.Meta
    default: Any

    @property
    def live(self) -> bool:
        """Whether a running jitd takes a change over."""
        return bool((self.meta.extra or {})["live"])

    @property
    def choices(self) -> tuple[str, ...]:
        """The values that it may have, where those are counted."""
        return get_args(self.type) if get_origin(self.type) is Literal else ()


@cache
def keys(table: str) -> Mapping[str, Key]:
    """The keys of a table, in their order."""
    usual = msgspec.to_builtins(TABLES[table](), enc_hook=str)
    hints = get_type_hints(TABLES[table], include_extras=True)
    found = {name: get_args(hint) for name, hint in hints.items()}
    return {name: Key(kind, meta, usual[name]) for name, (kind, meta) in found.items()}


def needs_restart(old: Config, new: Config) -> list[str]:
    """The keys that differ and take effect only at the next start."""
    return [
        f"{table}.{name}"
        for table in TABLES
        for name, key in keys(table).items()
        if getattr(getattr(old, table), name) != getattr(getattr(new, table), name) and not key.live
    ]


def taken_over(old: Config, new: Config) -> Config:
    """`old` with what a running jitd takes over from `new`. The rest must stay: there is one store, and one socket."""
    return Config(
        **{
            table: replace(
                getattr(old, table),
                **{name: getattr(getattr(new, table), name) for name, key in keys(table).items() if key.live},
            )
            for table in TABLES
        }
    )
