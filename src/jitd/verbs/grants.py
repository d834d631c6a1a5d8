"""Deciding: grant, extend, deny, revoke, acknowledge. The verbs of administrators and approvers."""

from jitd import wire
from jitd.core import policy, terms, text
from jitd.core.choices import Status
from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.events import Approval, Comment, CutShort, EventKind, VoidVote
from jitd.core.model import Denial, Ending, Network, Request, Review, Vote
from jitd.core.people import Answer
from jitd.core.terms import Term, Wish
from jitd.store import accounts
from jitd.store import requests as store
from jitd.verbs import deciding, extending, foureyes, granting
from jitd.verbs.access import Object
from jitd.verbs.context import Call, PlanOnly, Render, View
from jitd.verbs.lookup import found, named_network, numbered, refuse_second, shown, stale, with_network


def grant(call: Call, body: wire.GrantBody) -> Render[wire.RequestReply]:
    """Grant a pending request, or give access to a user without one. With `plan` only say what would be.

    Where several have to agree, one of them says so, and the last one opens.
    """
    comment = text.comment(body.get("comment"))
    request, network = _asked(call, body) if body.get("id") is not None else _unasked(call, body, comment)
    granting.refuse_own(call, "grant", request.account, network, request.id)
    foureyes.refuse_own_making(call, "grant", request.account, network, request.id)
    if request.status(call.now) is not Status.PENDING:
        raise stale(call, "grant", request.id)
    granting.refuse_gone(call, "grant anything to", request.account)
    granting.refuse_open(call, request.account, network)
    extended = extended_by(call, request)
    term = term_of(call, request, network, extended, Wish(body.get("duration"), body.get("until")))
    agreed = _agreed(call, request, network, Wish(body.get("duration"), body.get("until")), term, comment)
    if agreed is not None:
        if extended is None:
            granting.open_(call, request, network, agreed, by=call.actor.user, comment=comment)
        else:
            granting.lengthen(
                call, extended, network, agreed, by=call.actor.user, comment=comment, asked=request
            )
        _leave_unreviewed(call, extended or request, network)
    if body.get("plan"):
        raise PlanOnly(shown(request.id, term.why)(call))
    return shown(request.id, term.why)


def extend(call: Call, body: wire.ExtendBody) -> Render[wire.RequestReply]:
    """Lengthen an active grant without a gap: at once by somebody who decides, else it is asked for.

    Where several have to agree, it is asked for, and counts as the first yes.
    """
    request, network = with_network(call, body["id"])
    own = policy.is_own(call.actor, request.account)
    if (
        request.grant is None
        or request.extends_id is not None
        or request.status(call.now) is not Status.ACTIVE
    ):
        raise stale(call, "extend", request.id)
    comment = text.comment(body.get("comment"))
    wish = Wish(body.get("duration"), body.get("until"))
    if own:
        return extending.more_of(call, request, network, wish, comment)
    granting.refuse_own(call, "extend", request.account, network, request.id)
    foureyes.refuse_own_making(call, "extend", request.account, network, request.id)
    if network.approvals > 1:
        asked, _ = extending.ask_for_more(call, request, network, wish, comment)
        return grant(call, {"id": asked.id, "comment": body.get("comment")})
    granting.refuse_gone(call, "extend the access of", request.account)
    term = terms.extended(network, request.account, request.grant, wish)
    granting.lengthen(call, request, network, term, by=call.actor.user, comment=comment)
    _leave_unreviewed(call, request, network)
    return shown(request.id, term.why)


def _leave_unreviewed(call: Call, grant: Request, network: Network) -> None:
    """Whoever decided about what they made themselves: somebody else looks at it afterwards."""
    why = foureyes.unreviewed(call, grant.account, network)
    if why:
        store.leave_unreviewed(call.rows, grant.id, why)
        call.event(EventKind.UNREVIEWED, Comment(comment=why), request=grant)


def deny(call: Call, body: wire.DecisionBody) -> Render[wire.RequestReply]:
    """Deny a pending request."""
    request, network = with_network(call, body["id"])
    granting.refuse_own(call, "deny", request.account, network, request.id)
    comment = text.comment(body.get("comment"))
    denial = Denial(decided_ms=call.now.wall_ms, decided_by=call.actor.user, comment=comment)
    if request.status(call.now) is not Status.PENDING or not store.deny(call.rows, request.id, denial):
        raise stale(call, "deny", request.id)
    call.event(EventKind.DENIED, Comment(comment=comment), request=request)
    return shown(request.id)


def revoke(call: Call, body: wire.DecisionBody) -> Render[wire.RequestReply]:
    """End a grant before its time."""
    request, _ = with_network(call, body["id"])
    comment = text.comment(body.get("comment"))
    if request.status(call.now) is Status.PENDING:
        raise JitError(
            "conflict",
            f"cannot revoke {request.id}: it is still pending",
            "Deny it: " + command("deny", request.id),
        )
    if request.extends_id is not None:
        raise JitError(
            "conflict",
            f"cannot revoke {request.id}: it only extended grant {request.extends_id}",
            "Revoke that grant: " + command("revoke", request.extends_id),
        )
    ending = Ending(how=Status.REVOKED, at_ms=call.now.wall_ms, by=call.actor.user, comment=comment)
    if not store.end(call.rows, request.id, ending):
        raise stale(call, "revoke", request.id)
    call.touched.devices |= store.tunnels_of(call.rows, [request.id])
    call.ended.append(request)
    assert request.grant is not None
    call.event(EventKind.REVOKED, CutShort(comment=comment, ends=request.grant.ends_ms), request=request)
    return shown(request.id)


def acknowledge(call: Call, body: wire.DecisionBody) -> Render[wire.RequestReply]:
    """Say that a grant was looked at that somebody else has to look at (break-glass, or decided by who registered its
    device), with a comment for whoever looks next.
    """
    request, network = with_network(call, body["id"])
    granting.refuse_own(call, "acknowledge", request.account, network, request.id)
    if not request.break_glass and not request.unreviewed:
        raise JitError(
            "conflict",
            f"cannot acknowledge {request.id}: it needs no review, because it is not a break-glass grant",
            "See " + command("list"),
        )
    made = foureyes.own_making(call, request.account)
    if request.unreviewed and made:
        raise JitError(
            "refused",
            f"cannot acknowledge {request.id}: {made}, and another approver has to review the decision about "
            "that",
            f"Ask {call.deciders(network)}.",
        )
    comment = text.reason(body.get("comment") or "", "comment")
    review = Review(at_ms=call.now.wall_ms, by=call.actor.user, comment=comment)
    if not store.review(call.rows, request.id, review):
        assert request.review is not None
        raise JitError(
            "conflict",
            f"cannot acknowledge {request.id}: {request.review.by} has acknowledged it already",
            "See " + command("show", request.id) + " for its history.",
        )
    call.event(EventKind.ACKNOWLEDGED, Comment(comment=comment), request=request)
    return shown(request.id)


def asked(view: View, body: wire.GrantBody) -> Object | None:
    """The loader of what is granted: a request; without a number only administrators give access."""
    if body.get("id") is not None:
        return numbered(view, body)
    view.require_admin("grant access")
    return None


def _asked(call: Call, body: wire.GrantBody) -> tuple[Request, Network]:
    if body.get("user") or body.get("network"):
        raise JitError(
            "bad_request",
            "cannot grant by number and by user and network at once",
            "Use " + command("grant", "ID") + ", or " + command("grant", user="NAME", network="NAME"),
        )
    request_id = body["id"]
    assert request_id is not None
    return with_network(call, request_id)


def _unasked(call: Call, body: wire.GrantBody, comment: str) -> tuple[Request, Network]:
    """A request made and granted in one step, for a user who did not ask. Administrators only."""
    user, network_name = body.get("user"), body.get("network")
    if not user or not network_name:
        raise JitError(
            "bad_request",
            "cannot grant: neither a number nor a user and a network are given",
            "Use "
            + command("grant", "ID")
            + ", or "
            + command("grant", user="NAME", network="NAME", duration="2h"),
        )
    network = named_network(call, network_name)
    account = accounts.ensure(call.rows, call.existing_user(user), user, call.now.wall_ms)
    granting.refuse_own(call, "grant", account, network, None)
    foureyes.refuse_own_making(call, "grant", account, network, None)
    member = call.people.may_use(network, account.uid, user)
    if not member:
        raise JitError(
            member.code,
            f"cannot grant {network.name} to {user}: {member.why}",
            "See " + command("network show"),
        )
    refuse_second(call, account, network, f"grant {network.name} to {user} without a request")
    made = store.add(
        call.rows,
        account_id=account.id,
        network_id=network.id,
        reason=comment or f"granted by {call.actor.user} without a request",
        wanted_ms=body.get("duration"),
        requested_ms=call.now.wall_ms,
        requested_by=call.actor.user,
        lapses_ms=call.now.wall_ms + network.pending_ttl_ms,
        wanted_until_ms=body.get("until"),
    )
    return found(call, made), network


def _alone(call: Call, request: Request, network: Network) -> None:
    """Root decides for those who are not there any more; everybody who administers is told."""
    why = deciding.shortage(call.rows, call.people, network, request.account.name) or ""
    call.event(EventKind.DECIDED_ALONE, Comment(comment=why), request=request)


def extended_by(call: View, request: Request) -> Request | None:
    """The grant that a request asks for more of; None when it asks for one of its own. Raises JitError ended."""
    if request.extends_id is None:
        return None
    extended = found(call, request.extends_id)
    if extended.grant is None or extended.status(call.now) is not Status.ACTIVE:
        raise JitError(
            "ended",
            f"cannot grant {request.id}: grant {extended.id}, which it would extend, is "
            f"{extended.status(call.now)}",
            "See " + command("show", extended.id),
        )
    return extended


def term_of(call: View, request: Request, network: Network, extended: Request | None, given: Wish) -> Term:
    """From when until when, by what the decider says, else by what was asked for."""
    wished = Wish(request.wanted_ms, request.wanted_until_ms)
    if extended is not None:
        assert extended.grant is not None
        return terms.extended(network, request.account, extended.grant, given or wished)
    starts_ms = max(call.now.wall_ms, request.wanted_start_ms or 0)
    return terms.term(network, request.account, starts_ms, [given, wished])


def _agreed(
    call: Call, request: Request, network: Network, given: Wish, term: Term, comment: str
) -> Term | None:
    """The term that all who have to agree have agreed on: the shortest. None: others still have to."""
    if network.approvals <= 1:
        if foureyes.own_making(call, request.account) and foureyes.holds(call, network):
            _alone(call, request, network)
        return term
    if foureyes.may_alone(call, network, request.account.name):
        _alone(call, request, network)
        return term
    foureyes.refuse_nameless(call, "agree", network)
    standing = []
    for vote in store.votes(call.rows, request.id):
        if policy.same_person(call.actor.uid, call.actor.login_uid, vote.uid, vote.login_uid):
            raise JitError(
                "conflict",
                f"cannot grant {request.id} twice: you have approved it already, and {network.approvals} "
                "different people are needed",
                "Another approver has to do it.",
            )
        right = call.people.may_decide(network, vote.uid, vote.name)
        if right.answer is Answer.UNAVAILABLE:
            raise JitError(
                "busy", f"cannot count the approval of {vote.name}: {right.why}", "Try again later."
            )
        if right:
            standing.append(vote)
        else:
            store.forget_vote(call.rows, request.id, vote)
            call.event(EventKind.APPROVAL_VOID, VoidVote(by=vote.name, comment=right.why), request=request)
    mine = Vote(
        uid=call.actor.uid,
        name=call.person_behind[1],
        login_uid=call.actor.login_uid,
        at_ms=call.now.wall_ms,
        duration_ms=(term.ends_ms - term.starts_ms) if given else None,
        comment=comment,
    )
    store.vote(call.rows, request.id, mine)
    standing.append(mine)
    call.event(
        EventKind.APPROVED,
        Approval(number=len(standing), of=network.approvals, duration=mine.duration_ms, comment=comment),
        request=request,
    )
    if len(standing) < network.approvals:
        return None
    shortest = min(
        (vote.duration_ms for vote in standing if vote.duration_ms is not None), default=term.duration_ms
    )
    if shortest >= term.duration_ms:
        return term
    return Term(term.starts_ms, term.starts_ms + shortest, "the shortest duration that was approved")
