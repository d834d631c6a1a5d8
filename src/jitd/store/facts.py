"""Single values that outlive a restart."""

from jitd.store.database import Rows


def get(rows: Rows, name: str) -> int | None:
    """The value of a fact, or None."""
    found: int | None = rows.value("SELECT value FROM fact WHERE name = ?", (name,))
    return found


def put(rows: Rows, name: str, value: int) -> None:
    """Store a fact."""
    rows.run(
        "INSERT INTO fact VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )


def remove(rows: Rows, name: str) -> None:
    """Forget a fact."""
    rows.run("DELETE FROM fact WHERE name = ?", (name,))


def remove_beginning(rows: Rows, prefix: str) -> None:
    """Forget the facts whose names begin like this."""
    rows.run("DELETE FROM fact WHERE substr(name, 1, ?) = ?", (len(prefix), prefix))
