"""Watching what happens, and waiting for a decision."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from jitctl.api import following
from jitctl.api.following import Lost, Moment
from jitctl.cli.app import settings
from jitctl.cli.moments import past_ms
from jitctl.cli.shared import AboutNetwork, AboutRequest, AboutUser, OfKind, Timeout, duration_ms
from jitctl.cli.waiting import decided
from jitctl.render.events import print_event
from jitctl.render.output import clean, control, out_json, say


def watch(
    context: typer.Context,
    user: AboutUser = None,
    network: AboutNetwork = None,
    number: AboutRequest = None,
    kind: OfKind = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="TIME", help="Begin with past events: since 2h ago, or since a date and time."
        ),
    ] = None,
    after: Annotated[
        int | None, typer.Option("--after", metavar="SEQ", help="Begin after this event.")
    ] = None,
    bell: Annotated[bool, typer.Option("--bell", help="Ring the terminal bell for each event.")] = False,
) -> int:
    """Print events as they happen, until Ctrl-C. Continues by itself when jitd is back after a restart.

    Example: jitctl watch --network office

    For scripts: jitctl watch --kind requested --json
    """
    client = settings(context).client()
    if after is None:
        after = client.health()["seq"] if since is None else 0
    filters: dict[str, Any] = {
        "user": user,
        "network": network,
        "id": number,
        "kind": kind,
        "since": past_ms(since),
    }
    as_json = settings(context).json
    lost = False
    for happened in following.follow(client, lambda: 3600.0, after=after, **filters):
        match happened:
            case Lost(error):
                if not lost:
                    say(f"jitctl: {clean(error.message)}; trying again")
                lost = True
            case Moment.LISTENING:
                if lost:
                    say(f"jitctl: connected again, continuing after {after}")
                lost = False
            case Moment.AWAKE:
                continue
            case event:
                after = event["seq"]
                if as_json:
                    out_json(event, flush=True)
                    continue
                if bell and sys.stdout.isatty():
                    control("\a")
                print_event(event, flush=True)
    raise AssertionError("it runs until it is interrupted")


def wait(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="ID", help="The request.")],
    timeout: Timeout = None,
) -> int:
    """Wait until a request is decided and, if it is granted, until access is open.

    Exits with 0 if access is open, 3 if the request was denied, 4 if it lapsed or the grant has ended, 5 if
    it is still pending after --timeout or access begins later, 9 if it was granted and the kernel does not
    agree yet.

    Example: jitctl wait 12 --timeout 10m
    """
    return decided(context, number, duration_ms(timeout))
