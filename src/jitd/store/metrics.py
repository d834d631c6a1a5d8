"""What metrics read from the store. Nothing here costs what the whole store holds: tallies are kept by triggers, open grants
and undelivered messages have indexes of their own, and of the events only those are read that are new since the last time.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jitd.core.events import EventKind
from jitd.core.model import Now
from jitd.store import facts, freezes, outbox
from jitd.store.database import Rows

#: The fact that says when the last backup was made, milliseconds UTC.
LAST_BACKUP: Final = "last_backup_ms"
#: Events that are read in one statement.
_PAGE: Final = 5_000

#: Changes by others that were undone.
REPAIRS: Final = (
    EventKind.STRANGER_REMOVED, EventKind.PEER_REPAIRED, EventKind.INTERFACE_RECREATED, EventKind.ROUTES_RESTORED,
    EventKind.FIREWALL_REPAIRED,
)  # fmt: skip
_COUNTED: Final = (
    EventKind.GRANTED, EventKind.EXTENDED, EventKind.BREAK_GLASS, EventKind.DENIED, EventKind.LAPSED,
    EventKind.CANCELLED, EventKind.EXPIRED, EventKind.REVOKED, EventKind.RELEASED, EventKind.CUT_CONFIRMED, *REPAIRS,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the store says now. Grants by (network, state); sizes by file, in bytes; moments in milliseconds UTC."""

    pending: dict[str, int]
    oldest_ms: int | None
    grants: dict[tuple[str, str], int]
    frozen: bool
    outbox: outbox.Counts
    outbox_oldest_ms: int | None
    last_backup_ms: int | None
    sizes: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """An event that is counted, with what is known of its request. `lateness` is in milliseconds."""

    kind: EventKind
    automatic: bool  # a rule granted it
    waited_ms: int | None  # until somebody who was asked decided
    lateness: int | None


def stored(rows: Rows, path: Path, now: Now) -> Stored:
    """What the store at `path` says at `now`."""
    pending = rows.all(
        "SELECT n.name, coalesce(t.number, 0) AS number FROM network n"
        " LEFT JOIN tally_network t ON t.network_id = n.id AND t.state = 'pending' WHERE n.removed_ms IS NULL"
    )
    # By the index of live grants: those that ended are not looked at.
    grants = rows.all(
        "SELECT n.name, CASE WHEN r.starts_ms > :now THEN 'scheduled' WHEN r.paused_ms IS NOT NULL THEN 'paused'"
        " ELSE 'active' END AS state, count(*) AS number FROM request r JOIN network n ON n.id = r.network_id"
        " WHERE r.decision = 'granted' AND r.ended_how IS NULL AND r.extends_id IS NULL GROUP BY 1, 2",
        {"now": now.wall_ms},
    )
    known = {(row["name"], state): 0 for row in pending for state in ("active", "paused", "scheduled")}
    return Stored(
        pending={row["name"]: row["number"] for row in pending},
        oldest_ms=rows.value("SELECT requested_ms FROM request WHERE state = 'pending' ORDER BY id LIMIT 1"),
        grants=known | {(row["name"], row["state"]): row["number"] for row in grants},
        frozen=freezes.current(rows) is not None,
        outbox=outbox.counts(rows),
        outbox_oldest_ms=outbox.oldest_ms(rows),
        last_backup_ms=facts.get(rows, LAST_BACKUP),
        sizes={"database": _size(path), "log": _size(path.with_name(f"{path.name}-wal"))},
    )


def happened(rows: Rows, after: int, until: int) -> tuple[list[Happened], int]:
    """Events above the SEQ `after` and up to `until` that are counted, oldest first, and the SEQ up to which that is all."""
    kinds = ", ".join(f"'{kind}'" for kind in _COUNTED)
    found = rows.all(
        "SELECT e.seq, e.kind, e.data ->> 'lateness' AS lateness, r.auto_rule IS NOT NULL AS automatic,"
        " CASE WHEN e.kind IN ('granted', 'denied') AND r.auto_rule IS NULL AND r.requested_by <> r.decided_by"
        " THEN r.decided_ms - r.requested_ms END AS waited_ms"
        " FROM event e LEFT JOIN request r ON r.id = e.request_id"
        f" WHERE e.seq > ? AND e.seq <= ? AND e.kind IN ({kinds}) ORDER BY e.seq LIMIT {_PAGE}",
        (after, until),
    )
    return [_happened(row) for row in found], found[-1]["seq"] if len(found) == _PAGE else until


def _happened(row: dict[str, Any]) -> Happened:
    return Happened(
        kind=EventKind(row["kind"]),
        automatic=bool(row["automatic"]),
        waited_ms=row["waited_ms"],
        lateness=row["lateness"],
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
