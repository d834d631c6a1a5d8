"""show: one request, with its whole history and what there was before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from jitctl.api.client import Client
from jitctl.cli.app import settings
from jitctl.cli.shared import answer
from jitctl.render import times, words
from jitctl.render.events import print_history
from jitctl.render.output import hang, next_step, out
from jitctl.render.words import decision
from jitd.core.commandline import jitctl
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
    from jitctl.render.before import lines

    try:
        return lines(client.history(reply["request"]["id"]))
    except JitError as error:
        if error.code != "not_permitted":
            raise
        return []


def _show(reply: wire.ShowReply, before: list[str]) -> None:
    one, now = reply["request"], reply["now"]
    facts: list[tuple[str, str]] = [
        ("request", str(one["id"])),
        ("status", words.status(one)),
        ("user", one["user"]),
        ("network", one["network"]),
        ("reason", one["reason"]),
        ("requested", f"{times.local(one['requested'])} ({times.ago(one['requested'], now)})"),
        ("wants", words.wants(one)),
    ]
    if given := words.granted(one):
        facts.append(("granted", given))
    if one["start"] is not None:
        facts.append(("starts", times.local(one["start"])))
    if one["approved_by"]:
        facts.append(("agreed", ", ".join(one["approved_by"])))
    if one["requested_by"] != one["user"]:
        facts.append(("asked by", one["requested_by"]))
    if one["decided_by"]:
        facts.append(("decided by", one["decided_by"]))
    if one["comment"]:
        facts.append(("comment", one["comment"]))
    if one["starts"] is not None and one["ends"] is not None:
        facts.append(("from", times.local(one["starts"])))
        facts.append(("until", times.local(one["ends"])))
        facts.append(("devices", ", ".join(one["devices"])))
    if one["status"] == "pending":
        facts.append(("lapses", times.local(one["lapses"])))
    left = words.time_left(one, now)
    if left:
        facts.append(("opens" if one["status"] == "scheduled" else "left", left))
    if one["reviewed"] is not None:
        facts.append(
            ("reviewed", f"{times.local(one['reviewed'])} by {one['reviewed_by']}: {one['reviewed_comment']}")
        )
    elif one["break_glass"]:
        facts.append(("reviewed", "not acknowledged yet"))
    if reply.get("shortage"):
        facts.append(("too few", reply["shortage"]))
    used = reply["usage"]
    if used is not None:
        facts.append(("used", words.usage(used, now)))
    if end := words.ended(one):
        facts.append(("ended", end))
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
        }.get(status, [jitctl("list", "--user", one["user"])])
        return [*steps, f"jitctl acknowledge {number} --comment …"] if "unreviewed" in one["marks"] else steps
    switch = "resume" if "paused" in one["marks"] else "pause"
    return {
        "pending": [f"jitctl wait {number} | jitctl cancel {number}"],
        "scheduled": [f"jitctl release {number}"],
        "active": [f"jitctl extend {number} -d 1h | jitctl {switch} {number} | jitctl release {number}"],
    }.get(status, [f"jitctl why {number}", jitctl("request", one["network"], "--again")])
