"""The verbs of users: request, ensure, cancel, release, pause, resume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from jitctl.api.client import Client, given
from jitctl.cli.app import settings
from jitctl.cli.shared import (
    Again,
    OnlyNetwork,
    RequestDuration,
    RequestReason,
    Timeout,
    Until,
    User,
    Wait,
    answer,
    ask,
    duration_ms,
    interactive,
    keeping,
    moment_ms,
    patience_ms,
    show_outcome,
    target,
    usage,
    wish,
)
from jitctl.render import sentences
from jitctl.render.output import clean, next_step, out, say
from jitd.core.errors import exit_status

if TYPE_CHECKING:
    from jitd import wire

Which = Annotated[str | None, typer.Argument(metavar="[ID|NETWORK]", help="The grant, if there are several.")]


def request(
    context: typer.Context,
    network: OnlyNetwork = None,
    reason: RequestReason = None,
    duration: RequestDuration = None,
    until: Until = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--start", metavar="WHEN", help='The start, if not at once: "tomorrow 09:00", in local time.'
        ),
    ] = None,
    again: Again = False,
    urgent: Annotated[
        bool, typer.Option("--urgent", help="Mark the request as urgent; it is listed first.")
    ] = False,
    break_glass: Annotated[
        bool,
        typer.Option(
            "--break-glass",
            help="In an emergency: open access at once; an approver reviews it later. Not "
            "everybody is allowed to.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would happen; change nothing.")
    ] = False,
    user: User = None,
    wait: Wait = False,
    timeout: Timeout = None,
) -> int:
    """Request access to a network.

    Example: jitctl request office --reason "ticket 42: read the logs" --duration 2h

    Run a command as soon as access is open: jitctl request office -r "ticket 42" --wait --timeout 10m && ssh
    db

    In advance: jitctl request office -r "release 7" --start "tomorrow 09:00" -d 4h
    """
    wanted = wish(duration, until)
    starts = moment_ms(start)
    patience = patience_ms(wait, timeout)
    if wait and dry_run:
        raise usage("cannot use --wait together with --dry-run", "Use only one of them.")
    if reason is not None and again:
        raise usage("cannot use --again together with --reason", "Use only one of them.")
    client = settings(context).client()
    if reason is None and not again and interactive():
        if network is None:
            network = _which(client)
        reason = ask("Why do you need access? ")
    with keeping("request", network, reason=reason, duration=duration, until=until):
        reply = client.request(
            network=network,
            reason=reason or "",
            **wanted,
            start=starts,
            user=user,
            **given(
                again=again or None,
                urgent=urgent or None,
                break_glass=break_glass or None,
                plan=dry_run or None,
            ),
        )
    profile = settings(context).profile_meant()
    if profile is not None and profile.device and not dry_run:
        from jitctl.desktop import background

        background.begin(profile)
    if wait:
        from jitctl.cli.waiting import finish

        return finish(context, reply, patience, lambda: _asked(context, reply, dry_run=False))
    return _asked(context, reply, dry_run=dry_run)


def _which(client: Client) -> str | None:
    """The network that somebody at the terminal picks; the only one without a question, None where there is none."""
    there = [one["name"] for one in client.network_list()["networks"]]
    if len(there) < 2:
        return there[0] if there else None
    while (typed := ask(f"Which network ({', '.join(map(clean, there))})? ")) not in there:
        say(f"there is no network {typed}" if typed else "choose one of them")
    return typed


def ensure(
    context: typer.Context,
    network: OnlyNetwork = None,
    duration: Annotated[
        str | None,
        typer.Option("--duration", "-d", metavar="TIME", help="The duration from now, for example 2h."),
    ] = None,
    reason: RequestReason = None,
    wait: Wait = False,
    timeout: Timeout = None,
) -> int:
    """Make sure that you have access for a duration, and request only what is missing. For scripts.

    Exits with 0 if access is open, and with 5 if the request is pending or access begins later.

    Example: jitctl ensure office --duration 2h --reason "nightly backup"
    """
    patience = patience_ms(wait, timeout)
    reply = (
        settings(context)
        .client()
        .ensure(network=network, duration=duration_ms(duration), reason=reason or "")
    )
    if wait:
        from jitctl.cli.waiting import finish

        return finish(context, reply, patience, lambda: _asked(context, reply, dry_run=False))
    status = _asked(context, reply, dry_run=False)
    made = reply["request"]
    return status or (
        exit_status("pending") if made is not None and made["status"] in ("pending", "scheduled") else 0
    )


def _asked(context: typer.Context, reply: wire.RequestReply, *, dry_run: bool) -> int:
    def tell() -> None:
        made = reply["request"]
        if made is None:
            out(clean(reply["note"]))
            return
        out(("would be: " if dry_run else "") + sentences.outcome(made, reply["now"]))
        if reply["note"]:
            out(clean(reply["note"]))
        if dry_run:
            say("nothing was changed")
        elif made["status"] == "pending":
            next_step(
                f"jitctl wait {made['id']}    wait for the decision",
                f"jitctl cancel {made['id']} withdraw it",
            )
        elif made["status"] == "active":
            next_step(f"jitctl release {made['id']} end it before its time")

    return answer(context, reply, tell)


def cancel(
    context: typer.Context,
    which: Which = None,
) -> int:
    """Withdraw a pending request.

    Example: jitctl cancel 12
    """
    return _told(context, settings(context).client().cancel(**target(which)))


def release(context: typer.Context, which: Which = None) -> int:
    """End your own grant before its time.

    Example: jitctl release office
    """
    return _told(context, settings(context).client().release(**target(which)))


def pause(context: typer.Context, which: Which = None) -> int:
    """Switch access off for now. The granted time keeps running.

    Example: jitctl pause
    """
    reply = settings(context).client().pause(**target(which))
    return _told(context, reply, "jitctl resume    switch it on again")


def resume(context: typer.Context, which: Which = None) -> int:
    """Switch paused access on again. Its end stays the same.

    Example: jitctl resume
    """
    return _told(context, settings(context).client().resume(**target(which)))


def _told(context: typer.Context, reply: wire.RequestReply, *following: str) -> int:
    def tell() -> None:
        show_outcome(reply)
        next_step(*following)

    return answer(context, reply, tell)
