"""How far the store was when something was closed last: a small file outside of it.

It is written after the commit of each closing, so that it is never ahead of the store. A store that is behind it at a start
was restored from an older copy, and may let in whom somebody has closed out since.
"""

import logging
import os
import zlib
from pathlib import Path
from typing import Final

FILE_NAME: Final = "closings.mark"

log = logging.getLogger("jitd.store")


class Mark:
    """To be used by one thread at a time. Writing may hang as the disk does."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> int | None:
        """The SEQ of the last closing; None when that cannot be told."""
        try:
            with open(self._path, "rb", opener=_opener) as file:
                seq, check = file.read(100).split()
            if int(check) != zlib.crc32(seq):
                raise ValueError("its sum is wrong")  # noqa: TRY301
            return int(seq)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            log.error("cannot understand %s: %s", self._path, error)  # noqa: TRY400
            return None

    def save(self, seq: int) -> None:
        """Write it in the place of the old one. What cannot be written is told of: an older mark still tells most."""
        new = self._path.with_name(f".{self._path.name}.new")
        text = b"%d" % seq
        try:
            new.unlink(missing_ok=True)
            with open(new, "xb", opener=_opener) as file:
                file.write(b"%s %d\n" % (text, zlib.crc32(text)))
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
        except OSError as error:
            log.error("cannot write %s: %s", self._path, error.strerror)  # noqa: TRY400


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
