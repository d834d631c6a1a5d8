"""Changes of rules that several have to agree to, and who has."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from jitd.core import durations
from jitd.core.model import Vote
from jitd.store.database import Rows

#: How long a change waits, milliseconds. Nothing happens then: it is too old to be approved.
WAITS_MS: Final = 7 * durations.DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change that waits, or what became of it (`ended_how`, "" while it waits).

    `networks` are the ids of those whose deciders have to agree; none: administrators. `what` says what it lets in;
    `basis` is a digest of the rules that it was proposed on.
    """

    id: int
    verb: str
    body: Mapping[str, Any]
    networks: tuple[int, ...]
    quorum: int
    what: tuple[str, ...]
    basis: str
    reason: str
    proposed_ms: int
    proposed_by: str
    ended_how: Literal["approved", "rejected", ""]
    ended_ms: int | None
    ended_by: str


def add(
    rows: Rows,
    *,
    verb: str,
    body: Mapping[str, Any],
    networks: tuple[int, ...],
    quorum: int,
    what: tuple[str, ...],
    basis: str,
    reason: str,
    now_ms: int,
    by: str,
) -> int:
    """Store a change that waits. Returns its id."""
    return rows.insert(
        "change",
        {
            "verb": verb,
            "body": json.dumps(dict(body), ensure_ascii=False),
            "networks": json.dumps(networks),
            "quorum": quorum,
            "what": json.dumps(what, ensure_ascii=False),
            "basis": basis,
            "reason": reason,
            "proposed_ms": now_ms,
            "proposed_by": by,
        },
    )


def by_id(rows: Rows, change_id: int) -> Change | None:
    """The change of this id, or None."""
    row = rows.one("SELECT * FROM change WHERE id = ?", (change_id,))
    return _change(row) if row else None


def waiting(rows: Rows, since_ms: int) -> list[Change]:
    """The changes that were proposed after this time, milliseconds, and still wait; oldest first."""
    found = rows.all(
        "SELECT * FROM change WHERE ended_how IS NULL AND proposed_ms > ? ORDER BY id", (since_ms,)
    )
    return [_change(row) for row in found]


def end(rows: Rows, change_id: int, how: str, now_ms: int, by: str) -> bool:
    """Keep what became of a change. Returns False when it does not wait any more."""
    changed = rows.run(
        "UPDATE change SET ended_how = ?, ended_ms = ?, ended_by = ? WHERE id = ? AND ended_how IS NULL",
        (how, now_ms, by, change_id),
    )
    return changed > 0


def vote(rows: Rows, change_id: int, vote: Vote) -> None:
    """Keep that one of several agrees."""
    rows.insert(
        "change_vote",
        {
            "change_id": change_id,
            "uid": vote.uid,
            "name": vote.name,
            "login_uid": vote.login_uid,
            "at_ms": vote.at_ms,
            "comment": vote.comment,
        },
    )


def votes(rows: Rows, change_id: int) -> list[Vote]:
    """Who has agreed, the first first."""
    found = rows.all(
        "SELECT uid, name, login_uid, at_ms, comment FROM change_vote WHERE change_id = ? ORDER BY id",
        (change_id,),
    )
    return [Vote(**row, duration_ms=None) for row in found]


def _change(row: Mapping[str, Any]) -> Change:
    return Change(
        id=row["id"],
        verb=row["verb"],
        body=json.loads(row["body"]),
        networks=tuple(json.loads(row["networks"])),
        quorum=row["quorum"],
        what=tuple(json.loads(row["what"])),
        basis=row["basis"],
        reason=row["reason"],
        proposed_ms=row["proposed_ms"],
        proposed_by=row["proposed_by"],
        ended_how=row["ended_how"] or "",
        ended_ms=row["ended_ms"],
        ended_by=row["ended_by"] or "",
    )
