"""review: one request after the other, with what helps to decide, and one key each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Final

import typer

from jitctl.api.client import Client, given
from jitctl.cli.app import settings
from jitctl.cli.shared import ForNetwork, OfUser, ask, interactive, show_outcome, usage
from jitctl.cli.terminal import key
from jitctl.render import sentences, times
from jitctl.render.events import print_history
from jitctl.render.history import lines
from jitctl.render.output import BOLD, columns, disagrees, hang, out, say, show_error
from jitd.core import durations
from jitd.core.errors import JitError

if TYPE_CHECKING:
    from jitd import wire

#: Columns of the names of facts.
_HEAD: Final = 11
_KEYS: Final = "[g]rant  [o]ther duration  [d]eny  [s]kip  [h]istory  [q]uit"


def review(
    context: typer.Context,
    numbers: Annotated[
        list[int] | None,
        typer.Argument(metavar="[ID]…", help="The requests (default: all that you may decide about)."),
    ] = None,
    network: ForNetwork = None,
    user: OfUser = None,
) -> int:
    """Go through the requests that you may decide about, one by one: each with its background, and one key
    for the decision.

    Urgent requests come first, and new requests are added. If another approver decides first, their decision
    is shown.

    Example: jitctl review --network office
    """
    if not interactive():
        raise usage("cannot review without a terminal", "See jitctl list --decidable, then jitctl grant ID.")
    client = settings(context).client()
    seen: set[int] = set()
    done: dict[str, int] = {}
    while (found := _next(client, seen, numbers, network, user)) is not None:
        number, waiting = found
        seen.add(number)
        did = _one(client, number, waiting)
        if did == "quit":
            break
        done[did] = done.get(did, 0) + 1
    if not seen:
        out("no request waits for you")
    elif done:
        out(", ".join(f"{count} {what}" for what, count in sorted(done.items())))
    return 0


def _next(
    client: Client, seen: set[int], numbers: list[int] | None, network: str | None, user: str | None
) -> tuple[int, int] | None:
    """(the next one to decide, how many wait with it); None when there is none."""
    if numbers:
        left = [one for one in dict.fromkeys(numbers) if one not in seen]
        return (left[0], len(left)) if left else None
    filters = given(network=network, user=user)
    while True:
        reply = client.list(decidable=True, limit=500, **filters)
        left = [one["id"] for one in reply["requests"] if one["id"] not in seen]
        if left:
            return left[0], len(left)
        filters["after"] = reply["next"]
        if not reply["next"]:
            return None


def _one(client: Client, number: int, waiting: int) -> str:
    """Show one and act on keys until something became of it. Returns what did."""
    try:
        history = client.history(number)
    except JitError as error:
        show_error(error, as_json=False)
        return "gone"
    _show(history, waiting)
    while True:
        match key(f"{_KEYS}\n").lower():
            case "g":
                if (did := _grant(client, number)) is not None:
                    return did
            case "o":
                if (typed := _typed("Duration (8h, 30m): ")) and (
                    did := _grant(client, number, typed)
                ) is not None:
                    return did
            case "d":
                if (did := _deny(client, number)) is not None:
                    return did
            case "h":
                print_history(client.show(number))
            case "s":
                return "skipped"
            case "q" | "":
                return "quit"


def _show(history: wire.HistoryReply, waiting: int) -> None:
    one, now = history["request"], history["now"]
    more = f", {waiting - 1} more wait" if waiting > 1 else ""
    title = f"request {one['id']}: {one['user']} asks for {one['network']}{more}"
    out()
    out(title, style=BOLD)
    for name, value in (
        ("status", sentences.status(one)),
        ("reason", one["reason"]),
        ("wants", sentences.wants(one)),
        ("starts", times.local(one["start"], now) if one["start"] is not None else ""),
        ("requested", times.ago(one["requested"], now)),
        ("lapses", f"in {times.left(one['lapses'] - now)}"),
    ):
        if value:
            hang(f"{name:<11}", value)
    # Whoever asks has written the reasons of before, too, and must not push this one off the screen.
    for told in lines(history, past_cells=max(columns() - _HEAD, _HEAD)):
        hang(told[:_HEAD], told[_HEAD:])


def _grant(client: Client, number: int, typed: str = "") -> str | None:
    """Grant it, for the duration that was typed; None when it still waits."""
    return _decided(
        lambda: client.grant(id=number, duration=durations.parse(typed) if typed else None), "granted"
    )


def _deny(client: Client, number: int) -> str | None:
    """Deny it with a reason; None when it still waits."""
    reason = _typed("Reason for denying it (the user reads it; empty: do not deny): ")
    return _decided(lambda: client.deny(id=number, comment=reason), "denied") if reason else None


def _decided(decide: Callable[[], wire.RequestReply], done: str) -> str | None:
    """Decide, and show the outcome. Returns `done`, or what else became of it; None when it still waits."""
    try:
        reply = decide()
    except JitError as error:
        show_error(error, as_json=False)
        return "gone" if error.code in ("conflict", "ended", "not_found") else None
    show_outcome(reply)
    if not reply["agrees"]:
        disagrees(reply["waiting"])
    made = reply["request"]
    return "agreed to" if made is not None and made["status"] == "pending" else done


def _typed(question: str) -> str:
    try:
        return ask(question)
    except KeyboardInterrupt:
        say("")
        return ""
