"""Connections that are told no and closed, in such a way that whoever made them can read it.

A Unix socket that is closed with something unread in it gives its other end ECONNRESET, and one that is closed at once gives
EPIPE to a client that still writes its request. So what comes is read and thrown away until the client has gone, or for a
moment.
"""

import asyncio
import socket
from collections import Counter
from typing import Final

from jitd.core.errors import JitError
from jitd.server.replies import raw_error

#: Seconds that a refused client has to read and close.
LINGER_SECONDS: Final = 2.0
#: So many of them at the same time; the oldest are closed first.
MOST: Final = 64
#: Bytes that are read and thrown away of one.
_BYTES: Final = 262_144


class Refusals:
    """Refused sockets until they are closed."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.by_code: Counter[str] = Counter()  # how many, by code of the error
        self._open: dict[socket.socket, tuple[asyncio.TimerHandle, int]] = {}

    def refuse(self, sock: socket.socket, error: JitError) -> None:
        """Say why, and close. The socket is non-blocking, and nothing was written to it yet, so that all of this fits."""
        self.by_code[error.code] += 1
        try:
            sock.send(raw_error(error))
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            sock.close()  # it has gone already
            return
        while len(self._open) >= MOST:
            self._close(next(iter(self._open)))
        self._open[sock] = self._loop.call_later(LINGER_SECONDS, self._close, sock), 0
        self._loop.add_reader(sock, self._read, sock)

    def close(self) -> None:
        """Close all of them."""
        for sock in list(self._open):
            self._close(sock)

    def _read(self, sock: socket.socket) -> None:
        try:
            got = sock.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            got = b""
        timer, before = self._open[sock]
        if not got or before + len(got) > _BYTES:
            self._close(sock)
        else:
            self._open[sock] = timer, before + len(got)

    def _close(self, sock: socket.socket) -> None:
        timer, _ = self._open.pop(sock)
        timer.cancel()
        self._loop.remove_reader(sock)
        sock.close()
