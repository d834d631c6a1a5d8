"""The catalogue of events: of each kind its code, its sentence, what it carries, how much it matters and who is told of it.

A sentence names columns of the event and fields of what it carries in braces. Behind a colon stands what is said where
there is a value, with % for the value, and behind | what is said where there is none. jitctl/render/events.py fills it in,
and knows the few facts that are worked out of several fields.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple, NotRequired, Self, TypedDict

# What events carry beside whom and what they concern, by its shape: plain JSON values, as they are stored. Moments and
# durations are milliseconds.

_Rules = Mapping[str, object]

# fmt: off
#: Nothing. Whatever carries more can stand for it.
Nothing = TypedDict("Nothing", {})

# Requests and grants.
Asked = TypedDict("Asked", {
    "reason": str, "wanted": int | None, "start": NotRequired[int | None], "until": NotRequired[int | None],
    "urgent": NotRequired[bool], "extends": NotRequired[int], "ends": NotRequired[int], "rule": NotRequired[str | None],
})
Comment = TypedDict("Comment", {"comment": NotRequired[str]})
CutShort = TypedDict("CutShort", {"comment": NotRequired[str], "ends": NotRequired[int]})
Approval = TypedDict("Approval", {"number": int, "of": int, "duration": int | None, "comment": str})
VoidVote = TypedDict("VoidVote", {"by": str, "comment": str})
Given = TypedDict("Given", {
    "starts": int, "ends": int, "duration": int, "comment": str, "devices": list[str], "cap": str,
    "reason": NotRequired[str],
})
Extension = TypedDict("Extension", {
    "before": int, "wanted": int | None, "ends": int, "duration": int, "comment": str, "asked": int | None, "cap": str,
})
Ends = TypedDict("Ends", {"ends": int | None, "starts": NotRequired[int], "clock": NotRequired[str]})
Confirmation = TypedDict("Confirmation", {"due": int, "confirmed": int, "lateness": int})
Frozen = TypedDict("Frozen", {"reason": str, "kept": NotRequired[list[str]], "since": NotRequired[int]})
Undone = TypedDict("Undone", {"verb": str, "what": str, "by": str, "why": str})
Cause = TypedDict("Cause", {"why": str})

# Rules and people.
Changed = TypedDict("Changed", {
    "before": NotRequired[_Rules], "after": NotRequired[_Rules], "reason": NotRequired[str],
})
Balance = TypedDict("Balance", {"gains": list[str], "loses": list[str], "reason": str})
Policy = TypedDict("Policy", {"added": int, "changed": int, "removed": int, "reason": str})
Proposal = TypedDict("Proposal", {"change": int, "verb": str, "what": list[str], "quorum": int, "reason": str})
ChangeVote = TypedDict("ChangeVote", {
    "change": int, "what": list[str], "number": NotRequired[int], "of": NotRequired[int], "comment": str,
})
Registered = TypedDict("Registered", {"ends": int, "email": str | None, "before": str | None, "reason": str})
Disabling = TypedDict("Disabling", {"reason": str, "disabled": NotRequired[str]})
Since = TypedDict("Since", {"since": int | None, "reason": NotRequired[str], "gains": NotRequired[list[str]]})
MissingUsers = TypedDict("MissingUsers", {"number": int, "of": int, "users": list[str]})

# Keys, interfaces and the firewall.
Key = TypedDict("Key", {"public_key": str, "ends": NotRequired[int | None], "device": NotRequired[str]})
Rotated = TypedDict("Rotated", {"public_key": str, "replaced": str, "preshared_key_dropped": bool})
Lost = TypedDict("Lost", {"public_key": str, "networks": list[str]})
Repaired = TypedDict("Repaired", {"public_key": str, "found": list[str] | None})
Entry = TypedDict("Entry", {"ip": str, "network_id": int})
Adopted = TypedDict("Adopted", {"after": _Rules, "owner": str, "path": str, "unmanaged": list[str]})
Renamed = TypedDict("Renamed", {"called": str})
Failure = TypedDict("Failure", {"error": str})

# The daemon, its store and its messages.
Started = TypedDict("Started", {"backend": str})
Restored = TypedDict("Restored", {"seq": int, "mark": int})
Messages = TypedDict("Messages", {"messages": int})
Tested = TypedDict("Tested", {"to": list[str]})
# fmt: on


class Severity(StrEnum):
    """How much an event matters among others."""

    INFO = "info"
    ASKS = "asks"  # somebody has to decide
    OPENS = "opens"
    CLOSES = "closes"
    ALARM = "alarm"


class Audience(StrEnum):
    """Who is told by mail."""

    DECIDERS = "deciders"  # administrators, and the approvers of the network
    USER = "user"  # whom it concerns
    ADMINS = "admins"  # administrators


class Notice(NamedTuple):
    """A template, and for whom."""

    template: str
    audience: Audience


class Row(NamedTuple):
    """One kind of event."""

    code: str  # stands in the store and in `events --json`: it never changes
    sentence: str  # what was done, behind who did it
    shape: Any = Nothing  # of what it carries
    severity: Severity = Severity.INFO
    user: str = ""  # the template of the message to whom it concerns
    deciders: str = ""  # to those who decide
    admins: str = ""  # to administrators
    unless_own: bool = False  # nobody is told of what people do on their own behalf
    desktop: str = ""  # the title of the notification on the desktop of whom it concerns
    urgent: bool = False  # how that is shown there
    change: str = ""  # what it changes, in the message about changed rules or people


_ASKS, _OPENS, _CLOSES, _ALARM = Severity.ASKS, Severity.OPENS, Severity.CLOSES, Severity.ALARM
_RULES, _PEOPLE = "rules_changed", "people_changed"


class EventKind(StrEnum):
    """The kinds of events. Each member is its code."""

    row: Row

    def __new__(cls, *row: object) -> Self:
        """A member for each row."""
        made = str.__new__(cls, row[0])
        made._value_, made.row = str(made), Row._make(row)
        return made

    @classmethod
    def of(cls, code: str) -> "EventKind | None":
        """The kind with this code; None for one of a newer jitd."""
        try:
            return cls(code)
        except ValueError:
            return None

    @property
    def notices(self) -> tuple[Notice, ...]:
        """The messages that it makes."""
        named = {
            Audience.DECIDERS: self.row.deciders,
            Audience.USER: self.row.user,
            Audience.ADMINS: self.row.admins,
        }
        return tuple(Notice(template, audience) for audience, template in named.items() if template)

    # fmt: off
    # Requests and grants.
    REQUESTED = Row(
        "requested", "asked for {extends:more of grant % to }{network}{wanted: for %}{start:, from %}{urgent:, urgently}:"
        " {reason:%|no reason given}", Asked, _ASKS, deciders="requested", user="received")
    CANCELLED = Row("cancelled", "withdrew the request{comment:: "
        "%}", Comment, user="cancelled", unless_own=True)
    APPROVED = Row("approved", "approved {network} ({number} of {of}){comment:: %}", Approval)
    APPROVAL_VOID = Row("approval_void", "the approval of {by} no longer counts{comment:: %}", VoidVote)
    GRANTED = Row("granted", "granted {network} for {duration}{begins:, from %}{cap: (%)}{comment:: %}", Given, _OPENS,
        user="granted", desktop="{}: granted")
    DENIED = Row("denied", "denied {network}{comment:: %}", Comment, _CLOSES, user="denied", desktop="{}: denied")
    LAPSED = Row("lapsed", "the request for {network} lapsed{comment:: %}", Comment,
        user="unanswered", deciders="lapsed", desktop="{}: nobody decided in time")
    ACTIVATED = Row("activated", "{network} is open now: a grant made in advance has begun", Ends,
        _OPENS, user="opened", desktop="{}: open")
    BREAK_GLASS = Row("break_glass", "opened {network} by break-glass for {duration}{reason:: %}", Given, _ALARM,
        deciders="break_glass", user="granted")
    ACKNOWLEDGED = Row("acknowledged", "acknowledged the break-glass use{comment:: %}", Comment)
    UNREVIEWED = Row("unreviewed", "another approver has to review it{comment:: %}", Comment,
        admins=_RULES, change="another approver has to review the decision")
    DECIDED_ALONE = Row(
        "decided_alone", "root decided alone{comment:: %}", Comment, admins=_RULES, change="root decided alone")
    EXTENDED = Row("extended", "extended {network} by {duration}{cap: (%)}{comment:: %}", Extension, _OPENS,
        user="extended", desktop="{}: more time")
    PAUSED = Row("paused", "paused {network}")
    RESUMED = Row("resumed", "resumed {network}")
    RELEASED = Row("released", "released {network}{comment:: %}", CutShort, user="ended", unless_own=True)
    REVOKED = Row("revoked", "revoked {network}{comment:: %}", CutShort,
        _CLOSES, user="revoked", desktop="{}: access revoked", urgent=True)
    EXPIRED = Row(
        "expired", "access to {network} has ended{set_clock:: %}", Ends, user="ended", desktop="{}: access has ended")
    CUT_CONFIRMED = Row(
        "cut_confirmed", "access is cut, confirmed by the kernel ({lateness} ms after its end)", Confirmation)
    STANDING_BEGAN = Row("standing_began", "{user} has standing access to {network} now{why:: %}", Cause)
    STANDING_ENDED = Row("standing_ended", "{user} lost standing access to {network}{why:: %}", Cause)
    FROZEN = Row("frozen", "froze all access: {reason}{kept: (except %)}", Frozen,
        _ALARM, desktop="all access is frozen", urgent=True)
    THAWED = Row("thawed", "ended the freeze", Frozen, desktop="the freeze is over")
    CLOSING_UNDONE = Row("closing_undone", "reopened access that {by} had cut ({what}){why:: "
        "%}", Undone, _ALARM)

    # Rules: networks, the policy, and changes that several have to agree to.
    NETWORK_ADDED = Row("network_added", "added the network {network} on {interface}", Changed,
        admins=_RULES, change="the network is added")
    NETWORK_CHANGED = Row("network_changed", "changed the network {network}: {changes}", Changed, admins=_RULES)
    NETWORK_REMOVED = Row(
        "network_removed", "removed the network {network}", Changed, admins=_RULES, change="the network is removed")
    JIT_ON = Row("jit_on", "switched just-in-time access on for {network}{people:: %}", Balance,
        admins=_RULES, change="just-in-time access is on: everybody has to request access")
    JIT_OFF = Row("jit_off", "switched just-in-time access off for {network}{people:: %}", Balance,
        admins=_RULES, change="just-in-time access is off: members have standing access")
    POLICY_APPLIED = Row(
        "policy_applied", "applied a policy: {added} networks added, {changed} changed, {removed} removed", Policy)
    CHANGE_PROPOSED = Row(
        "change_proposed", "proposed change {change}, which needs {quorum} approvals: {what}", Proposal,
        deciders="change_proposed")
    CHANGE_APPROVED = Row("change_approved", "approved change {change} ({number} of {of}): "
        "{what}", ChangeVote)
    CHANGE_REJECTED = Row("change_rejected", "rejected change {change}{comment:: %}", ChangeVote, admins=_RULES)
    UNDECIDABLE = Row(
        "undecidable", "too few approvers are left for {network}{comment:: "
            "%}", Comment, _ALARM, admins="undecidable")
    DECIDABLE = Row("decidable", "{network} has enough approvers again")

    # People and their devices.
    USER_ADDED = Row("user_added", "registered {user} until {ends}", Registered, admins=_PEOPLE, change="registered")
    USER_CHANGED = Row("user_changed", "changed {user}: {ends_and_mail}", Changed, admins=_PEOPLE)
    USER_SUSPENDED = Row("user_suspended", "suspended {user}'s devices{why:: %}", Cause)
    USER_RESUMED = Row("user_resumed", "{user} is back: the devices are active again", Since)
    USER_RETIRED = Row("user_retired", "retired {user}'s devices: away for more than 24 h", Since)
    USER_CONFIRMED = Row("user_confirmed", "confirmed that {user} is the same person", Since,
        admins=_PEOPLE, change="confirmed to be the same person after more than 24 h")
    DIRECTORY_FAULT = Row(
        "directory_fault", "{number} of {of} users are missing from the directory at once: their access is "
            "closed, but no device is retired",
        MissingUsers, admins=_PEOPLE, change="{number} of {of} users are missing from the directory at once: "
            "their access is closed")
    USER_DISABLED = Row("user_disabled", "disabled {user}{reason:: %}", Disabling, admins=_PEOPLE, change="disabled")
    USER_ENABLED = Row("user_enabled", "enabled {user} again", Disabling, admins=_PEOPLE, change="enabled again")
    USER_ENDED = Row("user_ended", "the end date of {user} has passed", Ends)
    DEVICE_ADDED = Row("device_added", "added {user}'s device {device}", Key,
        admins=_PEOPLE, unless_own=True, change="a key was registered in their name")
    DEVICE_REMOVED = Row("device_removed", "removed {user}'s device {device}", Key)
    DEVICE_ROTATED = Row("device_rotated", "replaced the key of {user}'s device {device}"
        "{preshared_key_dropped:; its preshared key is dropped}", Rotated,
        admins=_PEOPLE, unless_own=True, change="the key of one of their devices was replaced")
    DEVICE_LOST = Row(
        "device_lost", "reported {user}'s device {device} lost: {networks:its access to % is cut|it had no "
            "access}, and its key can never be registered again", Lost, _ALARM, admins="device_lost")
    DEVICE_IMPORTED = Row("device_imported", "assigned a peer of {interface} to {user} as {device}", Key,
        admins=_PEOPLE, unless_own=True, change="an existing peer was assigned to them")

    # Interfaces, and what stands in the kernel.
    INTERFACE_ADDED = Row("interface_added", "created the interface {interface}", Changed)
    INTERFACE_CHANGED = Row("interface_changed", "changed the interface {interface}: {changes}", Changed)
    INTERFACE_REMOVED = Row("interface_removed", "removed the interface {interface}", Changed)
    INTERFACE_ADOPTED = Row(
        "interface_adopted", "adopted {interface} ({owner}) with {unmanaged.count} unmanaged peers", Adopted)
    INTERFACE_RECREATED = Row("interface_recreated", "created {interface} again: it had been removed")
    INTERFACE_REPLACED = Row("interface_replaced", "{interface} was created again by its owner and was "
        "examined again")
    INTERFACE_RENAMED = Row(
        "interface_renamed", "{interface} is now called {called}: the firewall covers both "
            "names", Renamed, _ALARM)
    INTERFACE_LOST = Row(
        "interface_lost", "{interface} is missing: its addresses are blocked ({error})", Failure, _ALARM)
    ROUTES_RESTORED = Row("routes_restored", "the routes into {interface} were missing and were restored")
    ENFORCE_ON = Row("enforce_on", "enforces {interface} now: {loses.count} peers lost access", Balance,
        admins=_RULES, change="the interface is enforced: jitd controls all peers")
    ENFORCE_OFF = Row("enforce_off", "stopped enforcing {interface}: {gains.count} peers have access "
        "again", Balance,
        admins=_RULES, change="the interface is not enforced: unmanaged peers have access")
    ENFORCEMENT_FAILED = Row("enforcement_failed", "{interface} does not agree with the store: "
        "{error}", Failure, _ALARM)
    ENFORCEMENT_RECOVERED = Row("enforcement_recovered", "{interface} agrees with the store again")
    STRANGER_REMOVED = Row("stranger_removed", "removed {whose} from {interface}{public_key:: %}", Key)
    PEER_REPAIRED = Row(
        "peer_repaired", "repaired a peer of {interface} that another program had changed{public_key:: %}",
        Repaired)
    UNMANAGED_SEEN = Row("unmanaged_seen", "a new unmanaged peer is on {interface}{public_key:: %}", Key)
    UNMANAGED_GONE = Row("unmanaged_gone", "an unmanaged peer has left {interface}{public_key:: %}", Key)
    FIREWALL_REPAIRED = Row(
        "firewall_repaired", "another program had changed or flushed jitd's firewall rules: they are loaded "
            "again, with the time left of each entry")
    ELEMENT_REMOVED = Row(
        "element_removed", "removed the firewall entry of {ip} on {interface}, which jitd had not made: it "
            "has no grant", Entry)
    ELEMENT_SHORTENED = Row(
        "element_shortened", "shortened the firewall entry of {ip} on {interface}, which outlasted its "
            "grant", Entry)
    ELEMENT_RESTORED = Row(
        "element_restored", "restored the firewall entry of {ip} on {interface}, which has a grant and was "
            "missing", Entry)

    # The daemon, its store and its messages.
    STARTED = Row("started", "jitd started ({backend} backend)", Started)
    STOPPED = Row("stopped", "jitd stopped")
    MARK_MISSING = Row("mark_missing",
        "the mark of the last closing is missing: jitd cannot tell whether the store was restored from an "
        "older copy")
    STORE_RESTORED = Row(
        "store_restored", "the store was restored from an older copy: {missing} events are missing, and its "
            "grants and keys stay closed (jitctl accept-restored)", Restored, _ALARM)
    RESTORED_ACCEPTED = Row("restored_accepted", "accepted the restored store: {gains:%|nobody} has access "
        "again", Since)
    OUTBOX_RETRIED = Row("outbox_retried", "tried {messages} messages again", Messages)
    OUTBOX_DROPPED = Row("outbox_dropped", "discarded {messages} messages", Messages)
    NOTIFY_ON = Row("notify_on", "turned mail on for {user}")
    NOTIFY_OFF = Row("notify_off", "turned mail off for {user}")
    NOTIFY_TESTED = Row("notify_tested", "sent a test message to {to}", Tested)
    # fmt: on


#: Those that give access for a time, or more of it.
GIVES: Final = (EventKind.GRANTED, EventKind.BREAK_GLASS, EventKind.EXTENDED)
#: Those that concern everybody, and not one user.
FOR_EVERYBODY: Final = (EventKind.FROZEN, EventKind.THAWED)
