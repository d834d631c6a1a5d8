"""What users do with a grant of theirs: give it back, switch it off and on."""

from jitd import wire
from jitd.core.choices import Status
from jitd.core.events import CutShort, EventKind
from jitd.core.model import Ending
from jitd.store import requests as store
from jitd.verbs.context import Call, Render
from jitd.verbs.lookup import own, shown, stale


def release(call: Call, body: wire.IdBody) -> Render[wire.RequestReply]:
    """Give the rest of a grant back."""
    before = own(call, body, Status.ACTIVE, Status.SCHEDULED, verb="release")
    ending = Ending(how=Status.RELEASED, at_ms=call.now.wall_ms, by=call.actor.user, comment="")
    if before.grant is None or not store.end(call.rows, before.id, ending):
        raise stale(call, "release", before.id)
    call.touched.devices |= store.tunnels_of(call.rows, [before.id])
    call.ended.append(before)
    call.event(EventKind.RELEASED, CutShort(ends=before.grant.ends_ms), request=before)
    return shown(before.id)


def pause(call: Call, body: wire.IdBody) -> Render[wire.RequestReply]:
    """Switch access off within the granted time; the clock runs on."""
    return _switch(call, body, "pause", call.now.wall_ms)


def resume(call: Call, body: wire.IdBody) -> Render[wire.RequestReply]:
    """Switch paused access on again."""
    return _switch(call, body, "resume", None)


def _switch(call: Call, body: wire.IdBody, verb: str, paused_ms: int | None) -> Render[wire.RequestReply]:
    before = own(call, body, Status.ACTIVE, verb=verb)
    if before.status(call.now) is not Status.ACTIVE:
        raise stale(call, verb, before.id)
    if not store.pause(call.rows, before.id, paused_ms):
        return shown(before.id, already=True)
    call.touched.devices |= store.tunnels_of(call.rows, [before.id])
    call.event(EventKind.PAUSED if paused_ms is not None else EventKind.RESUMED, request=before)
    return shown(before.id)
