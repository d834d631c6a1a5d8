"""Populated databases of every earlier schema are upgraded, with a copy beside them, and an older jitd can go back."""

import json
import resource
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from jitd import config
from jitd.core.errors import JitError
from jitd.core.release import VERSION
from jitd.queries import eventlog, listing, overview, show
from jitd.store import database, upgrade
from jitd.store.database import FILE_NAME, Store
from jitd.store.schema import MIGRATIONS
from jitd.store.values import canonical
from jitd.verbs import grants, restoring
from support.service import ALICE, BOB, CAROL, HOUR, ROOT, World, key

NOW = 1_700_000_000_000
#: What every schema has: an interface, a network, three people with devices, and a request in each state.
BASE = f"""
INSERT INTO account (id, uid, name, created_ms) VALUES (1, 61001, 'alice', 1), (2, 61002, 'bob', 1);
INSERT INTO interface (id, name, adopted, enforced, private_key, public_key, port, pool4, endpoint, dns, mtu, created_ms)
  VALUES (1, 'wg0', 0, 1, '{key("private")}', '{key("public")}', 51820, '10.9.0.0/24', 'vpn.example.org:51820', '[]', 0, 1);
INSERT INTO network (id, name, interface_id, routes, ports, jit, members, default_ms, max_ms, pending_ms, created_ms)
  VALUES (1, 'office', 1, '["10.0.0.0/8"]', '["tcp/443"]', 1, '[]', 3600000, 28800000, 86400000, 1);
INSERT INTO device (id, account_id, name, public_key, created_ms, removed_ms) VALUES
  (1, 1, 'laptop', '{key("alice")}', 1, NULL), (2, 2, 'laptop', '{key("bob")}', 1, NULL),
  (3, 2, 'gone', '{key("old")}', 1, 2);
INSERT INTO tunnel (id, device_id, interface_id, preshared_key, endpoint, created_ms)
  VALUES (1, 1, 1, '', '', 1), (2, 2, 1, '{key("psk")}', '', 1);
INSERT INTO address (interface_id, ip, tunnel_id) VALUES (1, '10.9.0.2/32', 1), (1, '10.9.0.3/32', 2);
INSERT INTO request (id, account_id, network_id, reason, requested_ms, requested_by, lapses_ms, decision, decided_ms,
    decided_by, comment, starts_ms, ends_ms, boot_id, ends_boot_ms, ended_how, ended_ms, ended_by) VALUES
  (1, 1, 1, 'active', {NOW}, 'alice', {NOW} + 86400000, 'granted', {NOW}, 'carol', 'yes', {NOW}, {NOW} + 3600000, 'other',
    1, NULL, NULL, NULL),
  (2, 2, 1, 'revoked', {NOW}, 'bob', {NOW} + 86400000, 'granted', {NOW}, 'carol', 'yes', {NOW}, {NOW} + 3600000, 'other', 1,
    'revoked', {NOW} + 1, 'carol'),
  (3, 2, 1, 'denied', {NOW}, 'bob', {NOW} + 86400000, 'denied', {NOW}, 'carol', 'no', NULL, NULL, NULL, NULL, NULL, NULL,
    NULL),
  (4, 2, 1, 'pending', {NOW}, 'bob', {NOW} + 86400000, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO grant_device VALUES (1, 1), (2, 2);
INSERT INTO usage VALUES (2, 1, 2, 3, 4);
INSERT INTO event (seq, at_ms, kind, actor_uid, actor_user, actor_pid, actor_origin, user, user_uid, device, data) VALUES
  (1, 1, 'started', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '{{"backend": "memory"}}'),
  (2, {NOW}, 'device_added', 61003, 'carol', 1, '', 'alice', 61001, 'laptop', '{json.dumps({"public_key": key("alice")})}');
INSERT INTO fact VALUES ('wall_high_ms', {NOW});
"""
#: What came with a schema, by its number.
LATER = {
    2: "UPDATE network SET approvers = '[\"carol\"]'; UPDATE account SET email = 'a@example.org' WHERE id = 1;",
    3: f"INSERT INTO message (key, way, recipient, address, template, data, created_ms) VALUES ('k', 'mail', 'bob', 'b@e', 'denied', '{{}}', {NOW});",
    7: f"INSERT INTO retired (interface_id, public_key, ips) VALUES (1, '{key('old')}', '[\"10.9.0.4/32\"]');",
    13: f"INSERT INTO freed VALUES (1, '10.9.0.4/32', {NOW});",
}
OLDER = range(1, len(MIGRATIONS))


def make_old(path: Path, version: int) -> None:
    """A database as a jitd of this schema left it."""
    path.touch(0o600)
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.execute("PRAGMA journal_mode = WAL")
        old.create_function("canonical", 2, canonical, deterministic=True)
        for number in range(version):
            old.executescript(MIGRATIONS[number])
        old.executescript(BASE)
        for number, script in LATER.items():
            if number <= version:
                old.executescript(script)
        old.execute(f"PRAGMA user_version = {version}")


def dump(path: Path) -> list[str]:
    """All that is in a database."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        return [str(version), *sorted(connection.iterdump())]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / FILE_NAME


@contextmanager
def newer_program(monkeypatch: pytest.MonkeyPatch, release: str = "99.0.0") -> Iterator[None]:
    """A jitd with one more migration."""
    with monkeypatch.context() as patch:
        for module in (database, upgrade):
            patch.setattr(module, "MIGRATIONS", (*MIGRATIONS, "CREATE TABLE future (x INTEGER) STRICT;"))
        patch.setattr(upgrade, "VERSION", release)
        yield


@pytest.mark.parametrize("version", OLDER)
async def test_an_old_store_works_on(tmp_path: Path, path: Path, version: int) -> None:
    """From every schema: who was in is in, what was decided is told, search and events are whole, and a verb works."""
    make_old(path, version)
    before = dump(path)
    world = World(tmp_path)
    world.clock.step(NOW + 1000 - world.clock.now_ms())
    await world.start()
    try:
        shown = (await world.ask(listing.list_, ROOT, all=True))["requests"]
        assert {one["id"]: one["status"] for one in shown} == {
            1: "active",
            2: "revoked",
            3: "denied",
            4: "pending",
        }
        assert set(world.peers()) == {"alice"}
        assert [
            one["id"]
            for one in (await world.ask(listing.list_, ROOT, all=True, search="revoked"))["requests"]
        ] == [2]
        first = (await world.ask(eventlog.events_, ROOT))["events"][0]
        assert (first["seq"], first["kind"]) == (1, "started")
        await world.do(grants.grant, ROOT, id=4, duration=HOUR)
        assert set(world.peers()) == {"alice", "bob"}
    finally:
        await world.stop()
    (kept,) = upgrade.copies(path)
    assert kept.name.startswith(f"{FILE_NAME}.schema-{version}.")
    assert kept.stat().st_mode & 0o777 == 0o600
    assert dump(kept) == before


def test_three_copies_are_kept(path: Path) -> None:
    """The oldest goes first, whatever its schema; nothing else is touched, and a store that is up to date is not copied."""
    names = [f"{FILE_NAME}.schema-{schema}.2025010{day}T000000Z" for schema, day in ((9, 1), (10, 2), (2, 3))]
    for name in (*names, f"{FILE_NAME}.mine"):
        path.with_name(name).touch()
    make_old(path, 5)
    Store(path).close()
    kept = [one.name for one in upgrade.copies(path)]
    assert kept[1:] == [names[2], names[1]]
    assert path.with_name(f"{FILE_NAME}.mine").exists()
    Store(path).close()
    assert [one.name for one in upgrade.copies(path)] == kept


@contextmanager
def a_small_disk(limit: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes, as when the disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("room", [0.5, 0.9, 1.1])
def test_a_disk_without_room_stops_the_upgrade(path: Path, room: float) -> None:
    """No room for the copy, or for the upgrade behind it: one clear error, the old store as it was, nothing half written."""
    make_old(path, 1)
    with closing(sqlite3.connect(path)) as old:
        old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = dump(path)
    with (
        a_small_disk(int(room * path.stat().st_size)),
        pytest.raises(
            JitError, match=r"cannot upgrade the database .* from schema 1 to \d+: .*nothing was changed"
        ) as caught,
    ):
        Store(path)
    assert "Make room" in caught.value.hint
    assert dump(path) == before
    assert [one.name for one in path.parent.iterdir() if "schema" in one.name or "new" in one.name] == []
    Store(path).close()  # there is room again


async def test_a_rollback_passes_through_doubt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attack (or the mistake): upgrade, revoke, go back to the copy from before, and the grant is good again.

    The older program says what is newer and how to go back; what comes back opens nothing until it was accepted.
    """
    world = World(tmp_path)
    await world.start()
    await world.furnish()
    revoked = await world.granted(ALICE)
    await world.granted(BOB)
    await world.stop()
    path = tmp_path / FILE_NAME
    with newer_program(monkeypatch):
        await world.start_anew()
        assert set(world.peers()) == {"alice", "bob"}
        await world.do(grants.revoke, CAROL, id=revoked)
        await world.stop()
    with pytest.raises(JitError) as refused:
        await world.start_anew()
    await world.stop()
    assert refused.value.message == (
        f"cannot use the database {path}: it belongs to a newer jitd, 99.0.0 (schema {len(MIGRATIONS) + 1}; this is"
        f" {VERSION} and knows {len(MIGRATIONS)})"
    )
    (kept,) = upgrade.copies(path)
    assert refused.value.hint.startswith("Install jitd 99.0.0 again. Or go back")
    assert refused.value.hint.endswith(f"rm -f {path}-wal {path}-shm && mv {kept} {path}")
    for end in ("-wal", "-shm"):
        Path(f"{path}{end}").unlink(missing_ok=True)
    shutil.move(kept, path)
    await world.start_anew()
    assert (dict(world.peers()), world.entries()) == ({}, {})
    assert (await world.ask(show.show, ROOT, id=revoked))["request"]["marks"] == ["closed"]
    assert any("older copy" in one for one in (await world.ask(overview.status, ROOT))["gateway"]["warnings"])
    await world.do(grants.revoke, CAROL, id=revoked)
    plan = (await world.do(restoring.accept_restored, CAROL, plan=True))["plan"]
    await world.do(restoring.accept_restored, CAROL, confirm=plan["token"])
    assert set(world.peers()) == {"bob"}
    await world.stop()


def test_keys_of_a_newer_version_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older program names each key that it does not know and which version does; a slip of the pen is told as before."""
    file = tmp_path / "jitd.toml"
    file.write_text(f'[daemon]\nstate_dir = "{tmp_path}"\nwings = 2\n\n[moon]\nphase = "full"\n')
    with pytest.raises(JitError, match=r"cannot use \[daemon\] wings: there is no such key"):
        config.load(file)
    with newer_program(monkeypatch):
        upgrade.note_release(tmp_path)
    with pytest.raises(JitError) as caught:
        config.load(file)
    assert caught.value.message == (
        f"cannot use {file}: jitd 99.0.0 ran here last, and this is {VERSION}, which does not know [moon], [daemon] wings"
    )
    assert caught.value.hint.startswith("Install jitd 99.0.0 again; or, to stay with this one, remove")
    file.write_text(f'[daemon]\nstate_dir = "{tmp_path}"\n')
    config.load(file)
    # Once this one runs, the newer one did not run last.
    upgrade.note_release(tmp_path)
    assert upgrade.last_release(tmp_path) == VERSION


@pytest.mark.parametrize("text", ["", "1.2", "9.9.9 && rm", "\x1b[2J", "٩.٩.٩"])
def test_a_release_that_is_none_is_not_told(tmp_path: Path, text: str) -> None:
    """Whatever stands in that file."""
    (tmp_path / upgrade.RELEASE_NAME).write_text(text)
    assert upgrade.last_release(tmp_path) == ""
