"""What jitctl reads from a channel whose other side says just these bytes."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from jitctl.api import transport
from jitctl.api.transport import Channel
from jitd.core.errors import JitError

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@contextmanager
def canned_reply(*pieces: bytes, why: JitError | None = None) -> Iterator[tuple[Channel, socket.socket]]:
    """A channel whose other side has sent this and closed; `why` is what went wrong on the way."""
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(b"".join(pieces))
        theirs.shutdown(socket.SHUT_WR)
        yield Channel(ours, lambda _cut: why), theirs


def chunk(data: bytes) -> bytes:
    """One piece of a chunked body."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def failure(*pieces: bytes, why: JitError | None = None) -> JitError:
    """How asking ends when this comes back."""
    with canned_reply(*pieces, why=why) as (channel, _), pytest.raises(JitError) as caught:
        transport.ask(channel, "GET", "/v1/list")
    return caught.value
