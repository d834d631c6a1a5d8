"""report: what was asked for in a time, what became of it, and which rule would fit better."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from jitctl.api.client import given
from jitctl.cli.app import settings
from jitctl.cli.shared import ForNetwork, OfUser, answer, usage
from jitctl.render.output import clean, document, next_step, out
from jitd.core import durations
from jitd.core.choices import ReportBy
from jitd.core.errors import JitError

if TYPE_CHECKING:
    from jitd import wire

#: How many of each are in a file where nobody says how many.
_PAGE: Final = 20
#: From when on where nobody says it.
_USUAL: Final = "30d"


class ReportFormat(StrEnum):
    """How `report` prints."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    HTML = "html"


def report(
    context: typer.Context,
    since: Annotated[
        str,
        typer.Option(
            "--since",
            metavar="TIME",
            help="The start of the report: a duration ago (30d), or a date and time.",
        ),
    ] = _USUAL,
    until: Annotated[
        str | None,
        typer.Option(
            "--until",
            metavar="TIME",
            help="The end of the report, as --since; a date alone means the end of that day.",
        ),
    ] = None,
    by: Annotated[
        ReportBy | None,
        typer.Option("--by", metavar="WHAT", help="Print only the table by user, network or approver."),
    ] = None,
    network: ForNetwork = None,
    user: OfUser = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="N", help="The number of rows in each table (5; with --by 20)."),
    ] = None,
    output: Annotated[
        ReportFormat, typer.Option("--output", "-o", help="The output format.")
    ] = ReportFormat.TABLE,
) -> int:
    """Summarise requests: their number, outcomes, waiting times and use of access, and rules that may fit
    better.

    Administrators see the whole gateway, approvers the networks that they decide about, and everybody else
    their own requests.

    Example: jitctl report --since 90d --by user

    As an HTML page with plots: jitctl report -o html > report.html
    """
    if output is ReportFormat.JSON:
        settings(context).json = True
    if limit is None and output in (ReportFormat.HTML, ReportFormat.CSV):
        limit = _PAGE
    times = moment("since", since) | (moment("until", until) if until is not None else {})
    filters = given(by=by, network=network, user=user, limit=limit, **times)
    reply = settings(context).client().report(offset=_offset_ms(), **filters)
    if settings(context).json:
        return answer(context, reply, lambda: None)
    if output is ReportFormat.CSV:
        _csv(reply)
    elif output is ReportFormat.HTML:
        from jitctl.render.reporthtml import page

        document(page(reply))
    elif not reply["total"]["asked"]:
        _nothing(reply, filtered=bool(network or user))
    else:
        from jitctl.render.report import show

        typed = {
            "since": since if since != _USUAL else None,
            "until": until,
            "network": network,
            "user": user,
        }
        show(reply, typed)
        next_step(
            "jitctl report --by user|network|approver",
            "jitctl report -o html > report.html",
            *_looking(reply),
        )
    return 0


def moment(name: str, typed: str) -> dict[str, int]:
    """A query field for a time that is over: so long before jitd's now, or a moment on the caller's clocks.

    Raises JitError bad_request.
    """
    try:
        return {f"{name}_ago": durations.parse(typed)}
    except JitError:
        pass
    try:
        at = datetime.fromisoformat(typed)
        if name == "until" and len(typed) == len("2026-12-01"):
            at += timedelta(days=1)
        return {name: int(at.astimezone().timestamp() * 1000)}
    except (ValueError, OverflowError):
        raise usage(
            f"cannot read the time {clean(typed)[:40]!r}",
            'Type a duration of at most 365d, such as 30d, or a date such as 2026-12-01 or "2026-12-01 09:00".',
        ) from None


def _offset_ms() -> int:
    """How far the caller's clocks are ahead of UTC now."""
    offset = datetime.now().astimezone().utcoffset()
    return int(offset.total_seconds() * 1000) if offset is not None else 0


def _looking(reply: wire.ReportReply) -> list[str]:
    """What to type where somebody has to look at a use of break-glass."""
    waiting = [one["id"] for one in reply["emergencies"] if not one["reviewed_by"]]
    return [f'jitctl acknowledge {waiting[0]} --comment "…"'] if waiting and reply["scope"] != "own" else []


def _nothing(reply: wire.ReportReply, *, filtered: bool) -> None:
    from jitctl.render.report import period, scope

    out(f"no requests: {period(reply)}, {scope(reply)}{', with these filters' if filtered else ''}")
    next_step(
        "for a longer time: jitctl report --since 365d",
        'to make a request: jitctl request NETWORK --reason "…"',
    )


def _csv(reply: wire.ReportReply) -> None:
    """A line for everything, and one for each user, network and approver."""
    from jitctl.render import sheet
    from jitd import wire

    columns = ["by", "name", *wire.ReportNumbers.__annotations__]
    rows: list[dict[str, object]] = [{"by": "total", "name": "", **reply["total"]}]
    rows += [{"by": by, **one} for by, table in reply["by"].items() for one in table["rows"]]
    sheet.write(rows, columns)
