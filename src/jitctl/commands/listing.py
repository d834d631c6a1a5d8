"""Looking back: list, show, events."""

import csv
import json
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from jitctl.cli import settings
from jitctl.client import Client
from jitctl.commands.shared import usage
from jitctl.output import answer, clean, dumps, next_step, say
from jitctl.render import times, words
from jitd import wire
from jitd.core import durations
from jitd.core.errors import JitError

#: How many requests are listed where nobody says how many.
PAGE: Final = 50
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class ListFormat(StrEnum):
    """How `list` prints."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


class EventsFormat(StrEnum):
    """How `events` prints."""

    HUMAN = "human"
    JSONL = "jsonl"
    CSV = "csv"


def list_(
    context: typer.Context,
    status: Annotated[
        list[str] | None,
        typer.Option("--status", "-s", metavar="STATUS", help="Only this status; may be repeated."),
    ] = None,
    tab: Annotated[
        list[str] | None, typer.Option("--tab", metavar="TAB", help="pending, approved, denied or ended.")
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", "-u", metavar="NAME", help="Only of this user.")
    ] = None,
    network: Annotated[
        str | None, typer.Option("--network", "-n", metavar="NAME", help="Only for this network.")
    ] = None,
    search: Annotated[
        str | None, typer.Option("--search", metavar="TEXT", help="In reasons, users and comments.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", help="How many at most.")] = PAGE,
    after: Annotated[
        str, typer.Option("--after", metavar="PAGE", help="What the page before named as the next.")
    ] = "",
    count: Annotated[bool, typer.Option("--count", help="Only say how many there are.")] = False,
    output: Annotated[ListFormat, typer.Option("--output", "-o", help="How to print.")] = ListFormat.TABLE,
) -> int:
    """List requests and grants: what is pending first, then the newest.

    Example: jitctl list --status pending --network office

    For a prompt: jitctl list --status pending --count
    """
    client = settings(context).client()
    filters = {"status": status, "tab": tab, "user": user, "network": network, "search": search}
    if count:
        if limit != PAGE or after:
            raise usage("cannot use --count together with --limit or --after", "It counts all that match.")
        number = client.list(**filters, count=True)["count"]
        in_json = settings(context).json or output in (ListFormat.JSON, ListFormat.JSONL)
        print(dumps({"count": number}) if in_json else number)
        return 0
    reply = client.list(**filters, limit=limit, after=after or None)
    if output is ListFormat.JSON:
        settings(context).json = True
    if settings(context).json:
        return answer(context, reply, lambda: None)
    if output is ListFormat.JSONL:
        for one in reply["requests"]:
            print(dumps(one))
    elif output is ListFormat.CSV:
        _csv([dict(one) for one in reply["requests"]], list(wire.RequestView.__annotations__))
    else:
        _list_table(reply, filtered=bool(status or tab or user or network or search))
    if reply["next"]:
        # Said to scripts too: a list that was cut must not look complete.
        shown = {"--limit": [str(limit)] if limit != PAGE else [], "--after": [reply["next"]]}
        named = {f"--{name}": value for name, value in filters.items()}
        say(f"there is more: {_command('list', {**named, **shown})}")
    return 0


def _command(verb: str, options: Mapping[str, str | list[str] | None]) -> str:
    """The command line with those of these options that have a value."""
    words = ["jitctl", verb]
    for option, value in options.items():
        for one in [value] if isinstance(value, str) else value or []:
            words += [option, one]
    return shlex.join(words)


def _list_table(reply: wire.ListReply, *, filtered: bool) -> None:
    if not reply["requests"]:
        print("nothing matches" if filtered else "no requests yet")
        if not filtered:
            next_step('jitctl request NETWORK --reason "…"')
        return
    from jitctl.render.tables import Cell, Column, draw

    now = reply["now"]
    draw(
        [
            Column("ID", right=True),
            Column("USER", least=6),
            Column("NETWORK", least=7),
            Column("STATUS"),
            Column("REQUESTED", spare=2),
            Column("WANTS", spare=3),
            Column("REASON", squeezed=True, least=12),
            Column("BY", least=4, spare=1),
            Column("LEFT", right=True),
        ],
        [
            (
                str(one["id"]),
                one["user"],
                one["network"],
                Cell(words.status(one), words.style(one)),
                times.ago(one["requested"], now),
                words.wants(one),
                one["reason"],
                one["managed_by"],
                words.time_left(one, now),
            )
            for one in reply["requests"]
        ],
    )
    steps = ["jitctl show ID"]
    if any(one["status"] == "pending" for one in reply["requests"]):
        steps.append("jitctl grant ID --duration 8h | jitctl deny ID --reason …")
    if any("unreviewed" in one["marks"] for one in reply["requests"]):
        steps.append("jitctl acknowledge ID --comment …")
    next_step(*steps)


def show(
    context: typer.Context, number: Annotated[int, typer.Argument(metavar="ID", help="The request or grant.")]
) -> int:
    """Show one request with its whole history.

    Example: jitctl show 12
    """
    client = settings(context).client()
    reply = client.show(number)
    return answer(context, reply, lambda: _show(reply, _before(client, reply)))


def _before(client: Client, reply: wire.ShowReply) -> list[str]:
    """What helps before a decision, for those who decide about it; nothing for others, and where it is decided."""
    if reply["request"]["status"] != "pending":
        return []
    from jitctl.render.before import lines

    try:
        return lines(client.history(reply["request"]["id"]))
    except JitError as error:
        if error.code != "not_permitted":
            raise
        return []


def _show(reply: wire.ShowReply, before: list[str]) -> None:
    one, now = reply["request"], reply["now"]
    facts: list[tuple[str, str]] = [
        ("request", str(one["id"])),
        ("status", words.status(one)),
        ("user", one["user"]),
        ("network", one["network"]),
        ("reason", one["reason"]),
        ("requested", f"{times.local(one['requested'])} ({times.ago(one['requested'], now)})"),
        ("wants", words.wants(one)),
    ]
    if one["start"] is not None:
        facts.append(("starts", times.local(one["start"])))
    if one["approved_by"]:
        facts.append(("agreed", ", ".join(one["approved_by"])))
    if one["requested_by"] != one["user"]:
        facts.append(("asked by", one["requested_by"]))
    if one["decided_by"]:
        facts.append(("decided by", one["decided_by"]))
    if one["comment"]:
        facts.append(("comment", one["comment"]))
    if one["starts"] is not None and one["ends"] is not None:
        facts.append(("from", times.local(one["starts"])))
        facts.append(("until", times.local(one["ends"])))
        facts.append(("devices", ", ".join(one["devices"])))
    if one["status"] == "pending":
        facts.append(("lapses", times.local(one["lapses"])))
    left = words.time_left(one, now)
    if left:
        facts.append(("left", left))
    if one["reviewed"] is not None:
        facts.append(
            ("reviewed", f"{times.local(one['reviewed'])} by {one['reviewed_by']}: {one['reviewed_comment']}")
        )
    elif one["break_glass"]:
        facts.append(("reviewed", "nobody has acknowledged it yet"))
    used = reply["usage"]
    if used is not None:
        facts.append(("used", words.usage(used, now)))
    if one["ended"] is not None:
        by = f" by {one['ended_by']}" if one["ended_by"] else ""
        why = f": {one['ended_comment']}" if one["ended_comment"] else ""
        facts.append(("ended", f"{times.local(one['ended'])}{by}{why}"))
    for name, value in facts:
        print(f"{name:<11}{clean(value)}")
    print()
    for event in reply["events"]:
        print(line(event))
    if before:
        print("\nbefore a decision:")
        for told in before:
            print(told)
    following = {
        "pending": f"jitctl grant {one['id']} --duration 8h | jitctl deny {one['id']} --reason …",
        "active": f"jitctl revoke {one['id']} --reason …",
    }.get(one["status"])
    if "unreviewed" in one["marks"]:
        following = f'jitctl acknowledge {one["id"]} --comment "…"'
    if following:
        next_step(following)


def line(event: wire.EventView) -> str:
    """An event as a line of a history: when, by whom, what, from where."""
    origin = f" [{clean(event['actor']['origin'])}]" if event["actor"] and event["actor"]["origin"] else ""
    return f"{times.local(event['at'])}  {words.by(event)}: {words.sentence(event)}{origin}"


def events(
    context: typer.Context,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="A duration (2h), or a date and time.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="As --since.")] = None,
    user: Annotated[
        str | None, typer.Option("--user", "-u", metavar="NAME", help="Only about this user.")
    ] = None,
    network: Annotated[
        str | None, typer.Option("--network", "-n", metavar="NAME", help="Only this network.")
    ] = None,
    number: Annotated[int | None, typer.Option("--id", metavar="ID", help="Only this request.")] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", metavar="KIND", help="Only this kind, for example granted.")
    ] = None,
    after: Annotated[
        int | None, typer.Option("--after", metavar="SEQ", help="Only what came behind this one.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what happens from now on.")
    ] = False,
    output: Annotated[
        EventsFormat, typer.Option("--output", "-o", help="How to print.")
    ] = EventsFormat.HUMAN,
) -> int:
    """Print what happened, oldest first: the audit log.

    Example: jitctl events --since 24h --network office -o jsonl
    """
    if settings(context).json:
        output = EventsFormat.JSONL
    found = (
        settings(context)
        .client()
        .events(
            since=past_ms(since),
            until=past_ms(until),
            user=user,
            network=network,
            id=number,
            kind=kind,
            after=after,
            follow=follow or None,
        )
    )
    writer = csv.writer(sys.stdout, lineterminator="\n")
    columns = [
        "seq",
        "at",
        "kind",
        "by",
        "login_user",
        "origin",
        "id",
        "user",
        "network",
        "interface",
        "device",
        "data",
    ]
    if output is EventsFormat.CSV:
        writer.writerow(columns)
    told = 0
    for event in found:
        told += 1
        if output is EventsFormat.JSONL:
            print(dumps(event), flush=follow)
        elif output is EventsFormat.CSV:
            actor: Mapping[str, Any] = event["actor"] or {}
            flat = {
                **event,
                "by": actor.get("user", "jitd"),
                "login_user": actor.get("login_user"),
                "origin": actor.get("origin"),
                "data": json.dumps(event["data"], ensure_ascii=False, sort_keys=True),
            }
            writer.writerow([_cell(flat[column]) for column in columns])
        else:
            print(f"{event['seq']:>6}  {line(event)}", flush=follow)
    if follow:
        raise JitError(
            "unreachable",
            "cannot go on following: jitd has ended the stream, so it is stopping",
            "Go on when it is back, behind the last number: jitctl watch --after SEQ (which goes on by itself)",
        )
    if not told and output is EventsFormat.HUMAN:
        say("nothing happened that matches")
    return 0


def past_ms(typed: str | None) -> int | None:
    """A duration before now, or a local date and time, as milliseconds UTC; None stays None."""
    if typed is None:
        return None
    try:
        return int(datetime.now().astimezone().timestamp() * 1000) - durations.parse(typed)
    except JitError:
        pass
    try:
        return int(datetime.fromisoformat(typed).astimezone().timestamp() * 1000)
    except (ValueError, OverflowError):
        raise usage(
            f"cannot read the time {clean(typed)[:40]!r}",
            'Type a duration such as 2h, or "2026-12-01 09:00".',
        ) from None


def _csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[column]) for column in columns])


def _cell(value: object) -> str:
    """A cell that no spreadsheet takes for a formula."""
    shown = "" if value is None else clean(" ".join(map(str, value)) if isinstance(value, list) else value)
    return f"'{shown}" if shown.startswith(_FORMULA) and not isinstance(value, int) else shown
