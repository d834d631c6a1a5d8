"""The socket file: made, replaced only when nobody answers on it, and taken away only while it is ours."""

import logging
import os
import socket
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jitd.core.errors import JitError

#: Connections that the kernel keeps until they are accepted. A client that finds it full waits, or tries again.
_BACKLOG: Final = 100
#: Everyone may ask; the service decides.
_MODE: Final = 0o666

log = logging.getLogger("jitd.server")


@dataclass(frozen=True, slots=True)
class Listening:
    """A bound socket and the identity of its file."""

    sock: socket.socket
    path: Path
    device: int
    inode: int

    def is_there(self) -> bool:
        """Whether the file is still where it was made, for everyone; its mode is put right. Raises OSError."""
        try:
            found = self.path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        if (found.st_dev, found.st_ino) != (self.device, self.inode):
            return False
        if stat.S_IMODE(found.st_mode) != _MODE:
            self.path.chmod(_MODE)
            log.warning(
                "%s had the mode %04o: it has %04o again", self.path, stat.S_IMODE(found.st_mode), _MODE
            )
        return True

    def unlink(self) -> None:
        """Take the socket file away, unless another daemon has put its own there meanwhile."""
        try:
            found = self.path.lstat()
            if (found.st_dev, found.st_ino) == (self.device, self.inode):
                self.path.unlink()
        except FileNotFoundError:
            return  # somebody was faster, and nothing is left to do


def bind(path: Path) -> Listening:
    """A non-blocking socket that listens on `path`, mode 0666.

    The parent directory is made (0755) when it is missing; its own parent must be there. Raises JitError:
    conflict when somebody answers on the socket, refused when something else is in the way, not_permitted and
    bad_request as they are.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _make_parent(path.parent)
        _clear(path)
        # Nobody but us may connect before the mode is right. The umask is the whole process's, but only ever
        # stricter for a moment.
        before = os.umask(0o177)
        try:
            sock.bind(str(path))
        finally:
            os.umask(before)
        path.chmod(_MODE)
        made = path.lstat()
        sock.setblocking(False)
        sock.listen(_BACKLOG)
    except PermissionError as error:
        sock.close()
        raise JitError(
            "not_permitted",
            f"cannot listen on {path}: {error.strerror}",
            "Run jitd as root, or set [daemon] socket to a path in a directory of yours.",
        ) from error
    except OSError as error:
        sock.close()
        raise JitError(
            "bad_request", f"cannot listen on {path}: {error}", "Set [daemon] socket to another path."
        ) from error
    except JitError:
        sock.close()
        raise
    return Listening(sock, path, made.st_dev, made.st_ino)


def _make_parent(parent: Path) -> None:
    try:
        parent.mkdir(mode=0o755)
    except FileExistsError:
        return
    parent.chmod(0o755)  # whatever the umask was: everyone must be able to reach the socket


def _clear(path: Path) -> None:
    """Take a stale socket away. Raises JitError when it is not stale, or no socket."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise JitError(
            "refused", f"cannot listen on {path}: it exists and is no socket", "Move it away first."
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # a socket whose queue is full belongs to somebody, too
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except FileNotFoundError:
            return
        except BlockingIOError:
            raise _in_use(path, "a busy process") from None
        pid, _uid, _gid = struct.unpack("iII", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        raise _in_use(path, f"process {pid}")


def _in_use(path: Path, who: str) -> JitError:
    return JitError(
        "conflict",
        f"cannot listen on {path}: {who} answers there",
        "Is jitd running already? See `systemctl status jitd`, or set [daemon] socket to another path.",
    )
