"""list: requests and grants, filtered and searched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from jitctl.api.client import given
from jitctl.cli.app import settings
from jitctl.cli.moments import past_ms
from jitctl.cli.shared import ForNetwork, OfUser, Since, UntilThen, answer, usage
from jitctl.render import sentences, sheet
from jitctl.render.output import clean, dumps, next_step, out, out_json, say
from jitctl.render.sentences import decision
from jitd.core.choices import Order, Status, Tab
from jitd.core.commandline import command

if TYPE_CHECKING:
    from jitd import wire

#: How many requests are listed where nobody says how many.
PAGE: Final = 50


class ListFormat(StrEnum):
    """How `list` prints."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


def list_(
    context: typer.Context,
    status: Annotated[
        list[Status] | None,
        typer.Option(
            "--status", "-s", metavar="STATUS", help="Only requests with this status; may be repeated."
        ),
    ] = None,
    tab: Annotated[
        list[Tab] | None,
        typer.Option("--tab", metavar="TAB", help="Only this tab: pending, approved, denied or ended."),
    ] = None,
    user: OfUser = None,
    network: ForNetwork = None,
    group: Annotated[
        str | None,
        typer.Option("--group", metavar="GROUP", help="Only requests of members of this system group."),
    ] = None,
    managed_by: Annotated[
        str | None,
        typer.Option(
            "--managed-by", metavar="NAME", help="Only requests that this person decided about or revoked."
        ),
    ] = None,
    since: Since = None,
    until: UntilThen = None,
    search: Annotated[
        str | None,
        typer.Option(
            "--search",
            metavar="WORDS",
            help="Search reasons, users and comments for words or beginnings of words.",
        ),
    ] = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only your own requests.")] = False,
    decidable: Annotated[
        bool, typer.Option("--decidable", help="Only requests that you may decide about now.")
    ] = False,
    sort: Annotated[
        Order | None,
        typer.Option(
            "--sort",
            metavar="ORDER",
            help="The order: newest, oldest, or left (active grants, by time left).",
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option("--columns", metavar="NAMES", help="The columns, in this order: id,user,reason,…"),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", help="The largest number of rows.")] = PAGE,
    after: Annotated[
        str,
        typer.Option(
            "--after", metavar="PAGE", help="Continue on this page; the page before prints its name."
        ),
    ] = "",
    count: Annotated[bool, typer.Option("--count", help="Print only the number of requests.")] = False,
    output: Annotated[
        ListFormat, typer.Option("--output", "-o", help="The output format.")
    ] = ListFormat.TABLE,
) -> int:
    """List requests and grants: pending requests first, then the newest.

    Example: jitctl list --status pending --network office

    Requests that you may decide about: jitctl list --decidable

    For a shell prompt: jitctl list --status pending --count
    """
    client = settings(context).client()
    typed = {
        "status": [one.value for one in status or ()],
        "tab": [one.value for one in tab or ()],
        "user": user,
        "network": network,
        "group": group,
        "managed_by": managed_by,
        "since": since,
        "until": until,
        "search": search,
        "mine": mine,
        "decidable": decidable,
    }
    filters = given(**{name: value or None for name, value in typed.items()})
    filters |= given(since=past_ms(since), until=past_ms(until, last=True))
    if count:
        if limit != PAGE or after or sort or columns:
            raise usage(
                "cannot use --count together with --limit, --after, --sort or --columns",
                "--count counts all requests that match.",
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
    if as_table and columns:
        from jitctl.render.requests import COLUMNS

        chosen = _chosen(columns, tuple(COLUMNS))
    elif not as_table and (columns or output is ListFormat.CSV):
        chosen = _chosen(columns, _fields())
    reply = client.list(limit=limit, **filters, **given(sort=sort, after=after or None))
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
        sheet.write(reply["requests"], chosen or _fields())
    else:
        _list_table(reply, chosen, filtered=any(typed.values()), decidable=decidable)
    if reply["next"]:
        # Said to scripts too: a list that was cut must not look complete.
        page = command(
            "list",
            **typed,
            sort=sort,
            columns=columns,
            output=None if as_table else output,
            limit=limit if limit != PAGE else None,
            after=reply["next"],
        )
        say(f"next page: {page}")
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
                f"cannot show the column {clean(name)[:40]!r}: there is no such column",
                f"There are: {', '.join(known)}.",
            )
    if not chosen:
        raise usage("cannot show a table without columns", f"There are: {', '.join(known)}.")
    return chosen


def _only(request: Mapping[str, Any], chosen: Sequence[str]) -> dict[str, Any]:
    return {name: request[name] for name in chosen}


def _say_not_searched(reply: wire.ListReply) -> None:
    """Emoji and signs, which a search does not find: the answer must not look as if there were none."""
    left_out = reply.get("not_searched")
    if left_out:
        say(sentences.not_searched(left_out))


def _list_table(
    reply: wire.ListReply, chosen: Sequence[str] | None, *, filtered: bool, decidable: bool
) -> None:
    if not reply["requests"]:
        if filtered:
            total = sum(reply["counts"].values())
            nothing = "no request waits for your decision" if decidable else "nothing matches"
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
            f"{number} change{'s' if number > 1 else ''} of rules wait{'' if number > 1 else 's'} for your "
            "approval: jitctl change list"
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
        steps.append(f"jitctl review | jitctl {decision(waiting)} | jitctl deny {pending} -r …")
    if reply.get("decides") and unreviewed:
        steps.append(f"jitctl acknowledge {unreviewed} --comment …")
    return steps or [f"jitctl show {reply['requests'][0]['id']}"]
