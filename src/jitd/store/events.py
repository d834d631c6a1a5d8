"""The audit log: events are added in the transaction of what they tell, and never changed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypedDict, Unpack

from jitd.core.events import FOR_EVERYBODY, EventKind, Nothing
from jitd.core.model import Account, Actor, Event, Request
from jitd.store import networks
from jitd.store.database import Rows

#: So many events back a kill may lie that left an end without its confirmation.
NEWEST: Final = 20_000
#: So many entries of an index one page looks at, at the most: whoever asks, others are served in between.
SCANNED: Final = 20_000
#: Of a request with a long history: so many events from its beginning, and so many from its newest end.
FIRST: Final = 50
LAST: Final = 200


class About(TypedDict, total=False):
    """What an event is about: a request, with its user and network, or what is named."""

    request: Request | None
    account: Account | None
    network: str | None
    interface: str | None
    device: str | None


@dataclass(slots=True)
class Recorder:
    """Records what happened, in the transaction of `rows`. `actor` None: jitd itself acted."""

    rows: Rows
    at_ms: int
    actor: Actor | None = None
    later: bool = False  # it was done when it could not be recorded
    _names: dict[int, str] = field(default_factory=dict)  # of networks, each asked for once

    def __call__(self, kind: EventKind, data: Nothing | None = None, **about: Unpack[About]) -> None:
        """Record one event, with the data that its kind has."""
        request, account, actor = about.get("request"), about.get("account"), self.actor
        network = about.get("network")
        if request is not None:
            account = request.account
            if request.network_id not in self._names:
                self._names[request.network_id] = networks.by_id(self.rows, request.network_id).name
            network = self._names[request.network_id]
        carried, shape = dict[str, object]({**(data or {})}), kind.row.shape
        assert shape.__required_keys__ <= carried.keys() <= shape.__annotations__.keys(), (kind, carried)
        if self.later:
            carried["recorded_later"] = True
        self.rows.insert(
            "event",
            {
                "at_ms": self.at_ms,
                "kind": kind,
                "actor_uid": actor.uid if actor else None,
                "actor_user": actor.user if actor else None,
                "actor_login_uid": actor.login_uid if actor else None,
                "actor_login_user": actor.login_user if actor else None,
                "actor_pid": actor.pid if actor else None,
                "actor_origin": actor.origin if actor else None,
                "request_id": request.id if request else None,
                "user": account.name if account else None,
                "user_uid": account.uid if account else None,
                "network": network,
                "interface": about.get("interface"),
                "device": about.get("device"),
                "data": json.dumps(carried, ensure_ascii=False, sort_keys=True),
            },
        )


def last_seq(rows: Rows, request_id: int | None = None) -> int:
    """SEQ of the newest event, of all or of one request; 0 when there is none."""
    if request_id is not None:
        return int(rows.value("SELECT max(seq) FROM event WHERE request_id = ?", (request_id,)) or 0)
    return int(rows.value("SELECT max(seq) FROM event") or 0)


def is_confirmed(rows: Rows, request_id: int) -> bool:
    """Whether it was recorded that the kernel was seen to follow the end of a grant."""
    sql = "SELECT 1 FROM event WHERE request_id = ? AND kind = 'cut_confirmed'"
    return rows.value(sql, (request_id,)) is not None


def unconfirmed(rows: Rows) -> list[int]:
    """The grants of which the newest events tell the end, and none that the kernel was seen to follow it."""
    found = rows.all(
        "SELECT e.request_id FROM event e WHERE e.seq > (SELECT max(seq) FROM event) - ?"
        " AND e.kind IN ('expired', 'revoked', 'released') AND e.request_id IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM event c WHERE c.request_id = e.request_id AND c.kind = 'cut_confirmed')",
        (NEWEST,),
    )
    return [row["request_id"] for row in found]


@dataclass(frozen=True, slots=True)
class Concerns:
    """Whom events have to concern: a user, or requests for some networks. A freeze concerns everybody.

    `networks` are their names by id: one that was made again under an old name is another one.
    """

    user: str
    uid: int
    networks: Mapping[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which events are wanted; what is None does not filter. Times are milliseconds UTC."""

    since_ms: int | None = None
    until_ms: int | None = None
    user: str | None = None
    concerns: Concerns | None = None
    network: str | None = None
    request_id: int | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Events in the order of SEQ, and how far they were looked for: from there the next page goes on."""

    events: list[Event]
    reached: int


@dataclass(frozen=True, slots=True)
class _Range:
    """A part of an index that holds events in the order of SEQ."""

    index: str
    #: What the index is looked up by, and what an event of it has to be besides.
    key: str
    values: dict[str, object]
    besides: str = ""


def page(rows: Rows, wanted: Filter, *, after: int = 0, limit: int = 500) -> Page:
    """At most `limit` events above the SEQ `after`, oldest first; `reached` is the SEQ up to which that is all.

    At most SCANNED entries of each index are looked at, so that a page of what is rare may be short, or empty.
    """
    newest = last_seq(rows)
    found, bounds = _look(rows, wanted, after, limit, back=False)
    reached = min(bounds, default=max(newest, after))
    events = sorted({event.seq: event for event in found if event.seq <= reached}.values(), key=_seq)
    if len(events) >= limit:
        events = events[:limit]
        reached = events[-1].seq
    return Page(events, reached)


def page_back(rows: Rows, wanted: Filter, *, before: int | None = None, limit: int = 500) -> Page:
    """The newest events below the SEQ `before`, at most `limit`, oldest first; `reached` is the SEQ down to which that is
    all, 0: to the beginning.

    As `page`, it may be short, or empty.
    """
    edge = last_seq(rows) + 1 if before is None else before
    found, bounds = _look(rows, wanted, edge, limit, back=True)
    reached = max(bounds, default=0)
    events = sorted({event.seq: event for event in found if event.seq >= reached}.values(), key=_seq)
    if len(events) >= limit:
        events = events[-limit:]
        reached = events[0].seq
    return Page(events, reached)


def of_request(rows: Rows, request_id: int) -> tuple[list[Event], int]:
    """The events of one request, oldest first, and how many of them are left out: of many there are the first FIRST,
    which say how it began, and the newest LAST.
    """
    wanted = Filter(request_id=request_id)
    number = int(rows.value("SELECT count(*) FROM event WHERE request_id = ?", (request_id,)) or 0)
    if number <= FIRST + LAST:
        return page(rows, wanted, limit=FIRST + LAST).events, 0
    first, newest = page(rows, wanted, limit=FIRST).events, page_back(rows, wanted, limit=LAST).events
    return [*first, *newest], number - FIRST - LAST


def _ranges(wanted: Filter) -> list[_Range]:
    """The indexes that together hold what is wanted."""
    concerns = wanted.concerns
    if wanted.request_id is not None:
        found = _Range("event_request", "request_id = :request", {"request": wanted.request_id})
        if concerns is None:
            return [found]
        values = {
            "own": concerns.user,
            "uid": concerns.uid,
            "networks": json.dumps(sorted(concerns.networks)),
        }
        besides = (
            "((user = :own AND user_uid = :uid) OR (SELECT network_id FROM request WHERE id = request_id)"
            " IN (SELECT value FROM json_each(:networks)))"
        )
        return [_Range(found.index, found.key, found.values | values, besides)]
    if concerns is not None:
        own = {"user": concerns.user, "uid": concerns.uid}
        ranges = [_Range("event_user", "user = :user", own, "user_uid = :uid")]
        ranges += [
            _Range(
                "event_network",
                "network = :network",
                {"network": name},
                f"(SELECT network_id FROM request WHERE id = request_id) = {number:d}",
            )
            for number, name in sorted(concerns.networks.items())
        ]
        ranges += [_Range("event_kind", "kind = :kind", {"kind": kind}) for kind in FOR_EVERYBODY]
        return ranges
    if wanted.user is not None:
        return [_Range("event_user", "user = :user", {"user": wanted.user})]
    if wanted.network is not None:
        return [_Range("event_network", "network = :network", {"network": wanted.network})]
    if wanted.kind is not None:
        return [_Range("event_kind", "kind = :kind", {"kind": wanted.kind})]
    return [_Range("", "true", {})]


def _narrowed(one: _Range, wanted: Filter) -> tuple[list[str], dict[str, object]] | None:
    """The conditions that a range does not fulfil by itself, with their values; None: it can hold nothing wanted."""
    where, values = [one.besides] if one.besides else [], dict[str, object]()
    for name, asked in (("user", wanted.user), ("network", wanted.network), ("kind", wanted.kind)):
        if asked is None:
            continue
        if name in one.values:
            if one.values[name] != asked:
                return None
            continue
        where.append(f"{name} = :asked_{name}")
        values[f"asked_{name}"] = asked
    for condition, name, at_ms in (
        ("at_ms >= :since", "since", wanted.since_ms),
        ("at_ms < :until", "until", wanted.until_ms),
    ):
        if at_ms is not None:
            where.append(condition)
            values[name] = at_ms
    return where, values


def _look(rows: Rows, wanted: Filter, edge: int, limit: int, *, back: bool) -> tuple[list[Event], list[int]]:
    """Events of each range beyond the SEQ `edge`, and where the ranges end that were not read to their end."""
    found, bounds = list[Event](), list[int]()
    beyond, within, order, furthest = ("<", ">=", "DESC", "min") if back else (">", "<=", "ASC", "max")
    for one in _ranges(wanted):
        narrowed = _narrowed(one, wanted)
        if narrowed is None:
            continue
        where, values = narrowed
        index = f"INDEXED BY {one.index}" if one.index else "NOT INDEXED"
        ahead = f"FROM event {index} WHERE {one.key} AND seq {beyond} :edge"
        values |= one.values | {"edge": edge}
        until = ""
        if where:
            # Only what does not come straight from the index can be so rare that a page of it is long in coming.
            row = rows.one(
                f"SELECT {furthest}(seq) AS bound, count(*) AS number FROM (SELECT seq {ahead} ORDER BY seq {order} LIMIT"
                f" {SCANNED})",
                values,
            )
            assert row is not None
            if row["number"] == SCANNED:
                bounds.append(row["bound"])
                until = f"seq {within} {row['bound']:d}"
        conditions = [one for one in (*where, until) if one]
        sql = f"SELECT * {' AND '.join([ahead, *conditions])} ORDER BY seq {order} LIMIT {limit:d}"
        found += [_event(row) for row in rows.all(sql, values)]
    return found, bounds


def _seq(event: Event) -> int:
    return event.seq


def _event(row: dict[str, Any]) -> Event:
    actor = (
        None
        if row["actor_uid"] is None
        else Actor(
            uid=row["actor_uid"],
            user=row["actor_user"],
            login_uid=row["actor_login_uid"],
            login_user=row["actor_login_user"],
            pid=row["actor_pid"],
            origin=row["actor_origin"],
        )
    )
    return Event(
        seq=row["seq"],
        at_ms=row["at_ms"],
        kind=row["kind"],
        actor=actor,
        request_id=row["request_id"],
        user=row["user"],
        network=row["network"],
        interface=row["interface"],
        device=row["device"],
        data=json.loads(row["data"]),
    )
