"""SQLite's own system calls, seen: every write and sync of a database goes through Python, the rest is SQLite's.

A VFS that is the default one in everything but three methods of its files and its sleep. `watch` is told before it happens,
and may refuse it with an error code of SQLite's.
"""

import ctypes
import ctypes.util
from typing import Any, Final, Protocol

OK: Final = 0
IOERR_WRITE: Final = 10 | (3 << 8)
IOERR_FSYNC: Final = 10 | (4 << 8)
IOERR_TRUNCATE: Final = 10 | (6 << 8)
FULL: Final = 13

_NAME: Final = b"simulated"
#: Nobody watches this one, and it never waits for a lock: it is for the simulation's own reading.
UNWATCHED: Final = "unwatched"
_P = ctypes.c_void_p
_INT = ctypes.c_int
_I64 = ctypes.c_int64

_OPEN = ctypes.CFUNCTYPE(_INT, _P, _P, _P, _INT, ctypes.POINTER(_INT))
_CLOSE = ctypes.CFUNCTYPE(_INT, _P)
_WRITE = ctypes.CFUNCTYPE(_INT, _P, _P, _INT, _I64)
_TRUNCATE = ctypes.CFUNCTYPE(_INT, _P, _I64)
_SYNC = ctypes.CFUNCTYPE(_INT, _P, _INT)
_SLEEP = ctypes.CFUNCTYPE(_INT, _P, _INT)
#: Where xSleep stands among the methods behind xOpen.
_SLEEPING: Final = 8


class _Vfs(ctypes.Structure):
    _fields_ = (
        ("iVersion", _INT),
        ("szOsFile", _INT),
        ("mxPathname", _INT),
        ("pNext", _P),
        ("zName", ctypes.c_char_p),
        ("pAppData", _P),
        ("xOpen", _P),
        ("rest", _P * 15),
    )


class _Methods(ctypes.Structure):
    _fields_ = (
        ("iVersion", _INT),
        ("xClose", _P),
        ("xRead", _P),
        ("xWrite", _P),
        ("xTruncate", _P),
        ("xSync", _P),
        ("rest", _P * 13),
    )


class _File(ctypes.Structure):
    _fields_ = (("pMethods", ctypes.POINTER(_Methods)),)


class Watch(Protocol):
    """Who is told. Each answer is OK or an error code; nothing may be raised."""

    def opened(self, path: str) -> object | None:
        """A file is opened; None leaves it alone, anything else is handed to the others."""

    def write(self, file: Any, offset: int, data: bytes) -> int:
        """Bytes are written."""

    def truncate(self, file: Any, size: int) -> int:
        """It is cut to a size."""

    def sync(self, file: Any) -> int:
        """It is to be on the disk when this comes back."""

    def sleep(self, us: int) -> None:
        """SQLite waits for somebody else's lock."""


class _Shim:
    def __init__(self) -> None:
        self.library = ctypes.CDLL(ctypes.util.find_library("sqlite3") or "libsqlite3.so.0")
        self.library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
        self.original = self.library.sqlite3_vfs_find(None)
        self.watch: Watch | None = None
        self.open_files: dict[int, tuple[Any, _Methods]] = {}
        self.methods: dict[int, _Methods] = {}
        self.vfs = _Vfs()
        ctypes.memmove(ctypes.byref(self.vfs), self.original, ctypes.sizeof(_Vfs))
        self.vfs.zName = _NAME
        self.vfs.pNext = None
        self.original_open = _OPEN(self.original.contents.xOpen)
        # Kept here, as nobody else refers to them.
        self.callbacks = (
            _OPEN(self._open),
            _CLOSE(self._close),
            _WRITE(self._write),
            _TRUNCATE(self._truncate),
            _SYNC(self._sync),
        )
        self.sleeps = (_SLEEP(self._sleep), _SLEEP(lambda _vfs, us: us))
        self.vfs.xOpen = ctypes.cast(self.callbacks[0], _P).value
        self.vfs.rest[_SLEEPING] = ctypes.cast(self.sleeps[0], _P).value
        self.unwatched = _Vfs()
        ctypes.memmove(ctypes.byref(self.unwatched), self.original, ctypes.sizeof(_Vfs))
        self.unwatched.zName = UNWATCHED.encode()
        self.unwatched.pNext = None
        self.unwatched.rest[_SLEEPING] = ctypes.cast(self.sleeps[1], _P).value
        self.library.sqlite3_vfs_register(ctypes.byref(self.unwatched), 0)

    def _open(self, vfs: int, name: int, file: int, flags: int, out: Any) -> int:
        # The files of the original know nothing of who holds their methods.
        code = self.original_open(ctypes.addressof(self.original.contents), name, file, flags, out)
        watch = self.watch
        handle = ctypes.cast(file, ctypes.POINTER(_File)).contents
        if code != OK or watch is None or not name or not handle.pMethods:
            return int(code)
        known = watch.opened(ctypes.string_at(name).decode())
        if known is None:
            return OK
        original = handle.pMethods.contents
        address = ctypes.addressof(original)
        if address not in self.methods:
            mine = _Methods()
            ctypes.memmove(ctypes.byref(mine), handle.pMethods, ctypes.sizeof(_Methods))
            mine.xClose, mine.xWrite, mine.xTruncate, mine.xSync = (
                ctypes.cast(one, _P).value for one in self.callbacks[1:]
            )
            self.methods[address] = mine
        self.open_files[file] = (known, original)
        handle.pMethods = ctypes.pointer(self.methods[address])
        return OK

    def _sleep(self, vfs: int, us: int) -> int:
        del vfs
        if self.watch is not None:
            self.watch.sleep(us)
        return us

    def _close(self, file: int) -> int:
        _, original = self.open_files.pop(file)
        return int(_CLOSE(original.xClose)(file))

    def _write(self, file: int, data: int, size: int, offset: int) -> int:
        known, original = self.open_files[file]
        code = self.watch.write(known, offset, ctypes.string_at(data, size)) if self.watch else OK
        return code or int(_WRITE(original.xWrite)(file, data, size, offset))

    def _truncate(self, file: int, size: int) -> int:
        known, original = self.open_files[file]
        code = self.watch.truncate(known, size) if self.watch else OK
        return code or int(_TRUNCATE(original.xTruncate)(file, size))

    def _sync(self, file: int, flags: int) -> int:
        known, _ = self.open_files[file]
        # Nothing is ever really synced: the files lie in memory, and what counts is what was to be on the disk.
        del flags
        return self.watch.sync(known) if self.watch else OK


_shim: list[_Shim] = []


def install(watch: Watch | None) -> None:
    """Databases that are opened from now on are seen by `watch`; None: by nobody."""
    if not _shim:
        _shim.append(_Shim())
    shim = _shim[0]
    shim.watch = watch
    if watch is not None:
        shim.library.sqlite3_vfs_register(ctypes.byref(shim.vfs), 1)
    else:
        shim.library.sqlite3_vfs_register(shim.original, 1)
