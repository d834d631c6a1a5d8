"""The outbox: list, retry, drop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from jitctl.cli.app import settings
from jitctl.cli.shared import Yes, answer, confirm
from jitctl.render import times
from jitctl.render.output import next_step, out, say

if TYPE_CHECKING:
    from jitd import wire

Numbers = Annotated[
    list[int] | None, typer.Argument(metavar="[ID]…", help="The messages (default: all undelivered ones).")
]


def list_(context: typer.Context) -> int:
    """List undelivered messages and the reason for each. jitctl outbox without a verb does the same.

    Example: jitctl outbox list
    """
    reply = settings(context).client().outbox_list()

    def tell() -> None:
        if not reply["tells"]:
            say(
                "no notifications are sent: jitd.toml has no mail server and no chat rooms ([mail] server, "
                "[chat] urls)"
            )
        if not reply["messages"]:
            out("no message waits for delivery")
            return
        from jitctl.render.tables import Column, draw_each

        draw_each(
            reply["messages"],
            (Column("ID", right=True), lambda one: str(one["id"])),
            (Column("TO", least=8), lambda one: one["address"] or f"{one['way']} {one['recipient']}"),
            (Column("ABOUT"), lambda one: one["template"]),
            (Column("REQUEST", right=True, spare=1), lambda one: str(one["request"] or "")),
            (Column("SINCE", spare=2), lambda one: times.ago(one["created"], reply["now"])),
            (Column("TRIES", right=True), lambda one: str(one["attempts"])),
            (Column("NEXT"), lambda one: "never" if one["next"] is None else _in(one["next"] - reply["now"])),
            (Column("WHY", squeezed=True, least=10), lambda one: one["error"]),
        )
        if reply["messages_waiting"] > len(reply["messages"]):
            say(f"{reply['messages_waiting']} messages wait in total")
        next_step("jitctl outbox retry [ID] | jitctl outbox drop [ID]")

    return answer(context, reply, tell)


def retry(context: typer.Context, numbers: Numbers = None) -> int:
    """Try to deliver messages again at once.

    Example: jitctl outbox retry
    """
    reply = settings(context).client().outbox_retry(ids=numbers or None)
    left = (
        (reply["outdated"], "discarded: their requests were decided, or their grants have ended"),
        (reply["collected"], "not tried separately: they will be sent together in one message"),
        (reply["unreachable"], "not tried: jitd.toml no longer has their mail server or chat room"),
    )
    return _told(context, reply, "tried again", left)


def drop(context: typer.Context, numbers: Numbers = None, yes: Yes = False) -> int:
    """Discard messages. Their events stay in the audit log.

    Example: jitctl outbox drop 17
    """
    if not numbers and not yes:
        confirm(
            "Drop all undelivered messages?",
            "cannot drop all messages without confirmation",
            "Name messages, or add --yes.",
        )
    return _told(context, settings(context).client().outbox_drop(ids=numbers or None), "given up")


def _told(
    context: typer.Context, reply: wire.OutboxChangeReply, what: str, left: Iterable[tuple[int, str]] = ()
) -> int:
    def tell() -> None:
        waiting = reply["messages_waiting"]
        out(f"{_counted(reply['number'])} {what}; {waiting or 'nothing'} wait{'s' if waiting < 2 else ''}")
        for number, why in left:
            if number:
                out(f"{_counted(number)} {why}")

    return answer(context, reply, tell)


def _counted(number: int) -> str:
    return f"{number} {'message is' if number == 1 else 'messages are'}"


def _in(ms: int) -> str:
    return f"in {times.left(ms)}" if ms > 0 else "now"
