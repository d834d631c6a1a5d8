"""Deciding about several requests at once: a plan of each, one question, then one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import typer

from jitctl.cli import settings
from jitctl.client import Client
from jitctl.commands.shared import agreed, interactive, usage
from jitctl.output import clean, hang, out, out_json, say, show_error
from jitctl.render import times, words
from jitd.core.errors import JitError

if TYPE_CHECKING:
    from jitd import wire

#: How many are listed by name in one plan; more are decided in several goes.
MOST = 500

Do: TypeAlias = "Callable[..., wire.RequestReply]"


def decidable(client: Client, verb: str, user: str | None, network: str | None) -> list[int]:
    """All that waits and the caller may decide, narrowed down; oldest first. Raises JitError when there is nothing."""
    reply = client.list(decidable=True, user=user, network=network, sort="oldest", limit=MOST)
    if not reply["requests"]:
        raise usage(
            f"cannot {verb} anything: nothing waits that you may decide about", "See jitctl list --decidable."
        )
    if reply["next"]:
        say(f"the oldest {MOST}; there are more")
    return [one["id"] for one in reply["requests"]]


def decide(
    context: typer.Context, verb: str, numbers: Sequence[int], do: Do, *, planned: bool, yes: bool
) -> int:
    """Say what would become of each, ask once, and do it. Returns the exit status of the first that failed, else 0.

    `planned`: the verb has a plan of its own, which is shown. What cannot be done is told, and keeps no other from being
    done.
    """
    client = settings(context).client()
    chosen = list(dict.fromkeys(numbers))
    possible = [one for one in chosen if _plan(client, verb, one, do, planned=planned)]
    if not possible:
        raise JitError("refused", f"cannot {verb} any of them: see above", "See jitctl list --decidable.")
    if not yes:
        if not interactive():
            raise usage(
                f"cannot {verb} several at once without a yes", "Add --yes to do what is shown above."
            )
        if not agreed(f"{verb.capitalize()} {'it' if len(possible) == 1 else f'these {len(possible)}'}?"):
            say("nothing was changed")
            return 1
    status = 0 if len(possible) == len(chosen) else 1
    replies: list[dict[str, Any]] = []
    for number in possible:
        try:
            reply = do(id=number)
        except JitError as error:
            show_error(error, as_json=False)
            replies.append({"id": number, "error": {"code": error.code, "message": error.message}})
            status = status or error.exit_status
            continue
        made = reply["request"]
        assert made is not None
        replies.append({"id": number, "request": made})
        if not settings(context).json:
            out(words.outcome(made, reply["now"]))
            if reply["note"]:
                out(clean(reply["note"]))
        if not reply["agrees"]:
            say(f"recorded, but the kernel does not agree yet: {clean(reply['waiting'])}")
            status = status or 9
    if settings(context).json:
        out_json({"decisions": replies})
    return status


def _plan(client: Client, verb: str, number: int, do: Do, *, planned: bool) -> bool:
    """Tell what would become of a request; False when nothing can."""
    try:
        reply: Any = do(id=number, plan=True) if planned else client.show(number)
    except JitError as error:
        say(f"! {number}: {clean(error.message)}")
        return False
    one: wire.RequestView = reply["request"]
    if not planned and one["status"] != "pending":
        say(clean(f"! {number}: cannot {verb} it: it is {one['status']} already"))
        return False
    ends = one["ends"]
    until = f" until {times.local(ends, reply['now'])} ({times.left(ends - reply['now'])})" if ends else ""
    wanted = words.wants(one)
    wants = "" if ends or wanted == words.DEFAULT else f", who wants {wanted}"
    head = f"{verb} {number}: "
    hang(head, f"{one['user']} on {one['network']}{until}{wants}: {one['reason']}", beside=True)
    return True
