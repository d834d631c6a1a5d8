"""Devices and their tunnels: the addresses that a device has on an interface."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from jitd.core import elements, parsing
from jitd.core.model import Account, Device, IPNetwork
from jitd.store import accounts, freed, values
from jitd.store.database import Rows

_COLUMNS = "id, account_id, name, public_key, created_ms, ends_ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnel:
    """A device on an interface, with its owner and what WireGuard lets in from it."""

    id: int
    interface_id: int
    device: Device
    account: Account
    ips: frozenset[IPNetwork]
    preshared_key: str = field(repr=False)


def added_since(rows: Rows, account_id: int, since_ms: int) -> int:
    """How many devices an account has added since a moment, those that are gone included."""
    found = rows.value(
        "SELECT count(*) FROM device WHERE account_id = ? AND created_ms >= ?", (account_id, since_ms)
    )
    return int(found or 0)


def add(
    rows: Rows, account_id: int, name: str, public_key: str, now_ms: int, ends_ms: int | None = None
) -> Device:
    """Store a new device."""
    values = {
        "account_id": account_id,
        "name": name,
        "public_key": public_key,
        "created_ms": now_ms,
        "ends_ms": ends_ms,
    }
    return Device(id=rows.insert("device", values), **values)  # type: ignore[arg-type]


def by_key(rows: Rows, public_key: str) -> tuple[Device, Account] | None:
    """The device with this public key and its owner, or None."""
    row = rows.one(
        f"SELECT d.id, d.name, d.public_key, d.created_ms, d.ends_ms, {accounts.SELECTED}"
        " FROM device d JOIN account a ON a.id = d.account_id WHERE d.public_key = ? AND d.removed_ms IS NULL",
        (public_key,),
    )
    return (_device(row, row["id"]), accounts.of_row(row)) if row else None


def last_of_key(rows: Rows, public_key: str) -> tuple[Device, Account] | None:
    """Whose this public key is, or was last: a device that is gone, or has another key by now, included."""
    row = rows.one(
        f"SELECT d.id, d.name, d.public_key, d.created_ms, d.ends_ms, {accounts.SELECTED}"
        " FROM device d JOIN account a ON a.id = d.account_id WHERE d.public_key = ?"
        " OR d.id IN (SELECT device_id FROM retired WHERE public_key = ?)"
        " ORDER BY d.removed_ms IS NULL DESC, d.id DESC LIMIT 1",
        (public_key, public_key),
    )
    return (_device(row, row["id"]), accounts.of_row(row)) if row else None


def of_account(rows: Rows, account_id: int) -> list[Device]:
    """The devices of an account, by name."""
    found = rows.all(
        f"SELECT {_COLUMNS} FROM device WHERE account_id = ? AND removed_ms IS NULL ORDER BY name",
        (account_id,),
    )
    return [Device(**row) for row in found]


def owners(rows: Rows) -> list[Account]:
    """Every account that has a device, by name."""
    found = rows.all(
        f"SELECT {accounts.SELECTED} FROM account a"
        " WHERE a.id IN (SELECT account_id FROM device WHERE removed_ms IS NULL) ORDER BY a.name"
    )
    return [accounts.of_row(row) for row in found]


def next_end(rows: Rows) -> int | None:
    """When the next device has its end, milliseconds; None when none has one."""
    found: int | None = rows.value(
        "SELECT min(ends_ms) FROM device WHERE ends_ms IS NOT NULL AND removed_ms IS NULL"
    )
    return found


def over(rows: Rows, wall_ms: int) -> list[tuple[Device, Account]]:
    """The devices whose end has come, with their owners."""
    found = rows.all(
        f"SELECT d.id, d.name, d.public_key, d.created_ms, d.ends_ms, {accounts.SELECTED}"
        " FROM device d JOIN account a ON a.id = d.account_id"
        " WHERE d.ends_ms IS NOT NULL AND d.removed_ms IS NULL AND d.ends_ms <= ?",
        (wall_ms,),
    )
    return [(_device(row, row["id"]), accounts.of_row(row)) for row in found]


def lost_keys(rows: Rows) -> set[str]:
    """The public keys of all devices that were reported lost."""
    return {row["public_key"] for row in rows.all("SELECT public_key FROM device WHERE lost_ms IS NOT NULL")}


def is_lost(rows: Rows, public_key: str) -> bool:
    """Whether a device with this public key was reported lost."""
    found = rows.value("SELECT 1 FROM device WHERE public_key = ? AND lost_ms IS NOT NULL", (public_key,))
    return found is not None


def report_lost(rows: Rows, device_id: int, now_ms: int) -> bool:
    """Mark a device as lost: its key is never let in again. Returns False when it was before."""
    return rows.run("UPDATE device SET lost_ms = ? WHERE id = ? AND lost_ms IS NULL", (now_ms, device_id)) > 0


def removed(rows: Rows, account_id: int, name: str) -> Device | None:
    """The device of this name that an account had last, and has no more; None when there was none."""
    row = rows.one(
        f"SELECT {_COLUMNS} FROM device WHERE account_id = ? AND name = ? AND removed_ms IS NOT NULL"
        " ORDER BY removed_ms DESC, id DESC LIMIT 1",
        (account_id, name),
    )
    return Device(**row) if row else None


def by_id(rows: Rows, device_id: int) -> Device | None:
    """The device of this id, None when it was removed."""
    row = rows.one(f"SELECT {_COLUMNS} FROM device WHERE id = ? AND removed_ms IS NULL", (device_id,))
    return Device(**row) if row else None


def rotate(rows: Rows, device: Device, public_key: str) -> bool:
    """Put another key in the place of the one that the device has. Returns False when it has not that one any more.

    What belonged to the old key goes with it: the preshared key, and where its client was last heard from.
    """
    rows.run("UPDATE tunnel SET preshared_key = '', endpoint = '' WHERE device_id = ?", (device.id,))
    changed = rows.run(
        "UPDATE device SET public_key = ? WHERE id = ? AND public_key = ? AND removed_ms IS NULL",
        (public_key, device.id, device.public_key),
    )
    return changed > 0


def remove(rows: Rows, device_id: int, now_ms: int) -> None:
    """Mark a device as removed and free its addresses, which rest."""
    for tunnel in tunnels(rows, device_ids=[device_id]):
        freed.free(rows, tunnel.interface_id, tunnel.ips, now_ms)
    rows.run(
        "DELETE FROM address WHERE tunnel_id IN (SELECT id FROM tunnel WHERE device_id = ?)", (device_id,)
    )
    rows.run("DELETE FROM tunnel WHERE device_id = ?", (device_id,))
    rows.run("UPDATE device SET removed_ms = ? WHERE id = ?", (now_ms, device_id))


def add_tunnel(
    rows: Rows, device_id: int, interface_id: int, ips: Iterable[IPNetwork], preshared_key: str, now_ms: int
) -> None:
    """Give a device addresses on an interface."""
    tunnel_id = rows.insert(
        "tunnel",
        {
            "device_id": device_id,
            "interface_id": interface_id,
            "preshared_key": preshared_key,
            "endpoint": "",
            "created_ms": now_ms,
        },
    )
    for ip in ips:
        _add_address(rows, interface_id, tunnel_id, ip)


def add_addresses(rows: Rows, tunnel: Tunnel, ips: Iterable[IPNetwork]) -> None:
    """Give a tunnel more addresses."""
    for ip in ips:
        _add_address(rows, tunnel.interface_id, tunnel.id, ip)


def _add_address(rows: Rows, interface_id: int, tunnel_id: int, ip: IPNetwork) -> None:
    values_ = {"interface_id": interface_id, "ip": parsing.write_network(ip), "tunnel_id": tunnel_id}
    rows.insert("address", values_)


def endpoints(rows: Rows) -> dict[str, str]:
    """Where the clients were last heard from, by public key."""
    found = rows.all(
        "SELECT d.public_key, t.endpoint FROM tunnel t JOIN device d ON d.id = t.device_id WHERE t.endpoint <> ''"
    )
    return {row["public_key"]: values.peer_endpoint(row["endpoint"]) for row in found}


def keep_endpoint(rows: Rows, interface_id: int, public_key: str, endpoint: str) -> None:
    """Note where a client was last heard from."""
    rows.run(
        "UPDATE tunnel SET endpoint = ? WHERE interface_id = ?"
        " AND device_id = (SELECT id FROM device WHERE public_key = ? AND removed_ms IS NULL)",
        (endpoint, interface_id, public_key),
    )


def address_taken(rows: Rows, interface_id: int, ip: IPNetwork) -> bool:
    """Whether a device has this address on the interface."""
    found = rows.value("SELECT 1 FROM address WHERE interface_id = ? AND ip = ?", (interface_id, str(ip)))
    return found is not None


def newest_address(rows: Rows, interface_id: int, version: int) -> str | None:
    """The address of the newest tunnel on the interface in this IP version (4 or 6), as CIDR."""
    colon = "LIKE" if version == 6 else "NOT LIKE"
    found: str | None = rows.value(
        f"SELECT ip FROM address WHERE interface_id = ? AND ip {colon} '%:%' ORDER BY tunnel_id DESC LIMIT 1",
        (interface_id,),
    )
    return found


def ids_on(rows: Rows, interface_id: int) -> list[int]:
    """The ids of the devices that have a tunnel on an interface."""
    found = rows.all(
        "SELECT device_id FROM tunnel WHERE interface_id = ? ORDER BY device_id", (interface_id,)
    )
    return [row["device_id"] for row in found]


def known_on(rows: Rows, interface_id: int) -> tuple[set[str], frozenset[IPv4Address | IPv6Address]]:
    """(public keys, single addresses) of all tunnels of an interface."""
    keys = rows.all(
        "SELECT d.public_key FROM tunnel t JOIN device d ON d.id = t.device_id WHERE t.interface_id = ?",
        (interface_id,),
    )
    return {row["public_key"] for row in keys}, addresses_on(rows, interface_id)


def addresses_on(rows: Rows, interface_id: int) -> frozenset[IPv4Address | IPv6Address]:
    """The single addresses of all tunnels of an interface."""
    ips = rows.all("SELECT ip FROM address WHERE interface_id = ?", (interface_id,))
    return frozenset(address for row in ips for address in _addresses(row["ip"]))


@lru_cache(maxsize=1 << 16)
def _addresses(ip: str) -> tuple[IPv4Address | IPv6Address, ...]:
    # The rules ask for those of everybody at each check, and to read one from its text takes longer than the rest.
    return tuple(elements.addresses(values.networks([ip])))


def tunnels(
    rows: Rows, *, interface_id: int | None = None, device_ids: Iterable[int] | None = None
) -> list[Tunnel]:
    """The tunnels of an interface, or of some devices, or of some devices on an interface."""
    where, params = ["d.removed_ms IS NULL"], list[object]()
    if interface_id is not None:
        where.append("t.interface_id = ?")
        params.append(interface_id)
    if device_ids is not None:
        wanted = list(device_ids)
        where.append(f"t.device_id IN ({', '.join('?' * len(wanted))})")
        params.extend(wanted)
    found = rows.all(
        "SELECT t.id, t.interface_id, t.preshared_key, d.id AS device_id, d.name, d.public_key, d.created_ms,"
        f" d.ends_ms, {accounts.SELECTED}, group_concat(x.ip) AS ips"
        " FROM tunnel t JOIN device d ON d.id = t.device_id JOIN account a ON a.id = d.account_id"
        f" LEFT JOIN address x ON x.tunnel_id = t.id WHERE {' AND '.join(where)} GROUP BY t.id ORDER BY t.id",
        params,
    )
    return [_tunnel(row) for row in found]


def _tunnel(row: dict[str, Any]) -> Tunnel:
    return Tunnel(
        id=row["id"],
        interface_id=row["interface_id"],
        device=_device(row, row["device_id"]),
        account=accounts.of_row(row),
        ips=frozenset(values.networks((row["ips"] or "").split(","))),
        preshared_key=row["preshared_key"],
    )


def _device(row: dict[str, Any], device_id: int) -> Device:
    return Device(
        id=device_id,
        account_id=row["account_id"],
        name=row["name"],
        public_key=row["public_key"],
        created_ms=row["created_ms"],
        ends_ms=row["ends_ms"],
    )
