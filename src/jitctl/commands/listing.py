"""Looking back: list, show, events."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import typer

from jitctl.cli import settings
from jitctl.client import Client
from jitctl.commands.shared import usage
from jitctl.output import answer, clean, csv_line, dumps, hang, next_step, out, out_flush, out_json, say
from jitctl.render import sheet, times, words
from jitd.core import durations
from jitd.core.commandline import jitctl
from jitd.core.errors import JitError

if TYPE_CHECKING:
    from jitd import wire

#: How many requests are listed where nobody says how many.
PAGE: Final = 50
#: How many events are printed where nobody says how many.
LAST_EVENTS: Final = 500


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
    group: Annotated[
        str | None, typer.Option("--group", metavar="GROUP", help="Only of the members of a system group.")
    ] = None,
    managed_by: Annotated[
        str | None,
        typer.Option("--managed-by", metavar="NAME", help="Only what this one decided about, or revoked."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="TIME", help="Asked since then: a duration (2h), or a date and time."
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            "--until", metavar="TIME", help="Asked until then, as --since; a date alone: its last moment."
        ),
    ] = None,
    search: Annotated[
        str | None,
        typer.Option(
            "--search", metavar="WORDS", help="In reasons, users and comments: words or their beginnings."
        ),
    ] = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only your own.")] = False,
    decidable: Annotated[bool, typer.Option("--decidable", help="Only what you may decide now.")] = False,
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort", metavar="ORDER", help="newest, oldest, or left: live grants, the next end first."
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option("--columns", metavar="NAMES", help="Which columns, in this order: id,user,reason,…"),
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

    What is yours to decide: jitctl list --decidable

    For a prompt: jitctl list --status pending --count
    """
    client = settings(context).client()
    typed = {
        "status": status,
        "tab": tab,
        "user": user,
        "network": network,
        "group": group,
        "managed-by": managed_by,
        "since": since,
        "until": until,
        "search": search,
        "mine": mine,
        "decidable": decidable,
    }
    filters: dict[str, Any] = {
        **{name.replace("-", "_"): value or None for name, value in typed.items()},
        "since": past_ms(since),
        "until": past_ms(until, last=True),
    }
    if count:
        if limit != PAGE or after or sort or columns:
            raise usage(
                "cannot use --count together with --limit, --after, --sort or --columns",
                "It counts all that match.",
            )
        counted = client.list(**filters, count=True)
        number = counted["count"]
        _say_not_searched(counted)
        in_json = settings(context).json or output in (ListFormat.JSON, ListFormat.JSONL)
        out(dumps({"count": number}) if in_json else str(number))
        return 0
    if output is ListFormat.JSON:
        settings(context).json = True
    as_table = output is ListFormat.TABLE and not settings(context).json
    chosen: list[str] | None = None
    if as_table:
        chosen = _chosen(columns, words.LIST_COLUMNS)
    elif columns or output is ListFormat.CSV:
        chosen = _chosen(columns, _fields())
    reply = client.list(**filters, sort=sort, limit=limit, after=after or None)
    _say_not_searched(reply)
    if settings(context).json:
        if chosen is not None:
            out_json({**reply, "requests": [_only(one, chosen) for one in reply["requests"]]})
            return 0
        return answer(context, reply, lambda: None)
    if output is ListFormat.JSONL:
        for one in reply["requests"]:
            out_json(_only(one, chosen) if chosen is not None else one)
    elif output is ListFormat.CSV:
        sheet.write(cast("list[Mapping[str, object]]", reply["requests"]), chosen or _fields())
    else:
        _list_table(reply, chosen if columns else None, filtered=any(typed.values()), decidable=decidable)
    if reply["next"]:
        # Said to scripts too: a list that was cut must not look complete.
        more = {
            "--sort": sort,
            "--columns": columns,
            "--output": None if as_table else str(output),
            "--limit": [str(limit)] if limit != PAGE else [],
            "--after": [reply["next"]],
        }
        named = {f"--{name}": value for name, value in typed.items()}
        say(f"next page: {_command('list', {**named, **more})}")
    return 0


def _fields() -> list[str]:
    """What a request has, as the daemon names it."""
    from jitd import wire

    return list(wire.RequestView.__annotations__)


def _chosen(typed: str | None, known: Sequence[str]) -> list[str]:
    """The columns that were named, all where none were. Raises JitError bad_request."""
    if typed is None:
        return list(known)
    chosen = [name.strip().lower() for name in typed.split(",") if name.strip()]
    for name in chosen:
        if name not in known:
            raise usage(
                f"cannot show the column {clean(name)[:40]!r}: there is none",
                f"There are: {', '.join(known)}.",
            )
    if not chosen:
        raise usage("cannot show no columns at all", f"There are: {', '.join(known)}.")
    return chosen


def _only(request: Mapping[str, Any], chosen: Sequence[str]) -> dict[str, Any]:
    return {name: request[name] for name in chosen}


def _command(verb: str, options: Mapping[str, Any]) -> str:
    """The command line with those of these options that have a value."""
    words = ["jitctl", verb]
    for option, value in options.items():
        if value is True:
            words.append(option)
        for one in [value] if isinstance(value, str) else value if isinstance(value, list) else []:
            words += [option, one]
    return shlex.join(words)


def _say_not_searched(reply: wire.ListReply) -> None:
    """Emoji and signs, which a search does not find: the answer must not look as if there were none."""
    left_out = reply.get("not_searched")
    if left_out:
        say(words.not_searched(left_out))


def _list_table(
    reply: wire.ListReply, chosen: Sequence[str] | None, *, filtered: bool, decidable: bool
) -> None:
    if not reply["requests"]:
        if filtered:
            total = sum(reply["counts"].values())
            nothing = "nothing waits for your decision" if decidable else "nothing matches"
            out(
                nothing
                + (f" among {total:,} request{'s'[: total != 1]}" if total else ": there are no requests yet")
            )
        else:
            out("no requests yet")
        _say_changes(reply)
        next_step("jitctl list" if filtered else 'jitctl request NETWORK --reason "…"')
        return
    from jitctl.render.requests import draw_list

    draw_list(reply["requests"], reply["now"], chosen)
    if not filtered:
        say(", ".join(f"{number:,} {tab}" for tab, number in reply["counts"].items()))
    _say_changes(reply)
    next_step(*_steps(reply))


def _say_changes(reply: wire.ListReply) -> None:
    """Changes of rules wait for the same people as requests do."""
    number = reply.get("changes", 0)
    if number:
        say(
            f"{number} change{'s' if number > 1 else ''} of rules wait{'' if number > 1 else 's'} for you: jitctl change list"
        )


def _steps(reply: wire.ListReply) -> list[str]:
    """What to type next about what is listed."""
    waiting = next((one for one in reply["requests"] if one["status"] == "pending"), None)
    pending = waiting["id"] if waiting else None
    unreviewed = next((one["id"] for one in reply["requests"] if "unreviewed" in one["marks"]), None)
    steps = []
    if not reply.get("decides"):
        steps.append(f"jitctl wait {pending} | jitctl cancel {pending}" if pending else "jitctl status")
    elif waiting:
        steps.append(f"jitctl review | jitctl {_yes(waiting)} | jitctl deny {pending} -r …")
    if reply.get("decides") and unreviewed:
        steps.append(f"jitctl acknowledge {unreviewed} --comment …")
    return steps or [f"jitctl show {reply['requests'][0]['id']}"]


def _yes(request: wire.RequestView) -> str:
    """`grant 12 -d 2h`: what gives what was asked for."""
    wanted = f" -d {durations.show(request['wanted'])}" if request["wanted"] is not None else ""
    return f"grant {request['id']}{wanted}"


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
    if given := words.granted(one):
        facts.append(("granted", given))
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
        facts.append(("opens" if one["status"] == "scheduled" else "left", left))
    if one["reviewed"] is not None:
        facts.append(
            ("reviewed", f"{times.local(one['reviewed'])} by {one['reviewed_by']}: {one['reviewed_comment']}")
        )
    elif one["break_glass"]:
        facts.append(("reviewed", "nobody has acknowledged it yet"))
    if reply.get("shortage"):
        facts.append(("too few", reply["shortage"]))
    used = reply["usage"]
    if used is not None:
        facts.append(("used", words.usage(used, now)))
    if end := words.ended(one):
        facts.append(("ended", end))
    for name, value in facts:
        hang(f"{name:<11}", value)
    out()
    tell_history(reply)
    if before:
        out("", "before a decision:")
        for told in before:
            hang(told[:11], told[11:])
    next_step(*_following(one, decides=reply.get("decides", False)))


def _following(one: wire.RequestView, *, decides: bool) -> list[str]:
    """What to type next about a request, for those who decide about it and for its user."""
    number, status = one["id"], one["status"]
    if decides:
        steps = {
            "pending": [f"jitctl {_yes(one)} | jitctl deny {number} -r …"],
            "scheduled": [f"jitctl revoke {number} -r …"],
            "active": [f"jitctl extend {number} -d 1h | jitctl revoke {number} -r …"],
        }.get(status, [jitctl("list", "--user", one["user"])])
        return [*steps, f"jitctl acknowledge {number} --comment …"] if "unreviewed" in one["marks"] else steps
    switch = "resume" if "paused" in one["marks"] else "pause"
    return {
        "pending": [f"jitctl wait {number} | jitctl cancel {number}"],
        "scheduled": [f"jitctl release {number}"],
        "active": [f"jitctl extend {number} -d 1h | jitctl {switch} {number} | jitctl release {number}"],
    }.get(status, [f"jitctl why {number}", jitctl("request", one["network"], "--again")])


def tell_history(reply: wire.ShowReply) -> None:
    """Print the history of one request. Where it is long, jitd has left events out in the middle of it."""
    events, left_out, number = reply["events"], reply.get("left_out", 0), reply["request"]["id"]
    gap = max(range(1, len(events)), key=lambda at: events[at]["seq"] - events[at - 1]["seq"], default=0)
    for at, event in enumerate(events):
        if left_out and at == gap:
            out(f"… {left_out} events are left out here: jitctl events --id {number} --all")
        when, told = line(event).split("  ", 1)
        hang(f"{when}  ", told)


def line(event: wire.EventView) -> str:
    """An event of one request as a line of its history: when, by whom, what, from where."""
    return _line(event, "")


def entry(event: wire.EventView) -> str:
    """An event as a line among those of others: as `line`, with the request that it is about and whose that is."""
    about = f", {event['id']}" if event["id"] else ""
    if about and event["user"] and event["user"] != words.by(event):
        about += f" of {clean(event['user'])}"
    return _line(event, about)


def _line(event: wire.EventView, about: str) -> str:
    origin = f" [{clean(event['actor']['origin'])}]" if event["actor"] and event["actor"]["origin"] else ""
    return f"{times.local(event['at'])}  {words.by(event)}{about}: {words.sentence(event)}{origin}"


def tell_event(event: wire.EventView, *, flush: bool = False) -> None:
    """Print an event behind its number, in colour where somebody has to notice it."""
    at, told = entry(event).split("  ", 1)
    hang(f"{event['seq']:>6}  {at}  ", told, style=words.colour(event))
    if flush:
        out_flush()


def events(
    context: typer.Context,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="A duration (2h), or a date and time.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="TIME", help="As --since; a date alone: its last moment."),
    ] = None,
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
    last: Annotated[
        int | None,
        typer.Option(
            "--last", metavar="N", help="Only so many of the newest, up to 10000.", min=1, max=10_000
        ),
    ] = None,
    before: Annotated[
        int | None, typer.Option("--before", metavar="SEQ", help="With --last: the newest before this one.")
    ] = None,
    whole: Annotated[
        bool, typer.Option("--all", help="From the first on; as --output jsonl and csv do by themselves.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what happens from now on.")
    ] = False,
    output: Annotated[
        EventsFormat, typer.Option("--output", "-o", help="How to print.")
    ] = EventsFormat.HUMAN,
) -> int:
    """Print what happened, oldest first: the audit log. A table begins with the newest 500.

    Example: jitctl events --since 24h --network office -o jsonl
    """
    if settings(context).json:
        output = EventsFormat.JSONL
    if last is None and output is EventsFormat.HUMAN and not whole and since is None and after is None:
        last = LAST_EVENTS
    found = (
        settings(context)
        .client()
        .events(
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
    )
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
            tell_event(event, flush=follow)
    if follow:
        raise JitError(
            "unreachable",
            "cannot go on following: jitd has ended the stream, so it is stopping",
            "Go on when it is back, behind the last number: jitctl watch --after SEQ (which goes on by itself)",
        )
    if not told and output is EventsFormat.HUMAN:
        say("nothing happened that matches")
    elif told == last and output is EventsFormat.HUMAN:
        say(f"older ones: the same with --last {last} --before {first}, or with --all")
    return 0


def past_ms(typed: str | None, *, last: bool = False) -> int | None:
    """A duration before now, or a local date and time, as milliseconds UTC; None stays None.

    `last`: a date alone is its last moment, and not its first. Raises JitError bad_request.
    """
    if typed is None:
        return None
    try:
        return int(datetime.now().astimezone().timestamp() * 1000) - durations.parse(typed)
    except JitError:
        pass
    try:
        at = datetime.fromisoformat(typed)
        if last and len(typed) == len("2026-12-01"):
            at += timedelta(days=1, milliseconds=-1)
        return int(at.astimezone().timestamp() * 1000)
    except (ValueError, OverflowError):
        raise usage(
            f"cannot read the time {clean(typed)[:40]!r}",
            'Type a duration such as 2h, or "2026-12-01 09:00".',
        ) from None
