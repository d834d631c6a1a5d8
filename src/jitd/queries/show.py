"""show: one request with its history. Nothing here changes anything."""

from jitd import wire
from jitd.core import policy
from jitd.store import events, networks
from jitd.verbs import deciding, views
from jitd.verbs.context import View
from jitd.verbs.lookup import visible


def show(view: View, query: wire.IdQuery) -> wire.ShowReply:
    """One request with its whole history."""
    request = visible(view, query["id"])
    network = networks.by_id(view.rows, request.network_id)
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
