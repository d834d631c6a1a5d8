"""Why: the rules that apply to somebody on a network, and what became of a request by which of them."""

from jitd import wire
from jitd.core import explain, outcome, text
from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.model import Account, Network
from jitd.core.people import Answer
from jitd.core.settings import WEEK_MS
from jitd.store import accounts, devices, events, freezes
from jitd.store import requests as store
from jitd.verbs import deciding, views
from jitd.verbs.access import Object
from jitd.verbs.context import View
from jitd.verbs.lookup import named_network, numbered, with_network


def explained(view: View, query: wire.WhyQuery) -> Object | None:
    """The loader of what is explained: a request, or somebody else on a network."""
    if query.get("id") is not None:
        return numbered(view, query)
    name = query.get("network")
    if not name:
        raise JitError(
            "bad_request",
            "cannot explain: neither a number nor a network is given",
            "Use "
            + command("why", "NETWORK")
            + ", "
            + command("why", "USER", "NETWORK")
            + " or "
            + command("why", "ID"),
        )
    network = named_network(view, name)
    if not view.decides(network) and (view.people.may_use(network, *view.person_behind).answer is Answer.NO):
        # Whoever is named with it: a network that somebody may not use does not exist for them. One of which nobody
        # knows whether they may does, as for a request: that is when somebody asks why.
        raise JitError(
            "not_found", f"cannot find a network {text.clean(name)[:40]!r}", "See " + command("status")
        )
    user = query.get("user")
    if user is None or user == view.person_behind[1]:
        return None
    hidden = JitError(
        "not_permitted",
        f"cannot explain {text.clean(user)[:40]} to {view.actor.user}: only approvers of {network.name} may "
        "see that",
        "To explain your own access: " + command("why", network.name),
    )
    return Object(hidden, networks=(network,))


def why(view: View, query: wire.WhyQuery) -> wire.WhyReply:
    """Explain a request (`id`), or what holds for a user on a network; without `user` for the caller.

    A user may ask about himself, who decides about a network about everybody there.
    """
    request_id = query.get("id")
    if request_id is not None:
        request, network = with_network(view, request_id)
        history, _ = events.of_request(view.rows, request.id)
        return {
            "now": view.now.wall_ms,
            "user": request.account.name,
            "network": network.name,
            "request": views.request_view(view, request),
            "outcome": [_line(one) for one in outcome.became(request, network, view.now, history)],
            "lines": [_line(one) for one in explain.explain(_facts(view, network, request.account))],
            "events": [views.event_view(event) for event in history],
        }
    network = named_network(view, query["network"] or "")
    asked = query.get("user")
    if asked is None or asked == view.person_behind[1]:
        account = _oneself(view, network)
    else:
        account = _other(view, network, asked)
    return {
        "now": view.now.wall_ms,
        "user": account.name,
        "network": network.name,
        "request": None,
        "outcome": [],
        "lines": [_line(one) for one in explain.explain(_facts(view, network, account))],
        "events": [],
    }


def _oneself(view: View, network: Network) -> Account:
    """The caller. Raises JitError not_permitted for root and system accounts, who ask for nothing."""
    try:
        uid, user = view.subject()
    except JitError as error:
        if view.actor.uid != 0:
            raise
        raise JitError(
            error.code, error.message, "Name the person: " + command("why", "USER", network.name)
        ) from None
    return accounts.find(view.rows, uid, user) or Account(id=0, uid=uid, name=user)


def _other(view: View, network: Network, user: str) -> Account:
    """Somebody else: anybody for administrators, who has ever asked here for approvers, nobody for users.

    Raises JitError not_permitted or not_found.
    """
    known = accounts.of_name(view.rows, user)
    if not view.by_admin:
        # Which users there are is no approver's business, and the system is not asked about those whom they name.
        if known is None or store.last_reason(view.rows, known.id, network.id) is None:
            raise JitError(
                "not_found",
                f"cannot find a request of {text.clean(user)[:40]!r} for {network.name}",
                "See " + command("list", network=network.name),
            )
        return known
    # Somebody who is gone, or cannot be looked up just now, is not explained by saying so alone.
    uid, name = view.somebody(user)
    return accounts.find(view.rows, uid, name) or Account(id=0, uid=uid, name=name)


def _facts(view: View, network: Network, account: Account) -> explain.Facts:
    since_ms = view.now.wall_ms - WEEK_MS
    mine = devices.of_account(view.rows, account.id)
    ends = [device.ends_ms for device in mine if device.ends_ms is not None]
    return explain.Facts(
        network=network,
        person=view.people.person(account.uid, account.name),
        account=account,
        same=view.people.same(account, view.now),
        admin=view.admin(account.name, account.uid),
        unresolved=view.people.unresolved(network),
        frozen=freezes.current(view.rows),
        kept=view.people.is_kept(account),
        deciders=network.approvers,
        shortage=deciding.shortage(view.rows, view.people, network, account.name) or "",
        has_device=bool(mine),
        devices_end_ms=max(ends) if ends and len(ends) == len(mine) else None,
        mine=tuple(store.open_of(view.rows, account.id, network.id)),
        break_glass_used=store.break_glass_since(view.rows, account.id, network.id, since_ms),
        auto_used=store.auto_approved_since(view.rows, account.id, network.id, since_ms),
        now=view.now,
    )


def _line(one: explain.Line) -> wire.WhyLine:
    return {"question": one.question, "answer": one.answer, "because": one.because, "change": one.change}
