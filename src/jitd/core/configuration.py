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
from jitd.core.ports import parse_always, parse_loopback

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
    """The files of jitd, and its administrators."""

    socket: Annotated[Path, _key("The socket of the API, an absolute path. Every user may connect; permissions are checked for each call, by the identity that the kernel reports.")] = Path("/run/jitd/jitd.sock")
    state_dir: Annotated[Path, _key("The directory of the store, the interface keys and the lock, an absolute path. Only jitd can read it (mode 0700).")] = Path("/var/lib/jitd")
    admin_groups: Annotated[_Names, _key("Members of these groups are administrators, as root is: they see everything, grant, deny and revoke.", live=True, examples=[["wheel"]])] = ()
    kept_when_frozen: Annotated[_Names, _key("The names of administrators who keep their access while everything is frozen (jitctl freeze).", live=True, examples=[["alice"]])] = ()
    gate_users: Annotated[_Names, _key("Shared accounts for contractors without an account of their own; the ssh key identifies the contractor (jitctl gate).", live=True, examples=[["jit"]])] = ()
    log_level: Annotated[LogLevel, _key("The lowest level that is logged: debug, info, warning or error.", live=True)] = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enforce:
    """The enforcement of access."""

    backend: Annotated[Backend, _key("The WireGuard implementation. kernel: that of the kernel; userspace: wireguard-go; auto: that of the kernel if it has one, else wireguard-go; memory: nothing is enforced, for dry runs.")] = "auto"
    wireguard_go: Annotated[str, _key("The program of the userspace backend, as a name in PATH or as a path.", min_length=1)] = "wireguard-go"
    firewall: Annotated[Literal["nftables", "none"], _key("The second layer. nftables: a table (nft list table inet jitd) in which each address has a timeout that the kernel counts, so that access ends on time even while jitd is dead. none: WireGuard alone; access stays open while jitd is dead, an interface has only one network, and networks have no ports.")] = "nftables"
    always: Annotated[_Names, _key("Destinations that are open in addition for members of any network of an interface: ping, tcp/PORT or udp/PORT on the gateway itself, or on another host, as in udp/53@10.0.0.53.", examples=[["ping", "udp/53"]])] = ("ping", "udp/53", "tcp/53")
    close_local_users: Annotated[bool, _key("Whether ordinary users of this machine (uid 1000 and up) are kept from connecting to the destinations of networks. Otherwise a shell on the gateway bypasses the rules.")] = True

    def reachable(self) -> tuple[Always, ...]:
        """`always`, as it was read. Raises JitError bad_request."""
        return tuple(parse_always(one) for one in self.always)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits for callers."""

    connections: Annotated[int, _number("Open connections of all users together.")] = 256
    connections_reserved: Annotated[int, _number("Connections that are reserved for administrators, as a part of connections.", 0, 10_000)] = 32
    connections_per_user: Annotated[int, _number("Open connections of one user.")] = 16
    requests_open_per_user: Annotated[int, _number("Pending requests of one user.", live=True)] = 20
    requests_per_hour: Annotated[int, _number("Requests of one user within an hour.", live=True)] = 60
    devices_per_user: Annotated[int, _number("Devices of one user.", live=True)] = 10
    devices_added_per_month: Annotated[int, _number("Devices that one user may add within 30 days, including devices that were removed again.", live=True)] = 100
    changes_per_minute: Annotated[int, _number("Changes of one person within a minute; ten times as many for an administrator, any number for root. Verbs that close access (revoke, release, pause, deny, cancel, freeze, every removal) are never refused, and neither are policy apply and device import.")] = 60
    changes_per_day: Annotated[int, _number("Changes of one person within a day, with the same exceptions as changes_per_minute.")] = 1000
    header_bytes: Annotated[int, _number("The maximum size of the headers of one call, in bytes.", 1024, 1_048_576)] = 16384
    body_bytes: Annotated[int, _number("The maximum size of the body of one call, in bytes.")] = 65536
    read_seconds: Annotated[int, _number("The time within which a call has to arrive, in seconds.")] = 10
    idle_seconds: Annotated[int, _number("The time for which an idle connection is kept, in seconds.")] = 30
    watchers_per_user: Annotated[int, _number("Open event streams of one user.")] = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """Mail to users and deciders. Test it with: jitctl notify test --to you@example.org"""

    server: Annotated[str, _key("The mail server; empty: no mail is sent.")] = ""
    port: Annotated[int, _number("The port of the mail server.", 1, 65_535)] = 587
    security: Annotated[Literal["starttls", "tls", "none"], _key("The encryption: starttls or tls, with a verified server certificate; none: no encryption, for a server on this machine.")] = "starttls"
    ca_file: Annotated[str, _key("The file of a certification authority that signed the server certificate; empty: the authorities of the system.")] = ""
    user: Annotated[str, _key("The user name for the login at the server; empty: no login. Store the password with: jitd secret set smtp")] = ""
    keyring: Annotated[str, _key("The class of the keyring backend with the password, such as keyring.backends.SecretService.Keyring; empty: no keyring is used.")] = ""
    secrets: Annotated[Path, _key("The directory of password files (mode 0600), for passwords that systemd does not pass as credentials.")] = Path("/etc/jitd/secrets")
    sender: Annotated[str, _key("The sender address of mails.", examples=["jitd@example.org"])] = ""
    ehlo: Annotated[str, _key("The host name in the greeting to the server (EHLO), such as gateway.example.org; empty: the name of this machine if it has a domain, else the domain of sender. If the server refuses the greeting, delivery is tried again.", examples=["gateway.example.org"])] = ""
    email_domain: Annotated[str, _key("The mail domain of users: NAME@email_domain, unless a user has another address (jitctl user set NAME --email); empty: only users with such an address get mail.", examples=["example.org"])] = ""
    jitctl_host: Annotated[str, _key("The value of --host in commands in mails, such as ssh://gateway.example.org; empty: the commands have no --host.")] = ""
    review_url: Annotated[str, _key("The address of a web page for reviewing requests, such as https://jit.example.org/requests/{id}, where {id} is the number of the request; empty: mails have no link.")] = ""
    templates: Annotated[Path, _key("The directory of your own templates, see docs/mail.md.")] = Path("/etc/jitd/templates")
    remind_minutes: Annotated[int, _number("The time until deciders are reminded of a pending request, in minutes; it doubles with each reminder.", 1, 10_000)] = 30
    digest_from: Annotated[int, _number("If one recipient would get more mails than this within ten minutes, they are combined into one.")] = 10
    timeout_seconds: Annotated[int, _number("The time limit for each answer of the server, in seconds.", 1, 600)] = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """Messages to deciders in chat rooms, on pagers and in all other services that the library apprise supports (pip install 'jitctl[chat]'). Templates, links and reminders are those of [mail]. Test it with: jitctl notify test"""

    urls: Annotated[Mapping[str, str], _key('The destinations, as a table of names and apprise addresses, such as { ops = "slack://{secret}/#ops" }. {secret} is replaced by the secret that is stored with: jitd secret set chat-ops', examples=[{"ops": "slack://{secret}/#ops"}])] = field(default_factory=dict)
    about: Annotated[_Names, _key("The kinds of messages that are sent to the destinations, see docs/mail.md.", examples=[["requested", "waiting"]])] = ("requested", "break_glass", "waiting", "lapsed", "device_lost", "undecidable", "change_proposed", "rules_changed", "people_changed")
    digest_from: Annotated[int, _number("If one destination would get more messages than this within ten minutes, they are combined into one.")] = 10
    timeout_seconds: Annotated[int, _number("The time limit for the delivery of one message, in seconds.", 1, 600)] = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Settings for all rules. They are in this file because people who may change the rules must not be able to change them."""

    four_eyes: Annotated[bool, _key("Whether all networks are treated like those with two or more approvals: nobody decides about a device that they registered for another user, or about a user whom they registered; and a change of rules that lets more users in, or asks for fewer approvals, needs as many people as the network asks for, at least two. With false, such a grant stays unreviewed until another person acknowledges it.", live=True)] = False
    reasons: Annotated[bool, _key("Whether changes of rules and users need a reason (--reason).", live=True)] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Metrics for Prometheus, see docs/metrics.md. On the socket, members of the group read them with: curl --unix-socket /run/jitd/jitd.sock http://jitd/v1/metrics"""

    group: Annotated[str, _key("The group whose members may read the metrics on the socket; administrators may as well. Empty: only administrators.", live=True, examples=["prometheus"])] = ""
    textfile: Annotated[str, _key("The file that jitd writes every 15 seconds for the textfile collector of node_exporter, such as /var/lib/prometheus/node-exporter/jitd.prom; its mode is 0644. Empty: none.", examples=["/var/lib/prometheus/node-exporter/jitd.prom"])] = ""
    listen: Annotated[str, _key("The loopback address and the port at which a Prometheus on this machine reads the metrics, such as 127.0.0.1:9586. Every local user can read them there. Empty: none.", examples=["127.0.0.1:9586"])] = ""

    def address(self) -> tuple[str, int] | None:
        """`listen`, as it was read; None for none. Raises JitError bad_request."""
        return parse_loopback(self.listen) if self.listen else None
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
    metrics: Metrics = field(default_factory=Metrics)

    @property
    def groups(self) -> frozenset[str]:
        """The groups whose members may do what others may not."""
        return frozenset({*self.daemon.admin_groups, self.metrics.group} - {""})

    @property
    def notifies(self) -> bool:
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
