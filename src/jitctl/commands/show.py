"""show: one request, with its whole history and what there was before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from jitctl.api.client import Client
from jitctl.cli.app import settings
from jitctl.cli.shared import answer
from jitctl.render import sentences
from jitctl.render.events import print_history
from jitctl.render.output import hang, next_step, out
from jitctl.render.sentences import decision
from jitd.core.commandline import command
from jitd.core.errors import JitError

if TYPE_CHECKING:
    from jitd import wire


def show(
    context: typer.Context, number: Annotated[int, typer.Argument(metavar="ID", help="The request or grant.")]
) -> int:
    """Show one request with its whole history.

    Example: jitctl show 12
    """
    client = settings(context).client()
    reply = client.show(number)
    return answer(context, reply, lambda: _show(reply, _before(client, reply)))


def _before(client: Client, reply: wire.ShowReply) -> list[str]:
    """What helps before a decision, for those who decide about it; nothing for others, and where it is decided."""
    if reply["request"]["status"] != "pending":
        return []
    from jitctl.render.history import lines

    try:
        return lines(client.history(reply["request"]["id"]))
    except JitError as error:
        if error.code != "not_permitted":
            raise
        return []


def _show(reply: wire.ShowReply, before: list[str]) -> None:
    one, now = reply["request"], reply["now"]
    facts = [("request", str(one["id"])), *sentences.facts(one, now)]
    if reply.get("shortage"):
        facts.append(("too few", reply["shortage"]))
    if reply["usage"] is not None:
        facts.append(("used", sentences.usage(reply["usage"], now)))
    for name, value in facts:
        hang(f"{name:<11}", value)
    out()
    print_history(reply)
    if before:
        out("", "before a decision:")
        for told in before:
            hang(told[:11], told[11:])
    next_step(*_following(one, decides=reply.get("decides", False)))


def _following(one: wire.RequestView, *, decides: bool) -> list[str]:
    """What to type next about a request, for those who decide about it and for its user."""
    number, status = one["id"], one["status"]
    if decides:
        steps = {
            "pending": [f"jitctl {decision(one)} | jitctl deny {number} -r …"],
            "scheduled": [f"jitctl revoke {number} -r …"],
            "active": [f"jitctl extend {number} -d 1h | jitctl revoke {number} -r …"],
        }.get(status, [command("list", user=one["user"])])
        return [*steps, f"jitctl acknowledge {number} --comment …"] if "unreviewed" in one["marks"] else steps
    switch = "resume" if "paused" in one["marks"] else "pause"
    return {
        "pending": [f"jitctl wait {number} | jitctl cancel {number}"],
        "scheduled": [f"jitctl release {number}"],
        "active": [f"jitctl extend {number} -d 1h | jitctl {switch} {number} | jitctl release {number}"],
    }.get(status, [f"jitctl why {number}", command("request", one["network"], again=True)])
