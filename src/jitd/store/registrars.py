"""Who registered a device in somebody else's name, or made a person: they are not to decide about it alone."""

from dataclasses import dataclass

from jitd.core.model import Actor
from jitd.store.database import Rows


@dataclass(frozen=True, slots=True)
class Registrar:
    """Who did it; `device` is the device's name, "" for the person. `name` is who logged in, where that one was root."""

    uid: int
    login_uid: int | None
    name: str
    device: str


def of_device(rows: Rows, device_id: int, actor: Actor | None) -> None:
    """Keep who registered the key of a device; None: its own user did."""
    rows.run("DELETE FROM registrar WHERE device_id = ?", (device_id,))
    if actor is not None:
        rows.insert("registrar", {"device_id": device_id, **_who(actor)})


def of_account(rows: Rows, account_id: int, actor: Actor) -> None:
    """Keep who made a person."""
    rows.insert("registrar", {"account_id": account_id, **_who(actor)})


def concerning(rows: Rows, account_id: int) -> list[Registrar]:
    """Who made this person, and who registered devices in their name."""
    found = rows.all(
        "SELECT r.uid, r.login_uid, r.name, coalesce(d.name, '') AS device FROM registrar r"
        " LEFT JOIN device d ON d.id = r.device_id"
        " WHERE r.account_id = :account OR (d.account_id = :account AND d.removed_ms IS NULL) ORDER BY r.id",
        {"account": account_id},
    )
    return [Registrar(**row) for row in found]


def keys(rows: Rows) -> dict[str, str]:
    """Who registered each public key that is in somebody else's name."""
    found = rows.all(
        "SELECT d.public_key, r.name FROM registrar r JOIN device d ON d.id = r.device_id WHERE d.removed_ms IS NULL"
    )
    return {row["public_key"]: row["name"] for row in found}


def device_ids(rows: Rows, account_id: int) -> frozenset[int]:
    """The devices of an account that somebody else registered."""
    found = rows.all(
        "SELECT d.id FROM registrar r JOIN device d ON d.id = r.device_id WHERE d.account_id = ?",
        (account_id,),
    )
    return frozenset(row["id"] for row in found)


def _who(actor: Actor) -> dict[str, object]:
    named = actor.login_user if not actor.login_is_claimed and actor.login_user else actor.user
    return {"uid": actor.uid, "login_uid": actor.login_uid, "name": named}
