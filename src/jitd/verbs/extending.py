"""More time for a grant that runs: asked for by its user, or by somebody who decides where several have to agree."""

from jitd import wire
from jitd.core import reasons, terms
from jitd.core.choices import Status
from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.events import Asked, EventKind
from jitd.core.model import AutoApproval, Network, Request
from jitd.core.terms import Wish
from jitd.store import events
from jitd.store import requests as store
from jitd.verbs import granting, limits
from jitd.verbs.context import Call, Render
from jitd.verbs.lookup import found, shown


def more_of(
    call: Call, grant: Request, network: Network, wish: Wish, reason: str
) -> Render[wire.RequestReply]:
    """Ask for more time of one's own grant: a rule of the network gives it at once, else people decide.

    A rule counts the whole grant, with what it was lengthened before, and each time that it gives something.
    """
    granting.refuse_gone(call, "ask as", grant.account)
    assert grant.grant is not None
    term = terms.extended(network, grant.account, grant.grant, wish)
    rule, why = granting.rule_for(call, grant.account, network, term.duration_ms)
    asked, term = ask_for_more(call, grant, network, wish, reason, own=True, rule=rule)
    if rule is None:
        return shown(asked.id, why and f"needs a decision: {why}")
    granting.lengthen(call, grant, network, term, by="policy", comment=why, asked=asked, auto_rule=str(rule))
    capped = f"; {term.why}" if term.why else ""
    return shown(grant.id, f"extended by {why}{capped}")


def ask_for_more(
    call: Call,
    grant: Request,
    network: Network,
    wish: Wish,
    reason: str,
    *,
    own: bool = False,
    rule: AutoApproval | None = None,
) -> tuple[Request, terms.Term]:
    """Make a request for more time of a grant. `own`: its user asks, and has to say why as the network wants it.

    The reason of the grant goes on, where it is the user's and not that of somebody who gave it without being asked.
    """
    assert grant.grant is not None
    account = grant.account
    granting.refuse_gone(call, "ask as", account)
    term = terms.extended(network, account, grant.grant, wish)
    for other in store.open_of(call.rows, account.id, network.id):
        if other.status(call.now) is Status.PENDING:
            raise JitError(
                "conflict",
                f"cannot ask for more of {grant.id}: request {other.id} is pending",
                "Wait for it ("
                + command("show", other.id)
                + "), or withdraw it: "
                + command("cancel", other.id),
            )
    limits.check_requests(call, account)
    said = reason or (grant.reason if _was_asked_for(call, grant) else "")
    made = store.add(
        call.rows,
        account_id=account.id,
        network_id=network.id,
        reason=reasons.check(network, said) if own or said else "",
        wanted_ms=term.ends_ms - grant.grant.ends_ms,
        requested_ms=call.now.wall_ms,
        requested_by=call.actor.user,
        lapses_ms=min(call.now.wall_ms + network.pending_ttl_ms, grant.grant.ends_ms),
        extends_id=grant.id,
    )
    asked = found(call, made)
    call.event(
        EventKind.REQUESTED,
        Asked(
            reason=asked.reason,
            wanted=asked.wanted_ms,
            extends=grant.id,
            ends=term.ends_ms,
            rule=str(rule) if rule is not None else None,
        ),
        request=asked,
    )
    return asked, term


def _was_asked_for(call: Call, grant: Request) -> bool:
    """Whether the reason of a grant was given by whoever asked for it."""
    began = events.page(call.rows, events.Filter(request_id=grant.id), limit=1).events
    return bool(began) and began[0].kind in (EventKind.REQUESTED, EventKind.BREAK_GLASS)
