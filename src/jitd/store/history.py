"""What somebody asked for before, and how that ended: what helps before a decision."""

from collections.abc import Iterable

from jitd.store.database import Rows


def last(
    rows: Rows, account_id: int, *, besides: int, network_ids: Iterable[int] | None, limit: int
) -> list[int]:
    """The ids of an account's newest requests beside one, newest first; on these networks (None: on any)."""
    # The plus keeps to the account's index: a network has far more requests than one of its users.
    listed = (
        "" if network_ids is None else f" AND +network_id IN ({', '.join(f'{one:d}' for one in network_ids)})"
    )
    found = rows.all(
        f"SELECT id FROM request WHERE account_id = ? AND id <> ?{listed} ORDER BY id DESC LIMIT ?",
        (account_id, besides, limit),
    )
    return [row["id"] for row in found]


def last_grant(rows: Rows, account_id: int, network_id: int, besides: int) -> int | None:
    """The id of an account's newest grant on a network, live or over, beside one; None when there was none."""
    found: int | None = rows.value(
        "SELECT id FROM request WHERE account_id = ? AND +network_id = ? AND id <> ? AND decision = 'granted'"
        " AND extends_id IS NULL ORDER BY id DESC LIMIT 1",
        (account_id, network_id, besides),
    )
    return found


def since(rows: Rows, account_id: int, network_id: int, since_ms: int, besides: int) -> tuple[int, int]:
    """How many requests an account has made for a network since a time beside one, and how many were granted."""
    row = rows.one(
        "SELECT count(*) AS asked, count(*) FILTER (WHERE decision = 'granted') AS granted FROM request"
        " WHERE account_id = ? AND +network_id = ? AND id <> ? AND requested_ms >= ?",
        (account_id, network_id, besides, since_ms),
    )
    assert row is not None
    return row["asked"], row["granted"]
