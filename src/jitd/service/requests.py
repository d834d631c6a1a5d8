"""Asking for access, and taking a request or grant back: the verbs of users."""

from jitd import wire
from jitd.core import durations, policy, text
from jitd.core.errors import JitError
from jitd.core.model import Account, Ending, Network, Request, Status
from jitd.core.people import Answer
from jitd.service import views
from jitd.service.call import Call, Render, View
from jitd.service.endings import touch
from jitd.store import accounts, devices, networks
from jitd.store import requests as store


def request(call: Call, body: wire.RequestBody) -> Render:
    """Ask for access to a network. What is open without asking says so and records nothing."""
    user = body.get("user")
    uid, name = call.subject(user)
    reason = text.reason(body["reason"])
    network = chosen_network(call, name, uid, body.get("network"))
    member = policy.may_use(network, call.person(name))
    if not member:
        raise JitError(
            member.code, f"cannot ask for {network.name} as {name}: {member.why}", "See jitctl status."
        )
    wanted = policy.wanted_duration(network, body.get("duration"))
    standing = policy.has_standing(network, call.person(name), call.admin(name, uid))
    if standing:
        return lambda _: {
            "request": None,
            "already": True,
            "note": f"{network.name} is open for {name}: {standing.why}",
        }
    account = accounts.ensure(call.rows, uid, name, call.now.wall_ms)
    _refuse_second(call, account, network)
    if not devices.of_account(call.rows, account.id):
        raise JitError(
            "refused",
            f"cannot ask for {network.name}: {name} has no device that it could be opened for",
            "Add one first: wg genkey | tee private.key | wg pubkey | jitctl device add laptop --public-key -",
        )
    if not call.by_admin:
        _keep_limits(call, account)
    made = store.add(
        call.rows,
        account_id=account.id,
        network_id=network.id,
        reason=reason,
        wanted_ms=wanted,
        requested_ms=call.now.wall_ms,
        requested_by=call.actor.user,
        lapses_ms=call.now.wall_ms + network.pending_ms,
    )
    call.event("requested", request=found(call, made), reason=reason, wanted=wanted)
    return shown(made)


def cancel(call: Call, body: wire.IdBody) -> Render:
    """Take a pending request back."""
    before = own(call, body, Status.PENDING, verb="cancel")
    ending = Ending(how=Status.CANCELLED, at_ms=call.now.wall_ms, by=call.actor.user, comment="")
    if before.status(call.now) is not Status.PENDING or not store.end(call.rows, before.id, ending):
        raise stale(call, "cancel", before.id)
    call.event("cancelled", request=before)
    return shown(before.id)


def release(call: Call, body: wire.IdBody) -> Render:
    """Give the rest of a grant back."""
    before = own(call, body, Status.ACTIVE, Status.SCHEDULED, verb="release")
    ending = Ending(how=Status.RELEASED, at_ms=call.now.wall_ms, by=call.actor.user, comment="")
    if before.grant is None or not store.end(call.rows, before.id, ending):
        raise stale(call, "release", before.id)
    touch(call.rows, call.touched, before)
    call.ended.append(before)
    call.event("released", request=before, ends=before.grant.ends_ms)
    return shown(before.id)


def pause(call: Call, body: wire.IdBody) -> Render:
    """Switch access off within the granted time; the clock runs on."""
    return _switch(call, body, "pause", call.now.wall_ms)


def resume(call: Call, body: wire.IdBody) -> Render:
    """Switch paused access on again."""
    return _switch(call, body, "resume", None)


def _switch(call: Call, body: wire.IdBody, verb: str, paused_ms: int | None) -> Render:
    before = own(call, body, Status.ACTIVE, verb=verb)
    if before.status(call.now) is not Status.ACTIVE:
        raise stale(call, verb, before.id)
    if not store.pause(call.rows, before.id, paused_ms):
        return lambda view: {**shown(before.id)(view), "already": True}
    touch(call.rows, call.touched, before)
    call.event("paused" if paused_ms is not None else "resumed", request=before)
    return shown(before.id)


def shown(request_id: int) -> Render:
    """The reply that shows a request as it is after the verb."""
    return lambda view: {
        "request": views.request_view(view, found(view, request_id)),
        "already": False,
        "note": "",
    }


def found(view: View, request_id: int) -> Request:
    """The request of this id. Raises JitError not_found."""
    request = store.by_id(view.rows, request_id)
    if request is None:
        raise JitError(
            "not_found", f"cannot find a request {request_id}", "See jitctl list for the numbers that exist."
        )
    return request


def visible(view: View, request_id: int) -> Request:
    """The request of this id if the caller may see it; somebody else's does not exist for a user."""
    request = found(view, request_id)
    if not view.by_admin and not policy.is_own(view.actor, request.account):
        raise JitError(
            "not_found", f"cannot find a request {request_id}", "See jitctl list for the numbers that exist."
        )
    return request


def own(call: Call, body: wire.IdBody, *wanted: Status, verb: str) -> Request:
    """The caller's request that a verb is about: by id, by network, or the only one in one of these states."""
    uid, name = call.subject()
    request_id = body.get("id")
    if request_id is not None:
        request = visible(call, request_id)
        if request.account.uid != uid or request.account.name != name:
            raise JitError(
                "not_permitted",
                f"cannot {verb} {request.id}: it is {request.account.name}'s",
                f"An administrator ends it with jitctl revoke {request.id} or jitctl deny {request.id}.",
            )
        return request
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
            "not_found", f"cannot {verb}: {name} has nothing that is {states}", "See jitctl status."
        )
    numbers = ", ".join(f"{one.id} ({networks.by_id(call.rows, one.network_id).name})" for one in candidates)
    raise JitError(
        "bad_request",
        f"cannot tell which one to {verb}: {numbers}",
        f"Name one: jitctl {verb} {candidates[0].id}",
    )


def named_network(view: View, name: str) -> Network:
    """The network of this name. Raises JitError not_found with the names that exist for the caller."""
    network = networks.by_name(view.rows, name)
    if network is None:
        raise JitError("not_found", f"cannot find a network {text.clean(name)[:40]!r}", "See jitctl status.")
    return network


def chosen_network(view: View, user: str, uid: int, name: str | None) -> Network:
    """The named network, or the only one that the user may ask for."""
    if name is not None:
        network = named_network(view, name)
        if not view.by_admin and policy.may_use(network, view.person(user)).answer is Answer.NO:
            # A network that somebody may not use does not exist for them.
            raise JitError(
                "not_found", f"cannot find a network {text.clean(name)[:40]!r}", "See jitctl status."
            )
        return network
    person = view.person(user)
    usable = [network for network in networks.all_(view.rows) if policy.may_use(network, person)]
    askable = [one for one in usable if not policy.has_standing(one, person, view.admin(user, uid))]
    if len(askable) == 1:
        return askable[0]
    if not askable and len(usable) == 1:
        return usable[0]  # open already, which is worth saying
    if not askable:
        raise JitError("not_found", f"cannot find a network that {user} has to ask for", "See jitctl status.")
    raise JitError(
        "bad_request",
        f"cannot tell which network is meant: {', '.join(network.name for network in askable)}",
        f'Name one: jitctl request {askable[0].name} --reason "…"',
    )


def stale(view: View, verb: str, request_id: int) -> JitError:
    """The error for a decision on a state that is not there any more; tells what happened."""
    request = found(view, request_id)
    lapsed = request.status(view.now) is Status.LAPSED
    return JitError(
        "ended" if lapsed else "conflict",
        f"cannot {verb} {request_id}: {_became(view, request)}",
        f"See jitctl show {request_id} for its history.",
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


def _refuse_second(call: Call, account: Account, network: Network) -> None:
    for other in store.open_of(call.rows, account.id, network.id):
        status = other.status(call.now)
        if status is Status.PENDING:
            raise JitError(
                "conflict",
                f"cannot ask again for {network.name}: request {other.id} is pending",
                f"Wait for it (jitctl show {other.id}), or take it back: jitctl cancel {other.id}",
            )
        if status in (Status.ACTIVE, Status.SCHEDULED):
            raise JitError(
                "conflict",
                f"cannot ask again for {network.name}: grant {other.id} is {status}",
                f"For more time an administrator types: jitctl extend {other.id} --duration 2h",
            )


def _keep_limits(call: Call, account: Account) -> None:
    limits = call.config.limits
    opened = sum(1 for one in store.open_of(call.rows, account.id) if one.status(call.now) is Status.PENDING)
    if opened >= limits.requests_open_per_user:
        raise JitError(
            "limit",
            f"cannot ask for more: {opened} requests of {account.name} are pending, the limit is"
            f" {limits.requests_open_per_user}",
            "Take one back with jitctl cancel, or wait until they are decided.",
        )
    made, first = store.count_since(call.rows, account.id, call.now.wall_ms - durations.HOUR)
    if made >= limits.requests_per_hour and first is not None:
        wait = durations.show(max(durations.SECOND, first + durations.HOUR - call.now.wall_ms))
        raise JitError(
            "limit",
            f"cannot ask again yet: {made} requests of {account.name} within an hour, the limit is"
            f" {limits.requests_per_hour}",
            f"Try again in {wait}.",
        )
