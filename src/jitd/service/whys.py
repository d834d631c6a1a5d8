"""Why: the rules that apply to somebody on a network, and what became of a request by which of them."""

from jitd import wire
from jitd.core import explain
from jitd.core.errors import JitError
from jitd.core.model import Account, Network
from jitd.core.settings import WEEK_MS
from jitd.service import views
from jitd.service.call import Reply, View
from jitd.service.lookup import named_network, visible
from jitd.store import accounts, devices, freezes, networks
from jitd.store import requests as store


def why(view: View, query: wire.WhyQuery) -> Reply:
    """Explain a request (`id`), or what holds for a user on a network; without `user` for the caller.

    A user may ask about himself, who decides about a network about everybody there.
    """
    request_id = query.get("id")
    if request_id is not None:
        request = visible(view, request_id)
        network = networks.by_id(view.rows, request.network_id)
        return {
            "user": request.account.name,
            "network": network.name,
            "request": views.request_view(view, request),
            "lines": [_line(one) for one in explain.explain(_facts(view, network, request.account))],
            "events": views.request_events(view, request.id),
        }
    name = query.get("network")
    if not name:
        raise JitError(
            "bad_request",
            "cannot tell what to explain: there is neither a number nor a network",
            "Type jitctl why NETWORK, jitctl why USER NETWORK or jitctl why ID.",
        )
    network = named_network(view, name)
    uid, user = view.person_behind
    asked = query.get("user")
    if asked is not None and asked != user:
        if not view.decides(network):
            raise JitError(
                "not_permitted",
                f"cannot explain {asked[:40]} to {view.actor.user}: only who decides about {network.name} may ask that",
                f"About yourself: jitctl why {network.name}",
            )
        uid, user = view.existing_user(asked), asked
    elif not view.decides(network) and not view.people.may_use(network, uid, user):
        raise JitError("not_found", f"cannot find a network {name[:40]!r}", "See jitctl status.")
    account = accounts.find(view.rows, uid, user) or Account(id=0, uid=uid, name=user)
    lines = explain.explain(_facts(view, network, account))
    return {
        "user": user,
        "network": network.name,
        "request": None,
        "lines": [_line(one) for one in lines],
        "events": [],
    }


def _facts(view: View, network: Network, account: Account) -> explain.Facts:
    since_ms = view.now.wall_ms - WEEK_MS
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
        has_device=bool(devices.of_account(view.rows, account.id)),
        break_glass_used=store.break_glass_since(view.rows, account.id, network.id, since_ms),
        auto_used=store.auto_approved_since(view.rows, account.id, network.id, since_ms),
        now_ms=view.now.wall_ms,
    )


def _line(one: explain.Line) -> wire.WhyLine:
    return {"question": one.question, "answer": one.answer, "because": one.because, "change": one.change}
