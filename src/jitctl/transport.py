"""How jitctl reaches jitd: over the Unix socket, or through ssh to the socket of another machine.

HTTP/1.0 with the connection closed behind each answer needs no more than this, and imports nothing that is slow.
"""

import errno
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Final, cast

from jitd.core.errors import KINDS, JitError

DEFAULT_SOCKET: Final = "/run/jitd/jitd.sock"
#: Seconds that an answer may take. The daemon gives up waiting for its worker before that, and says so.
ANSWER_SECONDS: Final = 30.0
#: Seconds without a line on an event stream; the daemon sends an empty one every 15 s.
SILENCE_SECONDS: Final = 45.0
#: Seconds to go on trying while the daemon's backlog is full.
CONNECT_SECONDS: Final = 5.0


class Channel:
    """An open connection to jitd: a socket, and for another machine the ssh process behind it."""

    def __init__(self, connected: socket.socket, ended: Callable[[], str] = lambda: "") -> None:
        """`ended` is called when the channel is closed, and tells what went wrong on the way, "" for nothing."""
        self._socket = connected
        self._ended = ended
        self._why: str | None = None
        self.reader = connected.makefile("rb")

    def send(self, data: bytes) -> None:
        """Send all of it. A daemon that has closed already may have answered before, so that is no error here."""
        try:
            self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return

    def patience(self, seconds: float) -> None:
        """How long one read may take."""
        self._socket.settimeout(seconds)

    def close(self) -> str:
        """Close it. Returns what went wrong on the way, "" for nothing."""
        if self._why is None:
            self.reader.close()
            self._socket.close()
            self._why = self._ended()
        return self._why


def connect(path: str) -> socket.socket:
    """A connection to jitd's socket. Raises JitError unreachable with what helps."""
    deadline = time.monotonic() + CONNECT_SECONDS
    while True:
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        channel.settimeout(ANSWER_SECONDS)
        try:
            channel.connect(path)
        except OSError as error:
            channel.close()
            # The backlog is full for a moment: the kernel says so at once and does not wait.
            if error.errno == errno.EAGAIN and time.monotonic() < deadline:
                time.sleep(0.02)
                continue
            raise _unreachable(path, error) from error
        return channel


def _unreachable(path: str, error: OSError) -> JitError:
    if isinstance(error, FileNotFoundError):
        return JitError(
            "unreachable",
            f"cannot reach jitd: there is no socket {path}",
            "Start it (systemctl start jitd, or jitd run), or name another socket with --socket or JITCTL_SOCKET.",
        )
    if isinstance(error, ConnectionRefusedError):
        return JitError(
            "unreachable",
            f"cannot reach jitd: nobody answers on {path}",
            "Start it: systemctl start jitd (or jitd run); see why it stopped with: journalctl -u jitd",
        )
    if isinstance(error, PermissionError):
        return JitError(
            "unreachable", f"cannot reach jitd: no permission for {path}", f"Look at it with: ls -l {path}"
        )
    return JitError("unreachable", f"cannot reach jitd on {path}: {error.strerror or error}", "")


@contextmanager
def _asking(channel: Channel, method: str, path: str, body: object) -> Iterator[IO[bytes]]:
    """Send a request and give the answer's stream, its status line and headers still unread."""
    payload = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.0\r\nHost: jitd\r\n"
    if body is not None:
        head += f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n"
    try:
        channel.send(head.encode() + b"\r\n" + payload)
        yield channel.reader
    except TimeoutError:
        raise JitError(
            "unreachable",
            "cannot get an answer from jitd: it does not answer in time",
            "See: systemctl status jitd",
        ) from None
    except ConnectionResetError:
        raise JitError(
            "unreachable", "cannot get an answer from jitd: it closed the connection", ""
        ) from None
    finally:
        channel.close()


def ask(channel: Channel, method: str, path: str, body: object = None) -> dict[str, Any]:
    """One request and its answer. Raises JitError: the daemon's own, or unreachable."""
    with _asking(channel, method, path, body) as stream:
        status = _head(channel, stream)
        text = stream.read()
    return cast("dict[str, Any]", _answer(status, text))


def follow(channel: Channel, path: str) -> Iterator[dict[str, Any]]:
    """The lines of a stream, until the daemon ends it. Raises JitError as `ask` does."""
    channel.patience(SILENCE_SECONDS)
    with _asking(channel, "GET", path, None) as stream:
        status = _head(channel, stream)
        if status != 200:
            _answer(status, stream.read())
        for line in stream:
            if line.strip():
                yield json.loads(line)


def _head(channel: Channel, stream: IO[bytes]) -> int:
    """Read the status line and the headers; returns the HTTP status."""
    first = stream.readline(4096).split()
    if len(first) < 2 or not first[0].startswith(b"HTTP/") or not first[1].isdigit():
        why = channel.close()
        raise JitError(
            "unreachable",
            "cannot get an answer from jitd: " + (why or "the connection ended without one"),
            "",
        )
    while stream.readline(65536).strip():
        pass
    return int(first[1])


def _answer(status: int, text: bytes) -> object:
    try:
        decoded = json.loads(text)
    except ValueError:
        raise JitError(
            "unreachable",
            f"cannot read jitd's answer (HTTP {status}): it is not JSON",
            "Is it jitd that answers there?",
        ) from None
    if status < 400:
        return decoded
    code = str(decoded.get("code", "internal"))
    raise remote_error(code, str(decoded.get("message", "")), str(decoded.get("hint", "")))


def remote_error(code: str, message: str, hint: str) -> JitError:
    """The daemon's error. A code that this jitctl does not know counts as a failure; its words are shown all the same."""
    return JitError(code if code in KINDS else "internal", message, hint)


def default_socket() -> str:
    """$JITCTL_SOCKET, else jitd's usual place."""
    return os.environ.get("JITCTL_SOCKET") or DEFAULT_SOCKET
