"""The outbox: what waits to be told, and what to do about it. The verbs of administrators."""

from jitd import wire
from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.events import EventKind, Messages
from jitd.core.model import Message
from jitd.store import outbox as store
from jitd.verbs.context import Call, Render, View

#: How many messages are listed.
MOST = 200


def list_(view: View, _query: object) -> wire.OutboxReply:
    """What was not delivered yet, oldest first, and why."""
    return {"now": view.now.wall_ms, **_shown(view)}


def retry(call: Call, body: wire.OutboxBody) -> Render[wire.OutboxRetryReply]:
    """Try messages again at once: all that wait, or some. What would not be tried is counted apart, and says why."""
    _refuse_others(call, "retry", body)
    chosen = store.chosen(call.rows, body.get("ids"))
    outdated = store.outdated(call.rows, chosen, call.now)
    for number, why in outdated.items():
        store.give_up(call.rows, number, why, call.now.wall_ms)
    left = [one for one in chosen if one.id not in outdated]
    collected = [one for one in left if one.error == store.COLLECTED]
    unreachable = [one for one in left if not _has_channel(call, one)]
    tried = [one.id for one in left if one not in collected and one not in unreachable]
    store.retry(call.rows, tried, call.now.wall_ms)
    call.event(EventKind.OUTBOX_RETRIED, Messages(messages=len(tried)))
    return lambda call: {
        **call.change_reply(),
        **_shown(call),
        "number": len(tried),
        "outdated": len(outdated),
        "collected": len(collected),
        "unreachable": len(unreachable),
    }


def drop(call: Call, body: wire.OutboxBody) -> Render[wire.OutboxChangeReply]:
    """Give messages up: all that wait, or some. What they were about stays in the events."""
    _refuse_others(call, "drop", body)
    number = store.drop(call.rows, body.get("ids"), call.now.wall_ms)
    call.event(EventKind.OUTBOX_DROPPED, Messages(messages=number))
    return lambda call: {**call.change_reply(), **_shown(call), "number": number}


def _refuse_others(call: Call, verb: str, body: wire.OutboxBody) -> None:
    """Refuse all of it where one of them does not wait. Raises JitError not_found."""
    for number in body.get("ids") or ():
        if not store.waits(call.rows, number):
            raise JitError(
                "not_found",
                f"cannot {verb} message {number}: it is not waiting for delivery",
                command("outbox list") + " shows the waiting messages; nothing was changed.",
            )


def _shown(view: View) -> wire.OutboxView:
    counts = store.counts(view.rows)
    return {
        "messages": [_view(view, one) for one in store.waiting(view.rows, MOST)],
        "messages_waiting": counts.waiting,
        "stuck": counts.stuck,
        "tells": view.config.notifies,
    }


def _has_channel(view: View, one: Message) -> bool:
    """Whether jitd still has the channel of a message."""
    if one.way == "chat":
        return one.recipient in view.config.chat.urls
    return bool(view.config.mail.server)


def _why(view: View, one: Message) -> str:
    """Why it was not delivered yet."""
    if not _has_channel(view, one):
        there = f"no chat room {one.recipient} in [chat] urls" if one.way == "chat" else "no [mail] server"
        return f"it can no longer be delivered: there is {there} in jitd.toml"
    return one.error or "not tried yet"


def _view(view: View, one: Message) -> wire.MessageView:
    return {
        "id": one.id,
        "way": one.way,
        "recipient": one.recipient,
        "address": one.address,
        "template": one.template,
        "request": one.request_id,
        "created": one.created_ms,
        "next": one.next_ms,
        "attempts": one.attempts,
        "error": _why(view, one),
    }
