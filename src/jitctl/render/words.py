"""Requests and events in words: one place for what each status and each kind of event is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from jitctl.render import times
from jitctl.render.output import clean
from jitd.core import durations

if TYPE_CHECKING:
    from jitd import wire

#: Symbol and rich style of each status: colour never says anything alone.
STATUS: Final = {
    "pending": ("?", "yellow"),
    "scheduled": (">", "cyan"),
    "active": ("*", "green"),
    "denied": ("x", "red"),
    "expired": ("-", "dim"),
    "revoked": ("x", "red"),
    "released": ("-", "dim"),
    "cancelled": ("-", "dim"),
    "lapsed": ("-", "dim"),
}


#: The columns of a list, by the names that `--columns` takes; what each shows stands in render/requests.py.
LIST_COLUMNS: Final = (
    "id",
    "user",
    "network",
    "status",
    "requested",
    "wants",
    "granted",
    "reason",
    "managed-by",
    "left",
    "bar",
    "comment",
    "devices",
    "asked-by",
    "starts",
    "ends",
    "ended",
    "why-ended",
)


def status(request: wire.RequestView) -> str:
    """`* active (paused)`: symbol, status and marks."""
    symbol, _ = STATUS.get(request["status"], ("", ""))
    if "unreviewed" in request["marks"]:
        symbol = "!"
    marks = list(request["marks"])
    if request.get("approvals", 1) > 1 and request["status"] == "pending":
        marks.insert(0, f"{len(request['approved_by'])} of {request['approvals']}")
    shown = f" ({', '.join(marks)})" if marks else ""
    return f"{symbol} {request['status']}{shown}".strip()


def style(request: wire.RequestView) -> str:
    """The style of a status."""
    if "unreviewed" in request["marks"]:
        return "bold red"
    return STATUS.get(request["status"], ("", ""))[1]


def time_left(request: wire.RequestView, now: int) -> str:
    """Time left of an active grant; `in 2h 05m` of one that begins later; "" for others."""
    if request["status"] == "scheduled" and request["starts"] is not None:
        return f"in {times.left(request['starts'] - now)}"
    if request["status"] != "active" or request["ends"] is None:
        return ""
    return times.left(request["ends"] - now)


#: What is wanted where no duration was named.
DEFAULT: Final = "default"


def wants(request: wire.RequestView) -> str:
    """What was asked for."""
    more = f" more of {request['extends']}" if request.get("extends") else ""
    until = request.get("until")
    if until is not None:
        return f"until {times.local(until)}{more}"
    return (durations.show(request["wanted"]) if request["wanted"] is not None else DEFAULT) + more


def granted(request: wire.RequestView) -> str:
    """For how long it was granted, with what was added since; "" where it was not."""
    if request["starts"] is None or request["ends"] is None:
        return ""
    return durations.show(request["ends"] - request["starts"])


def ended(request: wire.RequestView) -> str:
    """When it ended, by whom and why; "" where it has not."""
    if request["ended"] is None:
        return ""
    by = f" by {request['ended_by']}" if request["ended_by"] else ""
    why = f": {request['ended_comment']}" if request["ended_comment"] else ""
    return f"{times.local(request['ended'])}{by}{why}"


def not_searched(left_out: list[str]) -> str:
    """What is said of the words of a search that the index does not have."""
    return (
        f"cannot search for {clean(' '.join(left_out))} as it is typed: emoji and signs are not in the index"
    )


def outcome(request: wire.RequestView, now: int) -> str:
    """What a verb has done, in one sentence."""
    number, user, network = request["id"], clean(request["user"]), clean(request["network"])
    ends = request["ends"] or now
    match request["status"]:
        case "pending" if request.get("approvals", 1) > 1:
            agreed = f"{len(request['approved_by'])} of {request['approvals']} have agreed"
            return f"request {number}: {user} asks for {network}, pending ({agreed})"
        case "pending" if request.get("extends"):
            more = durations.show(request["wanted"] or 0)
            return f"request {number}: {user} asks for {more} more of grant {request['extends']}, pending"
        case "pending":
            return f"request {number}: {user} asks for {network}, pending"
        case "active" if request.get("extends"):
            return (
                f"grant {request['extends']} of {user} for {network} goes on until {times.local(ends, now)}"
            )
        case "active" if "closed" in request["marks"]:
            return f"{network} is closed for {user}, whatever grant {number} says: see jitctl status"
        case "active" if "frozen" in request["marks"]:
            return f"{network} is frozen for {user}; grant {number} runs on until {times.local(ends, now)}"
        case "active" if "paused" in request["marks"]:
            return f"{network} is paused; grant {number} runs on until {times.local(ends, now)}"
        case "active":
            return f"{network} is open for {user} until {times.local(ends, now)} ({times.left(ends - now)}), grant {number}"
        case "scheduled":
            return (
                f"{network} opens for {user} at {times.local(request['starts'] or now, now)}, grant {number}"
            )
        case "denied":
            return f"request {number} of {user} for {network} is denied"
        case other:
            return (
                f"{'grant' if request['starts'] else 'request'} {number} of {user} for {network} is {other}"
            )


#: Colours of kinds of events, as SGR numbers: only what somebody has to notice among the rest.
_COLOURS: Final = {
    "requested": "33",
    "granted": "32",
    "activated": "32",
    "extended": "32",
    "denied": "31",
    "revoked": "31",
    "break_glass": "1;31",
    "device_lost": "1;31",
    "undecidable": "1;31",
    "frozen": "1;31",
    "store_restored": "1;31",
    "closing_undone": "1;31",
    "enforcement_failed": "1;31",
    "interface_lost": "1;31",
    "interface_renamed": "1;31",
}

#: Why an end came when it did, where somebody has set a clock.
_CLOCK: Final = {
    "boot": ": by the boot clock, the wall clock was set back",
    "wall": ": by the wall clock, it was set forward",
}

_Sentence: TypeAlias = "Callable[[wire.EventView, dict[str, Any]], str]"

_SENTENCES: Final[dict[str, _Sentence]] = {
    "requested": lambda e, d: (
        f"asked for {_more(d)}{e['network']}{_for(d.get('wanted'))}{_begins(d.get('start'))}{_urgently(d)}:"
        f" {d.get('reason') or 'no reason given'}"
    ),
    "cancelled": lambda _, d: f"took the request back{_why(d)}",
    "approved": lambda e, d: f"agreed to {e['network']} ({d['number']} of {d['of']}){_why(d)}",
    "approval_void": lambda _, d: f"the yes of {d['by']} does not count any more{_why(d)}",
    "granted": lambda e, d: (
        f"granted {e['network']} for {durations.show(d['duration'])}{_begins(d.get('starts'), e['at'])}{_cap(d)}{_why(d)}"
    ),
    "activated": lambda e, d: f"{e['network']} is open now, as it was granted in advance",  # noqa: ARG005
    "break_glass": lambda e, d: (
        f"opened {e['network']} by break-glass for {durations.show(d['duration'])}: {d.get('reason', '')}"
    ),
    "acknowledged": lambda _, d: f"looked at the break-glass{_why(d)}",
    "extended": lambda e, d: f"extended {e['network']} by {durations.show(d['duration'])}{_cap(d)}{_why(d)}",
    "frozen": lambda _, d: f"froze everything: {d.get('reason', '')}{_kept(d)}{_later(d)}",
    "thawed": lambda _, d: "ended the freeze",  # noqa: ARG005
    "standing_began": lambda e, d: (
        f"{e['user']} has standing access to {e['network']} now: {d.get('why', '')}"
    ),
    "standing_ended": lambda e, d: f"{e['user']} lost standing access to {e['network']}: {d.get('why', '')}",
    "outbox_retried": lambda _, d: f"tried {d.get('messages', 0)} messages again",
    "outbox_dropped": lambda _, d: f"gave {d.get('messages', 0)} messages up",
    "notify_on": lambda e, _: f"{e['user']} is told by mail again",
    "notify_off": lambda e, _: f"{e['user']} is told nothing by mail",
    "notify_tested": lambda _, d: f"sent a test to {', '.join(d.get('to', []))}",
    "policy_applied": lambda _, d: (
        f"applied a policy: {d.get('added', 0)} networks added, {d.get('changed', 0)} changed, {d.get('removed', 0)} removed"
    ),
    "user_added": lambda e, d: f"registered {e['user']} until {times.local(d['ends'])}",
    "user_changed": lambda e, d: f"changed {e['user']}: {_ends_and_mail(d)}",
    "change_proposed": lambda e, d: (  # noqa: ARG005
        f"proposed change {d['change']}, to which {d['quorum']} have to agree: {'; '.join(d['what'])}"
    ),
    "change_approved": lambda e, d: (  # noqa: ARG005
        f"agreed to change {d['change']} ({d['number']} of {d['of']}): {'; '.join(d['what'])}"
    ),
    "change_rejected": lambda e, d: f"rejected change {d['change']}: {d.get('comment', '')}",  # noqa: ARG005
    "unreviewed": lambda e, d: f"somebody else has to look at it: {d.get('comment', '')}",  # noqa: ARG005
    "decided_alone": lambda e, d: f"root decided alone: {d.get('comment', '')}",  # noqa: ARG005
    "user_suspended": lambda e, d: f"suspended {e['user']}'s devices: {d.get('why', '')}",
    "user_resumed": lambda e, d: f"{e['user']} is back: the devices are not suspended any more",  # noqa: ARG005
    "user_retired": lambda e, d: f"retired {e['user']}'s devices: away for more than 24 h",  # noqa: ARG005
    "user_confirmed": lambda e, d: f"confirmed that {e['user']} is the same person",  # noqa: ARG005
    "directory_fault": lambda e, d: (  # noqa: ARG005
        f"the directory has lost {d['number']} of {d['of']} users at once: closed, and nothing is retired for it"
    ),
    "user_disabled": lambda e, d: f"disabled {e['user']}: {d.get('reason', '')}",
    "user_enabled": lambda e, d: f"enabled {e['user']} again",  # noqa: ARG005
    "user_ended": lambda e, d: f"the time of {e['user']} at this gateway is over",  # noqa: ARG005
    "denied": lambda e, d: f"denied {e['network']}{_why(d)}",
    "revoked": lambda e, d: f"revoked {e['network']}{_why(d)}{_later(d)}",
    "released": lambda e, d: f"gave the rest of {e['network']} back{_why(d)}{_later(d)}",
    "paused": lambda e, d: f"paused {e['network']}",  # noqa: ARG005
    "resumed": lambda e, d: f"resumed {e['network']}",  # noqa: ARG005
    "expired": lambda e, d: f"access to {e['network']} has ended{_CLOCK.get(d.get('clock', ''), '')}",
    "lapsed": lambda e, d: f"the request for {e['network']} lapsed{_why(d)}",
    "cut_confirmed": lambda _, d: (
        f"the kernel was read back: access is cut ({d['lateness']} ms after its end)"
    ),
    "network_added": lambda e, d: f"added the network {e['network']} on {e['interface']}",  # noqa: ARG005
    "network_changed": lambda e, d: f"changed the network {e['network']}: {_changes(d)}",
    "network_removed": lambda e, d: f"removed the network {e['network']}",  # noqa: ARG005
    "undecidable": lambda e, d: f"too few are left to decide about {e['network']}: {d.get('comment', '')}",
    "decidable": lambda e, d: f"enough people may decide about {e['network']} again",  # noqa: ARG005
    "jit_on": lambda e, d: f"switched just-in-time access on for {e['network']}{_people(d)}",
    "jit_off": lambda e, d: f"switched just-in-time access off for {e['network']}{_people(d)}",
    "interface_added": lambda e, d: f"made the interface {e['interface']}",  # noqa: ARG005
    "interface_changed": lambda e, d: f"changed the interface {e['interface']}: {_changes(d)}",
    "interface_removed": lambda e, d: f"removed the interface {e['interface']}",  # noqa: ARG005
    "interface_adopted": lambda e, d: (
        f"adopted {e['interface']} ({d.get('owner', '')}) with {len(d.get('unmanaged', []))} unmanaged peers"
    ),
    "interface_recreated": lambda e, d: f"made {e['interface']} again: somebody had taken it away",  # noqa: ARG005
    "interface_replaced": lambda e, d: f"{e['interface']} was made again by its owner: looked at anew",  # noqa: ARG005
    "enforce_on": lambda e, d: f"enforces {e['interface']} now: {len(d.get('loses', []))} peers lost access",
    "enforce_off": lambda e, d: (
        f"stopped enforcing {e['interface']}: {len(d.get('gains', []))} peers pass again"
    ),
    "device_added": lambda e, d: f"added {e['user']}'s device {e['device']}",  # noqa: ARG005
    "device_removed": lambda e, d: f"removed {e['user']}'s device {e['device']}",  # noqa: ARG005
    "device_rotated": lambda e, d: (
        f"gave {e['user']}'s device {e['device']} another key"
        f"{'; its preshared key went with the old one' if d.get('preshared_key_dropped') else ''}"
    ),
    "device_lost": lambda e, d: (
        f"reported {e['user']}'s device {e['device']} lost: {_cut_from(d)}, and its key is never let in again{_later(d)}"
    ),
    "device_imported": lambda e, d: f"gave a peer of {e['interface']} to {e['user']} as {e['device']}",  # noqa: ARG005
    "stranger_removed": lambda e, d: _stranger(e, d),  # noqa: PLW0108 - it is defined below
    "peer_repaired": lambda e, d: (
        f"somebody had changed a peer of {e['interface']}, it is as it should be again: {d.get('public_key', '')}"
    ),
    "firewall_repaired": lambda _, d: (  # noqa: ARG005
        "somebody had changed or flushed jitd's firewall rules: they stand again, with everyone's time left"
    ),
    "element_removed": lambda e, d: (
        f"somebody had let {d.get('ip', '')} through on {e['interface']}, who has no grant: closed again"
    ),
    "element_shortened": lambda e, d: (
        f"somebody had let {d.get('ip', '')} through on {e['interface']} for longer than granted: put right"
    ),
    "element_restored": lambda e, d: (
        f"somebody had shut {d.get('ip', '')} out on {e['interface']}, who has a grant: open again"
    ),
    "unmanaged_seen": lambda e, d: f"a new unmanaged peer is on {e['interface']}: {d.get('public_key', '')}",
    "unmanaged_gone": lambda e, d: f"an unmanaged peer has left {e['interface']}: {d.get('public_key', '')}",
    "started": lambda e, d: f"jitd started ({d.get('backend', '')} backend)",  # noqa: ARG005
    "stopped": lambda e, d: "jitd stopped",  # noqa: ARG005
    "interface_renamed": lambda e, d: (
        f"{e['interface']} is called {d.get('called', '')} now: guarded under both names"
    ),
    "routes_restored": lambda e, d: f"the routes into {e['interface']} were gone, and are there again",  # noqa: ARG005
    "interface_lost": lambda e, d: (
        f"{e['interface']} is not found: closed by its addresses ({d.get('error', '')})"
    ),
    "mark_missing": lambda e, d: (  # noqa: ARG005
        "found no mark of the last closing: whether the store was restored from an older copy cannot be told"
    ),
    "store_restored": lambda _, d: (
        f"found that the store was restored from an older copy: {d['mark'] - d['seq']} events are missing, and its grants and"
        " keys stay closed (jitctl accept-restored)"
    ),
    "restored_accepted": lambda _, d: (
        f"accepted the restored store: {', '.join(d['gains']) or 'nobody'} may pass again"
    ),
    "closing_undone": lambda e, d: (  # noqa: ARG005
        f"let in again what {d['by']} had cut ({d['what']}): {d.get('why', '')}"
    ),
    "enforcement_failed": lambda e, d: f"{e['interface']} does not agree: {d.get('error', '')}",
    "enforcement_recovered": lambda e, d: f"{e['interface']} agrees again",  # noqa: ARG005
}


def sentence(event: wire.EventView) -> str:
    """What an event tells. A kind that this jitctl does not know is named as it is."""
    told = _SENTENCES.get(event["kind"])
    try:
        words = told(event, event["data"]) if told else event["kind"].replace("_", " ")
    except (KeyError, TypeError):
        # A newer daemon may tell it with other facts.
        words = event["kind"].replace("_", " ")
    return clean(words)


def colour(event: wire.EventView) -> str:
    """The colour of an event's kind; "" where it has none."""
    return _COLOURS.get(event["kind"], "")


def by(event: wire.EventView) -> str:
    """Who acted: `carol`, `root (carol)` behind sudo, `svc (login claimed: carol)` otherwise, `jitd` by itself."""
    actor = event["actor"]
    if actor is None:
        return "jitd"
    login = actor["login_user"]
    if not login or login == actor["user"]:
        return clean(actor["user"])
    return clean(f"{actor['user']} ({'login claimed: ' if actor['uid'] else ''}{login})")


def _for(wanted: object) -> str:
    return f" for {durations.show(wanted)}" if isinstance(wanted, int) else ""


def _more(data: dict[str, Any]) -> str:
    return f"more of grant {data['extends']} to " if data.get("extends") else ""


def _begins(start: object, at: int = 0) -> str:
    """`, from …` where it begins later."""
    return f", from {times.local(start)}" if isinstance(start, int) and start > at else ""


def _urgently(data: dict[str, Any]) -> str:
    return ", urgently" if data.get("urgent") else ""


def _cap(data: dict[str, Any]) -> str:
    return f" ({data['cap']})" if data.get("cap") else ""


def _kept(data: dict[str, Any]) -> str:
    return f" (but for {', '.join(data['kept'])})" if data.get("kept") else ""


def _why(data: dict[str, Any]) -> str:
    return f": {data['comment']}" if data.get("comment") else ""


def _later(data: dict[str, Any]) -> str:
    return " (recorded later: the store could not be written then)" if data.get("recorded_later") else ""


def _cut_from(data: dict[str, Any]) -> str:
    return (
        f"it is cut from {', '.join(data['networks'])}" if data.get("networks") else "nothing was open for it"
    )


def _people(data: dict[str, Any]) -> str:
    gains, loses = data.get("gains", []), data.get("loses", [])
    parts = [f"{', '.join(gains)} gained access"] if gains else []
    parts += [f"{', '.join(loses)} lost access"] if loses else []
    return f": {'; '.join(parts)}" if parts else ""


def _stranger(event: wire.EventView, data: dict[str, Any]) -> str:
    whose = (
        f"{event['user']}'s {data['device']}, which has no access,"
        if data.get("device")
        else "an unknown peer"
    )
    return f"removed {whose} from {event['interface']}: {data.get('public_key', '')}"


def _changes(data: dict[str, Any]) -> str:
    before, after = data.get("before", {}), data.get("after", {})
    return ", ".join(
        f"{key} {_value(before.get(key))} -> {_value(after[key])}"
        for key in after
        if before.get(key) != after[key]
    )


def _ends_and_mail(data: dict[str, Any]) -> str:
    before, after = data["before"], data["after"]
    parts = []
    if before["ends"] != after["ends"]:
        parts.append(f"ends {times.local(after['ends'])}")
    if before["email"] != after["email"]:
        parts.append(f"mail goes to {after['email'] or 'nowhere'}")
    return ", ".join(parts)


def _value(value: object) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


def usage(used: wire.UsageView, now: int) -> str:
    """`11m, 12 MB from the device and 96 MB to it, last handshake 2 minutes ago`."""
    spent = times.left(used["used"]) if used["used"] else "moments"
    shaken = f", last handshake {times.ago(used['last_handshake'], now)}" if used["last_handshake"] else ""
    return f"{spent}, {size(used['rx_bytes'])} from the device and {size(used['tx_bytes'])} to it{shaken}"


def size(number: int) -> str:
    """Bytes in the unit that fits: `512 B`, `1.2 kB`, `34 MB`."""
    amount, unit = float(number), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} {unit}" if amount >= 10 or unit == "B" else f"{amount:.1f} {unit}"


def decision(request: wire.RequestView) -> str:
    """`grant 12 -d 2h`: what gives what was asked for."""
    wanted = f" -d {durations.show(request['wanted'])}" if request["wanted"] is not None else ""
    return f"grant {request['id']}{wanted}"
