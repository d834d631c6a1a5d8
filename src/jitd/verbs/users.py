"""People: those whom the system does not know, who is shut out, and when somebody's time is over."""

from dataclasses import replace

from jitd import wire
from jitd.core import durations, text
from jitd.core.choices import Status
from jitd.core.commandline import command, shell
from jitd.core.errors import JitError
from jitd.core.events import Changed, Comment, Disabling, EventKind, Registered, Since
from jitd.core.model import REGISTERED, Account, Ending
from jitd.core.people import Answer
from jitd.notify import recipients
from jitd.store import accounts, devices, interfaces, outbox, registrars
from jitd.store import requests as store
from jitd.verbs import foureyes, plans, views
from jitd.verbs.context import Call, Render, View


def add(call: Call, body: wire.UserAddBody) -> Render[wire.UserReply]:
    """Register somebody who is no user of the system, for a time: a contractor."""
    name = text.name(body["user"], "user")
    match call.person(name).exists:
        case Answer.YES:
            raise JitError(
                "conflict",
                f"cannot register {name}: the system has a user of this name",
                "Users of the system need no registration; choose another name for another person.",
            )
        case Answer.UNAVAILABLE:
            raise JitError(
                "busy",
                f"cannot register {name}: the system cannot tell now whether it has such a user",
                "Try again later.",
            )
    ends_ms = _end(call, body["until"])
    known = accounts.registered(call.rows, name)
    if known is not None and (known.ends_ms is None or known.ends_ms > call.now.wall_ms):
        raise JitError(
            "conflict",
            f"cannot register {name}: the name is taken",
            "Change it with " + command("user set", name, until="DATE"),
        )
    # Whose time is over is not asked whether it is the same person: this is another one, with nothing of the first.
    uid = REGISTERED if known is None else known.uid - 1
    account = accounts.ensure(call.rows, uid, name, call.now.wall_ms)
    accounts.update(call.rows, replace(account, ends_ms=ends_ms, email=email(body.get("email"))))
    reason = foureyes.reason(call, body.get("reason"), "register a user")
    registrars.of_account(call.rows, account.id, call.actor)
    before = f"{known.name}:{known.uid}" if known is not None else None
    call.event(
        EventKind.USER_ADDED,
        Registered(ends=ends_ms, email=email(body.get("email")), before=before, reason=reason),
        account=account,
    )
    return _shown(uid, name)


def set_(call: Call, body: wire.UserSetBody) -> Render[wire.UserReply]:
    """Change a person's end date and mail address. What is absent stays."""
    before = _named(call, body["user"])
    reason = foureyes.reason(call, body.get("reason"), "change a user")
    after = before
    until_ms = body.get("until")
    if until_ms is not None:
        if not before.is_registered:
            raise JitError(
                "refused",
                f"cannot set an end for {before.name}: it is a user of the system, which sets when accounts "
                "expire",
                f"Use {shell('chage', '-E', 'DATE', '--', before.name)} or "
                + command("user disable", before.name),
            )
        after = replace(after, ends_ms=_end(call, until_ms))
    if body.get("email") is not None:
        after = replace(after, email=email(body["email"]))
    accounts.update(call.rows, after)
    address = recipients.address_of(after.name, after, call.config.mail.email_domain)
    if after.email != before.email and address:
        # What was refused at the old address is told at the new one.
        outbox.readdress(call.rows, after.name, address, call.now.wall_ms)
    # What runs ends no later than its user.
    _touch(call, after)
    if (
        after.suspended_ms is not None
        and not after.is_retired(call.now.wall_ms)
        and call.people.there(after, call.now)
    ):
        accounts.suspend(call.rows, after.id, None)
        call.event(EventKind.USER_RESUMED, Since(since=after.suspended_ms), account=after)
    if after != before:
        call.event(
            EventKind.USER_CHANGED,
            Changed(
                before={"ends": before.ends_ms, "email": before.email},
                after={"ends": after.ends_ms, "email": after.email},
                reason=reason,
            ),
            account=before,
        )
    return _shown(before.uid, before.name)


def disable(call: Call, body: wire.UserDisableBody) -> Render[wire.UserReply]:
    """Shut somebody out at once: grants are revoked, requests cancelled, standing access ends."""
    reason = text.reason(body["reason"])
    before = _named(call, body["user"])
    if before.disabled is not None:
        return _shown(before.uid, before.name, already=True)
    accounts.update(call.rows, replace(before, disabled=reason))
    _touch(call, before)
    comment = f"{before.name} was disabled: {reason}"
    for request in store.open_of(call.rows, before.id):
        if request.extends_id is not None and request.grant is not None:
            continue  # ends with the grant that it lengthened
        how = Status.REVOKED if request.grant is not None else Status.CANCELLED
        ending = Ending(how=how, at_ms=call.now.wall_ms, by=call.actor.user, comment=comment)
        if store.end(call.rows, request.id, ending):
            if request.grant is not None:
                call.touched.devices |= store.tunnels_of(call.rows, [request.id])
                call.ended.append(request)
            call.event(EventKind(how), Comment(comment=comment), request=request)
    call.event(EventKind.USER_DISABLED, Disabling(reason=reason), account=before)
    return _shown(before.uid, before.name)


def enable(call: Call, body: wire.UserBody) -> Render[wire.UserReply]:
    """Let somebody in again: to ask, and to standing access. What was revoked stays revoked."""
    before = _named(call, body["user"])
    if before.disabled is None:
        return _shown(before.uid, before.name, already=True)
    why = foureyes.reason(call, body.get("reason"), "enable a user")
    accounts.update(call.rows, replace(before, disabled=None))
    _touch(call, before)
    call.event(EventKind.USER_ENABLED, Disabling(disabled=before.disabled, reason=why), account=before)
    return _shown(before.uid, before.name)


def confirm(call: Call, body: wire.UserConfirmBody) -> Render[wire.UserConfirmReply]:
    """Say that those who were away for more than 24 h are the same people: their devices are theirs again.

    With `plan` only say who would gain access.
    """
    names = body.get("users") or []
    if bool(names) == bool(body.get("all")):
        raise JitError(
            "bad_request",
            "cannot confirm: no user is given",
            "Use " + command("user confirm", "NAME") + ", or --all for all users that are back.",
        )
    if names:
        found = [one for name in names if (one := _confirmable(call, name)) is not None]
    else:
        found = [
            one
            for one in accounts.at_stake(call.rows)
            if one.is_retired(call.now.wall_ms) and call.people.there(one, call.now)
        ]
    reason = "" if body.get("plan") else foureyes.reason(call, body.get("reason"), "confirm a user")
    every = interfaces.all_(call.rows)
    passing = plans.state(call, every)
    for account in found:
        accounts.suspend(call.rows, account.id, None)
        _touch(call, account)
        call.event(
            EventKind.USER_CONFIRMED, Since(since=account.suspended_ms, reason=reason), account=account
        )
    confirmed = [account.name for account in found]
    plan = plans.settle(call, body, passing, plans.state(call, every), more={"users": confirmed})
    return lambda call: {**call.change_reply(), "users": confirmed, "plan": plan, "done": True}


def _confirmable(call: Call, name: str) -> Account | None:
    """Who is to be confirmed; None when there is nothing to confirm. Raises JitError not_found, refused or busy."""
    uid, plain = call.somebody(name)
    account = accounts.find(call.rows, uid, plain)
    if account is None or account.suspended_ms is None:
        return None
    there = call.people.there(account, call.now)
    if not there:
        raise JitError(
            there.code,
            f"cannot confirm {text.clean(name)}: {there.why}",
            "To remove stored devices: " + command("device remove", "NAME", user=name),
        )
    return account


def list_(view: View, _query: object) -> wire.UsersReply:
    """Everybody who has ever asked or owned a device, with what an administrator has said of them."""
    return {
        "now": view.now.wall_ms,
        "users": [views.user_view(view, account) for account in accounts.all_(view.rows)],
    }


def gate(view: View, body: wire.GateBody) -> wire.GateReply:
    """Let a shared account of ssh speak for somebody who is registered, as its authorized_keys names them.

    Only the accounts that the configuration trusts for this may (gate_users), and none that administers the gateway.
    """
    name = text.clean(body["user"])
    account = accounts.registered(view.rows, name)
    if account is None:
        raise JitError(
            "not_permitted",
            f"cannot act for {name[:40]!r}: no user with this name is registered",
            "An administrator registers the user: " + command("user add", "NAME", until="DATE"),
        )
    same = view.people.same(account, view.now)
    if not same:
        raise JitError("refused", f"cannot act for {name}: {same.why}")
    return {"now": view.now.wall_ms, "user": account.name, "uid": account.uid}


def _named(call: Call, name: str) -> Account:
    """The account that an administrator names, made when it is a user of the system who was never seen."""
    return accounts.ensure(call.rows, *call.somebody(name), call.now.wall_ms)


def _shown(uid: int, name: str, *, already: bool = False) -> Render[wire.UserReply]:
    def render(call: Call) -> wire.UserReply:
        account = accounts.find(call.rows, uid, name)
        assert account is not None
        return {**call.change_reply(), "user": views.user_view(call, account), "already": already}

    return render


def _touch(call: Call, account: Account) -> None:
    mine = [device.id for device in devices.of_account(call.rows, account.id)]
    found = devices.tunnels(call.rows, device_ids=mine)
    call.touched.devices.update((tunnel.interface_id, tunnel.device.id) for tunnel in found)


def _end(call: Call, until_ms: int) -> int:
    if not call.now.wall_ms < until_ms <= call.now.wall_ms + durations.LONGEST_MS:
        raise JitError(
            "bad_request",
            "cannot use this end date: it is not within the next 365 days",
            "Use a future date, for example --until 2027-03-31. To block a user now: "
            + command("user disable", "NAME"),
        )
    return until_ms


def email(typed: str | None) -> str:
    """A single mail address, "" for none. Raises JitError bad_request."""
    if not typed:
        return ""
    if not text.is_mail_address(typed):
        raise JitError(
            "bad_request",
            f"cannot use {text.clean(typed)[:60]!r} as a mail address",
            "Type a single address, for example zoe@example.org.",
        )
    return typed
