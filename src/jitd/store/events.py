"""The audit log: events are added in the transaction of what they tell, and never changed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from jitd.core.model import Actor, Event
from jitd.store.database import Rows

#: So many events back a kill may lie that left an end without its confirmation.
NEWEST: Final = 20_000


def add(
    rows: Rows,
    kind: str,
    *,
    at_ms: int,
    actor: Actor | None,
    request_id: int | None = None,
    user: str | None = None,
    user_uid: int | None = None,
    network: str | None = None,
    interface: str | None = None,
    device: str | None = None,
    data: Mapping[str, object] | None = None,
) -> int:
    """Record one event and return its SEQ. `actor` None: jitd itself acted. `data` holds plain JSON values."""
    return rows.insert(
        "event",
        {
            "at_ms": at_ms,
            "kind": kind,
            "actor_uid": actor.uid if actor else None,
            "actor_user": actor.user if actor else None,
            "actor_login_uid": actor.login_uid if actor else None,
            "actor_login_user": actor.login_user if actor else None,
            "actor_pid": actor.pid if actor else None,
            "actor_origin": actor.origin if actor else None,
            "request_id": request_id,
            "user": user,
            "user_uid": user_uid,
            "network": network,
            "interface": interface,
            "device": device,
            "data": json.dumps(dict(data or {}), ensure_ascii=False, sort_keys=True),
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
    """Whom events have to concern: a user, or requests for some networks. A freeze concerns everybody."""

    user: str
    uid: int
    networks: frozenset[str]


def page(
    rows: Rows,
    *,
    after: int = 0,
    limit: int = 500,
    since_ms: int | None = None,
    until_ms: int | None = None,
    user: str | None = None,
    concerns: Concerns | None = None,
    network: str | None = None,
    request_id: int | None = None,
    kind: str | None = None,
) -> list[Event]:
    """Events with a SEQ above `after`, oldest first; filters that are None do not filter."""
    where, params = ["seq > :after"], {"after": after, "limit": limit}
    filters = {
        "at_ms >= :since": ("since", since_ms),
        "at_ms < :until": ("until", until_ms),
        "user = :user": ("user", user),
        "network = :network": ("network", network),
        "request_id = :request": ("request", request_id),
        "kind = :kind": ("kind", kind),
    }
    named: dict[str, object] = dict(params)
    for condition, (name, value) in filters.items():
        if value is not None:
            where.append(condition)
            named[name] = value
    if concerns is not None:
        own = "(user = :own_user AND user_uid = :own_uid)"
        listed = ", ".join(f":network{number}" for number in range(len(concerns.networks)))
        frozen = "kind IN ('frozen', 'thawed')"
        where.append(f"({own} OR (request_id IS NOT NULL AND network IN ({listed})) OR {frozen})")
        named |= {"own_user": concerns.user, "own_uid": concerns.uid}
        named |= {f"network{number}": name for number, name in enumerate(sorted(concerns.networks))}
    found = rows.all(f"SELECT * FROM event WHERE {' AND '.join(where)} ORDER BY seq LIMIT :limit", named)
    return [_event(row) for row in found]


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
