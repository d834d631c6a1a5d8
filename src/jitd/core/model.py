"""The things the project is about, as frozen facts. No I/O and no clock: whoever asks brings the time.

All times are integer milliseconds UTC since 1970, all durations integer milliseconds, unless a name ends in
`_boot_ms` (CLOCK_BOOTTIME). Status is derived here (`Request.status`) and nowhere else.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from jitd.core import principals
from jitd.core.choices import Channel, Status
from jitd.core.durations import DAY, HOUR, SECOND, show
from jitd.core.hours import Window

IPNetwork = IPv4Network | IPv6Network

#: The uid of those who are no users of the system, but registered here by an administrator (contractors): this one, or
#: a lower one where somebody of the same name was registered before.
REGISTERED: Final = -1

#: The login uid of a process that nobody logged in for (containers, services): (uid_t) -1 in the kernel.
NO_LOGIN: Final = 4294967295


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who calls, as the kernel says. Made in one place, from the socket.

    `login_uid` is None when nobody logged in; behind sudo it tells who did. `pid` and `origin` (terminal, address
    of the ssh client where the kernel's tables show it) are only evidence and decide nothing.

    A process that no login started (a mail filter, CGI, a container, a service) may write any login uid for itself. So
    for callers other than root it is a claim: it may forbid something, and never allows anything.
    """

    uid: int
    user: str
    login_uid: int | None = None
    login_user: str | None = None
    pid: int = 0
    origin: str = ""

    @property
    def login_is_claimed(self) -> bool:
        """Whether who logged in is what the caller says, and not what root's own sudo or login left behind."""
        return self.uid != 0

    @property
    def shown(self) -> str:
        """Who acted, for a sentence: `carol`, `root (carol)` behind sudo, `svc (login claimed: carol)` otherwise."""
        if not self.login_user or self.login_user == self.user:
            return self.user
        return f"{self.user} ({'login claimed: ' if self.login_is_claimed else ''}{self.login_user})"


#: How long somebody who is gone may be away and come back as if nothing had been; milliseconds.
RETIRED_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A person who owns devices: a (uid, name) pair of the system. The uid under another name is someone else.

    With the uid REGISTERED it is somebody whom the system does not know and an administrator has registered.
    """

    id: int
    uid: int
    name: str
    email: str = ""
    ends_ms: int | None = None  # from then on it may do nothing and passes nowhere
    disabled: str | None = None  # why an administrator has shut it out; None: nobody has
    told: bool = True  # whether it wants to be told by mail
    suspended_ms: int | None = None  # since when its devices are: it is gone, or its time is over
    suspended_in_fault: bool = False  # it went with many others at once

    @property
    def is_registered(self) -> bool:
        """Whether it is known to jitd alone, and not to the system."""
        return self.uid <= REGISTERED

    def is_retired(self, now_ms: int) -> bool:
        """Whether it was suspended for so long that whoever comes back with its name and uid need not be the same."""
        if self.suspended_ms is None or self.suspended_in_fault:
            return False
        return now_ms >= self.suspended_ms + RETIRED_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """A WireGuard interface of this gateway.

    `adopted` interfaces belong to someone else (wg-quick, networkd); jitd never creates them or changes their key,
    port or addresses. `enforced` is always true for own interfaces; while it is false on an adopted one, peers that
    jitd did not put there pass untouched.
    `addresses` are the gateway's own, with prefix length; a pool is where tunnel addresses are taken from.
    """

    id: int
    name: str
    adopted: bool
    enforced: bool
    private_key: str = field(repr=False)  # base64; empty for adopted interfaces
    public_key: str  # base64
    port: int
    pool4: IPv4Network | None
    pool6: IPv6Network | None
    endpoint: str  # what clients connect to: "host:port", "[v6]:port"; empty when not known
    dns: tuple[str, ...]
    mtu: int  # bytes; 0 leaves the backend's default
    created_ms: int


@dataclass(frozen=True, slots=True, order=True)
class Ports:
    """A protocol and an inclusive range of ports."""

    protocol: str  # "tcp" or "udp"
    first: int
    last: int

    def __str__(self) -> str:
        """`tcp/5432` or `udp/6000-6100`."""
        span = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{self.protocol}/{span}"


@dataclass(frozen=True, slots=True)
class AutoApproval:
    """Who gets access without waiting for somebody, up to which duration, and how often.

    Its text is read back to an equal one: `@dev,alice up to 1h, 5 a week`.
    """

    who: tuple[str, ...]
    most_ms: int
    a_week: int

    def __str__(self) -> str:
        """As it is typed."""
        return f"{principals.join(self.who)} up to {show(self.most_ms)}, {self.a_week} a week"


#: The fields of a network that name users and groups.
NAMING: Final = ("members", "jit_groups", "jit_exempt", "approvers", "jit_break_glass", "jit_auto_approve")


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What people ask for: destinations behind an interface, with the policy that decides who gets there.

    Who is meant is named by principals: "alice" is a user, "@staff" a group. Fields are called as the settings that people
    type (`core/settings.py`): `jit_hours` is jit.hours, and `max_duration_ms` max_duration. What a field is here by default is what a new network has.
    """

    id: int
    name: str
    interface_id: int
    created_ms: int
    routes: tuple[IPNetwork, ...] = ()
    ports: tuple[Ports, ...] = ()  # empty: all
    # who
    jit_enabled: bool = True
    #: Who may use it at all; empty: everybody, allowed only where everybody has to ask.
    members: tuple[str, ...] = ()
    jit_groups: tuple[str, ...] = ()  # who has to ask; empty: everybody
    jit_exempt: tuple[str, ...] = ()  # who never has to
    jit_admins_too: bool = False
    approvers: tuple[str, ...] = ()  # users and groups that decide, beside administrators
    approvals: int = 1  # the number of different people who have to approve
    # how long
    default_duration_ms: int = 2 * HOUR
    max_duration_ms: int = 8 * HOUR
    min_duration_ms: int = SECOND
    pending_ttl_ms: int = DAY  # how long a request waits for a decision
    extend_beyond_max: bool = False
    # when
    jit_hours: tuple[Window, ...] = ()  # empty: always
    # why
    reason_required: bool = True
    reason_min_length: int = 1  # characters
    reason_pattern: str = ""  # a regular expression for the whole reason
    reason_expected: str = ""  # in words, for those whose reason does not match
    # without waiting for somebody
    jit_break_glass: tuple[str, ...] = ()  # who may open it at once, to be reviewed afterwards
    jit_break_glass_max_ms: int = HOUR  # for how long at most
    jit_break_glass_reason_min_length: int = 10  # characters
    jit_break_glass_quota: int = 3  # times in a week, for each user
    jit_auto_approve: tuple[AutoApproval, ...] = ()
    #: Which uid each user whom a rule names had when they were named there, by the field of the rule and the name.
    bound: tuple[tuple[str, str, int], ...] = ()

    @property
    def principals(self) -> frozenset[str]:
        """Everybody whom a rule names."""
        return frozenset().union(*(self.named(field) for field in NAMING))

    def named(self, field_name: str) -> tuple[str, ...]:
        """Whom the rules of one field name, users and groups."""
        if field_name == "jit_auto_approve":
            return tuple(dict.fromkeys(who for rule in self.jit_auto_approve for who in rule.who))
        found: tuple[str, ...] = getattr(self, field_name)
        return found

    def uids(self, field_name: str) -> dict[str, int]:
        """The uids that users had when the rules of one field named them."""
        return {name: uid for where, name, uid in self.bound if where == field_name}

    def unbound(self) -> list[tuple[str, str]]:
        """(field, name) of the users of whom nobody knows which uid is meant: the rules are of an older jitd."""
        return [
            (where, name)
            for where in NAMING
            for name in principals.users(self.named(where))
            if name not in self.uids(where)
        ]

    def bind(self, before: "Network | None", uid_of: Callable[[str], int | None]) -> "Network":
        """With uids for the users whom a rule names anew; those whom the same rule of `before` named keep theirs.

        Of whom `uid_of` says None stays without.
        """
        found = []
        for where in NAMING:
            known = before.uids(where) if before else {}
            named = principals.users(before.named(where)) if before else ()
            for name in principals.users(self.named(where)):
                uid = known.get(name) if name in named else uid_of(name)
                if uid is not None:
                    found.append((where, name, uid))
        return replace(self, bound=tuple(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A user's public key (base64)."""

    id: int
    account_id: int
    name: str
    public_key: str
    created_ms: int
    ends_ms: int | None = None  # it is removed then


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """An approval: access from `starts_ms` up to and not including `ends_ms`.

    `ends_boot_ms` is the same end in CLOCK_BOOTTIME of the boot `boot_id`. Under another boot id it means nothing,
    and the grant opens nothing until it has been activated in this boot (`activation.activate`).
    """

    decided_ms: int
    decided_by: str
    comment: str
    starts_ms: int
    ends_ms: int
    boot_id: str
    ends_boot_ms: int
    paused_ms: int | None = None  # since when its user has switched it off

    def is_active(self, now: "Now") -> bool:
        """Whether the grant was activated in this boot and is not over."""
        return now.boot_id == self.boot_id and not self.is_over(now)

    def left_ms(self, now: "Now") -> int:
        """How long it goes on from now, milliseconds: whichever clock is over first. 0 when it is not active."""
        if not self.is_active(now):
            return 0
        return min(self.ends_ms - now.wall_ms, self.ends_boot_ms - now.boot_ms)

    def is_over(self, now: "Now") -> bool:
        """Whether either clock says that the time is over."""
        return now.wall_ms >= self.ends_ms or (
            now.boot_id == self.boot_id and now.boot_ms >= self.ends_boot_ms
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """A refusal by a person."""

    decided_ms: int
    decided_by: str
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a request or grant ended: `how` is one of the statuses of the Ended tab."""

    how: Status
    at_ms: int
    by: str  # user name; "" when jitd ended it by itself
    comment: str


#: Why a request lapses.
NOBODY_DECIDED: Final = "nobody decided in time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """That a decider has looked at a use of break-glass."""

    at_ms: int
    by: str
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """That one of several who have to agree does. `name` is who logged in, where that one has become root."""

    uid: int
    name: str
    login_uid: int | None
    at_ms: int
    duration_ms: int | None  # how long, as far as this one said
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """Everything is closed, whatever is granted, until somebody thaws it."""

    since_ms: int
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Now:
    """One reading of both clocks."""

    wall_ms: int
    boot_ms: int
    boot_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A user's wish and what became of it. Request and grant share the id."""

    id: int
    account: Account
    network_id: int
    reason: str
    wanted_ms: int | None  # wished duration; None: the network's default, or until `wanted_until_ms`
    requested_ms: int
    requested_by: str  # the user name of the caller, who may be an administrator
    lapses_ms: int  # without a decision it lapses then, by the wall clock
    wanted_start_ms: int | None = None  # when it is to begin; None: at once
    wanted_until_ms: int | None = None  # when it is to end, in place of a duration
    urgent: bool = False
    break_glass: bool = False
    unreviewed: str = (
        ""  # why somebody else has to look at it: whoever decided had registered its device, or made its user
    )
    review: Review | None = None  # of that, and of break-glass
    extends_id: int | None = None  # asks for more time of this grant, and gives no access of its own
    decision: Grant | Denial | None = None
    ending: Ending | None = None

    @property
    def grant(self) -> Grant | None:
        """The grant, if there was one (also after its end)."""
        return self.decision if isinstance(self.decision, Grant) else None

    def status(self, now: Now) -> Status:
        """The status at `now`: right even before an ending has been handled."""
        if self.ending is not None:
            return self.ending.how
        match self.decision:
            case None:
                return Status.LAPSED if now.wall_ms >= self.lapses_ms else Status.PENDING
            case Denial():
                return Status.DENIED
            case Grant() as grant if self.extends_id is not None:
                # It has no access that could be activated in this boot or another.
                return Status.EXPIRED if now.wall_ms >= grant.ends_ms else Status.ACTIVE
            case Grant() as grant:
                if grant.is_over(now):
                    return Status.EXPIRED
                return Status.ACTIVE if grant.is_active(now) else Status.SCHEDULED


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fact that happened. `actor` is None when jitd itself acted. `data` holds plain JSON values only."""

    seq: int
    at_ms: int
    kind: str
    actor: Actor | None
    request_id: int | None
    user: str | None  # whom it concerns
    network: str | None
    interface: str | None
    device: str | None
    data: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Something that is to be told to somebody, once."""

    id: int
    key: str
    way: Channel
    recipient: str
    address: str
    template: str
    request_id: int | None
    data: dict[str, object]
    created_ms: int
    next_ms: int | None  # when it is tried next; None: not by itself any more
    attempts: int
    error: str
