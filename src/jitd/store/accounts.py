"""Accounts: who has ever owned a device or asked for something."""

from jitd.core.model import Account
from jitd.store.database import Rows


def find(rows: Rows, uid: int, name: str) -> Account | None:
    """The account of this very (uid, name), or None."""
    row = rows.one("SELECT id, uid, name FROM account WHERE uid = ? AND name = ?", (uid, name))
    return Account(**row) if row else None


def ensure(rows: Rows, uid: int, name: str, now_ms: int) -> Account:
    """The account of this (uid, name), made when it is new."""
    found = find(rows, uid, name)
    if found:
        return found
    created = rows.insert("account", {"uid": uid, "name": name, "created_ms": now_ms})
    return Account(id=created, uid=uid, name=name)
