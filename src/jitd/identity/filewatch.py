"""Being told by the kernel (inotify) that one of the files with the system's users was replaced or written."""

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final

#: <linux/inotify.h>: written and closed, moved into the directory, deleted, made; events were lost.
_CLOSE_WRITE: Final = 0x008
_MOVED_TO: Final = 0x080
_CREATE: Final = 0x100
_DELETE: Final = 0x200
_OVERFLOW: Final = 0x4000
_EVENT: Final = struct.Struct("iIII")  # watch, mask, cookie, length of the name that follows
_BUFFER: Final = 65_536  # bytes

_libc = ctypes.CDLL(None, use_errno=True)


class FileWatch:
    """A file descriptor that becomes readable when something in a directory changes.

    Programs that change users write a new file and rename it, so it is the directory that is watched.
    """

    def __init__(self, directory: Path, names: Iterable[str]) -> None:
        """`names` are the files in it that matter. Raises OSError."""
        self._names = frozenset(map(os.fsencode, names))
        self._number = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        try:
            mask = _CLOSE_WRITE | _MOVED_TO | _CREATE | _DELETE
            _checked(_libc.inotify_add_watch(self._number, os.fsencode(directory), mask))
        except OSError:
            self.close()
            raise

    def fileno(self) -> int:
        """What to wait for."""
        return self._number

    def changed(self) -> bool:
        """Whether one of the files may have changed since the last time. Never waits."""
        found = False
        while True:
            try:
                data = os.read(self._number, _BUFFER)
            except BlockingIOError:
                return found
            place = 0
            while place < len(data):
                _, mask, _, length = _EVENT.unpack_from(data, place)
                place += _EVENT.size
                name = data[place : place + length].rstrip(b"\0")
                place += length
                found |= bool(mask & _OVERFLOW) or name in self._names

    def close(self) -> None:
        """Watch no more."""
        os.close(self._number)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
