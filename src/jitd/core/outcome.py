"""What became of a request, and by which rule: the answers of `why ID`. Pure."""

from collections.abc import Sequence

from jitd.core import durations
from jitd.core.choices import Status
from jitd.core.commandline import command
from jitd.core.events import GIVES, EventKind
from jitd.core.explain import Line, zone_of_hours
from jitd.core.localtime import show_moment
from jitd.core.model import Denial, Event, Network, Now, Request


def became(request: Request, network: Network, now: Now, history: Sequence[Event]) -> list[Line]:
    """What became of a request: who decided, by which rule, for how long and why not longer, what ended it.

    `history` are its events, oldest first.
    """
    lines = [Line("who asked", request.requested_by, request.reason or "no reason was needed")]
    lines += _votes(history)
    lines.append(_decision(request, network, now, history))
    if request.break_glass:
        lines.append(_review(request))
    if request.extends_id is not None and request.grant is not None:
        more = durations.show(request.grant.ends_ms - request.grant.starts_ms)
        lines.append(Line("the granted duration", more, f"more of grant {request.extends_id}"))
    for event in history:
        if event.kind in GIVES:
            lines.append(_length(request, network, event))
    return lines + _end(request, network, now, history)


def _votes(history: Sequence[Event]) -> list[Line]:
    lines = []
    for event in history:
        if event.kind == EventKind.APPROVED:
            counted = f"{event.data['number']} of {event.data['of']} (approvals)"
            lines.append(Line("who agreed", _by(event), _with_comment(counted, event)))
        elif event.kind == EventKind.APPROVAL_VOID:
            lines.append(Line("a withdrawn approval", str(event.data["by"]), str(event.data["comment"])))
    return lines


def _decision(request: Request, network: Network, now: Now, history: Sequence[Event]) -> Line:
    question = "who decided"
    if request.decision is None:
        if request.status(now) is not Status.PENDING:
            return Line(question, "nobody", "it ended before")
        lapses = f"it lapses at {show_moment(request.lapses_ms, zone_of_hours(network))} (pending_ttl)"
        return Line(question, "nobody yet", lapses, command("grant", request.id))
    made = next((one for one in history if one.kind in (*GIVES, EventKind.DENIED)), None)
    by = _by(made) if made is not None else request.decision.decided_by
    said = f": {request.decision.comment}" if request.decision.comment else ""
    if isinstance(request.decision, Denial):
        return Line(question, by, f"denied{said}")
    if request.break_glass:
        return Line(question, by, "on their own, by break-glass (jit.break_glass)")
    if made is not None and made.actor is None:
        return Line(question, "nobody", f"{request.decision.comment} granted it (jit.auto_approve)")
    return Line(question, by, f"granted{said}")


def _review(request: Request) -> Line:
    if request.review is not None:
        return Line("the review", request.review.by, request.review.comment)
    change = command("acknowledge", request.id, comment="…")
    return Line("the review", "nobody yet", "another approver has to acknowledge it", change)


def _length(request: Request, network: Network, event: Event) -> Line:
    given, cap = event.data["duration"], event.data.get("cap")
    assert isinstance(given, int)
    if event.kind == EventKind.EXTENDED:
        return Line("the time added", durations.show(given), str(cap or f"as decided by {_by(event)}"))
    if cap:
        why = str(cap)
    elif request.wanted_ms == given:
        why = "as requested"
    elif event.kind == EventKind.BREAK_GLASS and given == network.jit_break_glass_max_ms:
        why = "jit.break_glass_max"
    elif event.actor is None or event.kind == EventKind.BREAK_GLASS:
        why = "the requested end" if request.wanted_until_ms is not None else "default_duration"
    else:
        why = f"as decided by {_by(event)}"
    return Line("the granted duration", durations.show(given), why)


def _end(request: Request, network: Network, now: Now, history: Sequence[Event]) -> list[Line]:
    status, question = request.status(now), "the end"
    if status in (Status.ACTIVE, Status.SCHEDULED) and request.extends_id is None:
        assert request.grant is not None
        ends = show_moment(request.grant.ends_ms, zone_of_hours(network))
        return [Line("the end", ends, "its granted time is over then", command("revoke", request.id))]
    if status is Status.EXPIRED:
        clock = next((one.data.get("clock") for one in history if one.kind == EventKind.EXPIRED), None)
        # Both, where nobody has set one of them.
        alone = f", by the {clock} clock only" if clock in ("boot", "wall") else ""
        return [Line(question, "expired", f"its granted time was over{alone}")]
    if status is Status.LAPSED:
        return [Line(question, "lapsed", "nobody decided in time (pending_ttl)")]
    if request.ending is None:
        return []
    by = f"by {request.ending.by}" if request.ending.by else "by jitd"
    return [Line(question, str(status), f"{by}: {request.ending.comment}" if request.ending.comment else by)]


def _by(event: Event) -> str:
    """Who acted; who logged in, where that one has become root."""
    if event.actor is None:
        return "jitd"
    return (event.actor.uid == 0 and event.actor.login_user) or event.actor.user


def _with_comment(said: str, event: Event) -> str:
    comment = event.data.get("comment")
    return f"{said}: {comment}" if comment else said
