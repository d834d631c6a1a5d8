"""Addresses that somebody had until lately: what is still on its way to them is for nobody else."""

from collections.abc import Iterable

from jitd.core import durations, parsing
from jitd.core.model import IPNetwork
from jitd.store import values
from jitd.store.database import Rows

#: Milliseconds that an address rests.
REST_MS = durations.DAY


def free(rows: Rows, interface_id: int, ips: Iterable[IPNetwork], now_ms: int) -> None:
    """Note that these addresses were given back."""
    rows.run("DELETE FROM freed WHERE freed_ms <= ?", (now_ms - REST_MS,))
    for ip in ips:
        rows.run(
            "INSERT OR REPLACE INTO freed VALUES (?, ?, ?)", (interface_id, parsing.write_network(ip), now_ms)
        )


def resting(rows: Rows, interface_id: int, now_ms: int) -> dict[IPNetwork, int]:
    """The addresses that rest on an interface, each with when it was given back, milliseconds."""
    found = rows.all(
        "SELECT ip, freed_ms FROM freed WHERE interface_id = ? AND freed_ms > ?",
        (interface_id, now_ms - REST_MS),
    )
    return {ip: row["freed_ms"] for row in found for ip in values.networks([row["ip"]])}
