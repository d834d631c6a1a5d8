"""The typed settings of the daemon, as `jitd.toml` gives them. `jitd/config.py` reads that file."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Final

from jitd.core.firewall import Always
from jitd.core.ports import parse_always

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
    """Chat rooms and everything else that apprise knows, for those who decide. The links in it are those of [mail]."""

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


#: The tables of jitd.toml.
TABLES: Final[Mapping[str, type]] = {
    "daemon": Daemon,
    "enforce": Enforce,
    "limits": Limits,
    "mail": Mail,
    "chat": Chat,
    "policy": Policy,
}
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
        for table, kind in TABLES.items()
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
            for table, kind in TABLES.items()
        }
    )
