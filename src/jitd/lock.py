"""One jitd per state directory. The kernel's lock decides; the pid in the file is only information."""

import fcntl
import os
from pathlib import Path
from typing import Final

from jitd.core.errors import JitError

FILE_NAME: Final = "lock"


class Lock:
    """Held from `__init__` until `release`, or the end of the process and of those that inherit `fd`."""

    def __init__(self, state_dir: Path) -> None:
        """Take the lock. Raises JitError conflict with the pid of who has it, and bad_request."""
        path = state_dir / FILE_NAME
        try:
            self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise JitError(
                "bad_request", f"cannot start: {path} cannot be opened: {error.strerror}", ""
            ) from error
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self.fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self.fd)
            raise JitError(
                "conflict",
                f"cannot start: another jitd (pid {holder}) works in {state_dir}",
                "Stop that one first, or give this one a state_dir of its own.",
            ) from None
        self.write_pid()

    def write_pid(self) -> None:
        """Say who holds the lock: this process. To be said again after a fork."""
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the lock back."""
        os.close(self.fd)
