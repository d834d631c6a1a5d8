"""Opening the database, and the two ways to use it: one writing transaction, and reading.

Everything goes through `Rows`, so that the noun modules beside this one work in either.

sqlite-utils has the connection, the functions of SQL, write-ahead logging, and migrations: `atomic()` with `executescript()`,
which does not commit between statements. Some lines go around it, on purpose:

- Statements are SQL of ours: its `insert()` and `update()` look at the schema each time, which doubles the time of a grant
  (0.60 ms against 0.32), and make a table of a misspelt name; its `query()` puts a savepoint around each reading.
- `transaction()` begins with IMMEDIATE. `atomic()` does not: what has read first fails at once against a second writer.
- The version is `user_version`, in the header of the file, and no table of `Migrations`: an older jitd, and one that may only
  read, sees a newer schema before it touches any of it.
- A backup is VACUUM INTO, for which it has nothing.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlite_utils import Database

from jitd.core.errors import JitError
from jitd.store import upgrade
from jitd.store.schema import MIGRATIONS
from jitd.store.values import canonical

FILE_NAME: Final = "jitd.db"

#: How long a statement waits for another process that holds the database, in milliseconds.
BUSY_MS: Final = 2000

#: How often a reading of the whole database looks at its deadline, in operations of SQLite's; and how many complaints.
_OPERATIONS: Final = 100_000
_COMPLAINTS: Final = 5

_HINT: Final = "Check that the disk is not full and that no other program uses the database, then try again."

Params = Sequence[object] | Mapping[str, object]


@contextmanager
def _named() -> Iterator[None]:
    """Raises JitError store for what is no mistake of the program's."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise
    except sqlite3.Error as error:
        raise JitError("store", f"cannot use the database: {error}", _HINT) from error


class Rows:
    """Reads and writes on one connection. Rows come back as dictionaries."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.waits = (
            False  # a statement is on its way: whoever it takes long for waits for the disk, or for a lock
        )

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Around each statement."""
        self.waits = True
        try:
            yield
        finally:
            self.waits = False

    def _execute(self, sql: str, params: Params) -> sqlite3.Cursor:
        """Raises JitError store for what is no mistake of the program's."""
        with self.asking(), _named():
            return self._database.execute(sql, params)  # type: ignore[arg-type]

    def _fetched(self, cursor: sqlite3.Cursor) -> Any:
        # SQLite reads on with each row that is taken: what is damaged further behind shows only there.
        with self.asking(), _named():
            return cursor.fetchone()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Let everything inside take so long together. Raises JitError limit where it would take longer."""
        deadline = time.monotonic() + seconds
        connection = self._database.conn
        connection.set_progress_handler(lambda: time.monotonic() > deadline, _OPERATIONS)
        try:
            yield
        except JitError as error:
            if "interrupted" not in str(error.__cause__):
                raise
            raise JitError(
                "limit",
                f"cannot read that much: it takes longer than {seconds:g} s",
                "Limit it to a shorter time, one network or one user.",
            ) from error
        finally:
            connection.set_progress_handler(None, 0)

    def close(self) -> None:
        """Close the connection of `open_reader`."""
        self._database.close()

    def one(self, sql: str, params: Params = ()) -> dict[str, Any] | None:
        """The first row, or None."""
        cursor = self._execute(sql, params)
        row = self._fetched(cursor)
        return (
            None if row is None else dict(zip((column[0] for column in cursor.description), row, strict=True))
        )

    def all(self, sql: str, params: Params = ()) -> list[dict[str, Any]]:
        """Every row."""
        cursor = self._execute(sql, params)
        names = [column[0] for column in cursor.description]
        with self.asking(), _named():
            return [dict(zip(names, row, strict=True)) for row in cursor]

    def value(self, sql: str, params: Params = ()) -> Any:
        """The first column of the first row, or None."""
        row = self._fetched(self._execute(sql, params))
        return None if row is None else row[0]

    def run(self, sql: str, params: Params = ()) -> int:
        """Change something; returns how many rows were changed."""
        return self._execute(sql, params).rowcount

    def update(
        self, table: str, row_id: int, before: Mapping[str, object], after: Mapping[str, object]
    ) -> None:
        """Change those columns of a row that differ: what could not be read of another one stays there to be seen.

        `table` and the keys come from the program, never from a caller.
        """
        changed = {column: value for column, value in after.items() if before[column] != value}
        if changed:
            assignments = ", ".join(f"{column} = :{column}" for column in changed)
            self.run(f"UPDATE {table} SET {assignments} WHERE id = :id", {**changed, "id": row_id})

    def insert(self, table: str, values: Mapping[str, object]) -> int:
        """Insert one row and return its rowid. `table` and the keys come from the program, never from a caller."""
        columns = ", ".join(values)
        marks = ", ".join(f":{column}" for column in values)
        cursor = self._execute(
            f"INSERT INTO {table} ({columns}) VALUES ({marks})",
            dict(values),
        )
        return int(cursor.lastrowid or 0)


class Store:
    """The writing connection. Belongs to the worker thread."""

    def __init__(self, path: Path) -> None:
        """Open or create the database at `path` and bring it to the newest schema.

        Raises JitError store when it cannot be opened, is damaged, or belongs to a newer jitd.
        """
        self.path = path
        log_path = path.with_name(f"{path.name}-wal")
        has_log = log_path.exists() and log_path.stat().st_size > 0
        _refuse_torn(path, log_path, has_log=has_log)
        # SQLite makes its files with the mode of the first one: nobody else may read it, from the first moment.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        self._database = _connect(path, read_only=False)
        try:
            _prepare(self._database, path, has_log=has_log)
            #: Whether it was left open, and its write-ahead log is missing: so looks a copy of a live database.
            self.lacks_log = self._open(has_log=has_log)
        except sqlite3.Error as error:
            self._database.close()
            raise JitError(
                "store",
                f"cannot use the database {path}: {error}",
                "Restore it from a backup, or move it away to start with an empty one.",
            ) from error
        except JitError:
            self._database.close()
            raise
        self.rows = Rows(self._database)

    @contextmanager
    def transaction(self) -> Iterator[Rows]:
        """One transaction: everything inside happens, or nothing. Raises JitError store when it cannot be written."""
        connection = self._database.conn
        try:
            with self.rows.asking():
                connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise _refused(self.path, error) from error
        try:
            yield self.rows
            with self.rows.asking():
                connection.execute("COMMIT")
        except BaseException as error:
            self._database.rollback()
            if isinstance(error, sqlite3.Error) and not isinstance(error, sqlite3.IntegrityError):
                raise _refused(self.path, error) from error
            raise

    def checkpoint(self) -> None:
        """Put the write-ahead log back into the database as far as no reader needs it, so that a copy of that file alone
        has nearly everything. Raises JitError store.
        """
        with _named():
            self._database.conn.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Close the connection; the write-ahead log goes back into the database."""
        with contextlib.suppress(JitError):  # a full disk: the next start warns without need
            self.rows.run("DELETE FROM fact WHERE name = ?", (upgrade.OPEN,))
        self._database.close()

    def _open(self, *, has_log: bool) -> bool:
        """Note, in the file itself, that the database is in use. Returns whether that stood there, without a log."""
        left = self._database.conn.execute("SELECT 1 FROM fact WHERE name = ?", (upgrade.OPEN,)).fetchone()
        with contextlib.suppress(
            sqlite3.OperationalError
        ):  # a full disk is told by who has something to write
            self._database.conn.execute("INSERT OR IGNORE INTO fact VALUES (?, 1)", (upgrade.OPEN,))
            self._database.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return left is not None and not has_log


def back_up(path: Path, target: Path) -> None:
    """Write a whole copy of the database to a file that must not be there yet, while jitd runs or not.

    Raises JitError conflict, not_found, and store.
    """
    if not path.exists():
        raise JitError(
            "not_found", f"cannot back up {path}: there is no such file", "Nothing was granted yet."
        )
    if target.exists():
        raise JitError("conflict", f"cannot back up to {target}: it exists", "Name a file that does not.")
    try:
        with contextlib.closing(
            sqlite3.connect(path, isolation_level=None, timeout=BUSY_MS / 1000)
        ) as source:
            upgrade.copy_into(source, target)
    except OSError as error:
        raise JitError("bad_request", f"cannot back up to {target}: {error.strerror}", "") from error
    except sqlite3.Error as error:
        raise JitError("store", f"cannot back up {path} to {target}: {error}", _HINT) from error


def _refuse_torn(path: Path, log_path: Path, *, has_log: bool) -> None:
    """Raises JitError store for what SQLite would take for a new database although it is what is left of one."""
    if has_log and not path.exists():
        raise JitError(
            "store",
            f"cannot use the database {path}: it is missing, and its last changes are still in {log_path}",
            f"Put both files back together, or remove {log_path} to start with an empty database.",
        )
    if path.exists() and not path.stat().st_size:
        raise JitError(
            "store",
            f"cannot use the database {path}: it has 0 bytes, like a failed copy",
            "Restore it from a backup (jitd backup makes them), or remove it to start with an empty one.",
        )


def open_reader(path: Path) -> Rows:
    """A connection that cannot write, for queries outside the worker. To be used by one thread at a time.

    Raises JitError store when it cannot be opened.
    """
    with _named():
        return Rows(_connect(path, read_only=True))


def quick_check(path: Path, seconds: float) -> list[str] | None:
    """What is wrong with the database, read from end to end beside whoever writes: nothing, if it is whole.

    None when it was not read to its end within `seconds`. Raises JitError store when it cannot be opened, or belongs to
    a newer jitd.
    """
    deadline = time.monotonic() + seconds
    try:
        connection = _connect(path, read_only=True).conn
    except sqlite3.Error as error:
        raise JitError("store", f"cannot open the database {path}: {error}", _HINT) from error
    try:
        connection.set_progress_handler(lambda: time.monotonic() > deadline, _OPERATIONS)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            raise upgrade.newer(path, version)
        said = [str(row[0]) for row in connection.execute(f"PRAGMA quick_check({_COMPLAINTS})")]
    except sqlite3.OperationalError as error:
        if "interrupted" in str(error):
            return None
        raise JitError("store", f"cannot read the database {path}: {error}", _HINT) from error
    except sqlite3.DatabaseError as error:
        return [str(error)]
    finally:
        connection.close()
    return [] if said == ["ok"] else said


def _connect(path: Path, *, read_only: bool) -> Database:
    uri = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}"
    # isolation_level=None: transactions begin and end where this module says, and nowhere else.
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_MS / 1000
    )
    connection.execute("PRAGMA foreign_keys = ON")
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    # Plugins found on the system must not run inside the daemon.
    return Database(connection, execute_plugins=False)


def _prepare(database: Database, path: Path, *, has_log: bool) -> None:
    connection = database.conn
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0 and path.stat().st_size and not has_log:
        raise JitError(
            "store",
            f"cannot use the database {path}: it is empty, like a copy of a live database without its -wal "
            "file",
            "Restore it from a backup (jitd backup makes them), or remove it to start with an empty one.",
        )
    if version > len(MIGRATIONS):
        raise upgrade.newer(path, version)
    # Only now: these write, and a database of a newer jitd must stay as it is, and an older one until it was copied.
    kept = upgrade.keep_copy(connection, path, version) if 0 < version < len(MIGRATIONS) else None
    database.enable_wal()
    connection.execute("PRAGMA synchronous = FULL")
    database.register_function(canonical, deterministic=True)
    if version == len(MIGRATIONS):
        return
    try:
        with database.atomic():
            for number in range(version, len(MIGRATIONS)):
                database.executescript(MIGRATIONS[number])
            database.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    except sqlite3.Error as error:
        if kept is None:
            raise
        kept.unlink(missing_ok=True)  # as good as the database is; the next start makes another one
        raise upgrade.failed(path, version, error) from error


def _refused(path: Path, error: sqlite3.Error) -> JitError:
    return JitError(
        "store",
        f"cannot write to the database {path}: {error}; nothing was changed",
        _HINT,
    )
