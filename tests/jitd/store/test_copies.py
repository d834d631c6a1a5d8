"""Copies of the database, made while jitd uses it: whole, or told to be not, and never taken for an empty one."""

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from jitd.core.errors import JitError
from jitd.store import facts
from jitd.store.database import Store, back_up, open_reader


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Store]:
    """A store in use, with something in it."""
    store = Store(tmp_path / "jitd.db")
    with store.transaction() as rows:
        facts.put(rows, "something", 1)
    yield store
    store.close()


def test_a_copy_of_the_file_alone_has_what_was_checkpointed(live: Store, tmp_path: Path) -> None:
    """`cp jitd.db` while jitd runs: after a checkpoint all is in it; what it lacks otherwise is told at the start."""
    live.checkpoint()
    copy = tmp_path / "copy.db"
    shutil.copy(live.path, copy)
    taken = Store(copy)
    assert facts.get(taken.rows, "something") == 1
    assert taken.lacks_log
    taken.close()
    # Closed in order, it lacks nothing any more.
    again = Store(copy)
    assert not again.lacks_log
    again.close()


def test_a_new_database_is_one_before_anything_is_in_it(tmp_path: Path) -> None:
    """A copy of the file of a jitd that has just begun is a jitd database, and not an empty file."""
    store = Store(tmp_path / "jitd.db")
    shutil.copy(store.path, tmp_path / "copy.db")
    store.close()
    taken = Store(tmp_path / "copy.db")
    assert taken.lacks_log
    taken.close()


def test_a_copy_with_its_log_lacks_nothing(live: Store, tmp_path: Path) -> None:
    """So does a database whose jitd was killed: its log is there."""
    for end in ("", "-wal"):
        shutil.copy(f"{live.path}{end}", tmp_path / f"copy.db{end}")
    taken = Store(tmp_path / "copy.db")
    assert facts.get(taken.rows, "something") == 1
    assert not taken.lacks_log
    taken.close()


@pytest.mark.parametrize("kind", ["no bytes", "no tables", "the log alone"])
def test_what_is_left_of_a_database_is_not_an_empty_one(live: Store, tmp_path: Path, kind: str) -> None:
    """A copy that failed, one from before there were tables, and a log without its database are refused, and stay."""
    copy = tmp_path / "copy.db"
    match kind:
        case "no bytes":
            copy.touch()
        case "no tables":
            connection = sqlite3.connect(copy)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.close()
            assert copy.stat().st_size
        case _:
            shutil.copy(f"{live.path}-wal", f"{copy}-wal")
    before = {path.name: path.read_bytes() for path in tmp_path.glob("copy.db*")}
    with pytest.raises(JitError) as caught:
        Store(copy)
    assert caught.value.code == "store"
    assert caught.value.message.startswith(f"cannot use the database {copy}: ")
    assert "to start with an empty" in caught.value.hint
    assert {path.name: path.read_bytes() for path in tmp_path.glob("copy.db*")} == before


def test_a_reader_of_no_database_is_refused(tmp_path: Path) -> None:
    """The error is jitd's own, and not SQLite's, and no file is made."""
    with pytest.raises(JitError) as caught:
        open_reader(tmp_path / "missing.db")
    assert caught.value.code == "store"
    assert not (tmp_path / "missing.db").exists()


def test_a_backup_is_whole(live: Store, tmp_path: Path) -> None:
    """`jitd backup` has all that is committed, is private, and does not look like a copy of a live database."""
    target = tmp_path / "backup.db"
    back_up(live.path, target)
    assert target.stat().st_mode & 0o777 == 0o600
    taken = Store(target)
    assert facts.get(taken.rows, "something") == 1
    assert not taken.lacks_log
    taken.close()


def test_a_backup_overwrites_nothing(live: Store, tmp_path: Path) -> None:
    """A file that is there stays as it is; where there is no database, none is made."""
    target = tmp_path / "there"
    target.write_text("precious")
    with pytest.raises(JitError, match="it exists"):
        back_up(live.path, target)
    assert target.read_text() == "precious"
    with pytest.raises(JitError, match="there is no such file"):
        back_up(tmp_path / "nothing.db", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "nothing.db").exists()
