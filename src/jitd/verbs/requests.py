"""Asking for access, and taking a request back."""

from jitd import wire
from jitd.core import durations, policy, reasons, terms
from jitd.core.choices import Status
from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.events import Asked, Comment, EventKind
from jitd.core.model import Account, Ending, Network, Request
from jitd.core.settings import WEEK_MS
from jitd.core.terms import Wish
from jitd.store import accounts, devices
from jitd.store import requests as store
from jitd.verbs import deciding, extending, granting, limits
from jitd.verbs.context import Call, PlanOnly, Render
from jitd.verbs.lookup import chosen_network, found, own, refuse_second, shown, stale

#: A start may lie so far behind: to type takes time, and clocks differ.
_LATE_MS = durations.MINUTE


def request(call: Call, body: wire.RequestBody) -> Render[wire.RequestReply]:
    """Ask for access to a network. What is open without asking says so and records nothing.

    Break-glass opens at once; so does what a rule of the network approves. With `plan` only say what would be.
    """
    uid, name = call.subject(body.get("user"))
    network = chosen_network(call, name, uid, body.get("network"))
    account = accounts.ensure(call.rows, uid, name, call.now.wall_ms)
    granting.refuse_gone(call, "ask as", account)
    member = call.people.may_use(network, uid, name)
    if not member:
        raise JitError(
            member.code,
            f"cannot ask for {network.name} as {name}: {member.why}",
            command("status") + f" lists the networks of {name}. For membership, ask {call.administrators}.",
        )
    standing = call.people.has_standing(network, uid, name)
    if standing:
        note = f"{network.name} is open for {name}: {standing.why}"
        return lambda call: {**call.change_reply(), "request": None, "already": True, "note": note}
    emergency = bool(body.get("break_glass"))
    reason = reasons.check(network, _reason(call, body, account, network), break_glass=emergency)
    wish = Wish(body.get("duration"), body.get("until"))
    starts_ms = _start(call, body)
    if emergency:
        _refuse_break_glass(call, account, network, starts_ms)
    else:
        terms.check_hours(network, starts_ms or call.now.wall_ms)
    term = terms.term(network, account, starts_ms or call.now.wall_ms, [wish], break_glass=emergency)
    refuse_second(
        call, account, network, f"ask again for {network.name}", {Status.PENDING} if emergency else ()
    )
    if not devices.of_account(call.rows, account.id):
        raise JitError(
            "refused",
            f"cannot ask for {network.name}: {name} has no device",
            "Add one first: wg genkey | tee private.key | wg pubkey | "
            + command("device add", "laptop", public_key="-"),
        )
    limits.check_requests(call, account)
    if emergency:
        _cancel_pending(call, account, network)
    lapses_ms = call.now.wall_ms + network.pending_ttl_ms
    made = store.add(
        call.rows,
        account_id=account.id,
        network_id=network.id,
        reason=reason,
        wanted_ms=wish.duration_ms,
        requested_ms=call.now.wall_ms,
        requested_by=call.actor.user,
        # Nobody needs to decide about what would be over.
        lapses_ms=min(lapses_ms, wish.until_ms or lapses_ms),
        wanted_start_ms=starts_ms,
        wanted_until_ms=wish.until_ms,
        urgent=bool(body.get("urgent")),
        break_glass=emergency,
    )
    asked = found(call, made)
    note = _decided_at_once(call, asked, network, term)
    if body.get("plan"):
        raise PlanOnly(shown(made, note)(call))
    return shown(made, note)


def ensure(call: Call, body: wire.RequestBody) -> Render[wire.RequestReply]:
    """See to it that the caller has access for so long: nothing to do, more time asked for, or a request.

    The same again, a moment later, has nothing to do: what is missing within `terms.tolerance_ms` is not missed, nor
    what a shift or the end of the account would take away anyway.
    """
    uid, name = call.subject(body.get("user"))
    network = chosen_network(call, name, uid, body.get("network"))
    account = accounts.ensure(call.rows, uid, name, call.now.wall_ms)
    until_ms = body.get("until")
    wanted = until_ms - call.now.wall_ms if until_ms else body.get("duration") or network.default_duration_ms
    others = store.open_of(call.rows, account.id, network.id)
    pending = [one for one in others if one.status(call.now) in (Status.PENDING, Status.SCHEDULED)]
    for other in others:
        if other.status(call.now) is Status.ACTIVE and other.grant is not None and other.extends_id is None:
            enough = terms.enough(
                network, account, other.grant, wanted, other.grant.left_ms(call.now), call.now.wall_ms
            )
            if enough is not None:
                return shown(other.id, enough, already=True)
            if not pending:
                wish = Wish(until_ms=call.now.wall_ms + wanted)
                return extending.more_of(call, other, network, wish, body.get("reason") or "")
    if pending:
        return shown(pending[0].id, already=True)
    duration = None if until_ms else wanted
    return request(call, {**body, "duration": duration, "network": network.name})


def cancel(call: Call, body: wire.IdBody) -> Render[wire.RequestReply]:
    """Take a pending request back."""
    before = own(call, body, Status.PENDING, verb="cancel")
    ending = Ending(how=Status.CANCELLED, at_ms=call.now.wall_ms, by=call.actor.user, comment="")
    if before.status(call.now) is not Status.PENDING or not store.end(call.rows, before.id, ending):
        raise stale(call, "cancel", before.id)
    call.event(EventKind.CANCELLED, request=before)
    return shown(before.id)


def _reason(call: Call, body: wire.RequestBody, account: Account, network: Network) -> str:
    if not body.get("again"):
        return body.get("reason") or ""
    last = store.last_reason(call.rows, account.id, network.id)
    if last is None:
        raise JitError(
            "not_found",
            f"cannot ask again: {account.name} has never asked for {network.name}",
            "Say why: " + command("request", reason="…"),
        )
    return last


def _start(call: Call, body: wire.RequestBody) -> int | None:
    """When access is to begin, None: at once."""
    starts_ms = body.get("start")
    if starts_ms is None:
        return None
    if starts_ms < call.now.wall_ms - _LATE_MS:
        raise JitError(
            "bad_request",
            "cannot begin in the past",
            'Use a future start, such as --start "tomorrow 09:00", or omit it to begin at once.',
        )
    if starts_ms > call.now.wall_ms + durations.LONGEST_MS:
        raise JitError("bad_request", "cannot begin in more than 365 days", "Request it again later.")
    return starts_ms if starts_ms > call.now.wall_ms else None


def _decided_at_once(call: Call, asked: Request, network: Network, term: terms.Term) -> str:
    """Record the request, and what needs nobody's decision. Returns what there is to say about it."""
    wish = Asked(
        reason=asked.reason,
        wanted=asked.wanted_ms,
        start=asked.wanted_start_ms,
        until=asked.wanted_until_ms,
        urgent=asked.urgent,
    )
    if asked.break_glass:
        granting.open_(
            call,
            asked,
            network,
            term,
            by=call.actor.user,
            comment="break-glass",
        )
        return (
            f"break-glass: administrators are notified, and one of them has to acknowledge it{_and(term.why)}"
        )
    rule, why = granting.rule_for(call, asked.account, network, term.duration_ms)
    if rule is None:
        call.event(EventKind.REQUESTED, wish, request=asked)
    else:
        wish["rule"] = str(rule)
        call.event(EventKind.REQUESTED, wish, request=asked)
        granting.open_(call, asked, network, term, by="policy", comment=why, auto_rule=str(rule))
        return f"granted by {why}{_and(term.why)}"
    said = [f"needs a decision: {why}"] if why else []
    said.append(deciding.of_request(call.rows, call.people, asked, network, call.now))
    return "; ".join(filter(None, said))


def _and(why: str) -> str:
    return f"; {why}" if why else ""


def _refuse_break_glass(call: Call, account: Account, network: Network, starts_ms: int | None) -> None:
    right = policy.may_break_glass(network, call.people.person(account.uid, account.name))
    if not right:
        raise JitError(
            right.code,
            f"cannot open {network.name} by break-glass as {account.name}: {right.why}",
            "Request access: " + command("request", network.name, urgent=True, reason="…"),
        )
    if not policy.is_own(call.actor, account):
        raise JitError(
            "refused",
            f"cannot use break-glass for {account.name}: only the user may use it",
            "Give access with " + command("grant", user="NAME", network="NAME"),
        )
    if starts_ms is not None:
        raise JitError("bad_request", "cannot use break-glass in advance", "Omit --start.")
    used = store.break_glass_since(call.rows, account.id, network.id, call.now.wall_ms - WEEK_MS)
    if used >= network.jit_break_glass_quota:
        raise JitError(
            "limit",
            f"cannot open {network.name} by break-glass again: {account.name} did so {used} times within a "
            f"week, and the limit is {network.jit_break_glass_quota}",
            "Request access: " + command("request", network.name, urgent=True, reason="…"),
        )


def _cancel_pending(call: Call, account: Account, network: Network) -> None:
    """What waits is not needed any more by somebody who opens it himself."""
    for other in store.open_of(call.rows, account.id, network.id):
        if other.status(call.now) is Status.PENDING:
            ending = Ending(
                how=Status.CANCELLED,
                at_ms=call.now.wall_ms,
                by=call.actor.user,
                comment="break-glass instead",
            )
            store.end(call.rows, other.id, ending)
            call.event(EventKind.CANCELLED, Comment(comment=ending.comment), request=other)
