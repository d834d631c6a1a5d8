"""The emergency stop: freeze and thaw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from jitctl.cli.app import settings
from jitctl.cli.shared import Yes, answer, confirm, required, warn
from jitctl.render import times
from jitctl.render.output import clean, next_step, out

if TYPE_CHECKING:
    from jitd import wire


def freeze(
    context: typer.Context,
    reason: Annotated[
        str | None, typer.Option("--reason", "-r", metavar="TEXT", help="The reason; everybody reads it.")
    ] = None,
    yes: Yes = False,
) -> int:
    """Block all access at once: grants, break-glass and standing access on every network. Granted time keeps
    running.

    Only administrators that the configuration lists in kept_when_frozen keep their access.

    Example: jitctl freeze --reason "stolen laptop, closing until we know more" --yes
    """
    reason = required(
        reason, "Why? ", "cannot freeze without a reason", 'Add the reason: jitctl freeze --yes --reason "…"'
    )
    if not yes:
        confirm("Block all access of all users?", "cannot freeze without confirmation: all users lose access")
    return _told(context, settings(context).client().freeze(reason=reason))


def thaw(context: typer.Context) -> int:
    """End a freeze: grants that have not ended give access again.

    Example: jitctl thaw
    """
    return _told(context, settings(context).client().thaw())


def _told(context: typer.Context, reply: wire.FreezeReply) -> int:
    def tell() -> None:
        frozen = reply["freeze"]
        if frozen is None:
            out("nothing is frozen" + ("" if reply["already"] else " any more"))
            return
        since = times.local(frozen["since"], reply["now"])
        out(f"all access is frozen since {since} by {clean(frozen['by'])}: {clean(frozen['reason'])}")
        if reply["kept"]:
            out(f"kept open for {clean(', '.join(reply['kept']))}")
        next_step("jitctl thaw    end it")

    warn(reply["warnings"])
    return answer(context, reply, tell)
