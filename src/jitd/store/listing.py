"""Pages and counts of requests, at a cost that does not grow with how many there are.

A page is read by id, newest first, from the ends of as many index ranges as the filters make (one for each state, and
for each account or network that is asked for), and merged: never sorted, never counted off. Words are looked up in a
full-text index that also knows account, network, state and decider of each request, so that it crosses them itself;
without words it crosses a decider with accounts and networks.
"""

import heapq
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final, NamedTuple

from jitd.core.choices import Order, Status
from jitd.core.errors import JitError
from jitd.core.model import Now, Request
from jitd.store.database import Rows
from jitd.store.requests import LIVE, UNREVIEWED, by_ids

STATES: Final = (
    "pending",
    "granted",
    "denied",
    "expired",
    "revoked",
    "released",
    "cancelled",
    "lapsed",
)
_NOT_PENDING: Final = frozenset(STATES) - {"pending"}
#: More networks than this are looked for in what is there, and not each by itself.
_KEYS: Final = 40
#: The same for accounts, such as the members of a group; and how many of them a search for words is crossed with.
_ACCOUNTS: Final = 2000
_CROSSED: Final = 200
#: Milliseconds by which the wall clock may once have been ahead: numbers are given in the order of requests, times are not.
_SLACK_MS: Final = 3_600_000


class _Tier(NamedTuple):
    """A part of a list: what is in a `small` index is few by nature, and looked through where there are no words; the
    others are ranges of these states. No states: any.
    """

    small: str = ""
    states: frozenset[str] = frozenset()
    extra: str = ""
    ascending: bool = False


#: In which order requests are listed, by the name of the order: which tiers, one after the other.
ORDERS: Final[Mapping[Order, Mapping[str, _Tier]]] = {
    # Emergencies that nobody has looked at, what waits for a decision and is urgent, what else waits, the rest.
    "default": {
        "b": _Tier(small="request_unreviewed", extra=UNREVIEWED),
        "u": _Tier(
            small="request_urgent",
            states=frozenset({"pending"}),
            extra="r.urgent = 1 AND r.decision IS NULL AND r.ended_how IS NULL",
        ),
        "p": _Tier(states=frozenset({"pending"}), extra="r.urgent = 0"),
        "d": _Tier(states=_NOT_PENDING, extra=f"NOT ({UNREVIEWED})"),
    },
    "newest": {"n": _Tier(states=frozenset(STATES))},
    "oldest": {"o": _Tier(states=frozenset(STATES), ascending=True)},
    "left": {"l": _Tier()},
}


@dataclass(frozen=True, slots=True)
class Whose:
    """What somebody may see: the requests of an account (0: of none), and all of some networks."""

    account_id: int
    network_ids: frozenset[int]

    @property
    def condition(self) -> str:
        """As a condition; its numbers come from the database."""
        if not self.network_ids:
            return f"r.account_id = {self.account_id:d}"
        listed = ", ".join(f"{number:d}" for number in sorted(self.network_ids))
        return f"(r.account_id = {self.account_id:d} OR r.network_id IN ({listed}))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What is listed. None (and no states) does not filter; an empty set lists nothing."""

    states: frozenset[str] = frozenset()
    whose: Whose | None = None
    account_ids: frozenset[int] | None = None
    not_account_id: int | None = None
    network_ids: frozenset[int] | None = None
    manager: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    #: Between which numbers everything is that was asked for in that time; the time itself decides.
    first: int | None = None
    last: int | None = None
    search: str | None = None
    #: Of what is pending or granted, only what has one of these statuses at `now`.
    statuses: frozenset[Status] | None = None
    now: Now | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Requests, and where the next page begins ("" behind the last)."""

    requests: list[Request]
    next: str


def page(
    rows: Rows, wanted: Filter, *, order: Order, after: str, limit: int, keep: Callable[[Request], bool]
) -> Page:
    """At most `limit` requests that `keep` agrees with, behind the page that gave `after`. Raises JitError bad_request."""
    tiers = ORDERS[order]
    tier, below = _cursor(tiers, after)
    words = _words(rows, wanted.search)
    wanted = _of_whom(wanted)
    bounded = _bounded(rows, wanted)
    if bounded is None or _lists_nothing(wanted) or words == "":
        return Page([], "")
    wanted = bounded
    names = list(tiers)
    found: list[tuple[str, Request]] = []
    for name in names[names.index(tier) :]:
        while len(found) <= limit:
            if order == "left":
                ids = _by_end(rows, wanted, words, below, limit + 1)
            else:
                ids = _ids(rows, wanted, words, tiers[name], below, limit + 1)
            loaded = by_ids(rows, ids)
            found += [(name, loaded[number]) for number in ids if keep(loaded[number])]
            if len(ids) <= limit:
                break
            below = _place(order, loaded[ids[-1]])
        below = None
    shown = [request for _, request in found[:limit]]
    following = ""
    if len(found) > limit:
        name, last = found[limit - 1]
        following = f"{name}{'.'.join(map(str, _place(order, last)))}"
    return Page(shown, following)


def counts(rows: Rows, whose: Whose | None) -> dict[str, int]:
    """How many requests are in each state ("granted" stands for the live ones), of those that somebody may see."""
    return _tallied(rows, Filter(whose=whose))


def count(rows: Rows, wanted: Filter) -> int:
    """How many requests match."""
    wanted = _of_whom(wanted)
    if _lists_nothing(wanted):
        return 0
    tallied = (wanted.manager, wanted.since_ms, wanted.until_ms, wanted.not_account_id)
    if wanted.search is None and all(one is None for one in tallied):
        if _moment(wanted) is None:
            return sum(_tallied(rows, wanted).values())
        # Only what is pending or granted has to be looked at.
        states = wanted.states or frozenset(STATES)
        settled, others = states - _IN_TIME, states & _IN_TIME
        number = sum(_tallied(rows, replace(wanted, states=settled)).values()) if settled else 0
        return number + (_counted(rows, replace(wanted, states=others), None) if others else 0)
    words = _words(rows, wanted.search)
    return 0 if words == "" else _counted(rows, wanted, words)


def _counted(rows: Rows, wanted: Filter, words: str | None) -> int:
    """The same, going through all that match."""
    match = _match(wanted, words, wanted.states or frozenset(STATES))
    conditions, params = _conditions(_crossed_out(wanted) if match else wanted, None)
    # What is pending or granted is few, whatever else is asked for.
    source = f"request r{' INDEXED BY request_state' if wanted.states and wanted.states <= _IN_TIME else ''}"
    if match:
        source = "request_text f" + (" CROSS JOIN request r ON r.id = f.rowid" if conditions else "")
        conditions.insert(0, "f.request_text MATCH :match")
        params["match"] = match
    elif wanted.states:
        conditions.append(_among("r.state", "states", params, wanted.states))
    row = rows.one(
        f"SELECT count(*) AS number FROM {source} WHERE {' AND '.join(conditions) or 'true'}", params
    )
    assert row is not None
    return int(row["number"])


# --- where a page begins ---


def _cursor(tiers: Mapping[str, _Tier], after: str) -> tuple[str, tuple[int, ...] | None]:
    """(in which tier, behind which place). Raises JitError bad_request."""
    if not after:
        return next(iter(tiers)), None
    numbers = after[1:].split(".")
    wanted = 2 if "l" in tiers else 1
    if after[0] in tiers and len(numbers) == wanted and all(re.fullmatch(r"[0-9]{1,18}", n) for n in numbers):
        return after[0], tuple(map(int, numbers))
    raise JitError(
        "bad_request",
        f"cannot continue after {after[:40]!r}",
        "Use the next page that the page before printed, with the same --sort.",
    )


def _place(order: str, request: Request) -> tuple[int, ...]:
    """Where a request stands in its tier."""
    if order == "left":
        assert request.grant is not None
        return request.grant.ends_ms, request.id
    return (request.id,)


# --- the ids of a page ---


def _ids(
    rows: Rows, wanted: Filter, words: str | None, tier: _Tier, below: tuple[int, ...] | None, limit: int
) -> list[int]:
    states = tier.states & (wanted.states or frozenset(STATES))
    if tier.small and not (words and states):
        conditions, params = _conditions(wanted, words)
        if wanted.states:
            conditions.append(_among("r.state", "states", params, wanted.states))
        source = f"request r INDEXED BY {tier.small}"
        return list(_range(rows, source, [tier.extra, *conditions], params, tier, below, limit))
    if not states:
        return []
    extra = [tier.extra] if tier.extra else []
    match = _match(wanted, words, states)
    if match:
        conditions, params = _conditions(_crossed_out(wanted), None, "f.rowid")
        params["match"] = match
        source = "request_text f CROSS JOIN request r ON r.id = f.rowid"
        where = ["f.request_text MATCH :match", *conditions, *extra]
        return list(_range(rows, source, where, params, tier, below, limit, number="f.rowid"))
    ranges = [
        _range(rows, f"request r INDEXED BY {index}", [*where, *extra], params, tier, below, limit)
        for index, where, params in _ranges(rows, wanted, states, tier, below, limit)
    ]
    merged = heapq.merge(*ranges, reverse=not tier.ascending)
    return list(islice(_once(merged), limit))


def _once(numbers: Iterator[int]) -> Iterator[int]:
    last = None
    for number in numbers:
        if number != last:
            yield number
        last = number


def _range(
    rows: Rows,
    source: str,
    where: list[str],
    params: Mapping[str, object],
    tier: _Tier,
    below: tuple[int, ...] | None,
    limit: int,
    number: str = "r.id",
) -> Iterator[int]:
    """The ids of one range of an index, from its end."""
    than, way = (">", "ASC") if tier.ascending else ("<", "DESC")
    conditions = [*where, f"{number} {than} :below"] if below else where
    sql = f"SELECT {number} AS id FROM {source} WHERE {' AND '.join(conditions)} ORDER BY {number} {way} LIMIT :limit"
    found = rows.all(sql, {**params, "limit": limit, **({"below": below[0]} if below else {})})
    return (row["id"] for row in found)


def _ranges(
    rows: Rows, wanted: Filter, states: frozenset[str], tier: _Tier, below: tuple[int, ...] | None, limit: int
) -> Iterator[tuple[str, list[str], dict[str, object]]]:
    """(index, conditions, parameters) of each range that together hold what is wanted on a page."""
    keys: list[tuple[str, str, object]]  # (index, column, value)
    if wanted.account_ids is not None and len(wanted.account_ids) <= _ACCOUNTS:
        for account, state in _nearest(rows, wanted, states, tier, below, limit):
            conditions, params = _conditions(wanted, None)
            where = ["r.account_id = :key", "r.state = :state", *conditions]
            yield "request_account", where, {**params, "key": account, "state": state}
        return
    if wanted.network_ids is not None and len(wanted.network_ids) <= _KEYS:
        keys = [("request_network", "network_id", one) for one in wanted.network_ids]
    elif wanted.manager is not None:
        keys = [("request_manager", "manager", wanted.manager)]
    elif wanted.whose is not None and len(wanted.whose.network_ids) < _KEYS:
        keys = [("request_account", "account_id", wanted.whose.account_id)]
        keys += [("request_network", "network_id", one) for one in wanted.whose.network_ids]
    else:
        keys = [("request_state", "", None)]
    for index, column, value in keys:
        for state in states:
            conditions, params = _conditions(wanted, None)
            if column:
                conditions.insert(0, f"r.{column} = :key")
                params["key"] = value
            yield index, ["r.state = :state", *conditions], {**params, "state": state}


def _nearest(
    rows: Rows, wanted: Filter, states: frozenset[str], tier: _Tier, below: tuple[int, ...] | None, limit: int
) -> list[tuple[int, str]]:
    """(account, state) of those ranges from which a page of so many can have something: each gives its next number, and
    those that come after `limit` others are not reached.
    """
    than, way = (">", "ASC") if tier.ascending else ("<", "DESC")
    conditions, params = _conditions(wanted, None)
    conditions += [tier.extra] if tier.extra else []
    if below:
        conditions.append(f"r.id {than} :below")
        params["below"] = below[0]
    where = " AND ".join(["r.account_id = a.value", "r.state = s.value", *conditions])
    sql = (
        f"SELECT a.value AS account, s.value AS state, (SELECT r.id FROM request r INDEXED BY request_account WHERE {where}"
        f" ORDER BY r.id {way} LIMIT 1) AS next FROM json_each(:keys) a, json_each(:in_state) s"
        f" WHERE next IS NOT NULL ORDER BY next {way} LIMIT :limit"
    )
    params |= {"keys": json.dumps(sorted(wanted.account_ids or ())), "in_state": json.dumps(sorted(states))}
    return [(row["account"], row["state"]) for row in rows.all(sql, {**params, "limit": limit})]


def _by_end(
    rows: Rows, wanted: Filter, words: str | None, below: tuple[int, ...] | None, limit: int
) -> list[int]:
    """The live grants by their end, the next one first."""
    if wanted.states and "granted" not in wanted.states:
        return []
    source, params = "request r INDEXED BY request_end", {}
    conditions = [LIVE]
    if words:
        source = "request_text f CROSS JOIN request r ON r.id = f.rowid"
        conditions = ["f.request_text MATCH :match", LIVE]
        params["match"] = _match(wanted, words, frozenset({"granted"}))
    more, values = _conditions(_crossed_out(wanted) if words else wanted, None)
    if below:
        more.append("(r.ends_ms, r.id) > (:ends, :below)")
        values |= {"ends": below[0], "below": below[1]}
    sql = f"SELECT r.id FROM {source} WHERE {' AND '.join([*conditions, *more])} ORDER BY r.ends_ms, r.id LIMIT :limit"
    return [row["id"] for row in rows.all(sql, {**params, **values, "limit": limit})]


# --- filters ---


def _lists_nothing(wanted: Filter) -> bool:
    return wanted.account_ids == frozenset() or wanted.network_ids == frozenset()


def _of_whom(wanted: Filter) -> Filter:
    """What somebody may see, as the accounts and networks that are asked for, where that can be said so."""
    whose, networks = wanted.whose, wanted.network_ids
    if whose is None:
        return wanted
    if networks is not None and networks <= whose.network_ids:
        return replace(wanted, whose=None)
    if not whose.network_ids or (networks is not None and not networks & whose.network_ids):
        own = frozenset({whose.account_id})
        accounts = own if wanted.account_ids is None else wanted.account_ids & own
        return replace(wanted, whose=None, account_ids=accounts)
    return wanted


def _bounded(rows: Rows, wanted: Filter) -> Filter | None:
    """With the numbers between which everything of that time is; None where there is nothing so new, or so old."""
    found: dict[str, int] = {}
    for name, at_ms, slack_ms, than, way in (
        ("first", wanted.since_ms, -_SLACK_MS, ">=", "ASC"),
        ("last", wanted.until_ms, _SLACK_MS, "<=", "DESC"),
    ):
        if at_ms is None:
            continue
        row = rows.one(
            f"SELECT id FROM request WHERE requested_ms {than} ? ORDER BY requested_ms {way} LIMIT 1",
            (at_ms + slack_ms,),
        )
        if row is None:
            return None
        found[name] = row["id"]
    return replace(wanted, **found)  # type: ignore[arg-type]


def _conditions(
    wanted: Filter, words: str | None, number: str = "r.id"
) -> tuple[list[str], dict[str, object]]:
    """(conditions on a request r, their parameters), for everything but the state. With `words`, one for each request.

    `number` is what has the ids where a range of them can be left out.
    """
    where: list[str] = []
    params: dict[str, Any] = {}
    if wanted.whose is not None:
        where.append(wanted.whose.condition)
    if wanted.account_ids is not None:
        where.append(_among("r.account_id", "accounts", params, wanted.account_ids))
    if wanted.not_account_id is not None:
        where.append("r.account_id <> :not_account")
        params["not_account"] = wanted.not_account_id
    if wanted.network_ids is not None:
        where.append(_among("r.network_id", "networks", params, wanted.network_ids))
    if wanted.manager is not None:
        where.append("r.manager = :manager")
        params["manager"] = wanted.manager
    for name, than, bound, at_ms in (
        ("since", ">=", wanted.first, wanted.since_ms),
        ("until", "<=", wanted.last, wanted.until_ms),
    ):
        if at_ms is not None:
            where.append(f"r.requested_ms {than} :{name}")
            params[name] = at_ms
        if bound is not None:
            where.append(f"{number} {than} :{name}_number")
            params[f"{name}_number"] = bound
    moment = _moment(wanted)
    if moment is not None and wanted.now is not None:
        where.append(moment)
        params |= {"now": wanted.now.wall_ms, "boot": wanted.now.boot_id, "boot_now": wanted.now.boot_ms}
    if words:
        where.append(
            "EXISTS (SELECT 1 FROM request_text f WHERE f.rowid = r.id AND f.request_text MATCH :match)"
        )
        params["match"] = words
    return where, params


_IN_TIME: Final = frozenset({"pending", "granted"})
_SETTLED: Final = "r.state NOT IN ('pending', 'granted')"
#: What the status of something pending or granted depends on besides what has happened to it.
_OVER: Final = "(r.ends_ms <= :now OR (r.boot_id = :boot AND r.ends_boot_ms <= :boot_now))"
_BEGUN: Final = "(r.extends_id IS NOT NULL OR r.boot_id = :boot)"
_AT: Final = {
    Status.PENDING: "(r.state = 'pending' AND r.lapses_ms > :now)",
    Status.LAPSED: "(r.state = 'pending' AND r.lapses_ms <= :now)",
    Status.SCHEDULED: f"(r.state = 'granted' AND NOT {_OVER} AND NOT {_BEGUN})",
    Status.ACTIVE: f"(r.state = 'granted' AND NOT {_OVER} AND {_BEGUN})",
    Status.EXPIRED: f"(r.state = 'granted' AND {_OVER})",
}


def _moment(wanted: Filter) -> str | None:
    """A condition on what only time has changed; None where all of that is wanted."""
    if wanted.statuses is None or wanted.statuses >= _AT.keys():
        return None
    kept = sorted({_AT[one] for one in wanted.statuses if one in _AT})
    return f"({' OR '.join([_SETTLED, *kept])})"


def _among(column: str, name: str, params: dict[str, object], values: frozenset[Any]) -> str:
    if len(values) == 1:
        (params[name],) = values
        return f"{column} = :{name}"
    params[name] = json.dumps(sorted(values))
    return f"{column} IN (SELECT value FROM json_each(:{name}))"


# --- words ---


def _words(rows: Rows, search: str | None) -> str | None:
    """The words of a search in FTS5's language: whole words, or beginnings where nothing has the whole ones.

    None: nothing is searched for; "": nothing can match.
    """
    if not search:
        return None
    typed = [word.replace('"', '""') for word in search.split() if re.search(r"[^\W_]", word)]
    if not typed:
        return ""
    whole = [f'"{word}"' for word in typed]
    # A single letter begins too much.
    begun = [f'"{word}"{" *" if len(word) > 1 else ""}' for word in typed]
    for quoted in (whole, begun):
        asked = f"{{reason user comment ended_comment}} : ({' AND '.join(quoted)})"
        if rows.one("SELECT rowid FROM request_text WHERE request_text MATCH ? LIMIT 1", (asked,)):
            return asked
    return ""


def _match(wanted: Filter, words: str | None, states: frozenset[str]) -> str:
    """The words, crossed with what the index knows besides them; "" where ranges of other indexes do better."""
    keyed = wanted.account_ids is not None or wanted.network_ids is not None or wanted.whose is not None
    if words is None and (wanted.manager is None or not keyed):
        return ""
    marks: list[str] = []
    if states != frozenset(STATES):
        marks.append(_either(f"s{state}" for state in states))
    if wanted.manager is not None:
        marks.append(f"m{wanted.manager.encode(errors='replace').hex()}")
    if wanted.account_ids is not None and len(wanted.account_ids) <= _CROSSED:
        marks.append(_either(f"a{number:d}" for number in wanted.account_ids))
    if wanted.network_ids is not None and len(wanted.network_ids) <= _KEYS:
        marks.append(_either(f"n{number:d}" for number in wanted.network_ids))
    if wanted.whose is not None:
        own = f"a{wanted.whose.account_id:d}"
        marks.append(_either([own, *(f"n{number:d}" for number in wanted.whose.network_ids)]))
    return " AND ".join([*([words] if words else []), *(f"marks : {one}" for one in marks)])


def _crossed_out(wanted: Filter) -> Filter:
    """What `_match` leaves to be looked at."""
    accounts, networks = wanted.account_ids, wanted.network_ids
    return replace(
        wanted,
        account_ids=None if accounts is not None and len(accounts) <= _CROSSED else accounts,
        network_ids=None if networks is not None and len(networks) <= _KEYS else networks,
        whose=None,
        manager=None,
    )


def _either(marks: "Iterator[str] | list[str]") -> str:
    return f"({' OR '.join(sorted(marks))})"


# --- counts ---


def _tallied(rows: Rows, wanted: Filter) -> dict[str, int]:
    """Sums that triggers keep, by state."""
    totals: dict[str, int] = {}

    def add(table: str, where: list[str], params: Mapping[str, object]) -> None:
        sql = f"SELECT state, sum(number) AS number FROM {table} WHERE {' AND '.join(where) or 'true'} GROUP BY state"
        for row in rows.all(sql, params):
            if not wanted.states or row["state"] in wanted.states:
                totals[row["state"]] = totals.get(row["state"], 0) + row["number"]

    where: list[str] = []
    params: dict[str, Any] = {}
    if wanted.network_ids is not None:
        where.append(_among("network_id", "networks", params, wanted.network_ids))
    whose = wanted.whose
    if wanted.account_ids is not None:
        where.append(_among("account_id", "accounts", params, wanted.account_ids))
        if whose is not None:
            where.append(whose.condition.replace("r.", ""))
        add("tally_account", where, params)
    elif whose is None:
        add("tally_network", where, params)
    else:
        seen = _among("network_id", "seen", params, whose.network_ids)
        add("tally_network", [*where, seen], params)
        params["own"] = whose.account_id
        add("tally_account", [*where, "account_id = :own", f"NOT ({seen})"], params)
    return {state: number for state, number in totals.items() if number}
