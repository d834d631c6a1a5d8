"""A disk on which the real SQLite keeps the real store: it fails, hangs, and forgets what was not synced.

`Disk` is told of SQLite's writes and syncs (`sqlitevfs.py`) and stands for `os` where jitd keeps files of its own. When
the process is killed the files stay as they are; when the power goes, what was synced stays, and of the rest what the
seed says.
"""

import contextlib
import errno
import os
import shutil
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from simulation import sqlitevfs
from simulation.faults import Failed, Faults
from simulation.schedule import Killed, Process, Scheduler

#: A write, a sync, a statement take about so long.
WRITE_US: Final = 4
SYNC_US: Final = 120
STATEMENT_US: Final = 10
_SECTOR: Final = 4096


@dataclass(slots=True)
class Image:
    """A file: what is on the disk for sure, and what was written since."""

    path: Path
    synced: bytearray
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)  # (offset, data), or (size, None)

    def settle(self) -> None:
        """All of it is on the disk."""
        for one in self.pending:
            _write(self.synced, one)
        self.pending.clear()


@dataclass(frozen=True, slots=True)
class Handle:
    """A file that a process has open."""

    image: Image
    process: Process | None


def _write(content: bytearray, change: tuple[int, bytes | None]) -> None:
    offset, data = change
    if data is None:
        del content[offset:]
        return
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


class Disk:
    """The state directory. A `sqlitevfs.Watch`."""

    def __init__(self, directory: Path, scheduler: Scheduler, faults: Faults) -> None:
        self.root = directory
        self.state = directory / "state"
        self.state.mkdir(mode=0o700)
        self._scheduler, self.faults = scheduler, faults
        self._images: dict[Path, Image] = {}
        self._crashes = 0
        self.connections: list[sqlite3.Connection] = []
        self.files = _Files(self)
        self.sqlite3 = _sqlite3(self)

    # --- what SQLite does ---

    def opened(self, path: str) -> Handle | None:
        """As `sqlitevfs.Watch`."""
        if not path.startswith(str(self.state)):
            return None
        return Handle(self.image(Path(path)), self._scheduler.current.process)

    def write(self, file: Handle, offset: int, data: bytes) -> int:
        """As `sqlitevfs.Watch`."""
        code = self._meet(file, "write", WRITE_US, sqlitevfs.IOERR_WRITE)
        if code == sqlitevfs.OK:
            file.image.pending.append((offset, data))
        return code

    def truncate(self, file: Handle, size: int) -> int:
        """As `sqlitevfs.Watch`."""
        code = self._meet(file, "truncate", WRITE_US, sqlitevfs.IOERR_TRUNCATE)
        if code == sqlitevfs.OK:
            file.image.pending.append((size, None))
        return code

    def sync(self, file: Handle) -> int:
        """As `sqlitevfs.Watch`."""
        code = self._meet(file, "sync", SYNC_US, sqlitevfs.IOERR_FSYNC)
        if code == sqlitevfs.OK:
            file.image.settle()
        return code

    def sleep(self, us: int) -> None:
        """As `sqlitevfs.Watch`."""
        if self._scheduler.current.process is not None:
            with contextlib.suppress(Killed):
                self._scheduler.sleep(us)

    def _meet(self, file: Handle, what: str, cost_us: int, refusal: int) -> int:
        if file.process is None:
            return sqlitevfs.OK
        if file.process.dead:
            return refusal
        # A hung or failing disk does not stop what only goes to the page cache, unless it is full or frozen.
        fault = self.faults.at("disk")
        place = "disk" if what == "sync" or fault is None or fault.why != "sync" else "cache"
        try:
            self.faults.meet(place, f"{what} {file.image.path.name}", cost_us)
        except Failed as failure:
            return sqlitevfs.FULL if failure.why == "ENOSPC" else refusal
        except Killed:
            return refusal
        return sqlitevfs.OK

    # --- what happens to it ---

    def image(self, path: Path) -> Image:
        """The file at a path."""
        if path not in self._images:
            self._images[path] = Image(path, bytearray(path.read_bytes() if path.exists() else b""))
        return self._images[path]

    def crash(self, *, power: bool) -> None:
        """The process that had it open is gone, and another directory stands in the place of its own."""
        self._crashes += 1
        gone = self.root / f"gone-{self._crashes}"
        self.state.rename(gone)
        self.state.mkdir(mode=0o700)
        random = self._scheduler.random
        for path in sorted(gone.iterdir()):
            if path.name.endswith("-shm"):
                continue
            new = self.state / path.name
            image = self._images.get(new)
            if not power or image is None:
                shutil.copyfile(path, new)
            else:
                # Pages reach the disk in any order; which ones did is the seed's.
                kept = random.choice((0.0, 0.5, 1.0))
                for change in image.pending:
                    if random.random() < kept:
                        _write(image.synced, change)
                new.write_bytes(image.synced)
            new.chmod(0o600)
        self._images.clear()

    def copy(self, name: str) -> None:
        """Keep a copy of everything, as a backup does."""
        backup = self.root / name
        shutil.rmtree(backup, ignore_errors=True)
        shutil.copytree(self.state, backup, ignore=shutil.ignore_patterns("*-shm"))

    def restore(self, name: str, only: str) -> None:
        """Put a file of the backup in its place, without the others. Nobody has it open."""
        for path in self.state.glob(f"{only}*"):
            path.unlink()
        for path in sorted((self.root / name).glob(f"{only}*")):
            shutil.copyfile(path, self.state / path.name)
        self._images.clear()

    def close(self) -> None:
        """Close whatever is open still."""
        for connection in self.connections:
            connection.close()
        for file in list(self.files._open):
            if self.files._of(file) is not None:
                self.files.close(file)


class _Files:
    """Stands for `os` in the modules that keep files."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._open: dict[int, tuple[Handle, int]] = {}  # with the inode

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
        """As os.open."""
        disk = self._disk
        # What is only read has nothing to lose.
        is_ours = str(path).startswith(str(disk.state)) and bool(flags & (os.O_WRONLY | os.O_RDWR))
        if is_ours:
            self._meet("open", Path(path).name, "cache")
        file = os.open(path, flags, mode, **more)
        if is_ours:
            handle = Handle(disk.image(Path(path)), disk._scheduler.current.process)
            self._open[file] = (handle, os.fstat(file).st_ino)
        return file

    def _of(self, file: int) -> Handle | None:
        """What a descriptor is, if it is one of these still: a file object closes its own."""
        handle, inode = self._open.get(file, (None, 0))
        try:
            if handle is not None and os.fstat(file).st_ino == inode:
                return handle
        except OSError:
            pass
        self._open.pop(file, None)
        return None

    def close(self, file: int) -> None:
        """As os.close."""
        self._open.pop(file, None)
        os.close(file)

    def pwrite(self, file: int, data: bytes, offset: int) -> int:
        """As os.pwrite."""
        if handle := self._of(file):
            self._meet("pwrite", handle.image.path.name, self._cache())
            handle.image.pending.append((offset, bytes(data)))
        return os.pwrite(file, data, offset)

    def write(self, file: int, data: bytes) -> int:
        """As os.write."""
        if handle := self._of(file):
            self._meet("write", handle.image.path.name, self._cache())
            handle.image.pending.append((os.lseek(file, 0, os.SEEK_CUR), bytes(data)))
        return os.write(file, data)

    def ftruncate(self, file: int, size: int) -> None:
        """As os.ftruncate."""
        if handle := self._of(file):
            self._meet("ftruncate", handle.image.path.name, self._cache())
            handle.image.pending.append((size, None))
        os.ftruncate(file, size)

    def fsync(self, file: int) -> None:
        """As os.fsync."""
        if handle := self._of(file):
            self._meet("fsync", handle.image.path.name, "disk", SYNC_US)
            handle.image.settle()
            # Also what was written in other ways than by these calls.
            handle.image.synced = bytearray(handle.image.path.read_bytes())

    fdatasync = fsync

    def rename(self, old: Any, new: Any) -> None:
        """As os.rename."""
        self._meet("rename", Path(new).name, self._cache())
        Path(old).rename(new)
        image = self._disk._images.pop(Path(old), None)
        if image is not None:
            image.path = Path(new)
            self._disk._images[Path(new)] = image

    replace = rename

    def _cache(self) -> str:
        fault = self._disk.faults.at("disk")
        return "cache" if fault is not None and fault.why == "sync" else "disk"

    def _meet(self, what: str, name: str, place: str, cost_us: int = WRITE_US) -> None:
        try:
            self._disk.faults.meet(place, f"{what} {name}", cost_us)
        except Failed as failure:
            code = errno.ENOSPC if failure.why == "ENOSPC" else errno.EIO
            raise OSError(code, os.strerror(code)) from failure


def _sqlite3(disk: Disk) -> Any:
    """Stands for the module `sqlite3` where the store is opened: each statement is a seam."""

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
            text = " ".join(sql.split())[:60]
            try:
                disk.faults.meet("statement", text, STATEMENT_US)
            except Failed as failure:
                # Another program holds the lock for writing; or what is read is damaged.
                if text.startswith(("BEGIN IMMEDIATE", "PRAGMA journal_mode")):
                    raise sqlite3.OperationalError("database is locked") from failure
                if failure.why == "unreadable" and text.startswith("SELECT"):
                    raise sqlite3.OperationalError("disk I/O error") from failure
            return super().execute(sql, parameters)

    def connect(*args: Any, **more: Any) -> sqlite3.Connection:
        made: sqlite3.Connection = sqlite3.connect(*args, **{**more, "factory": Connection})
        disk.connections.append(made)
        return made

    names = {name: getattr(sqlite3, name) for name in dir(sqlite3) if not name.startswith("__")}
    return type("sqlite3", (), {**names, "connect": staticmethod(connect)})
