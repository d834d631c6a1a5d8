"""Deciding: grant, deny, revoke. The verbs of administrators."""

from jitd import wire
from jitd.core import policy, text
from jitd.core.errors import JitError
from jitd.core.model import Account, Denial, Device, Ending, Grant, Network, Request, Status
from jitd.service import tunnels
from jitd.service.call import Call, PlanOnly, Render, Reply
from jitd.service.endings import touch
from jitd.service.requests import found, named_network, shown, stale
from jitd.store import accounts, devices, interfaces, networks
from jitd.store import requests as store


def grant(call: Call, body: wire.GrantBody) -> Render:
    """Grant a pending request, or give access to a user without one. With `plan` only say what would be."""
    call.require_admin("grant access")
    comment = text.comment(body.get("comment"))
    request = _asked(call, body) if body.get("id") is not None else _unasked(call, body, comment)
    network = networks.by_id(call.rows, request.network_id)
    _refuse_own(call, "grant", request.account, request.id)
    _refuse_gone(call, request.account)
    if request.status(call.now) is not Status.PENDING:
        raise stale(call, "grant", request.id)
    duration = policy.granted_duration(network, body.get("duration"), request.wanted_ms)
    mine = devices.of_account(call.rows, request.account.id)
    _refuse_useless(call, request.account, network, mine)
    interface = interfaces.by_id(call.rows, network.interface_id)
    for device in mine:
        tunnels.ensure(call.rows, device, interface, call.now.wall_ms, call.agreement.held(interface.id))
    granted = Grant(
        decided_ms=call.now.wall_ms,
        decided_by=call.actor.user,
        comment=comment,
        starts_ms=call.now.wall_ms,
        ends_ms=call.now.wall_ms + duration,
        boot_id=call.now.boot_id,
        ends_boot_ms=call.now.boot_ms + duration,
    )
    if not store.grant(call.rows, request.id, granted, [device.id for device in mine]):
        raise stale(call, "grant", request.id)
    after = found(call, request.id)
    touch(call.rows, call.touched, after)
    call.event(
        "granted",
        request=after,
        starts=granted.starts_ms,
        ends=granted.ends_ms,
        duration=duration,
        comment=comment,
        devices=[device.name for device in mine],
    )
    if body.get("plan"):
        reply: Reply = {**shown(request.id)(call), "agrees": True, "waiting": ""}
        raise PlanOnly(reply)
    return shown(request.id)


def extend(call: Call, body: wire.ExtendBody) -> Render:
    """Lengthen an active grant without a gap, within the network's maximum counted from the grant's start."""
    call.require_admin("extend a grant")
    request = found(call, body["id"])
    _refuse_own(call, "extend", request.account, request.id)
    _refuse_gone(call, request.account)
    if request.grant is None or request.status(call.now) is not Status.ACTIVE:
        raise stale(call, "extend", request.id)
    comment = text.comment(body.get("comment"))
    network = networks.by_id(call.rows, request.network_id)
    ends = policy.extended_end(network, request.grant, body["duration"])
    if not store.extend(call.rows, request.id, request.grant.ends_ms, ends - request.grant.ends_ms):
        raise stale(call, "extend", request.id)
    # Its element in the firewall gets the new end, too.
    touch(call.rows, call.touched, request)
    call.event(
        "extended",
        request=request,
        before=request.grant.ends_ms,
        ends=ends,
        duration=body["duration"],
        comment=comment,
    )
    return shown(request.id)


def deny(call: Call, body: wire.DecisionBody) -> Render:
    """Deny a pending request."""
    call.require_admin("deny a request")
    request = found(call, body["id"])
    _refuse_own(call, "deny", request.account, request.id)
    comment = text.comment(body.get("comment"))
    denial = Denial(decided_ms=call.now.wall_ms, decided_by=call.actor.user, comment=comment)
    if not store.deny(call.rows, request.id, denial):
        raise stale(call, "deny", request.id)
    call.event("denied", request=request, comment=comment)
    return shown(request.id)


def revoke(call: Call, body: wire.DecisionBody) -> Render:
    """End a grant before its time."""
    call.require_admin("revoke a grant")
    request = found(call, body["id"])
    comment = text.comment(body.get("comment"))
    if request.status(call.now) is Status.PENDING:
        raise JitError(
            "conflict",
            f"cannot revoke {request.id}: it is still pending",
            f"Deny it: jitctl deny {request.id}",
        )
    ending = Ending(how=Status.REVOKED, at_ms=call.now.wall_ms, by=call.actor.user, comment=comment)
    if not store.end(call.rows, request.id, ending):
        raise stale(call, "revoke", request.id)
    touch(call.rows, call.touched, request)
    call.ended.append(request)
    assert request.grant is not None
    call.event("revoked", request=request, comment=comment, ends=request.grant.ends_ms)
    return shown(request.id)


def _asked(call: Call, body: wire.GrantBody) -> Request:
    if body.get("user") or body.get("network"):
        raise JitError(
            "bad_request",
            "cannot grant by number and by user and network at once",
            "Type jitctl grant ID, or jitctl grant --user NAME --network NAME.",
        )
    request_id = body["id"]
    assert request_id is not None
    return found(call, request_id)


def _unasked(call: Call, body: wire.GrantBody, comment: str) -> Request:
    """A request made and granted in one step, for a user who did not ask."""
    user, network_name = body.get("user"), body.get("network")
    if not user or not network_name:
        raise JitError(
            "bad_request",
            "cannot tell what to grant: there is neither a number nor a user and a network",
            "Type jitctl grant ID, or jitctl grant --user NAME --network NAME --duration 2h.",
        )
    network = named_network(call, network_name)
    account = accounts.ensure(call.rows, call.existing_user(user), user, call.now.wall_ms)
    _refuse_own(call, "grant", account, None)
    member = policy.may_use(network, call.person(user))
    if not member:
        raise JitError(
            member.code, f"cannot grant {network.name} to {user}: {member.why}", "See jitctl network show."
        )
    for other in store.open_of(call.rows, account.id, network.id):
        status = other.status(call.now)
        if status is Status.PENDING:
            raise JitError(
                "conflict",
                f"cannot grant {network.name} to {user} without a request: request {other.id} is pending",
                f"Grant that one: jitctl grant {other.id}",
            )
        if status in (Status.ACTIVE, Status.SCHEDULED):
            raise JitError(
                "conflict",
                f"cannot grant {network.name} to {user} again: grant {other.id} is {status}",
                f"For more time: jitctl extend {other.id} --duration 2h",
            )
    made = store.add(
        call.rows,
        account_id=account.id,
        network_id=network.id,
        reason=comment or f"granted by {call.actor.user} without a request",
        wanted_ms=None,
        requested_ms=call.now.wall_ms,
        requested_by=call.actor.user,
        lapses_ms=call.now.wall_ms + network.pending_ms,
    )
    return found(call, made)


def _refuse_own(call: Call, verb: str, account: Account, request_id: int | None) -> None:
    if policy.is_own(call.actor, account):
        which = f"{request_id}" if request_id is not None else f"access to {account.name}"
        raise JitError(
            "refused",
            f"cannot {verb} {which}: it is your own, and nobody decides on their own request",
            "Another administrator has to decide it.",
        )


def _refuse_gone(call: Call, account: Account) -> None:
    same = policy.is_same_account(account, call.person(account.name))
    if not same:
        raise JitError(same.code, f"cannot grant anything to {account.name}: {same.why}")


def _refuse_useless(call: Call, account: Account, network: Network, mine: list[Device]) -> None:
    if not mine:
        raise JitError(
            "refused",
            f"cannot grant {network.name} to {account.name}: {account.name} has no device that it could be opened for",
            f"Add one: jitctl device add laptop --user {account.name} --public-key KEY",
        )
    person = call.person(account.name)
    standing = policy.has_standing(network, person, call.admin(account.name, account.uid))
    if standing:
        raise JitError(
            "refused", f"cannot grant {network.name} to {account.name}: it is open already, {standing.why}"
        )
