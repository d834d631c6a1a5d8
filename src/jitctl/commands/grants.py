"""Deciding: grant, deny, revoke."""

from typing import Annotated

import typer

from jitctl.cli import settings
from jitctl.commands.shared import Yes, agreed, ask, duration_ms, interactive, usage
from jitctl.output import answer, clean, next_step, say
from jitctl.render import times, words
from jitd import wire

Number = Annotated[
    int | None, typer.Argument(metavar="[ID]", help="The request; offered for choice if there are several.")
]
Reason = Annotated[str | None, typer.Option("--reason", "-r", metavar="TEXT", help="Why; the user reads it.")]


def grant(
    context: typer.Context,
    number: Number = None,
    duration: Annotated[
        str | None,
        typer.Option(
            "--duration", "-d", metavar="TIME", help="For how long (default: as wished, else the network's)."
        ),
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", "-u", metavar="NAME", help="Without a request: to whom.")
    ] = None,
    network: Annotated[
        str | None,
        typer.Option("--network", "-n", metavar="NAME", help="Without a request: to which network."),
    ] = None,
    comment: Annotated[
        str | None, typer.Option("--comment", "-c", metavar="TEXT", help="A remark; the user reads it.")
    ] = None,
    yes: Yes = False,
) -> int:
    """Grant a request for a duration, or give access without one.

    Example: jitctl grant 12 --duration 8h

    Without a request: jitctl grant --user alice --network office -d 2h
    """
    client = settings(context).client()
    given = duration_ms(duration)
    body = {"duration": given, "comment": comment}
    if user is not None or network is not None:
        reply = client.grant(id=number, user=user, network=network, **body)
    else:
        chosen = number if number is not None else _choose(context, "grant")
        # Somebody who chose from a list, and did not type the number, sees what will happen before it does.
        if number is None and interactive() and not yes:
            planned = client.grant(id=chosen, **body, plan=True)
            assert planned["request"] is not None
            _show_plan(planned["request"], planned["now"])
            if not agreed("Grant it?"):
                say("nothing was changed")
                return 1
        reply = client.grant(id=chosen, **body)
    return _told(context, "grant", reply)


def extend(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="ID", help="The grant.")],
    duration: Annotated[
        str, typer.Option("--duration", "-d", metavar="TIME", help="By how much, for example 2h.")
    ],
    comment: Annotated[
        str | None, typer.Option("--comment", "-c", help="A remark; the user reads it.")
    ] = None,
) -> int:
    """Lengthen a grant without a gap. The network's maximum counts from the grant's start.

    Example: jitctl extend 12 --duration 2h
    """
    reply = settings(context).client().extend(id=number, duration=duration_ms(duration), comment=comment)
    return _told(context, "extend", reply)


def deny(context: typer.Context, number: Number = None, reason: Reason = None, yes: Yes = False) -> int:
    """Deny a request.

    Example: jitctl deny 12 --reason "use the lab instead"
    """
    chosen = number if number is not None else _choose(context, "deny")
    if number is None and interactive() and not yes and not agreed(f"Deny request {chosen}?"):
        say("nothing was changed")
        return 1
    return _told(context, "deny", settings(context).client().deny(id=chosen, comment=reason))


def revoke(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="ID", help="The grant.")],
    reason: Reason = None,
) -> int:
    """End a grant now.

    Example: jitctl revoke 12 --reason "laptop stolen"
    """
    return _told(context, "revoke", settings(context).client().revoke(id=number, comment=reason))


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
        line = (
            f"{one['user']} wants {one['network']} for {words.wants(one)},"
            f" {times.ago(one['requested'], reply['now'])}: {one['reason']}"
        )
        say(f"{one['id']:>5}  {clean(line)}")
    if reply["next"]:
        say("       and more: jitctl list --status pending")
    typed = ask(f"Which one ({pending[0]['id']})? ") or str(pending[0]["id"])
    if typed not in {str(one["id"]) for one in pending}:
        raise usage(
            f"cannot {verb} {clean(typed)[:20]!r}: it is not in the list", f"Type a number: jitctl {verb} ID"
        )
    return int(typed)


def _show_plan(planned: wire.RequestView, now: int) -> None:
    ends = planned["ends"] or now
    say(f"  user     {clean(planned['user'])}")
    say(f"  network  {clean(planned['network'])}")
    say(f"  reason   {clean(planned['reason'])}")
    say(f"  devices  {clean(', '.join(planned['devices']))}")
    say(f"  until    {times.local(ends, now)} ({times.left(ends - now)})")


def _told(context: typer.Context, verb: str, reply: wire.RequestReply) -> int:
    def tell() -> None:
        made = reply["request"]
        assert made is not None
        print(words.outcome(made, reply["now"]))
        if verb == "grant":
            next_step(f"jitctl revoke {made['id']}  end it before its time")

    return answer(context, reply, tell)
