"""Networks: what people ask for."""

import json
from ipaddress import ip_network
from typing import Any

from jitd.core.model import Network
from jitd.core.ports import parse_ports
from jitd.store.database import Rows

_COLUMNS = "id, name, interface_id, routes, ports, jit, members, default_ms, max_ms, pending_ms, created_ms"


def _network(row: dict[str, Any]) -> Network:
    return Network(
        **{
            **row,
            "routes": tuple(ip_network(route) for route in json.loads(row["routes"])),
            "ports": tuple(parse_ports(ports) for ports in json.loads(row["ports"])),
            "jit": bool(row["jit"]),
            "members": tuple(json.loads(row["members"])),
        }
    )


def _values(network: Network) -> dict[str, object]:
    return {
        "name": network.name,
        "interface_id": network.interface_id,
        "routes": json.dumps([str(route) for route in network.routes]),
        "ports": json.dumps([str(ports) for ports in network.ports]),
        "jit": int(network.jit),
        "members": json.dumps(list(network.members)),
        "default_ms": network.default_ms,
        "max_ms": network.max_ms,
        "pending_ms": network.pending_ms,
        "created_ms": network.created_ms,
    }


def all_(rows: Rows) -> list[Network]:
    """Every network, by name."""
    return [
        _network(row)
        for row in rows.all(f"SELECT {_COLUMNS} FROM network WHERE removed_ms IS NULL ORDER BY name")
    ]


def of_interface(rows: Rows, interface_id: int) -> list[Network]:
    """The networks behind one interface, by name."""
    found = rows.all(
        f"SELECT {_COLUMNS} FROM network WHERE interface_id = ? AND removed_ms IS NULL ORDER BY name",
        (interface_id,),
    )
    return [_network(row) for row in found]


def by_name(rows: Rows, name: str) -> Network | None:
    """The network of this name, or None."""
    row = rows.one(f"SELECT {_COLUMNS} FROM network WHERE name = ? AND removed_ms IS NULL", (name,))
    return _network(row) if row else None


def by_id(rows: Rows, network_id: int) -> Network:
    """The network of this id, also a removed one."""
    row = rows.one(f"SELECT {_COLUMNS} FROM network WHERE id = ?", (network_id,))
    assert row is not None
    return _network(row)


def add(rows: Rows, network: Network) -> Network:
    """Store a new network; its `id` is given here."""
    return by_id(rows, rows.insert("network", _values(network)))


def update(rows: Rows, network: Network) -> None:
    """Store a changed network."""
    values = _values(network)
    assignments = ", ".join(f"{column} = :{column}" for column in values)
    rows.run(f"UPDATE network SET {assignments} WHERE id = :id", {**values, "id": network.id})


def remove(rows: Rows, network_id: int, now_ms: int) -> None:
    """Mark a network as removed; its requests keep pointing to it."""
    rows.run("UPDATE network SET removed_ms = ? WHERE id = ?", (now_ms, network_id))


def requests_by_state(rows: Rows, network_id: int) -> tuple[int, int]:
    """How many grants are live and how many requests pending on a network."""
    live = rows.value(
        "SELECT count(*) FROM request WHERE network_id = ? AND decision = 'granted' AND ended_how IS NULL",
        (network_id,),
    )
    pending = rows.value(
        "SELECT count(*) FROM request WHERE network_id = ? AND state = 'pending'", (network_id,)
    )
    return live, pending
