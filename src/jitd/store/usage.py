"""What grants were really used for."""

from dataclasses import dataclass

from jitd.store.database import Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Sums over the peers of a grant: milliseconds, bytes; `handshake_ms` is UTC, 0 for none."""

    used_ms: int
    rx_bytes: int
    tx_bytes: int
    handshake_ms: int


def add(rows: Rows, request_id: int, more: Usage) -> None:
    """Add what was sampled since."""
    rows.run(
        "INSERT INTO usage (request_id, used_ms, rx_bytes, tx_bytes, handshake_ms) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (request_id) DO UPDATE SET used_ms = used_ms + excluded.used_ms,"
        " rx_bytes = rx_bytes + excluded.rx_bytes, tx_bytes = tx_bytes + excluded.tx_bytes,"
        " handshake_ms = max(handshake_ms, excluded.handshake_ms)",
        (request_id, more.used_ms, more.rx_bytes, more.tx_bytes, more.handshake_ms),
    )


def of_request(rows: Rows, request_id: int) -> Usage | None:
    """What a grant was used for so far; None when nothing of it was ever seen."""
    row = rows.one(
        "SELECT used_ms, rx_bytes, tx_bytes, handshake_ms FROM usage WHERE request_id = ?", (request_id,)
    )
    return None if row is None else Usage(**row)
