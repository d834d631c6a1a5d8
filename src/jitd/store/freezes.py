"""Whether everything is frozen."""

from jitd.core.model import Freeze
from jitd.store.database import Rows


def current(rows: Rows) -> Freeze | None:
    """The freeze that holds, None when nothing is frozen."""
    row = rows.one("SELECT since_ms, by, reason FROM freeze")
    return Freeze(**row) if row else None


def put(rows: Rows, freeze: Freeze | None) -> None:
    """Freeze, or thaw (None)."""
    rows.run("DELETE FROM freeze")
    if freeze is not None:
        rows.insert(
            "freeze", {"id": 1, "since_ms": freeze.since_ms, "by": freeze.by, "reason": freeze.reason}
        )
