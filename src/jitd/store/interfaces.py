"""Interfaces, and the peers that adopted ones had by themselves."""

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from jitd.core.model import Interface, IPNetwork
from jitd.store import values
from jitd.store.database import Rows

_COLUMNS = (
    "id, name, adopted, enforced, private_key, public_key, port, pool4, pool6, endpoint, dns, mtu, created_ms"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmanagedPeer:
    """A peer that was on an adopted interface before jitd; `keepalive` in seconds."""

    interface_id: int
    public_key: str
    allowed_ips: frozenset[IPNetwork]
    preshared_key: str = field(repr=False)
    endpoint: str
    keepalive: int


def _interface(row: dict[str, Any]) -> Interface:
    return Interface(
        **{
            **row,
            "adopted": bool(row["adopted"]),
            "enforced": bool(row["enforced"]),
            "pool4": values.network4(row["pool4"]),
            "pool6": values.network6(row["pool6"]),
            "endpoint": values.endpoint(row["endpoint"]),
            "dns": values.dns(json.loads(row["dns"])),
        }
    )


def _columns(interface: Interface) -> dict[str, object]:
    return {
        "name": interface.name,
        "adopted": int(interface.adopted),
        "enforced": int(interface.enforced),
        "private_key": interface.private_key,
        "public_key": interface.public_key,
        "port": interface.port,
        "pool4": str(interface.pool4) if interface.pool4 else None,
        "pool6": str(interface.pool6) if interface.pool6 else None,
        "endpoint": interface.endpoint,
        "dns": json.dumps(interface.dns),
        "mtu": interface.mtu,
        "created_ms": interface.created_ms,
    }


def all_(rows: Rows) -> list[Interface]:
    """Every interface, by name."""
    found = rows.all(f"SELECT {_COLUMNS} FROM interface WHERE removed_ms IS NULL ORDER BY name")
    return [_interface(row) for row in found]


def by_name(rows: Rows, name: str) -> Interface | None:
    """The interface of this name, or None."""
    row = rows.one(f"SELECT {_COLUMNS} FROM interface WHERE name = ? AND removed_ms IS NULL", (name,))
    return _interface(row) if row else None


def by_id(rows: Rows, interface_id: int) -> Interface:
    """The interface of this id, also a removed one."""
    row = rows.one(f"SELECT {_COLUMNS} FROM interface WHERE id = ?", (interface_id,))
    assert row is not None
    return _interface(row)


def add(rows: Rows, interface: Interface) -> Interface:
    """Store a new interface; its `id` is given here."""
    return by_id(rows, rows.insert("interface", _columns(interface)))


def update(rows: Rows, interface: Interface) -> None:
    """Store a changed interface."""
    rows.update("interface", interface.id, _columns(by_id(rows, interface.id)), _columns(interface))


def remove(rows: Rows, interface_id: int, now_ms: int) -> None:
    """Mark an interface as removed and forget its tunnels, addresses and unmanaged peers."""
    rows.run("DELETE FROM address WHERE interface_id = ?", (interface_id,))
    rows.run("DELETE FROM tunnel WHERE interface_id = ?", (interface_id,))
    rows.run("DELETE FROM unmanaged WHERE interface_id = ?", (interface_id,))
    rows.run("DELETE FROM retired WHERE interface_id = ?", (interface_id,))
    rows.run("DELETE FROM freed WHERE interface_id = ?", (interface_id,))
    rows.run("UPDATE interface SET removed_ms = ? WHERE id = ?", (now_ms, interface_id))


def unmanaged(rows: Rows, interface_id: int) -> list[UnmanagedPeer]:
    """The peers that an adopted interface had by itself, by public key."""
    found = rows.all(
        "SELECT interface_id, public_key, allowed_ips, preshared_key, endpoint, keepalive FROM unmanaged"
        " WHERE interface_id = ? ORDER BY public_key",
        (interface_id,),
    )
    return [
        UnmanagedPeer(
            **{
                **row,
                "allowed_ips": frozenset(values.networks(json.loads(row["allowed_ips"]))),
                "endpoint": values.peer_endpoint(row["endpoint"]),
            }
        )
        for row in found
    ]


def keep_unmanaged(rows: Rows, peer: UnmanagedPeer, now_ms: int) -> None:
    """Record, or record anew, a peer that jitd did not put there."""
    rows.run(
        "INSERT OR REPLACE INTO unmanaged VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            peer.interface_id,
            peer.public_key,
            json.dumps(sorted(str(ip) for ip in peer.allowed_ips)),
            peer.preshared_key,
            peer.endpoint,
            peer.keepalive,
            now_ms,
        ),
    )


def forget_unmanaged(rows: Rows, interface_id: int, public_key: str) -> None:
    """Forget a recorded peer."""
    rows.run("DELETE FROM unmanaged WHERE interface_id = ? AND public_key = ?", (interface_id, public_key))


def retire(
    rows: Rows,
    interface_id: int,
    public_key: str,
    ips: Collection[IPNetwork],
    *,
    device_id: int | None,
    given: bool,
) -> None:
    """A device's key is to go from an adopted interface with the addresses that it had. Where that is enforced, everybody
    goes who is not known. `given`: jitd let it in, so that it stays out, also when the interface is enforced no more.
    """
    rows.run(
        "INSERT OR REPLACE INTO retired (interface_id, public_key, ips, device_id, given) SELECT id, ?, ?, ?, ?"
        " FROM interface WHERE id = ? AND adopted = 1 AND (enforced = 0 OR ?)",
        (
            public_key,
            json.dumps(sorted(str(ip) for ip in ips)),
            device_id,
            int(given),
            interface_id,
            int(given),
        ),
    )


def retired(rows: Rows, interface_id: int) -> dict[str, frozenset[IPNetwork]]:
    """The keys that are to go from an interface, or to stay away, with the addresses that they had.

    One that was seen to be gone, and stays away, has none.
    """
    found = rows.all("SELECT public_key, ips FROM retired WHERE interface_id = ?", (interface_id,))
    return {row["public_key"]: frozenset(values.networks(json.loads(row["ips"]))) for row in found}


def forget_retired(rows: Rows, interface_id: int, public_key: str) -> None:
    """A key was seen to be gone. Of one that jitd gave out only the addresses are forgotten."""
    where = (interface_id, public_key)
    rows.run("DELETE FROM retired WHERE interface_id = ? AND public_key = ? AND NOT given", where)
    rows.run("UPDATE retired SET ips = '[]' WHERE interface_id = ? AND public_key = ?", where)


def kept_out(rows: Rows, interface_id: int) -> set[str]:
    """The keys that were let in by jitd before, were seen to be gone, and are of nobody's device there now."""
    found = rows.all(
        "SELECT r.public_key FROM retired r WHERE r.interface_id = ? AND r.given AND r.ips = '[]' AND NOT EXISTS ("
        "SELECT 1 FROM device d JOIN tunnel t ON t.device_id = d.id AND t.interface_id = r.interface_id"
        " WHERE d.public_key = r.public_key AND d.removed_ms IS NULL)",
        (interface_id,),
    )
    return {row["public_key"] for row in found}
