"""Being told: on, off, show, test."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Final

import typer

from jitctl.api.client import given
from jitctl.cli.app import settings
from jitctl.cli.shared import answer
from jitctl.render.output import clean, out, out_json, say
from jitd.core.commandline import command
from jitd.core.errors import EXIT_FAILURE

if TYPE_CHECKING:
    from jitd import wire

User = Annotated[
    str | None, typer.Option("--user", "-u", metavar="NAME", help="For this user (administrators only).")
]
#: Seconds to wait for a server, and between two looks.
PATIENCE: Final = 90.0
_LOOK: Final = 0.1


def on(context: typer.Context, user: User = None) -> int:
    """Turn your mail on again.

    Example: jitctl notify on
    """
    reply = settings(context).client().notify_on(user=user)
    return answer(context, reply, lambda: _show(reply))


def off(context: typer.Context, user: User = None) -> int:
    """Turn your mail off: no decisions, no warnings before access ends, no requests to decide about.

    Example: jitctl notify off
    """
    reply = settings(context).client().notify_off(user=user)
    return answer(context, reply, lambda: _show(reply))


def show(context: typer.Context, user: User = None) -> int:
    """Show whether and where you get mail.

    Example: jitctl notify show
    """
    reply = settings(context).client().notify_show(**given(user=user))
    return answer(context, reply, lambda: _show(reply))


def test(
    context: typer.Context,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="WHERE", help="A mail address, or the name of a chat room in [chat] urls."
        ),
    ] = None,  # noqa: PT028 - a verb, no test
) -> int:
    """Send a real message, and show the server's answer. Without --to it goes to you and to every chat room.

    Example: sudo jitctl notify test --to you@example.org
    """
    client = settings(context).client()
    messages = client.notify_test(to=to)["messages"]
    # The daemon waits for no server; its delivery worker sends this as it delivers everything.
    ends = time.monotonic() + PATIENCE
    found: dict[int, wire.NotifyResultReply] = {}
    while waiting := {one["id"] for one in messages} - found.keys():
        for number in waiting:
            result = client.notify_result(number)
            if result["state"] != "waiting" or time.monotonic() > ends:
                found[number] = result
        if waiting - found.keys():
            time.sleep(_LOOK)
    if settings(context).json:
        for one in messages:
            result = found[one["id"]]
            out_json({"to": one["to"], "state": result["state"], "error": result["error"]})
    else:
        for one in messages:
            _tell(one["to"], found[one["id"]])
    return 0 if all(one["state"] == "delivered" for one in found.values()) else EXIT_FAILURE


def _tell(to: str, result: wire.NotifyResultReply) -> None:
    match result["state"]:
        case "delivered":
            out(f"{clean(to)}: delivered")
        case "failed":
            say(f"{clean(to)}: not delivered: {clean(result['error'])}")
        case _:
            say(f"{clean(to)}: no answer within {PATIENCE:.0f} s; see jitctl outbox list")


def _show(reply: wire.NotifyReply | wire.NotifyShowReply) -> None:
    who = clean(reply["user"])
    if not reply["mail"]:
        out(f"{who} gets no mail: this gateway has no mail server")
    elif not reply["told"]:
        out(f"{who} gets no mail (jitctl notify on turns it on)")
    elif reply["address"]:
        out(f"{who} gets mail at {clean(reply['address'])}")
    else:
        out(
            f"{who} gets no mail, because the address is not known "
            f"({command('user set', who, email='ADDRESS')}, run by an "
            "administrator)"
        )
