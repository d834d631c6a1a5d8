"""The sentences about a request, and the words for its status. events.py has those of events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jitctl.render import times
from jitctl.render.output import clean
from jitctl.render.statuses import STATUS
from jitd.core import durations

if TYPE_CHECKING:
    from jitd import wire


def status(request: wire.RequestView) -> str:
    """`* active (paused)`: symbol, status and marks."""
    symbol, _ = STATUS.get(request["status"], ("", ""))
    if "unreviewed" in request["marks"]:
        symbol = "!"
    marks: list[str] = [*request["marks"]]
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
            agreed = f"{len(request['approved_by'])} of {request['approvals']} have approved"
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


def done(reply: wire.RequestReply) -> str:
    """The same of the reply of a verb that is about a request."""
    assert reply["request"] is not None
    return outcome(reply["request"], reply["now"])


def facts(one: wire.RequestView, now: int) -> list[tuple[str, str]]:
    """All of a request, fact by fact with its name; what is empty is left out."""
    starts, ends = one["starts"], one["ends"]
    reviewed = "not acknowledged yet" if one["break_glass"] else ""
    if one["reviewed"] is not None:
        reviewed = f"{times.local(one['reviewed'])} by {one['reviewed_by']}: {one['reviewed_comment']}"
    told = [
        ("status", status(one)),
        ("user", one["user"]),
        ("network", one["network"]),
        ("reason", one["reason"]),
        ("requested", f"{times.local(one['requested'])} ({times.ago(one['requested'], now)})"),
        ("wants", wants(one)),
        ("granted", granted(one)),
        ("starts", times.local(one["start"]) if one["start"] is not None else ""),
        ("agreed", ", ".join(one["approved_by"])),
        ("asked by", one["requested_by"] if one["requested_by"] != one["user"] else ""),
        ("decided by", one["decided_by"]),
        ("comment", one["comment"]),
    ]
    if starts is not None and ends is not None:
        told += [
            ("from", times.local(starts)),
            ("until", times.local(ends)),
            ("devices", ", ".join(one["devices"])),
        ]
    told += [
        ("lapses", times.local(one["lapses"]) if one["status"] == "pending" else ""),
        ("opens" if one["status"] == "scheduled" else "left", time_left(one, now)),
        ("reviewed", reviewed),
        ("ended", ended(one)),
    ]
    return [(name, value) for name, value in told if value]


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
