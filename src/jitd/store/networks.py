"""Networks: what people ask for."""

import json
from dataclasses import fields
from functools import cache
from typing import Any, Final

from jitd.core.hours import parse_hours
from jitd.core.model import Network
from jitd.core.ports import parse_ports
from jitd.core.settings import parse_auto_approval
from jitd.store import values
from jitd.store.database import Rows

_PRINCIPALS: Final = ("members", "jit_groups", "jit_exempt", "approvers", "jit_break_glass")
_SWITCHES: Final = ("jit_enabled", "jit_admins_too", "extend_beyond_max", "reason_required")
_COLUMNS: Final = ", ".join(field.name for field in fields(Network))

# The same few texts are read at every verb.
_window = cache(parse_hours)
_rule = cache(parse_auto_approval)


def _network(row: dict[str, Any]) -> Network:
    return Network(
        **{
            **row,
            **{name: tuple(json.loads(row[name])) for name in _PRINCIPALS},
            **{name: bool(row[name]) for name in _SWITCHES},
            "routes": values.networks(json.loads(row["routes"])),
            "ports": tuple(parse_ports(ports) for ports in json.loads(row["ports"])),
            "jit_hours": tuple(_window(one) for one in json.loads(row["jit_hours"])),
            "jit_auto_approve": tuple(_rule(one) for one in json.loads(row["jit_auto_approve"])),
            "bound": tuple((field, name, uid) for field, name, uid in json.loads(row["bound"])),
        }
    )


def _columns(network: Network) -> dict[str, object]:
    """As the columns are called as the fields: lists as JSON, switches as 0 and 1."""
    columns = {field.name: getattr(network, field.name) for field in fields(Network) if field.name != "id"}
    columns["bound"] = json.dumps(columns["bound"])
    return {
        name: json.dumps([str(one) for one in value])
        if isinstance(value, tuple)
        else int(value)
        if isinstance(value, bool)
        else value
        for name, value in columns.items()
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


def ever(rows: Rows) -> dict[int, Network]:
    """Every network there ever was, by its id: requests keep pointing to those that were removed."""
    return {row["id"]: _network(row) for row in rows.all(f"SELECT {_COLUMNS} FROM network")}


def ids_ever_named(rows: Rows, name: str) -> frozenset[int]:
    """The ids of all networks that have this name, or had it when they were removed."""
    return frozenset(row["id"] for row in rows.all("SELECT id FROM network WHERE name = ?", (name,)))


def add(rows: Rows, network: Network) -> Network:
    """Store a new network; its `id` is given here."""
    return by_id(rows, rows.insert("network", _columns(network)))


def update(rows: Rows, network: Network) -> None:
    """Store a changed network."""
    rows.update("network", network.id, _columns(by_id(rows, network.id)), _columns(network))


def keep_bound(rows: Rows, network_id: int, bound: list[tuple[str, str, int]]) -> None:
    """Keep which uids the users have whom the rules of a network name."""
    rows.run("UPDATE network SET bound = ? WHERE id = ?", (json.dumps(bound), network_id))


def remove(rows: Rows, network_id: int, now_ms: int) -> None:
    """Mark a network as removed; its requests keep pointing to it."""
    rows.run("UPDATE network SET removed_ms = ? WHERE id = ?", (now_ms, network_id))


def shortages(rows: Rows) -> dict[int, str]:
    """Why too few people were left to decide about each network, as it was told last; "": enough were."""
    return {row["id"]: row["shortage"] for row in rows.all("SELECT id, shortage FROM network")}


def keep_shortage(rows: Rows, network_id: int, why: str) -> None:
    """Keep what was told."""
    rows.run("UPDATE network SET shortage = ? WHERE id = ?", (why, network_id))


def requests_ever(rows: Rows, network_id: int) -> int:
    """How many requests were made for a network, whatever became of them."""
    found: int = rows.value("SELECT count(*) FROM request WHERE network_id = ?", (network_id,))
    return found


def requests_by_state(rows: Rows, network_id: int) -> tuple[int, int]:
    """How many grants are live and how many requests pending on a network."""
    live = rows.value(
        "SELECT count(*) FROM request WHERE network_id = ? AND decision = 'granted' AND ended_how IS NULL"
        " AND extends_id IS NULL",
        (network_id,),
    )
    pending = rows.value(
        "SELECT count(*) FROM request WHERE network_id = ? AND state = 'pending'", (network_id,)
    )
    return live, pending
