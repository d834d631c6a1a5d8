"""events: the audit log, oldest first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from jitctl.api.client import given
from jitctl.cli.app import settings
from jitctl.cli.moments import past_ms
from jitctl.cli.shared import AboutNetwork, AboutRequest, AboutUser, OfKind, Since, UntilThen
from jitctl.render import sheet
from jitctl.render.events import print_event
from jitctl.render.output import csv_line, out_json, say
from jitd.core.errors import JitError

#: How many events are printed where nobody says how many.
LAST_EVENTS: Final = 500


class EventsFormat(StrEnum):
    """How `events` prints."""

    HUMAN = "human"
    JSONL = "jsonl"
    CSV = "csv"


def events(
    context: typer.Context,
    since: Since = None,
    until: UntilThen = None,
    user: AboutUser = None,
    network: AboutNetwork = None,
    number: AboutRequest = None,
    kind: OfKind = None,
    after: Annotated[
        int | None, typer.Option("--after", metavar="SEQ", help="Only events after this one.")
    ] = None,
    last: Annotated[
        int | None,
        typer.Option("--last", metavar="N", help="Only the newest N events, up to 10000.", min=1, max=10_000),
    ] = None,
    before: Annotated[
        int | None, typer.Option("--before", metavar="SEQ", help="With --last: only events before this one.")
    ] = None,
    whole: Annotated[
        bool, typer.Option("--all", help="Print all events; the default with --output jsonl and csv.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Keep printing new events as they happen.")
    ] = False,
    output: Annotated[
        EventsFormat, typer.Option("--output", "-o", help="The output format.")
    ] = EventsFormat.HUMAN,
) -> int:
    """Print the audit log, oldest event first. A table shows the newest 500 events.

    Example: jitctl events --since 24h --network office -o jsonl
    """
    if settings(context).json:
        output = EventsFormat.JSONL
    if last is None and output is EventsFormat.HUMAN and not whole and since is None and after is None:
        last = LAST_EVENTS
    filters = given(
        since=past_ms(since),
        until=past_ms(until, last=True),
        user=user,
        network=network,
        id=number,
        kind=kind,
        after=after,
        last=last,
        before=before,
        follow=follow or None,
    )
    found = settings(context).client().events(**filters)
    columns = [
        "seq",
        "at",
        "kind",
        "by",
        "login_user",
        "login_claimed",
        "origin",
        "id",
        "user",
        "network",
        "interface",
        "device",
        "data",
    ]
    if output is EventsFormat.CSV:
        csv_line(columns)
    told, first = 0, 0
    for event in found:
        told += 1
        first = first or event["seq"]
        if output is EventsFormat.JSONL:
            out_json(event, flush=follow)
        elif output is EventsFormat.CSV:
            actor: Mapping[str, Any] = event["actor"] or {}
            flat = {
                **event,
                "by": actor.get("user", "jitd"),
                "login_user": actor.get("login_user"),
                "login_claimed": actor.get("login_claimed"),
                "origin": actor.get("origin"),
                "data": json.dumps(event["data"], ensure_ascii=False, sort_keys=True),
            }
            csv_line([sheet.cell(flat[column]) for column in columns])
        else:
            print_event(event, flush=follow)
    if follow:
        raise JitError(
            "unreachable",
            "cannot continue to follow: jitd has ended the stream because it is stopping",
            "When jitd is back, continue after the last event: jitctl watch --after SEQ",
        )
    if not told and output is EventsFormat.HUMAN:
        say("no event matches")
    elif told == last and output is EventsFormat.HUMAN:
        say(f"for older events, add --last {last} --before {first}, or with --all")
    return 0
