"""What somebody asked for before, and how that ended: what helps before a decision."""

from collections.abc import Iterable, Mapping
from typing import Final

from jitd.store.database import Rows
from jitd.store.listing import STATES

#: The states of what was granted.
_GRANTED: Final = ("granted", "expired", "revoked", "released")


def last(
    rows: Rows, account_id: int, *, besides: int, network_ids: Iterable[int] | None, limit: int
) -> list[int]:
    """The ids of an account's newest requests beside one, newest first; on these networks (None: on any)."""
    listed = (
        "" if network_ids is None else f" AND +network_id IN ({', '.join(f'{one:d}' for one in network_ids)})"
    )
    return _newest(rows, STATES, listed, {"account": account_id, "besides": besides, "limit": limit})


def last_grant(rows: Rows, account_id: int, network_id: int, besides: int) -> int | None:
    """The id of an account's newest grant on a network, live or over, beside one; None when there was none."""
    params = {"account": account_id, "network": network_id, "besides": besides, "limit": 1}
    found = _newest(rows, _GRANTED, " AND +network_id = :network AND extends_id IS NULL", params)
    return found[0] if found else None


def _newest(rows: Rows, states: Iterable[str], condition: str, params: Mapping[str, object]) -> list[int]:
    """The newest of each state, merged: the index has an account's requests by state, and each of those by number."""
    parts = (
        f"SELECT * FROM (SELECT id FROM request WHERE account_id = :account AND state = '{state}' AND id <> :besides"
        f"{condition} ORDER BY id DESC LIMIT :limit)"
        for state in states
    )
    found = rows.all(f"{' UNION ALL '.join(parts)} ORDER BY id DESC LIMIT :limit", params)
    return [row["id"] for row in found]


def since(rows: Rows, account_id: int, network_id: int, since_ms: int, besides: int) -> tuple[int, int]:
    """How many requests an account has made for a network since a time beside one, and how many were granted."""
    row = rows.one(
        "SELECT count(*) AS asked, count(*) FILTER (WHERE decision = 'granted') AS granted FROM request"
        " WHERE account_id = ? AND +network_id = ? AND id <> ? AND requested_ms >= ?",
        (account_id, network_id, besides, since_ms),
    )
    assert row is not None
    return row["asked"], row["granted"]
