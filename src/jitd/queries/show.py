"""show: one request with its history. Nothing here changes anything."""

from jitd import wire
from jitd.core import policy
from jitd.store import events
from jitd.verbs import deciding, views
from jitd.verbs.context import View
from jitd.verbs.lookup import with_network


def show(view: View, query: wire.IdQuery) -> wire.ShowReply:
    """One request with its whole history."""
    request, network = with_network(view, query["id"])
    history, left_out = events.of_request(view.rows, request.id)
    return {
        "now": view.now.wall_ms,
        "request": views.request_view(view, request, network),
        "decides": view.decides(network) and not policy.may_be_own(view.actor, request.account),
        "usage": views.usage_view(view, request.id),
        "events": [views.event_view(event) for event in history],
        "left_out": left_out,
        "shortage": deciding.of_request(view.rows, view.people, request, network, view.now),
    }
