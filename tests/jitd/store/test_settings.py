"""The settings of a network."""

import json
from dataclasses import fields
from pathlib import Path

import pytest

from jitd.core.model import Network
from jitd.core.settings import SETTINGS
from jitd.store import database, networks, schema
from jitd.store.database import Store
from jitd.store.schema import MIGRATIONS


def test_a_setting_has_one_name(tmp_path: Path) -> None:
    """What people type is what the model and the store call it: `jit.hours` is jit_hours, with the unit of a number of
    milliseconds behind it.
    """
    store = Store(tmp_path / "store.db")
    columns = {row["name"] for row in store.rows.all("SELECT name FROM pragma_table_info('network')")}
    store.close()
    settings = {setting.field for setting in SETTINGS}
    assert settings <= columns
    assert settings == {one.name for one in fields(Network)} - {
        "id",
        "name",
        "interface_id",
        "created_ms",
        "bound",
    }


def test_an_older_store_keeps_its_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its columns had other names, and so had the rules for which it remembers whom a user name meant. Users may have such a
    name, too.
    """
    with monkeypatch.context() as then:
        then.setattr(database, "MIGRATIONS", MIGRATIONS[: MIGRATIONS.index(schema._SETTINGS)])
        store = Store(tmp_path / "store.db")
        key = {"private_key": "x", "public_key": "x", "port": 1, "endpoint": "", "dns": "[]", "mtu": 0}
        with store.transaction() as rows:
            rows.insert(
                "interface", {"id": 1, "name": "wg0", "adopted": 0, "enforced": 1, "created_ms": 0, **key}
            )
            plain = {
                "id": 1,
                "name": "office",
                "interface_id": 1,
                "routes": "[]",
                "ports": "[]",
                "created_ms": 0,
            }
            were = {"jit": 1, "members": '["auto_approve"]', "default_ms": 2, "max_ms": 3, "pending_ms": 4}
            bound = [["members", "auto_approve", 5], ["break_glass", "bob", 6], ["auto_approve", "eve", 7]]
            rows.insert("network", {**plain, **were, "break_glass": '["bob"]', "bound": json.dumps(bound)})
        store.close()
    store = Store(tmp_path / "store.db")
    (office,) = networks.all_(store.rows)
    store.close()
    assert (office.default_duration_ms, office.max_duration_ms, office.pending_ttl_ms) == (2, 3, 4)
    assert (office.jit_enabled, office.jit_break_glass) == (True, ("bob",))
    assert office.bound == (
        ("members", "auto_approve", 5),
        ("jit_break_glass", "bob", 6),
        ("jit_auto_approve", "eve", 7),
    )
