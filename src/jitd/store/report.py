"""Sums over the requests of a time, for `report`. Nothing here brings single requests but `emergencies`.

Everything is found by when it was asked for (`request_requested`), so that a report costs what its time holds and not what
the store does.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from jitd.core import durations
from jitd.core.choices import ReportBy
from jitd.core.report import LONGEST_STEP, WAITS, Habit, Tally, percentile
from jitd.store.database import Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Requests made from `since_ms` up to and not including `until_ms`; of these networks and accounts, None for all.

    `now_ms` decides what is over by now.
    """

    since_ms: int
    until_ms: int
    now_ms: int
    network_ids: frozenset[int] | None = None
    account_ids: frozenset[int] | None = None

    @property
    def condition(self) -> str:
        """As a condition on the request `r`; its numbers come from the database."""
        found = "r.requested_ms >= :since AND r.requested_ms < :until"
        if self.network_ids is not None:
            # The plus keeps to the index of times: a network's own would bring its whole past.
            found += f" AND +r.network_id IN ({_listed(self.network_ids)})"
        if self.account_ids is not None:
            found += f" AND r.account_id IN ({_listed(self.account_ids)})"
        return found

    @property
    def params(self) -> dict[str, object]:
        """What it names."""
        return {"since": self.since_ms, "until": self.until_ms, "now": self.now_ms}


_GRANT: Final = "r.decision = 'granted' AND r.extends_id IS NULL"
_BY_RULE: Final = "r.auto_rule IS NOT NULL"
_DIRECT: Final = (
    "r.decision = 'granted' AND r.break_glass = 0 AND r.auto_rule IS NULL AND r.requested_by = r.decided_by"
)
#: Decided by somebody who was asked: neither by a rule nor by its user, nor by who asked for another.
_ANSWERED: Final = (
    "r.decision IS NOT NULL AND r.break_glass = 0 AND r.auto_rule IS NULL AND r.requested_by <> r.decided_by"
)
_OPEN: Final = "max(0, min(coalesce(r.ended_ms, :now), r.ends_ms, :now) - r.starts_ms)"
_OVER: Final = "(r.ended_how IS NOT NULL OR r.ends_ms <= :now)"
_WAITS_STILL: Final = "r.decision IS NULL AND r.ended_how IS NULL"
_TALLY: Final = ", ".join(
    f"{sql} AS {name}"
    for name, sql in {
        "asked": "count(*)",
        "granted": f"count(*) FILTER (WHERE {_ANSWERED} AND r.decision = 'granted')",
        "denied": "count(*) FILTER (WHERE r.decision = 'denied')",
        "automatic": f"count(*) FILTER (WHERE {_BY_RULE})",
        "break_glass": "count(*) FILTER (WHERE r.break_glass = 1)",
        "direct": f"count(*) FILTER (WHERE {_DIRECT})",
        "lapsed": f"count(*) FILTER (WHERE r.ended_how = 'lapsed' OR ({_WAITS_STILL} AND r.lapses_ms <= :now))",
        "cancelled": "count(*) FILTER (WHERE r.ended_how = 'cancelled')",
        "pending": f"count(*) FILTER (WHERE {_WAITS_STILL} AND r.lapses_ms > :now)",
        "grants": f"count(*) FILTER (WHERE {_GRANT})",
        "given_ms": f"coalesce(sum(r.ends_ms - r.starts_ms) FILTER (WHERE {_GRANT}), 0)",
        "open_ms": f"coalesce(sum({_OPEN}) FILTER (WHERE {_GRANT}), 0)",
        # Two devices at a time are used no longer than the grant is open.
        "used_ms": f"coalesce(sum(min(u.used_ms, {_OPEN})) FILTER (WHERE {_GRANT}), 0)",
        "unused": f"count(*) FILTER (WHERE {_GRANT} AND {_OVER} AND coalesce(u.used_ms, 0) = 0)",
    }.items()
)
_FROM: Final = "request r LEFT JOIN usage u ON u.request_id = r.id"
_WAIT: Final = "(r.decided_ms - r.requested_ms)"
_WAIT_CLASS: Final = (
    "CASE "
    + " ".join(f"WHEN {_WAIT} < {below} THEN {_WAIT} / {step} * {step}" for below, step in WAITS)
    + f" ELSE {_WAIT} / {LONGEST_STEP} * {LONGEST_STEP} END"
)
#: Who decided; behind root, who had logged in: that stands in the event alone.
_DECIDER: Final = (
    "CASE r.decided_by WHEN 'root' THEN coalesce((SELECT e.actor_login_user FROM event e WHERE e.request_id = r.id"
    " AND e.kind IN ('granted', 'denied') LIMIT 1), 'root') ELSE r.decided_by END"
)
#: The same, null where nobody did, or a rule or its own user.
_BY_WHOM: Final = f"CASE WHEN r.break_glass = 0 AND r.auto_rule IS NULL THEN {_DECIDER} END"
_KEY: Final[Mapping[ReportBy, str]] = {
    "user": "r.account_id",
    "network": "r.network_id",
    "approver": _DECIDER,
}
_NAME: Final = {
    "user": "(SELECT name FROM account WHERE id = key)",
    "network": "(SELECT name FROM network WHERE id = key)",
    "approver": "key",
}
_SUMS: Final = ", ".join(f"coalesce(sum({field.name}), 0) AS {field.name}" for field in fields(Tally))

Key = int | str


@dataclass(frozen=True, slots=True)
class Group:
    """The sums of one user, network or approver."""

    key: Key
    name: str
    tally: Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Everything, each group, how many groups there are in all, and (account id, network id) of those who ask often."""

    total: Tally
    groups: Mapping[ReportBy, list[Group]]
    of: Mapping[ReportBy, int]
    pairs: frozenset[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Mark:
    """What was asked for in one part of the time; `number` 0 is the last part."""

    number: int
    asked: int
    granted: int
    denied: int
    break_glass: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergency:
    """A use of break-glass. `reviewed_by` is "" while nobody has looked at it."""

    id: int
    user: str
    network: str
    reason: str
    at_ms: int
    reviewed_by: str


def first_ms(rows: Rows) -> int | None:
    """When the first request of all was made, milliseconds UTC; None where there is none."""
    found: int | None = rows.value("SELECT min(requested_ms) FROM request")
    return found


def sums(rows: Rows, span: Span, limits: Mapping[ReportBy, int], *, least: int, pairs: int) -> Sums:
    """The sums of everything and of each, who asked for most first, at most so many of each kind.

    Pairs of user and network are those of which people granted at least so much and denied nothing.
    """
    # The requests are read once: what is summed up by user, network and approver is small.
    parts = [f"SELECT 'total' AS kind, NULL AS key, NULL AS network, 1 AS of, {_SUMS} FROM cube"]
    parts += [
        f"SELECT * FROM (SELECT '{by}', {by}, NULL, count(*) OVER (), {_SUMS} FROM cube WHERE {by} IS NOT NULL"
        f" GROUP BY {by} ORDER BY sum(asked) DESC, {by} LIMIT :{by})"
        for by in limits
    ]
    parts.append(
        f"SELECT * FROM (SELECT 'pair', user, network, 0, {_SUMS} FROM cube GROUP BY user, network"
        " HAVING sum(granted) >= :least AND sum(denied) = 0 ORDER BY sum(granted) DESC, user, network LIMIT :pairs)"
    )
    names = " ".join(f"WHEN '{by}' THEN {name}" for by, name in _NAME.items())
    found = rows.all(
        f"WITH cube AS MATERIALIZED (SELECT r.account_id AS user, r.network_id AS network, {_BY_WHOM} AS approver,"
        f" {_TALLY} FROM {_FROM} WHERE {span.condition} GROUP BY 1, 2, 3)"
        f" SELECT *, CASE kind {names} END AS name FROM ({' UNION ALL '.join(parts)})",
        {**span.params, **{str(by): limit for by, limit in limits.items()}, "least": least, "pairs": pairs},
    )
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for row in found:
        by_kind.setdefault(row["kind"], []).append(row)
    return Sums(
        total=_tally(by_kind["total"][0]),
        groups={
            by: [Group(row["key"], row["name"], _tally(row)) for row in by_kind.get(by, [])] for by in limits
        },
        of={by: by_kind[by][0]["of"] if by in by_kind else 0 for by in limits},
        pairs=frozenset((row["key"], row["network"]) for row in by_kind.get("pair", [])),
    )


def waits(rows: Rows, span: Span) -> dict[int, int]:
    """How many requests waited for so long until somebody who was asked decided, by class of waits."""
    found = rows.all(
        f"SELECT {_WAIT_CLASS} AS wait, count(*) AS number FROM request r WHERE {span.condition} AND {_ANSWERED}"
        " GROUP BY wait",
        span.params,
    )
    return {row["wait"]: row["number"] for row in found}


def waits_by(rows: Rows, span: Span, by: ReportBy, keys: Iterable[Key]) -> dict[Key, dict[int, int]]:
    """The same for each of some users, networks or approvers."""
    named = {f"key{number}": key for number, key in enumerate(keys)}
    listed = ", ".join(f":{name}" for name in named)
    found = rows.all(
        f"SELECT {_KEY[by]} AS key, {_WAIT_CLASS} AS wait, count(*) AS number FROM request r"
        f" WHERE {span.condition} AND {_ANSWERED} AND +({_KEY[by]}) IN ({listed}) GROUP BY key, wait",
        {**span.params, **named},
    )
    sums: dict[Key, dict[int, int]] = {}
    for row in found:
        sums.setdefault(row["key"], {})[row["wait"]] = row["number"]
    return sums


def marks(rows: Rows, span: Span, size_ms: int) -> list[Mark]:
    """What was asked for in each part of this size, counted back from the end; parts without anything are left away."""
    found = rows.all(
        "SELECT (:until - 1 - r.requested_ms) / :size AS number, count(*) AS asked,"
        " count(*) FILTER (WHERE r.decision = 'granted') AS granted,"
        " count(*) FILTER (WHERE r.decision = 'denied') AS denied,"
        " count(*) FILTER (WHERE r.break_glass = 1) AS break_glass"
        f" FROM request r WHERE {span.condition} GROUP BY number ORDER BY number",
        {**span.params, "size": size_ms},
    )
    return [Mark(**row) for row in found]


def hours(rows: Rows, span: Span, offset_ms: int) -> dict[int, int]:
    """How many requests were made in each hour of the week, 0 for Monday's first, on clocks so far ahead of UTC."""
    # The first day of 1970 was a Thursday.
    found = rows.all(
        f"SELECT ((r.requested_ms + :offset) / {durations.HOUR} + 72) % 168 AS hour, count(*) AS number"
        f" FROM request r WHERE {span.condition} GROUP BY hour",
        {**span.params, "offset": offset_ms},
    )
    return {row["hour"]: row["number"] for row in found}


def emergencies(rows: Rows, span: Span, limit: int) -> list[Emergency]:
    """The uses of break-glass, newest first."""
    found = rows.all(
        "SELECT r.id, (SELECT name FROM account WHERE id = r.account_id) AS user,"
        " (SELECT name FROM network WHERE id = r.network_id) AS network, r.reason, r.requested_ms AS at_ms,"
        " coalesce(r.reviewed_by, '') AS reviewed_by"
        f" FROM request r WHERE {span.condition} AND r.break_glass = 1 ORDER BY r.requested_ms DESC, r.id DESC"
        " LIMIT :limit",
        {**span.params, "limit": limit},
    )
    return [Emergency(**row) for row in found]


def habits(rows: Rows, span: Span, pairs: Collection[tuple[int, int]]) -> list[tuple[int, Habit]]:
    """(account id, habit) of these pairs of account and network, the most frequent first."""
    of_week = f"(:until - 1 - r.requested_ms) / {durations.WEEK}"
    of_day = f"(:until - 1 - r.requested_ms) / {durations.DAY}"
    theirs = f"{_GRANT} AND +r.account_id IN ({_listed({account for account, _ in pairs})})"
    found = rows.all(
        "SELECT r.account_id, r.network_id, (SELECT name FROM account WHERE id = r.account_id) AS user,"
        " (SELECT name FROM network WHERE id = r.network_id) AS network,"
        f" count(*) FILTER (WHERE {_ANSWERED}) AS granted,"
        f" count(DISTINCT {of_week}) AS weeks, count(DISTINCT {of_day}) AS days,"
        f" sum({_OPEN}) AS open_ms,"
        " count(*) FILTER (WHERE u.used_ms > 0) AS used"
        f" FROM {_FROM} WHERE {span.condition} AND {theirs} GROUP BY r.account_id, r.network_id"
        " ORDER BY granted DESC, user, network",
        span.params,
    )
    lengths: dict[tuple[int, int], dict[int, int]] = {}
    for row in rows.all(
        # In whole minutes: what ends with a shift has any length.
        f"SELECT r.account_id, r.network_id,"
        f" (r.ends_ms - r.starts_ms + {durations.MINUTE - 1}) / {durations.MINUTE} * {durations.MINUTE} AS length,"
        f" count(*) AS number FROM request r WHERE {span.condition} AND {theirs} GROUP BY 1, 2, 3",
        span.params,
    ):
        lengths.setdefault((row["account_id"], row["network_id"]), {})[row["length"]] = row["number"]
    habits = []
    for row in found:
        pair = (row.pop("account_id"), row.pop("network_id"))
        if pair in pairs:
            habits.append((pair[0], Habit(**row, usual_ms=percentile(lengths[pair], 0.9) or 0)))
    return habits


def _tally(row: dict[str, Any]) -> Tally:
    return Tally(**{field.name: row[field.name] for field in fields(Tally)})


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(f"{number:d}" for number in sorted(numbers))
