"""Being told: each user's switch, and a test that goes the way that real messages go."""

from dataclasses import replace

from jitd import wire
from jitd.core import notices, text
from jitd.core.errors import JitError
from jitd.core.events import EventKind, Tested
from jitd.core.model import Account
from jitd.notify.recipients import address_of
from jitd.store import accounts, outbox
from jitd.verbs.context import Call, Render, View
from jitd.verbs.users import email


def on(call: Call, body: wire.NotifyBody) -> Render[wire.NotifyReply]:
    """Turn the caller's mail on again."""
    return _switch(call, body, told=True)


def off(call: Call, body: wire.NotifyBody) -> Render[wire.NotifyReply]:
    """Turn the caller's mail off. What happens is still in `jitctl events` and `jitctl status`."""
    return _switch(call, body, told=False)


def show(view: View, query: wire.NotifyQuery) -> wire.NotifyShowReply:
    """Whether, and where, somebody is told."""
    uid, name = view.subject(query.get("user"))
    return {"now": view.now.wall_ms, **_shown(view, name, accounts.find(view.rows, uid, name))}


def test(call: Call, body: wire.NotifyTestBody) -> Render[wire.NotifyTestReply]:
    """Send a message that is about nothing: to a mail address or a destination of [chat], else to the caller and every destination."""
    if not call.config.notifies:
        raise JitError(
            "refused",
            "cannot send a test: neither [mail] nor [chat] is configured",
            "Name a mail server ([mail] server) or a chat ([chat] urls) in jitd.toml, and restart jitd.",
        )
    sent = [
        _put(call, channel, recipient, address) for channel, recipient, address in _recipients(call, body)
    ]
    call.event(EventKind.NOTIFY_TESTED, Tested(to=[to for _, to in sent]))
    return lambda call: {
        **call.change_reply(),
        "messages": [{"id": number, "to": to} for number, to in sent],
    }


def result(view: View, query: wire.IdQuery) -> wire.NotifyResultReply:
    """What became of a test."""
    found = outbox.fate(view.rows, query["id"])
    if found is None:
        raise JitError("not_found", f"cannot find the message {query['id']}")
    return {
        "now": view.now.wall_ms,
        "state": "delivered" if found.sent_ms else "waiting" if found.dropped_ms is None else "failed",
        "error": found.error,
    }


def _switch(call: Call, body: wire.NotifyBody, *, told: bool) -> Render[wire.NotifyReply]:
    account = call.own_account(body.get("user"))
    if account.told != told:
        accounts.update(call.rows, replace(account, told=told))
        call.event(EventKind.NOTIFY_ON if told else EventKind.NOTIFY_OFF, account=account)
    return lambda call: {
        **call.change_reply(),
        **_shown(call, account.name, accounts.find(call.rows, account.uid, account.name)),
    }


def _shown(view: View, name: str, account: Account | None) -> wire.MailView:
    return {
        "user": name,
        "told": account is None or account.told,
        "address": _address(view, name, account),
        "mail": bool(view.config.mail.server),
    }


def _address(view: View, name: str, account: Account | None) -> str:
    """Where somebody would be told by mail, wanted or not; "" when nobody knows."""
    mail = view.config.mail
    wanting = replace(account, told=True) if account else None
    return address_of(name, wanting, mail.email_domain) if mail.server and name != "root" else ""


def _recipients(call: Call, body: wire.NotifyTestBody) -> list[tuple[str, str, str]]:
    """(channel, recipient, address) of each."""
    destinations, mail = list(call.config.chat.urls), call.config.mail
    to = body.get("to")
    if to is not None and to in destinations:
        return [("chat", to, "")]
    if to is not None:
        if "@" not in to or not mail.server:
            raise JitError(
                "bad_request",
                f"cannot send a test to {text.clean(to)[:60]!r}: it is "
                + ("not a mail address" if mail.server else "not a chat room, and there is no mail server")
                + (
                    f", and none of the chat rooms {', '.join(destinations)}"
                    if destinations and mail.server
                    else ""
                ),
                "Type --to you@example.org, or the name of a chat room in [chat] urls.",
            )
        return [("mail", email(to), email(to))]
    found = [("chat", one, "") for one in destinations]
    name = call.person_behind[1]
    address = _address(call, name, accounts.of_name(call.rows, name))
    if address:
        found.append(("mail", name, address))
    if not found:
        raise JitError(
            "bad_request",
            f"cannot send a test: the mail address of {name} is not known",
            "Type --to you@example.org.",
        )
    return found


def _put(call: Call, channel: str, recipient: str, address: str) -> tuple[int, str]:
    number = outbox.add(
        call.rows,
        key=f"{notices.TEST}:{call.now.wall_ms}:{channel}:{recipient}",
        way=channel,
        recipient=recipient,
        address=address,
        template=notices.TEST,
        request_id=None,
        data={},
        now_ms=call.now.wall_ms,
    )
    return number, address or recipient
