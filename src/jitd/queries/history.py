"""History: what helps whoever decides about a request, before the decision."""

from typing import Final

from jitd import wire
from jitd.core import durations, policy
from jitd.core.choices import Status
from jitd.core.errors import JitError
from jitd.core.model import Network, Request
from jitd.core.terms import Term, Wish
from jitd.store import history as store
from jitd.store import requests
from jitd.verbs import foureyes, granting, grants, views
from jitd.verbs.context import View
from jitd.verbs.lookup import with_network

#: How many requests of before are shown.
LAST: Final = 5
#: How far back requests are counted, milliseconds.
COUNTED_MS: Final = 30 * durations.DAY


def history(view: View, query: wire.IdQuery) -> wire.HistoryReply:
    """What somebody who decides wants to know of a request: what its user asked for before and how that ended, how much
    of the last grant was used, what is open for the user now, and what a yes would give.

    Approvers are told of the networks alone that they decide about.
    """
    request, network = with_network(view, query["id"])
    mine = None if view.by_admin else view.decidable()
    account_id = request.account.id
    last = store.last(view.rows, account_id, besides=request.id, network_ids=mine, limit=LAST)
    granted = store.last_grant(view.rows, account_id, network.id, request.id)
    known = requests.by_ids(view.rows, [*last, *([granted] if granted is not None else [])])
    since_ms = view.now.wall_ms - COUNTED_MS
    asked_before, granted_before = store.since(view.rows, account_id, network.id, since_ms, request.id)
    return {
        "now": view.now.wall_ms,
        "request": views.request_view(view, request, network),
        "last": [_past(view, known[number]) for number in last],
        "last_grant": _past(view, known[granted]) if granted is not None else None,
        "open": [
            views.request_view(view, one)
            for one in requests.open_of(view.rows, account_id)
            if _is_open(view, one) and one.id != request.id and (mine is None or one.network_id in mine)
        ],
        "counted": COUNTED_MS,
        "asked_before": asked_before,
        "granted_before": granted_before,
        "rule": _rule(view, request, network),
        "max_duration": network.max_duration_ms,
        **_offer(view, request, network),
    }


def _past(view: View, request: Request) -> wire.PastRequest:
    return {
        "request": views.request_view(view, request),
        "lasted": _lasted(view, request),
        "usage": views.usage_view(view, request.id),
    }


def _lasted(view: View, request: Request) -> int | None:
    """For how long a grant was open, milliseconds, up to now; None without one, or where it lengthened another."""
    if request.grant is None or request.extends_id is not None:
        return None
    over = request.ending.at_ms if request.ending else view.now.wall_ms
    return max(0, min(over, request.grant.ends_ms) - request.grant.starts_ms)


def _is_open(view: View, request: Request) -> bool:
    return request.extends_id is None and request.status(view.now) in (Status.ACTIVE, Status.SCHEDULED)


def _rule(view: View, request: Request, network: Network) -> str:
    """By which rule its user has to ask."""
    account, people = request.account, view.people
    person, admin = people.person(account.uid, account.name), people.admin(account.name, account.uid)
    return policy.must_ask(network, person, admin, people.unresolved(network)).why


def _offer(view: View, request: Request, network: Network) -> wire.Offer:
    """What a yes without a word about the time would give, as `grant` works it out, or why there can be none."""
    nothing: wire.Offer = {"starts": None, "ends": None, "cap": "", "refused": "", "hint": ""}
    if request.status(view.now) is not Status.PENDING:
        return nothing
    try:
        term = _term(view, request, network)
    except JitError as error:
        return {**nothing, "refused": error.message, "hint": error.hint}
    return {**nothing, "starts": term.starts_ms, "ends": term.ends_ms, "cap": term.why}


def _term(view: View, request: Request, network: Network) -> Term:
    granting.refuse_own(view, "grant", request.account, network, request.id)
    foureyes.refuse_own_making(view, "grant", request.account, network, request.id)
    granting.refuse_gone(view, "grant anything to", request.account)
    granting.refuse_open(view, request.account, network)
    extended = grants.extended_by(view, request)
    if extended is None:
        granting.refuse_frozen(view, network)
        granting.devices_for(view, request.account, network)
    return grants.term_of(view, request, network, extended, Wish())
