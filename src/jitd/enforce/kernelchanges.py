"""Being told by the kernel that somebody changed something: a netlink socket that becomes readable then."""

import contextlib
import errno
import os
import socket
from abc import ABC, abstractmethod
from typing import Final

from jitd.enforce import nfmessages
from jitd.enforce.nfnetlink import SO_RCVBUFFORCE
from jitd.enforce.port import EnforceError

_RECEIVE: Final = 1 << 18  # bytes


class KernelChanges(ABC):
    """What one group of a netlink family tells."""

    def __init__(self, family: int, group: int, *, room: int, without: str) -> None:
        """`room` for what was not read yet, in bytes; `without` is what is said where nothing is told.

        Raises EnforceError.
        """
        self._without = without
        try:
            self._socket = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, family
            )
            # Forced, where it may be: what does not fit counts as somebody else's change.
            with contextlib.suppress(PermissionError):
                self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, room)
            self._socket.bind((0, 1 << group - 1))
        except OSError as error:
            raise EnforceError(f"{without}: {error.strerror or error}") from error

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._socket.fileno()

    def foreign(self) -> bool:
        """Read what came. Returns whether it concerns us, as far as can be told."""
        found = False
        while True:
            try:
                data = self._socket.recv(_RECEIVE)
            except BlockingIOError:
                return found
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise EnforceError(f"{self._without}: {os.strerror(error.errno or 0)}") from error
                found = True  # more came than there was room for
                continue
            found = found or any(map(self._concerns, nfmessages.messages(data)))

    @abstractmethod
    def _concerns(self, message: nfmessages.Message) -> bool:
        """Whether a change concerns us."""

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()
