"""The store: whether it can be read from end to end, and whether there is room for it."""

import os
from pathlib import Path
from typing import Final

from jitd import wire
from jitd.core.errors import JitError
from jitd.diagnostics.check import Check
from jitd.diagnostics.checks.files import state_dir_problem
from jitd.diagnostics.lines import broken, ok, unknown, warning
from jitd.store.database import FILE_NAME, quick_check

#: How long the database may be read, in seconds; what was not read by then is told.
SECONDS: Final = 10.0
#: Bytes free on the disk: below the first nothing can be recorded soon, below the second it is worth a look.
_NO_ROOM: Final = 16 << 20
_LITTLE_ROOM: Final = 256 << 20
_FEW_INODES: Final = 100


def examine(state_dir: Path, seconds: float = SECONDS) -> list[wire.Check]:
    """Read the whole database on a connection of its own, and look at the disk. Blocks for `seconds` at most."""
    return [*_database(state_dir / FILE_NAME, seconds), *_disk(state_dir)]


def _database(path: Path, seconds: float) -> list[wire.Check]:
    if not path.exists():
        return [unknown(f"there is no database {path} yet", "it is created at the first start of jitd")]
    try:
        complaints = quick_check(path, seconds)
    except JitError as error:
        return [broken(error.message, error.hint)]
    megabytes = f"{path.stat().st_size / 1e6:.1f} MB"
    if complaints is None:
        return [
            warning(
                f"{path} ({megabytes}) could not be read to its end within {seconds:g} s; no damage found so "
                "far",
                f"sqlite3 'file:{path}?mode=ro' 'PRAGMA quick_check' # may take long; jitd keeps running",
            )
        ]
    if complaints:
        return [
            broken(
                f"{path} is damaged: {'; '.join(complaints)}",
                f"systemctl stop jitd, restore {path} from a backup (remove its -wal and -shm files, too), "
                "systemctl start jitd",
            )
        ]
    return [ok(f"the database is whole ({path}, {megabytes})")]


def _disk(state_dir: Path) -> list[wire.Check]:
    try:
        disk = os.statvfs(state_dir)
    except OSError as error:
        return [broken(f"{state_dir} cannot be examined: {error.strerror}")]
    free = disk.f_bavail * disk.f_frsize
    # As root, what is kept back for root counts too; where nothing is, the two are the same.
    if os.geteuid() == 0:
        free = disk.f_bfree * disk.f_frsize
    says = f"{free / 1e6:.0f} MB are free on the disk of {state_dir}"
    fix = f"df -h {state_dir} # free space: access can still be closed without it, but not granted"
    if disk.f_flag & os.ST_RDONLY:
        return [broken(f"the disk of {state_dir} is read-only", f"findmnt -T {state_dir}")]
    if free < _NO_ROOM:
        return [broken(f"only {says}", fix)]
    if disk.f_files and disk.f_favail < _FEW_INODES:
        return [broken(f"the disk of {state_dir} has room for {disk.f_favail} more files only", fix)]
    if free < _LITTLE_ROOM:
        return [warning(f"only {says}", fix)]
    return [ok(says)]


CHECKS: Final = (
    Check(
        "store",
        "store",
        "The database and its disk",
        "broken",
        lambda one: one.machine.bounded("store", lambda: examine(one.view.config.daemon.state_dir), SECONDS),
        alone=lambda one: (
            examine(one.config.daemon.state_dir)
            if state_dir_problem(one.config.daemon.state_dir) is None
            else ()
        ),
    ),
)
