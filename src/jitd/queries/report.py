"""Report: how much was asked for in a time, what became of it, how fast, and which rule would fit better."""

from typing import Final

from jitd import wire
from jitd.core import durations
from jitd.core.choices import ReportBy
from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.model import Network
from jitd.core.people import Answer
from jitd.core.report import LEAST_GRANTED, Habit, Tally, mark_of, percentile, suggest
from jitd.store import accounts, networks
from jitd.store import report as store
from jitd.store.report import Group, Span, Sums
from jitd.verbs.access import Object
from jitd.verbs.context import View
from jitd.verbs.lookup import named_network

USUAL_MS: Final = 30 * durations.DAY
#: How many users, networks and approvers are told where nobody says how many, and at most.
SHORT: Final = 5
LONG: Final = 20
MOST: Final = 1000
_EMERGENCIES: Final = 10
#: So many habits and networks are looked at for suggestions, the most frequent first.
_HABITS: Final = 50
_NETWORKS: Final = 500
_WIDEST_OFFSET: Final = 14 * durations.HOUR


def report(view: View, query: wire.ReportQuery) -> wire.ReportReply:
    """Sums over the requests that were made in a time: administrators of the whole gateway, approvers of the networks
    that they decide about, everybody else of their own.
    """
    span, scope, about = _span(view, query)
    named = query.get("by")
    limit = query.get("limit", LONG if named else SHORT)
    if not 1 <= limit <= MOST:
        raise JitError(
            "bad_request", f"cannot report {limit} rows at once", f"Use a number from 1 to {MOST}."
        )
    # Of one's own requests there is one user.
    usual: list[ReportBy] = ["network", "approver"] if scope == "own" else ["user", "network", "approver"]
    kinds = [named] if named else usual
    # Suggestions look at every network, whatever is told of them.
    limits = dict.fromkeys(kinds, limit) | {"network": max(limit, _NETWORKS)}
    sums = store.sums(view.rows, span, limits, least=LEAST_GRANTED, pairs=_HABITS)
    size = mark_of(span.until_ms - span.since_ms)
    return {
        "now": view.now.wall_ms,
        "scope": scope,
        "about": sorted(network.name for network in about.values()) if scope == "networks" else [],
        "since": span.since_ms,
        "until": span.until_ms,
        "total": _numbers(sums.total, store.waits(view.rows, span)),
        "by": {one: _table(view, span, one, sums.groups[one][:limit], sums.of[one]) for one in kinds},
        "mark": size,
        "marks": _marks(view, span, size),
        "hours": _hours(view, span, query.get("offset", 0)),
        "emergencies": [
            {
                "id": one.id,
                "user": one.user,
                "network": one.network,
                "reason": one.reason,
                "at": one.at_ms,
                "reviewed_by": one.reviewed_by,
            }
            for one in store.emergencies(view.rows, span, _EMERGENCIES)
        ],
        "suggestions": _suggestions(view, span, about, sums) if scope != "own" else [],
    }


def about(view: View, query: wire.ReportQuery) -> Object | None:
    """The loader of whom a report is about: for others, the networks that the caller decides about."""
    name, user = query.get("network"), query.get("user")
    if user is None or user == view.person_behind[1]:
        return None
    hidden = JitError(
        "not_permitted",
        f"cannot report on {user[:40]} to {view.actor.user}",
        "Only approvers may report on other users. For your own requests: " + command("report"),
    )
    decided = (one for one in networks.all_(view.rows) if view.decides(one) and name in (None, one.name))
    return Object(hidden, networks=tuple(decided))


def _span(view: View, query: wire.ReportQuery) -> tuple[Span, wire.Scope, dict[int, Network]]:
    """What is summed up; of what that is all ("gateway", "networks" or "own"); and the networks of it, by id."""
    # What is asked for at this very moment is part of it.
    latest_ms = view.now.wall_ms + 1
    until_ms = min(latest_ms, _moment(latest_ms, query.get("until"), query.get("until_ago"), latest_ms))
    since_ms = _moment(latest_ms, query.get("since"), query.get("since_ago"), until_ms - USUAL_MS)
    if since_ms >= until_ms:
        raise JitError(
            "bad_request",
            "cannot report on a time that ends before it begins",
            "Name a time that is over, for example --since 60d --until 30d.",
        )
    name, user = query.get("network"), query.get("user")
    scope: wire.Scope
    decided = {one.id: one for one in networks.all_(view.rows) if view.decides(one)}
    if view.by_admin:
        scope, about, ids = "gateway", decided, networks.ids_ever_named(view.rows, name) if name else None
        if name and not ids:
            named_network(view, name)
    else:
        about = {number: one for number, one in decided.items() if name in (None, one.name)}
        scope, ids = "networks", frozenset(about)
    people = accounts.ids_of_names(view.rows, {user}) if user is not None else None
    if not view.by_admin and (not about or user == view.person_behind[1]):
        mine = accounts.find(view.rows, *view.person_behind)
        scope, about = "own", {}
        ids = networks.ids_ever_named(view.rows, name) if name else None
        people = frozenset({mine.id} if mine else ())
    span = Span(
        since_ms=since_ms, until_ms=until_ms, now_ms=view.now.wall_ms, network_ids=ids, account_ids=people
    )
    return span, scope, {number: one for number, one in about.items() if name in (None, one.name)}


def _moment(latest_ms: int, at_ms: int | None, ago_ms: int | None, usual_ms: int) -> int:
    if at_ms is not None:
        return at_ms
    return usual_ms if ago_ms is None else latest_ms - ago_ms


def _table(view: View, span: Span, by: ReportBy, listed: list[Group], number: int) -> wire.ReportTable:
    waits = store.waits_by(view.rows, span, by, [one.key for one in listed])
    return {"rows": [_row(one, waits.get(one.key, {})) for one in listed], "of": number}


def _row(group: Group, waits: dict[int, int]) -> wire.ReportRow:
    return {"name": group.name, **_numbers(group.tally, waits)}


def _numbers(tally: Tally, waits: dict[int, int]) -> wire.ReportNumbers:
    decided = tally.granted + tally.denied
    return {
        "asked": tally.asked,
        "granted": tally.granted,
        "denied": tally.denied,
        "automatic": tally.automatic,
        "break_glass": tally.break_glass,
        "direct": tally.direct,
        "lapsed": tally.lapsed,
        "cancelled": tally.cancelled,
        "pending": tally.pending,
        "approval_rate": tally.granted / decided if decided else None,
        "median": percentile(waits, 0.5),
        "p90": percentile(waits, 0.9),
        "grants": tally.grants,
        "given": tally.given_ms,
        "open": tally.open_ms,
        "used": tally.used_ms,
        "unused": tally.unused,
    }


def _marks(view: View, span: Span, size_ms: int) -> list[wire.ReportMark]:
    """Oldest first, without gaps."""
    found = {mark.number: mark for mark in store.marks(view.rows, span, size_ms)}
    count = -(-(span.until_ms - span.since_ms) // size_ms)
    return [
        {
            "at": span.until_ms - (number + 1) * size_ms,
            "asked": mark.asked if mark else 0,
            "granted": mark.granted if mark else 0,
            "denied": mark.denied if mark else 0,
            "break_glass": mark.break_glass if mark else 0,
        }
        for number, mark in ((number, found.get(number)) for number in reversed(range(count)))
    ]


def _hours(view: View, span: Span, offset_ms: int) -> list[int]:
    """Requests in each hour of a week on the caller's clocks."""
    if abs(offset_ms) > _WIDEST_OFFSET:
        raise JitError("bad_request", "cannot use this offset: no time zone is that far from UTC")
    found = store.hours(view.rows, span, offset_ms)
    return [found.get(hour, 0) for hour in range(7 * 24)]


def _suggestions(view: View, span: Span, about: dict[int, Network], sums: Sums) -> list[wire.Suggestion]:
    by_name = {network.name: network for network in about.values()}
    begun_ms = max(span.since_ms, store.first_ms(view.rows) or span.since_ms)
    habits = [
        habit
        for account_id, habit in store.habits(view.rows, span, sums.pairs)
        if habit.network in by_name and _has_to_wait(view, account_id, habit, by_name[habit.network])
    ]
    tallies = {one.name: one.tally for one in sums.groups["network"]}
    found = suggest(habits, tallies, by_name, span.until_ms - begun_ms)
    return [{"why": one.why, "command": one.command} for one in found]


def _has_to_wait(view: View, account_id: int, habit: Habit, network: Network) -> bool:
    """Whether this one still is who they were, and no rule spares them the asking or the waiting."""
    account = accounts.by_id(view.rows, account_id)
    if (
        account is None
        or account.name != habit.user
        or view.people.same(account, view.now).answer is Answer.NO
    ):
        return False
    if view.people.has_standing(network, account.uid, account.name):
        return False
    person = view.people.person(account.uid, account.name)
    uids = network.uids("jit_auto_approve")
    return all(person.matches(rule.who, uids) is Answer.NO for rule in network.jit_auto_approve)
