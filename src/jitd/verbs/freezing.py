"""Freezing: everything is closed at once, whatever is granted, until somebody thaws it."""

from jitd import wire
from jitd.core import text
from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.events import EventKind, Frozen
from jitd.core.model import Freeze
from jitd.store import freezes, interfaces
from jitd.verbs.context import Call, Render


def freeze(call: Call, body: wire.FreezeBody) -> Render[wire.FreezeReply]:
    """Close grants, break-glass and standing access on every network, but for those whom the configuration names.

    The clocks of the grants run on.
    """
    reason = text.reason(body["reason"])
    if freezes.current(call.rows) is not None:
        return lambda call: {**_shown(call), "already": True}
    freezes.put(call.rows, Freeze(since_ms=call.now.wall_ms, by=call.actor.user, reason=reason))
    _touch_all(call)
    call.event(EventKind.FROZEN, Frozen(reason=reason, kept=list(call.people.kept_when_frozen)))
    return _shown


def thaw(call: Call, _body: object) -> Render[wire.FreezeReply]:
    """End a freeze: what is granted and not over is open again."""
    frozen = freezes.current(call.rows)
    if frozen is None:
        if call.people.memory.held.freeze is not None:
            raise JitError(
                "store",
                "cannot thaw: the freeze is not recorded yet; nothing was changed",
                "See " + command("status"),
            )
        return lambda call: {**_shown(call), "already": True}
    freezes.put(call.rows, None)
    _touch_all(call)
    call.event(EventKind.THAWED, Frozen(reason=frozen.reason, since=frozen.since_ms))
    return _shown


def _touch_all(call: Call) -> None:
    call.touched.interfaces.update(interface.id for interface in interfaces.all_(call.rows))


def _shown(call: Call) -> wire.FreezeReply:
    frozen = freezes.current(call.rows)
    shown: wire.FreezeView | None = (
        {"since": frozen.since_ms, "by": frozen.by, "reason": frozen.reason} if frozen else None
    )
    warnings: list[str] = [
        f"{interface.name} is not enforced: its unmanaged peers still pass ("
        + command("interface enforce", interface.name, "on")
        + ")"
        for interface in interfaces.all_(call.rows)
        if frozen and not interface.enforced and interfaces.unmanaged(call.rows, interface.id)
    ]
    kept = list(call.people.kept_when_frozen) if frozen else []
    return {**call.change_reply(), "freeze": shown, "kept": kept, "already": False, "warnings": warnings}
