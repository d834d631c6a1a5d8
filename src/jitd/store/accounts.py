"""Accounts: who has ever owned a device or asked for something."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from jitd.core.model import REGISTERED, Account
from jitd.store.database import Rows

#: What a query selects of the account `a`, for `of_row`.
SELECTED: Final = (
    "a.id AS account_id, a.uid AS account_uid, a.name AS account_name, a.email AS account_email,"
    " a.ends_ms AS account_ends_ms, a.disabled AS account_disabled, a.told AS account_told,"
    " a.suspended_ms AS account_suspended_ms, a.suspended_in_fault AS account_suspended_in_fault"
)


def of_row(row: Mapping[str, Any]) -> Account:
    """The account of a row that selected SELECTED."""
    return Account(
        id=row["account_id"],
        uid=row["account_uid"],
        name=row["account_name"],
        email=row["account_email"],
        ends_ms=row["account_ends_ms"],
        disabled=row["account_disabled"],
        told=bool(row["account_told"]),
        suspended_ms=row["account_suspended_ms"],
        suspended_in_fault=bool(row["account_suspended_in_fault"]),
    )


def find(rows: Rows, uid: int, name: str) -> Account | None:
    """The account of this very (uid, name), or None."""
    row = rows.one(f"SELECT {SELECTED} FROM account a WHERE a.uid = ? AND a.name = ?", (uid, name))
    return of_row(row) if row else None


def by_id(rows: Rows, account_id: int) -> Account | None:
    """The account of this id, or None."""
    row = rows.one(f"SELECT {SELECTED} FROM account a WHERE a.id = ?", (account_id,))
    return of_row(row) if row else None


def registered(rows: Rows, name: str) -> Account | None:
    """Who is registered here under this name without being a user of the system, or None.

    Of several, one after the other, the last: each has a uid of its own, below that of the one before.
    """
    row = rows.one(
        f"SELECT {SELECTED} FROM account a WHERE a.name = ? AND a.uid <= ? ORDER BY a.uid LIMIT 1",
        (name, REGISTERED),
    )
    return of_row(row) if row else None


def of_name(rows: Rows, name: str) -> Account | None:
    """The newest account of this name, whatever its uid, or None: enough to know where somebody wants mail."""
    row = rows.one(f"SELECT {SELECTED} FROM account a WHERE a.name = ? ORDER BY a.id DESC LIMIT 1", (name,))
    return of_row(row) if row else None


def all_of_name(rows: Rows, name: str) -> list[Account]:
    """Every account of this name, the newest first."""
    found = rows.all(f"SELECT {SELECTED} FROM account a WHERE a.name = ? ORDER BY a.id DESC", (name,))
    return [of_row(row) for row in found]


def at_stake(rows: Rows) -> list[Account]:
    """The accounts that have a device, something open, or are suspended."""
    found = rows.all(
        f"SELECT {SELECTED} FROM account a WHERE a.suspended_ms IS NOT NULL"
        " OR a.id IN (SELECT account_id FROM device WHERE removed_ms IS NULL)"
        " OR a.id IN (SELECT account_id FROM request WHERE state = 'pending')"
        " OR a.id IN (SELECT account_id FROM request WHERE state = 'granted')"
        " ORDER BY a.name, a.uid"
    )
    return [of_row(row) for row in found]


def suspend(rows: Rows, account_id: int, now_ms: int | None, *, in_fault: bool = False) -> None:
    """Suspend the devices of an account from `now_ms` on, milliseconds; None: no more."""
    rows.run(
        "UPDATE account SET suspended_ms = ?, suspended_in_fault = ?, retired_ms = NULL WHERE id = ?",
        (now_ms, int(in_fault), account_id),
    )


def suspended_since(rows: Rows, since_ms: int) -> list[Account]:
    """The accounts that were suspended after this time, milliseconds, and still are."""
    found = rows.all(f"SELECT {SELECTED} FROM account a WHERE a.suspended_ms > ?", (since_ms,))
    return [of_row(row) for row in found]


def note_retired(rows: Rows, account_id: int, now_ms: int) -> bool:
    """Keep that it was recorded that an account is retired. Returns False when it was before."""
    sql = "UPDATE account SET retired_ms = ? WHERE id = ? AND retired_ms IS NULL"
    return rows.run(sql, (now_ms, account_id)) > 0


def ids_of_names(rows: Rows, names: Iterable[str]) -> frozenset[int]:
    """The ids of all accounts that have one of these names, whatever their uids."""
    found = rows.all(
        "SELECT a.id FROM account a WHERE a.name IN (SELECT value FROM json_each(?))",
        (json.dumps(list(names)),),
    )
    return frozenset(row["id"] for row in found)


def ensure(rows: Rows, uid: int, name: str, now_ms: int) -> Account:
    """The account of this (uid, name), made when it is new."""
    found = find(rows, uid, name)
    if found:
        return found
    created = rows.insert("account", {"uid": uid, "name": name, "created_ms": now_ms})
    return Account(id=created, uid=uid, name=name)


def all_(rows: Rows) -> list[Account]:
    """Every account, by name."""
    return [of_row(row) for row in rows.all(f"SELECT {SELECTED} FROM account a ORDER BY a.name, a.uid")]


def update(rows: Rows, account: Account) -> None:
    """Store what an administrator has set of an account. A new end has not been noticed yet."""
    rows.run(
        "UPDATE account SET email = ?, ended_ms = CASE WHEN ends_ms IS ? THEN ended_ms END, ends_ms = ?,"
        " disabled = ?, told = ? WHERE id = ?",
        (account.email, account.ends_ms, account.ends_ms, account.disabled, int(account.told), account.id),
    )


def next_end(rows: Rows) -> int | None:
    """When the time of the next account is over, milliseconds; None when none has an end."""
    found: int | None = rows.value(
        "SELECT min(ends_ms) FROM account WHERE ends_ms IS NOT NULL AND ended_ms IS NULL"
    )
    return found


def over(rows: Rows, wall_ms: int) -> list[Account]:
    """The accounts whose end has come and was not noticed yet."""
    found = rows.all(
        f"SELECT {SELECTED} FROM account a WHERE a.ends_ms IS NOT NULL AND a.ended_ms IS NULL AND a.ends_ms <= ?",
        (wall_ms,),
    )
    return [of_row(row) for row in found]


def note_end(rows: Rows, account_id: int, now_ms: int) -> None:
    """Keep that the end of an account was noticed."""
    rows.run("UPDATE account SET ended_ms = ? WHERE id = ?", (now_ms, account_id))
