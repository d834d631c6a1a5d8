"""What stands in the store, read with SQL of the simulation's own, beside whatever jitd does with it."""

import json
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulation import sqlitevfs

Row = dict[str, Any]


@dataclass(slots=True)
class Records:
    """One committed state."""

    accounts: dict[int, Row] = field(default_factory=dict)
    devices: dict[int, Row] = field(default_factory=dict)
    interfaces: dict[int, Row] = field(default_factory=dict)
    networks: dict[int, Row] = field(default_factory=dict)
    requests: dict[int, Row] = field(default_factory=dict)
    #: Addresses by (interface id, device id).
    tunnels: dict[tuple[int, int], list[str]] = field(default_factory=dict)
    grant_devices: dict[int, set[int]] = field(default_factory=dict)
    unmanaged: dict[int, set[str]] = field(default_factory=dict)
    frozen: Row | None = None
    last_seq: int = 0
    #: Behind the one that was asked for.
    events: list[Row] = field(default_factory=list)

    def of_key(self, public_key: str) -> list[Row]:
        """The devices that have this key now."""
        return [one for one in self.devices.values() if one["public_key"] == public_key]


class Reader:
    """A connection of nobody's, opened anew when the file is another one."""

    def __init__(self) -> None:
        self._connection: sqlite3.Connection | None = None

    def open(self, path: Path) -> bool:
        """Read this database from now on. Returns whether there is one with tables."""
        self.close()
        if not path.exists():
            return False
        uri = f"file:{path}?mode=ro&vfs={sqlitevfs.UNWATCHED}"
        self._connection = sqlite3.connect(
            uri, uri=True, isolation_level=None, check_same_thread=False, timeout=0
        )
        self._connection.row_factory = sqlite3.Row
        try:
            return bool(self.all("SELECT name FROM sqlite_master WHERE name = 'event'"))
        except sqlite3.Error:
            self.close()
            return False

    def close(self) -> None:
        """Give it back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def is_open(self) -> bool:
        """Whether there is something to read."""
        return self._connection is not None

    def all(self, sql: str, *values: object) -> list[Row]:
        """Rows as dictionaries."""
        assert self._connection is not None
        return [dict(row) for row in self._connection.execute(sql, values)]

    def read(self, seq: int) -> Records:
        """Everything that counts, in one snapshot; of the events those behind `seq`."""
        assert self._connection is not None
        found = Records()
        self._connection.execute("BEGIN")
        try:
            found.accounts = {row["id"]: row for row in self.all("SELECT * FROM account")}
            found.devices = {row["id"]: row for row in self.all("SELECT * FROM device")}
            found.interfaces = {row["id"]: row for row in self.all("SELECT * FROM interface")}
            found.networks = {row["id"]: row for row in self.all("SELECT * FROM network")}
            for row in found.networks.values():
                for name in ("routes", "ports", "members", "jit_groups", "jit_exempt", "approvers"):
                    row[name] = json.loads(row[name])
            found.requests = {row["id"]: row for row in self.all("SELECT * FROM request")}
            for row in self.all(
                "SELECT t.interface_id, t.device_id, a.ip FROM tunnel t JOIN address a ON a.tunnel_id = t.id"
            ):
                found.tunnels.setdefault((row["interface_id"], row["device_id"]), []).append(row["ip"])
            for row in self.all("SELECT request_id, device_id FROM grant_device"):
                found.grant_devices.setdefault(row["request_id"], set()).add(row["device_id"])
            for row in self.all("SELECT interface_id, public_key FROM unmanaged"):
                found.unmanaged.setdefault(row["interface_id"], set()).add(row["public_key"])
            found.frozen = next(iter(self.all("SELECT * FROM freeze")), None)
            found.events = self.all("SELECT * FROM event WHERE seq > ? ORDER BY seq", seq)
            found.last_seq = self.all("SELECT coalesce(max(seq), 0) AS seq FROM event")[0]["seq"]
        finally:
            self._connection.execute("COMMIT")
        return found
