"""One jitd per state directory, and one per network namespace. The kernel decides; a pid is only information."""

import fcntl
import logging
import os
import secrets
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from jitd.core.errors import JitError

FILE_NAME: Final = "lock"
#: Abstract sockets belong to the network namespace, whatever the mount namespace, and go with their process. Anybody can
#: bind any name, so none is reserved: what counts is that root made a socket whose name begins like this. The holder's pid
#: and a random number follow.
_PREFIX: Final = b"\0jitd guards this network namespace/"

# sock_diag(7)
_NETLINK_SOCK_DIAG: Final = 4
_SOCK_DIAG_BY_FAMILY: Final = 20
_DUMP: Final = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_NLMSG_ERROR: Final = 2
_NLMSG_DONE: Final = 3
_SHOW_NAME: Final = 0x01
_SHOW_UID: Final = 0x40  # since Linux 5.3
_NAME: Final = 0
_UID: Final = 7
_HEADER: Final = struct.Struct("=IHHII")  # nlmsghdr
_REQUEST: Final = struct.Struct("=BBHIIIII")  # unix_diag_req
_ANSWER: Final = struct.Struct("=BBBBIII")  # unix_diag_msg
_ATTRIBUTE: Final = struct.Struct("=HH")
_SECONDS: Final = 5.0

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
                f"cannot start: another jitd (pid {holder}) uses {state_dir}",
                "Stop the other jitd first, or set another state_dir for this one.",
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
            # Bound first and looked around then: of two that start at the same time, at least one sees the other.
            name = _PREFIX + f"{os.getpid()}/{secrets.token_hex(8)}".encode("ascii")
            self._socket.bind(name)
            others = [other for other in _held_by(os.geteuid()) if other != name]
        except OSError as error:
            self._socket.close()
            raise JitError("internal", f"cannot start: {error.strerror}", "") from error
        if others:
            self._socket.close()
            pid = others[0].removeprefix(_PREFIX).partition(b"/")[0].decode("ascii", "replace")
            raise JitError(
                "conflict",
                f"cannot start: another jitd (pid {pid}) manages the interfaces of this machine",
                'Stop the other jitd first. A dry run beside it works with backend = "memory".',
            )

    def release(self) -> None:
        """Give it back."""
        self._socket.close()


def _held_by(uid: int) -> list[bytes]:
    """The names of locks that root or `uid` holds in this network namespace. Raises OSError."""
    try:
        return [name for name, owner in _named_sockets() if owner in (0, uid) and name.startswith(_PREFIX)]
    except FileNotFoundError:
        log.warning("cannot look for another jitd on this machine: its kernel has no unix_diag")
        return []


def _named_sockets() -> Iterator[tuple[bytes, int | None]]:
    """(name, uid of who made it) of the Unix sockets of this network namespace. Raises OSError."""
    with socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG
    ) as kernel:
        kernel.settimeout(_SECONDS)
        any_ = 0xFFFFFFFF
        request = _REQUEST.pack(socket.AF_UNIX, 0, 0, any_, 0, _SHOW_NAME | _SHOW_UID, any_, any_)
        kernel.send(_HEADER.pack(_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, _DUMP, 1, 0) + request)
        while True:
            answer = kernel.recv(65536)
            while answer:
                length, kind, *_ = _HEADER.unpack_from(answer)
                message, answer = answer[_HEADER.size : length], answer[_aligned(length) :]
                if kind == _NLMSG_DONE:
                    return
                if kind == _NLMSG_ERROR:
                    number = -struct.unpack_from("=i", message)[0]
                    raise OSError(number, os.strerror(number))
                found = _attributes(message[_ANSWER.size :])
                if _NAME in found:
                    yield found[_NAME], int.from_bytes(found[_UID], sys.byteorder) if _UID in found else None


def _attributes(data: bytes) -> dict[int, bytes]:
    found = {}
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        found[kind] = data[_ATTRIBUTE.size : length]
        data = data[_aligned(length) :]
    return found


def _aligned(length: int) -> int:
    return (length + 3) & ~3
