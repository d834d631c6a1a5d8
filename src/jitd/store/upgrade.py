"""Before the schema is changed, the database is copied: an older jitd cannot read what a newer one has made of it."""

import contextlib
import os
import re
import sqlite3
import time
from pathlib import Path
from typing import Final

from jitd.core.commandline import shell
from jitd.core.errors import JitError
from jitd.core.release import VERSION
from jitd.store.schema import MIGRATIONS

#: The fact that says, in the database itself, that a jitd uses it.
OPEN: Final = "open"

#: In the state directory: the version of jitd that used the database last.
RELEASE_NAME: Final = "release"

#: So many copies are kept beside the database, the newest ones.
_KEPT: Final = 3
_ROOM: Final = (
    "Make room for another copy of the database there, or install the older jitd again, then start it."
)


def copy_into(connection: sqlite3.Connection, target: Path) -> None:
    """Write a whole copy of the database to a new file of mode 0600, and to the disk. Raises OSError and sqlite3.Error;
    a file that could not be completed is removed.
    """
    # With this mode from the first moment: there are private keys in it.
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        connection.execute("VACUUM INTO ?", (os.fspath(target),))
        with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copy:
            copy.execute("DELETE FROM fact WHERE name = ?", (OPEN,))  # nobody uses the copy
        with target.open("rb") as file:
            os.fsync(file.fileno())
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def keep_copy(connection: sqlite3.Connection, path: Path, version: int) -> Path:
    """Copy the database at `path`, which has this schema, beside itself. Raises JitError store: then it was not changed."""
    kept = path.with_name(f"{path.name}.schema-{version}.{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    new = path.with_name(f".{path.name}.copy.new")
    try:
        new.unlink(missing_ok=True)  # of a start that was killed
        copy_into(connection, new)
        new.replace(kept)
    except (OSError, sqlite3.Error) as error:
        raise JitError(
            "store",
            f"cannot upgrade the database {path} from schema {version} to {len(MIGRATIONS)}: the copy that is made of it"
            f" before cannot be written: {error}; nothing was changed",
            _ROOM,
        ) from error
    for old in copies(path)[_KEPT:]:
        old.unlink(missing_ok=True)
    return kept


def failed(path: Path, version: int, error: Exception) -> JitError:
    """The error of an upgrade that was rolled back."""
    return JitError(
        "store",
        f"cannot upgrade the database {path} from schema {version} to {len(MIGRATIONS)}: {error}; nothing was changed",
        _ROOM,
    )


def copies(path: Path) -> list[Path]:
    """The copies that were made before upgrades of the database at `path`, the newest first."""
    return sorted(
        path.parent.glob(f"{path.name}.schema-*.*Z"),
        key=lambda one: one.name.rpartition(".")[2],
        reverse=True,
    )


def note_release(state_dir: Path) -> None:
    """Keep which version of jitd uses the database, for an older one to name it. What cannot be written is left out."""
    with contextlib.suppress(OSError):
        if last_release(state_dir) != VERSION:
            path = state_dir / RELEASE_NAME
            path.unlink(missing_ok=True)
            with open(path, "x", encoding="ascii", opener=_private) as file:
                file.write(f"{VERSION}\n")


def last_release(state_dir: Path) -> str:
    """The version of jitd that used the database last; empty when that cannot be told."""
    try:
        text = (state_dir / RELEASE_NAME).read_text("ascii").strip()
    except (OSError, ValueError):
        return ""
    return text if re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,4}){2}", text, re.ASCII) else ""


def newer_release(state_dir: Path) -> str:
    """The version of jitd that used the database last where that is newer than this one, else empty."""
    last = last_release(state_dir)
    return last if last and _numbers(last) > _numbers(VERSION) else ""


def newer(path: Path, version: int) -> JitError:
    """The error of an older jitd in front of a newer database."""
    release = newer_release(path.parent)
    hint = f"Install jitd {release or 'of that schema'} again."
    usable = [one for one in copies(path) if _schema(one) <= len(MIGRATIONS)]
    if usable:
        beside = [f"{path}{end}" for end in ("-wal", "-shm")]
        hint += (
            " Or go back to the copy from before the upgrade, without what was decided since (docs/upgrading.md): "
            f"{shell('rm', '-f', *beside)} && {shell('mv', str(usable[0]), str(path))}"
        )
    return JitError(
        "store",
        f"cannot use the database {path}: it belongs to a newer jitd{f', {release}' if release else ''} (schema {version};"
        f" this is {VERSION} and knows {len(MIGRATIONS)})",
        hint,
    )


def _schema(copy: Path) -> int:
    number = copy.name.rsplit(".", 2)[1].removeprefix("schema-")
    return int(number) if number.isascii() and number.isdigit() else len(MIGRATIONS) + 1


def _numbers(release: str) -> list[int]:
    return [int(one) for one in re.findall("[0-9]+", release)]


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
