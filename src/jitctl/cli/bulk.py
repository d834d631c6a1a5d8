"""Deciding about several requests at once: a plan of each, one question, then one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

import typer

from jitctl.api.client import Client, given
from jitctl.cli.app import settings
from jitctl.cli.shared import confirm, show_outcome
from jitctl.render import sentences, times
from jitctl.render.output import clean, disagrees, hang, out_json, say, show_error
from jitd.core.errors import JitError, exit_status

if TYPE_CHECKING:
    from jitd import wire

#: How many are listed by name in one plan; more are decided in several goes.
MOST = 500

Do: TypeAlias = "Callable[..., wire.RequestReply]"


#: Exit statuses, the gravest first: nobody answers, something failed, may not, mistyped, not there, a rule, too late,
#: recorded only, waits for others.
_GRAVEST: Final = (6, 1, 7, 2, 10, 3, 8, 4, 9, 5, 0)


def decidable(client: Client, user: str | None, network: str | None) -> list[int]:
    """All that waits and the caller may decide, narrowed down; oldest first. Raises JitError for a network or user that is
    not there.
    """
    if network is not None:
        there = [one["name"] for one in client.network_list()["networks"]]
        if network not in there:  # a list of nothing would look as if nothing waited there
            raise JitError(
                "not_found",
                f"cannot find the network {clean(network)[:40]!r}",
                f"There is: {', '.join(there)}." if there else "",
            )
    reply = client.list(decidable=True, sort="oldest", limit=MOST, **given(user=user, network=network))
    if reply["next"]:
        say(f"the oldest {MOST}; there are more")
    return [one["id"] for one in reply["requests"]]


def decide(
    context: typer.Context, verb: str, numbers: Sequence[int], do: Do, *, planned: bool, yes: bool
) -> int:
    """Say what would become of each, ask once, and do it. Returns the gravest exit status among them.

    `planned`: the verb has a plan of its own, which is shown. What cannot be done is told, and keeps no other from being
    done.
    """
    as_json = settings(context).json
    client = settings(context).client()
    told: dict[int, dict[str, object]] = {}
    statuses = [0]

    def refused(number: int, error: JitError) -> None:
        told[number] = {"id": number, "error": error.body()}
        statuses.append(error.exit_status)

    possible = []
    for number in dict.fromkeys(numbers):
        told[number] = {}  # in the order in which they were named
        try:
            _plan(client, verb, number, do, planned=planned)
            possible.append(number)
        except JitError as error:
            say(f"! {number}: {clean(error.message)}")
            refused(number, error)
    if not told:
        say(f"there is nothing to {verb}: no pending request that you may decide about")
    elif not possible:
        say(f"cannot {verb} any of them, as shown above", "See jitctl list --decidable.")
    elif not yes:
        confirm(
            f"{verb.capitalize()} {'it' if len(possible) == 1 else f'these {len(possible)}'}?",
            f"cannot {verb} several requests without confirmation",
            "Add --yes to confirm what is shown above.",
        )
    for number in possible:
        try:
            reply = do(id=number)
        except JitError as error:
            show_error(error, as_json=False)
            refused(number, error)
            continue
        made = reply["request"]
        assert made is not None
        told[number] = {"id": number, "request": made, "agrees": reply["agrees"]}
        if not as_json:
            show_outcome(reply)
        if not reply["agrees"]:
            disagrees(reply["waiting"])
            statuses.append(exit_status("disagrees"))
        elif verb == "grant" and made["status"] == "pending":
            statuses.append(exit_status("pending"))
    if as_json:
        out_json({"decisions": list(told.values())})
    return min(statuses, key=_GRAVEST.index)


def _plan(client: Client, verb: str, number: int, do: Do, *, planned: bool) -> None:
    """Tell what would become of a request. Raises JitError when nothing can."""
    reply = do(id=number, plan=True) if planned else client.show(number)
    one = reply["request"]
    assert one is not None
    if not planned and one["status"] != "pending":
        raise JitError("conflict", f"cannot {verb} {number}: it is {one['status']} already")
    ends = one["ends"]
    until = f" until {times.local(ends, reply['now'])} ({times.left(ends - reply['now'])})" if ends else ""
    wanted = sentences.wants(one)
    wants = "" if ends or wanted == sentences.DEFAULT else f", who wants {wanted}"
    head = f"{verb} {number}: "
    hang(head, f"{one['user']} on {one['network']}{until}{wants}: {one['reason']}", beside=True)
