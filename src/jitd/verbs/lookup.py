"""Which request or network a verb is about, and what a stale one is told."""

from collections.abc import Collection
from typing import Any

from jitd import wire
from jitd.core import durations, policy, text
from jitd.core.choices import Status
from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.model import Account, Network, Request
from jitd.core.people import Answer
from jitd.store import accounts, networks
from jitd.store import requests as store
from jitd.verbs import views
from jitd.verbs.access import Object
from jitd.verbs.context import Call, Render, View


def shown(request_id: int, note: str = "", *, already: bool = False) -> Render[wire.RequestReply]:
    """The reply that shows a request as it is after the verb."""
    return lambda call: {
        **call.change_reply(),
        "request": views.request_view(call, found(call, request_id)),
        "already": already,
        "note": note,
    }


def found(view: View, request_id: int) -> Request:
    """The request of this id. Raises JitError not_found."""
    request = store.by_id(view.rows, request_id)
    if request is None:
        raise _unknown(request_id)
    return request


def with_network(view: View, request_id: int) -> tuple[Request, Network]:
    """The request of this id, and its network."""
    request = found(view, request_id)
    return request, networks.by_id(view.rows, request.network_id)


def numbered(view: View, body: Any) -> Object:
    """The loader of a request by its number."""
    request, network = with_network(view, body["id"])
    return Object(_unknown(request.id), request.account, (network,), request.id)


def mine(view: View, body: Any) -> Object | None:
    """The loader of a request that has to be the caller's: by its number, or one of their own."""
    view.subject()
    return numbered(view, body) if body.get("id") is not None else None


def _unknown(request_id: int) -> JitError:
    return JitError(
        "not_found",
        f"cannot find a request {request_id}",
        command("list") + " shows the numbers.",
    )


def own(call: Call, body: wire.IdBody, *wanted: Status, verb: str) -> Request:
    """The caller's request that a verb is about: by id, by network, or the only one in one of these states."""
    request_id = body.get("id")
    if request_id is not None:
        return found(call, request_id)
    uid, name = call.subject()
    account = accounts.find(call.rows, uid, name)
    candidates = [
        request
        for request in (store.open_of(call.rows, account.id) if account else [])
        if request.status(call.now) in wanted
    ]
    network = body.get("network")
    if network is not None:
        candidates = [one for one in candidates if one.network_id == named_network(call, network).id]
    if len(candidates) == 1:
        return candidates[0]
    states = " or ".join(wanted)
    if not candidates:
        raise JitError(
            "not_found", f"cannot {verb}: {name} has no request that is {states}", "See " + command("status")
        )
    numbers = ", ".join(f"{one.id} ({networks.by_id(call.rows, one.network_id).name})" for one in candidates)
    raise JitError(
        "bad_request",
        f"cannot tell which request to {verb}: {numbers}",
        f"Name one: jitctl {verb} {candidates[0].id}",
    )


def named_network(view: View, name: str) -> Network:
    """The network of this name. Raises JitError not_found with the names that exist for the caller."""
    network = networks.by_name(view.rows, name)
    if network is None:
        raise no_network(view, name)
    return network


def no_network(view: View, name: str) -> JitError:
    """There is none of this name, or none that exists for the caller: both are told with the same words."""
    return JitError("not_found", f"cannot find a network {text.clean(name)[:40]!r}", _meant(view, name))


def _meant(view: View, name: str) -> str:
    """Which network was meant, of those that the caller may know of."""
    uid, who = view.person_behind
    known = [
        one.name
        for one in networks.all_(view.rows)
        if view.decides(one) or view.people.may_use(one, uid, who)
    ]
    return text.meant(text.clean(name), known, "See " + command("status"))


def chosen_network(view: View, user: str, uid: int, name: str | None) -> Network:
    """The named network, or the only one that the user may ask for."""
    if name is not None:
        network = named_network(view, name)
        if not view.decides(network) and view.people.may_use(network, uid, user).answer is Answer.NO:
            # A network that somebody may not use does not exist for them.
            raise no_network(view, name)
        return network
    usable = [network for network in networks.all_(view.rows) if view.people.may_use(network, uid, user)]
    askable = [one for one in usable if not view.people.has_standing(one, uid, user)]
    if len(askable) == 1:
        return askable[0]
    if not askable and len(usable) == 1:
        return usable[0]  # open already, which is worth saying
    if not askable:
        raise JitError(
            "not_found", f"cannot find a network that {user} has to request", "See " + command("status")
        )
    raise JitError(
        "bad_request",
        f"cannot tell which network is meant: {', '.join(network.name for network in askable)}",
        "Name one: " + command("request", askable[0].name, reason="…"),
    )


def stale(view: View, verb: str, request_id: int) -> JitError:
    """The error for a decision on a state that is not there any more; tells what happened."""
    request = found(view, request_id)
    lapsed = request.status(view.now) is Status.LAPSED
    return JitError(
        "ended" if lapsed else "conflict",
        f"cannot {verb} {request_id}: {_became(view, request)}",
        "See " + command("show", request_id) + " for its history.",
    )


def _became(view: View, request: Request) -> str:
    status = request.status(view.now)
    who = (request.ending.by if request.ending else "") or (
        request.decision.decided_by if request.decision else ""
    )
    if request.ending is None:
        then = request.decision.decided_ms if request.decision else min(view.now.wall_ms, request.lapses_ms)
    else:
        then = request.ending.at_ms
    ago = durations.show(view.now.wall_ms - then)
    match status:
        case Status.PENDING:
            return "it is still pending"
        case Status.ACTIVE | Status.SCHEDULED:
            return f"{who} granted it {ago} ago"
        case Status.EXPIRED | Status.LAPSED:
            return f"it {status} {ago} ago"
        case _:
            return f"{who or 'jitd'} {status} it {ago} ago"


def refuse_second(
    call: Call, account: Account, network: Network, verb: str, besides: Collection[Status] = ()
) -> None:
    """Refuse what is asked for, or open, already. `verb` ends "cannot …"; what is in `besides` does not matter."""
    for other in store.open_of(call.rows, account.id, network.id):
        status = other.status(call.now)
        if status in besides:
            continue
        if status is Status.PENDING:
            raise JitError(
                "conflict",
                f"cannot {verb}: request {other.id} is pending",
                "Wait for it ("
                + command("show", other.id)
                + "), or withdraw it: "
                + command("cancel", other.id)
                if policy.is_own(call.actor, account)
                else "Grant that one: " + command("grant", other.id),
            )
        if status in (Status.ACTIVE, Status.SCHEDULED):
            raise JitError(
                "conflict",
                f"cannot {verb}: grant {other.id} is {status}",
                "For more time: " + command("extend", other.id, duration="2h"),
            )
