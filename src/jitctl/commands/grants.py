"""Deciding: grant, deny, revoke."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jitctl.api.client import Client
from jitctl.cli.app import settings
from jitctl.cli.shared import (
    Timeout,
    Until,
    Wait,
    Yes,
    answer,
    ask,
    confirm,
    interactive,
    keeping,
    patience_ms,
    required,
    show_outcome,
    usage,
    wish,
)
from jitctl.render import sentences, times
from jitctl.render.output import clean, hang, next_step, say
from jitd.core.errors import exit_status

if TYPE_CHECKING:
    from jitd import wire

Numbers = Annotated[
    list[int] | None,
    typer.Argument(
        metavar="[ID]…", help="The requests; without a number, pending requests are offered for choice."
    ),
]
All = Annotated[
    bool,
    typer.Option("--all", help="All requests that you may decide about; --user and --network limit them."),
]
Reason = Annotated[
    str | None, typer.Option("--reason", "-r", metavar="TEXT", help="The reason; the user reads it.")
]


def grant(
    context: typer.Context,
    numbers: Numbers = None,
    duration: Annotated[
        str | None,
        typer.Option(
            "--duration",
            "-d",
            metavar="TIME",
            help="The duration (default: as requested, else the network's default).",
        ),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(
            "--user",
            "-u",
            metavar="NAME",
            help="Without a request: the user. With --all: only requests of this user.",
        ),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            "--network",
            "-n",
            metavar="NAME",
            help="Without a request: the network. With --all: only requests for this network.",
        ),
    ] = None,
    everything: All = False,
    until: Until = None,
    comment: Annotated[
        str | None, typer.Option("--comment", "-c", metavar="TEXT", help="A comment; the user reads it.")
    ] = None,
    yes: Yes = False,
) -> int:
    """Grant requests for a duration, or give access without a request.

    On a network that needs several approvals, this is yours; it exits with 5 while more are needed. For
    several requests, the outcome of each is shown, and one confirmation is asked for.

    Example: jitctl grant 12 --duration 8h

    Several: jitctl grant 12 13 14 -d 4h | jitctl grant --all --network lab

    Without a request: jitctl grant --user alice --network office -d 2h
    """
    client = settings(context).client()
    body: dict[str, Any] = {**wish(duration, until), "comment": comment}
    chosen = _several(client, numbers, everything=everything, user=user, network=network)
    if chosen is not None:
        from jitctl.cli.bulk import decide

        return decide(context, "grant", chosen, partial(client.grant, **body), planned=True, yes=yes)
    number = numbers[0] if numbers else None
    if user is not None or network is not None:
        body |= {"id": number, "user": user, "network": network}
    else:
        body["id"] = number if number is not None else _choose(context, "grant")
    if interactive() and not settings(context).json:
        planned = client.grant(**body, plan=True)
        assert planned["request"] is not None
        # Somebody who chose from a list, and did not type the number, sees all of it, and is asked.
        if number is None and user is None and network is None and not yes:
            _show_plan(planned["request"], planned["now"])
            confirm("Grant it?")
        else:
            say(f"will be: {sentences.outcome(planned['request'], planned['now'])}")
    reply = client.grant(**body)
    made = reply["request"]
    status = _told(context, "grant", reply)
    return status or (exit_status("pending") if made is not None and made["status"] == "pending" else 0)


def extend(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="ID", help="The grant.")],
    duration: Annotated[
        str | None, typer.Option("--duration", "-d", metavar="TIME", help="The time to add, for example 2h.")
    ] = None,
    until: Until = None,
    comment: Annotated[
        str | None,
        typer.Option(
            "--comment",
            "-c",
            "--reason",
            "-r",
            metavar="TEXT",
            help="A comment, or the reason why you need more time.",
        ),
    ] = None,
    wait: Wait = False,
    timeout: Timeout = None,
) -> int:
    """Extend a grant; on your own grant, request more time. The maximum duration counts from the grant's
    start.

    Example: jitctl extend 12 --duration 2h
    """
    wanted = wish(duration, until)
    if wanted == {"duration": None, "until": None}:
        raise usage("cannot extend without a duration", f"Add the time: jitctl extend {number} --duration 2h")
    patience = patience_ms(wait, timeout)
    reply = settings(context).client().extend(id=number, **wanted, comment=comment)
    if wait:
        from jitctl.cli.waiting import finish

        return finish(context, reply, patience, lambda: _told(context, "extend", reply))
    return _told(context, "extend", reply)


def acknowledge(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="ID", help="The break-glass grant.")],
    comment: Annotated[
        str | None, typer.Option("--comment", "-c", metavar="TEXT", help="The result of your review.")
    ] = None,
) -> int:
    """Acknowledge a use of break-glass. Only another approver of the network may do it.

    Example: jitctl acknowledge 12 --comment "was needed: the disk was full"
    """
    comment = required(
        comment,
        "What is the result of your review? ",
        "cannot acknowledge without a comment",
        f'Run: jitctl acknowledge {number} --comment "…"',
    )
    return _told(context, "acknowledge", settings(context).client().acknowledge(id=number, comment=comment))


def deny(
    context: typer.Context,
    numbers: Numbers = None,
    reason: Reason = None,
    everything: All = False,
    user: Annotated[
        str | None,
        typer.Option("--user", "-u", metavar="NAME", help="With --all: only requests of this user."),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option("--network", "-n", metavar="NAME", help="With --all: only requests for this network."),
    ] = None,
    yes: Yes = False,
) -> int:
    """Deny requests. Several requests are shown first, and one confirmation is asked for.

    Example: jitctl deny 12 --reason "use the lab instead"

    Several: jitctl deny --all --network lab --reason "the lab is closed this week"
    """
    client = settings(context).client()
    if (user or network) and not everything:
        raise usage("cannot use --user or --network without --all", "Add --all, or name the request.")
    several = _several(client, numbers, everything=everything, user=user, network=network)
    if several is not None:
        from jitctl.cli.bulk import decide

        if several and reason is None and interactive() and not yes:
            reason = ask("Reason for denying them (the users read it): ") or None
        return decide(context, "deny", several, partial(client.deny, comment=reason), planned=False, yes=yes)
    number = numbers[0] if numbers else None
    chosen = number if number is not None else _choose(context, "deny")
    if reason is None and interactive() and not yes:
        reason = ask(f"Reason for denying request {chosen} (the user reads it): ") or None
    if number is None and interactive() and not yes:
        confirm(f"Deny request {chosen}?")
    with keeping("deny", chosen, reason=reason):
        reply = client.deny(id=chosen, comment=reason)
    return _told(context, "deny", reply)


def revoke(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="ID", help="The grant.")],
    reason: Reason = None,
) -> int:
    """Revoke a grant: access ends now.

    Example: jitctl revoke 12 --reason "laptop stolen"
    """
    if reason is None and interactive():
        reason = ask(f"Reason for revoking grant {number} (the user reads it; Enter for none): ") or None
    with keeping("revoke", number, reason=reason):
        reply = settings(context).client().revoke(id=number, comment=reason)
    return _told(context, "revoke", reply)


def _several(
    client: Client,
    numbers: list[int] | None,
    *,
    everything: bool,
    user: str | None,
    network: str | None,
) -> list[int] | None:
    """The requests, where it is about more than one; None where it is about one, or about none that exists."""
    if everything:
        if numbers:
            raise usage("cannot use --all together with numbers", "Use only one of them.")
        from jitctl.cli.bulk import decidable

        return decidable(client, user, network)
    return numbers if numbers and len(numbers) > 1 else None


def _choose(context: typer.Context, verb: str) -> int:
    """The only pending request, or the one that somebody at the terminal picks."""
    reply = settings(context).client().list(status=["pending"], limit=50)
    pending = reply["requests"]
    if not pending:
        raise usage(f"cannot {verb}: no request is pending", "See jitctl list.")
    if len(pending) == 1 and not interactive():
        return pending[0]["id"]
    if not interactive():
        numbers = ", ".join(str(one["id"]) for one in pending)
        raise usage(
            f"cannot tell which request to {verb}: {numbers} are pending",
            f"Name one: jitctl {verb} {pending[0]['id']}",
        )
    for one in pending:
        told = (
            f"{one['user']} wants {one['network']}{_for(one)},"
            f" {times.ago(one['requested'], reply['now'])}: {one['reason']}"
        )
        hang(f"{one['id']:>5}  ", told, beside=True)
    if reply["next"]:
        say("       and more: jitctl list --status pending")
    typed = ask(f"Which one ({pending[0]['id']})? ") or str(pending[0]["id"])
    if typed not in {str(one["id"]) for one in pending}:
        raise usage(
            f"cannot {verb} {clean(typed)[:20]!r}: it is not in the list",
            f"Type the number: jitctl {verb} ID",
        )
    return int(typed)


def _for(one: wire.RequestView) -> str:
    wanted = sentences.wants(one)
    return "" if wanted == sentences.DEFAULT else f" for {wanted}"


def _show_plan(planned: wire.RequestView, now: int) -> None:
    ends = planned["ends"] or now
    say(f"  user     {clean(planned['user'])}")
    say(f"  network  {clean(planned['network'])}")
    say(f"  reason   {clean(planned['reason'])}")
    say(f"  devices  {clean(', '.join(planned['devices']))}")
    say(f"  until    {times.local(ends, now)} ({times.left(ends - now)})")


def _told(context: typer.Context, verb: str, reply: wire.RequestReply) -> int:
    def tell() -> None:
        show_outcome(reply)
        made = reply["request"]
        if verb == "grant" and made and made["status"] == "active":
            next_step(f"jitctl revoke {made['id']}  end it before its time")

    return answer(context, reply, tell)
