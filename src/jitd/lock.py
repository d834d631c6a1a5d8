"""One jitd per state directory, and one per network namespace. The kernel decides; a pid is only information."""

import errno
import fcntl
import logging
import os
import socket
import struct
from pathlib import Path
from typing import Final

from jitd.core.errors import JitError

FILE_NAME: Final = "lock"
#: An abstract socket: its name belongs to the network namespace, and goes with the process.
_NAME: Final = b"\0jitd guards this network namespace"

log = logging.getLogger("jitd")


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


class NamespaceLock:
    """The one jitd that guards the interfaces and the nftables table of this network namespace.

    Two of them, each with a store of its own, would take each other's peers for strangers.
    """

    def __init__(self) -> None:
        """Take it. Raises JitError conflict with the pid of who has it."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            self._socket.bind(_NAME)
            self._socket.listen(1)
        except OSError as error:
            self._socket.close()
            if error.errno != errno.EADDRINUSE:
                raise JitError("internal", f"cannot start: {error.strerror}", "") from error
            pid, uid = _holder()
            if uid not in (0, os.geteuid()):
                # Anybody can take any abstract name, and must not keep jitd from starting by that.
                log.warning("uid %d (process %d) pretends to be another jitd, which is ignored", uid, pid)
                return
            raise JitError(
                "conflict",
                f"cannot start: another jitd (pid {pid}) guards the interfaces of this machine",
                'Stop that one first. A dry run beside it works with backend = "memory".',
            ) from None

    def release(self) -> None:
        """Give it back."""
        self._socket.close()


def _holder() -> tuple[int, int]:
    """(pid, uid) of who listens there; (0, 0) when that cannot be told."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(1)
        try:
            line.connect(_NAME)
            found = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        except OSError:
            return 0, 0
    pid, uid, _ = struct.unpack("3i", found)
    return pid, uid
