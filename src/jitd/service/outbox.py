"""The outbox: what waits to be told, and what to do about it. The verbs of administrators."""

from jitd import wire
from jitd.core.errors import JitError
from jitd.core.model import Message
from jitd.service.call import Call, Render, Reply, View
from jitd.store import outbox as store

#: How many messages are listed.
MOST = 200


def list_(view: View, _query: object) -> Reply:
    """What was not delivered yet, oldest first, and why."""
    view.require_admin("list the outbox")
    return _shown(view)


def retry(call: Call, body: wire.OutboxBody) -> Render:
    """Try messages again at once: all that wait, or some."""
    call.require_admin("retry messages")
    _refuse_others(call, "retry", body)
    number = store.retry(call.rows, body.get("ids"), call.now.wall_ms)
    call.event("outbox_retried", messages=number)
    return lambda view: {**_shown(view), "number": number}


def drop(call: Call, body: wire.OutboxBody) -> Render:
    """Give messages up: all that wait, or some. What they were about stays in the events."""
    call.require_admin("drop messages")
    _refuse_others(call, "drop", body)
    number = store.drop(call.rows, body.get("ids"), call.now.wall_ms)
    call.event("outbox_dropped", messages=number)
    return lambda view: {**_shown(view), "number": number}


def _refuse_others(call: Call, verb: str, body: wire.OutboxBody) -> None:
    """Refuse all of it where one of them does not wait. Raises JitError not_found."""
    for number in body.get("ids") or ():
        if not store.waits(call.rows, number):
            raise JitError(
                "not_found",
                f"cannot {verb} message {number}: it does not wait",
                "See jitctl outbox for those that do; nothing was changed.",
            )


def _shown(view: View) -> Reply:
    counts = store.counts(view.rows)
    return {
        "messages": [_view(one) for one in store.waiting(view.rows, MOST)],
        "messages_waiting": counts.waiting,
        "stuck": counts.stuck,
        "tells": view.config.tells,
    }


def _view(one: Message) -> wire.MessageView:
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
        "error": one.error,
    }
