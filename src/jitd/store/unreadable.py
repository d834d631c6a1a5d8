"""What is stored, cannot be read, and so is not used (`values.py`)."""

import json
from typing import NamedTuple

from jitd.store import values
from jitd.store.database import Rows


class Unreadable(NamedTuple):
    """A value that is not used: of a "network", "interface" or "device", what it is, and the value itself."""

    noun: str
    name: str
    what: str
    value: str


def all_(rows: Rows) -> list[Unreadable]:
    """What is stored and not used."""
    found = []
    for row in rows.all("SELECT name, routes FROM network WHERE removed_ms IS NULL ORDER BY name"):
        found += [
            Unreadable("network", row["name"], "route", one)
            for one in values.bad("network", json.loads(row["routes"]))
        ]
    for row in rows.all(
        "SELECT name, pool4, pool6, endpoint, dns FROM interface WHERE removed_ms IS NULL ORDER BY name"
    ):
        for what, kind, texts in (
            ("pool", "network4", [row["pool4"] or ""]),
            ("pool", "network6", [row["pool6"] or ""]),
            ("endpoint", "endpoint", [row["endpoint"]]),
            ("DNS server", "dns_host", json.loads(row["dns"])),
        ):
            found += [Unreadable("interface", row["name"], what, one) for one in values.bad(kind, texts)]
    # A prefix or an address alone, as jitd writes it, has no other characters.
    for row in rows.all(
        "SELECT d.name, x.ip FROM address x JOIN tunnel t ON t.id = x.tunnel_id JOIN device d ON d.id = t.device_id"
        " WHERE x.ip GLOB '*[^0-9a-f:./]*' AND d.removed_ms IS NULL ORDER BY d.name"
    ):
        found += [
            Unreadable("device", row["name"], "address", one) for one in values.bad("network", [row["ip"]])
        ]
    return found
