"""Files that are their user's alone: written in one step, and locks. Raises what the system raises."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write(file: Path, text: str, *, lasting: bool = True) -> None:
    """Put a text there in one step, for this user alone; `lasting`: also on the disk. Raises OSError."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(new, flags, 0o600), "w", encoding="utf-8") as written:
        written.write(text)
        if lasting:
            written.flush()
            os.fsync(written.fileno())
    new.replace(file)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Nobody else has this lock meanwhile; it ends with its process. Raises BlockingIOError while somebody has it, and
    OSError where it cannot be made.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
