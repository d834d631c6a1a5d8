"""How jitctl reaches jitd: over the Unix socket, or through ssh to the socket of another machine.

HTTP with the connection closed behind each answer needs no more than this, and imports nothing that is slow. Streams
are asked for as HTTP/1.1, because only its chunks have an end mark: without one, an audit log that was cut off in the
middle would look complete.
"""

import errno
import io
import json
import os
import re
import select
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO, Any, Final, NamedTuple

from jitctl.api import answers
from jitd.core.commandline import shell
from jitd.core.errors import KINDS, JitError

DEFAULT_SOCKET: Final = "/run/jitd/jitd.sock"
#: Seconds that an answer may take. The daemon gives up waiting for its worker before that, and says so.
ANSWER_SECONDS: Final = 30.0
#: Seconds without a line on an event stream; the daemon sends an empty one every 15 s.
SILENCE_SECONDS: Final = 45.0
#: Seconds to go on trying while the daemon's backlog is full.
CONNECT_SECONDS: Final = 5.0
#: Seconds that a connection is good for another request; the daemon closes it after its idle_seconds (30).
_KEPT_SECONDS: Final = 5.0
#: Headers of an answer, and digits of a length.
_MOST_HEADERS: Final = 100
_MOST_DIGITS: Final = 12
_STATUS: Final = re.compile(rb"[1-5][0-9]{2}")
#: What is missing where nothing came, or the connection was reset.
_NONE: Final = "the connection ended without one"


class Cut(NamedTuple):
    """How a channel ended without an answer: what is missing, in words, and whether its granted time was over
    (`late`).
    """

    why: str
    late: bool = False


class Channel:
    """An open connection to jitd: a socket, and for another machine the ssh process behind it."""

    def __init__(
        self,
        connected: socket.socket,
        ended: Callable[[Cut | None], JitError | None] = lambda _cut: None,
        limit: float | None = None,
    ) -> None:
        """`ended` is called once the channel is closed: with what is missing it tells what went wrong on the way, None
        for nothing. `limit` is how many seconds one call may take, None for as long as there is somebody to type.
        """
        self._socket = connected
        self._ended = ended
        self._limit = limit
        self._deadline: float | None = None
        self._closed = False
        self._answered = 0.0  # when it gave its last answer, by the monotonic clock; 0 before
        self.reader = connected.makefile("rb")
        self.begin()

    def send(self, data: bytes) -> None:
        """Send all of it. A daemon that has closed already may have answered before, so that is no error here."""
        try:
            self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return

    def begin(self) -> None:
        """A call begins: its time runs from now on."""
        if self._limit is not None:
            self._deadline = time.monotonic() + self._limit
            self._socket.settimeout(self._limit)

    def patience(self, seconds: float) -> None:
        """How long one read may take, within the time of the whole call."""
        if self._deadline is not None:
            seconds = min(seconds, max(self._deadline - time.monotonic(), 0.01))
        self._socket.settimeout(seconds)

    def keep(self) -> None:
        """An answer was read to its end, and another request may follow."""
        self._answered = time.monotonic()

    @property
    def is_open(self) -> bool:
        """Whether nobody has closed it on this side."""
        return not self._closed

    def is_kept(self) -> bool:
        """Whether another request may be sent: the last answer is not long ago, and the other side has not closed."""
        young = time.monotonic() < self._answered + _KEPT_SECONDS
        return not self._closed and young and self.is_quiet(0)

    def is_quiet(self, seconds: float) -> bool:
        """Wait up to so long for something to read, or the end; returns whether neither came."""
        patience = self._socket.gettimeout()
        # What was read already and not asked for yet is in the reader, where select does not see it.
        self._socket.settimeout(0)
        try:
            read = self.reader.peek(1)
        finally:
            self._socket.settimeout(patience)
        return not read and not select.select([self._socket], [], [], seconds)[0]

    def close(self, cut: Cut | None = None) -> JitError | None:
        """Close it. Where an answer was `cut` off, returns what went wrong on the way, None for nothing."""
        if self._closed:
            return None
        self._closed = True
        self.reader.close()
        self._socket.close()
        return self._ended(cut)


def is_elsewhere() -> bool:
    """Whether a jitd of another machine may be meant where no option says so: in the environment, or by a profile."""
    if os.environ.get("JITCTL_HOST") or os.environ.get("JITCTL_PROFILE"):
        return True
    return not os.environ.get("JITCTL_SOCKET") and has_profiles()


def has_profiles() -> bool:
    """Whether this user has set up a gateway."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    base = base if base.startswith("/") else os.path.expanduser("~/.config")  # noqa: PTH111 - pathlib costs a prompt 5 ms
    return os.path.exists(f"{base}/jitctl/config.toml")  # noqa: PTH110


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
            f"cannot reach jitd: the socket {path} does not exist",
            "Start it (systemctl start jitd, or jitd run), or name another socket with --socket or JITCTL_SOCKET.",
        )
    if isinstance(error, ConnectionRefusedError):
        return JitError(
            "unreachable",
            f"cannot reach jitd: no process answers on {path}",
            "Start it: systemctl start jitd (or jitd run); to see why it stopped: journalctl -u jitd",
        )
    if isinstance(error, PermissionError):
        return JitError(
            "unreachable",
            f"cannot reach jitd: no permission for {path}",
            f"Every user should be able to connect (see {shell('ls', '-l', path)}); to create the socket "
            "again: sudo systemctl restart jitd",
        )
    if error.errno == errno.EAGAIN:
        return JitError(
            "unreachable",
            f"cannot reach jitd on {path}: it listens, but accepts no connection",
            "Try again in a moment; see: systemctl status jitd",
        )
    return JitError("unreachable", f"cannot reach jitd on {path}: {error.strerror or error}", "")


class _Head(NamedTuple):
    """What the status line and the headers of an answer say; `length` in bytes, None when it is not told, and the
    version of the jitd that gave it, "" for one that does not tell.
    """

    status: int
    length: int | None
    chunked: bool
    closes: bool
    version: str


class _CutOffError(Exception):
    """The answer ended before its end; says what is missing."""


@contextmanager
def _asking(
    channel: Channel, method: str, path: str, body: object, http: str = "1.0", then: str = "close"
) -> Iterator[IO[bytes]]:
    """Send a request and give the answer's stream, its status line and headers still unread. Closes the channel where it
    does not come to a good end.
    """
    payload = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/{http}\r\nHost: jitd\r\nPrefer: hints=data\r\nConnection: {then}\r\n"
    if body is not None:
        head += f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n"
    try:
        try:
            channel.send(head.encode() + b"\r\n" + payload)
            yield channel.reader
        except TimeoutError:
            raise _cut(channel, Cut("it does not answer in time", late=True)) from None
        except _CutOffError as error:
            raise _cut(channel, Cut(str(error))) from None
        except ConnectionResetError:
            raise _cut(channel, Cut(_NONE)) from None
    except BaseException:
        channel.close()
        raise


def _cut(channel: Channel, cut: Cut) -> JitError:
    """What to say of an answer that did not come. What went wrong on the way (ssh) says more than that it is missing."""
    return channel.close(cut) or JitError(
        "unreachable", f"cannot get an answer from jitd: {cut.why}", "See: systemctl status jitd"
    )


def ask(
    channel: Channel, method: str, path: str, body: object = None, *, keep: bool = False
) -> dict[str, Any]:
    """One request and its answer. Raises JitError: the daemon's own, or unreachable.

    With `keep` the channel stays open behind an answer, if the daemon agrees; see Channel.is_kept.
    """
    channel.begin()
    http, then = ("1.1", "keep-alive") if keep else ("1.0", "close")
    with _asking(channel, method, path, body, http, then) as stream:
        head = _head(stream)
        # After the first byte nobody is typing a passphrase any more.
        channel.patience(ANSWER_SECONDS)
        text = _whole(head, stream)
    if keep and not head.closes and head.length is not None:
        channel.keep()
    else:
        channel.close()
    return _answer(head, text, path)


def introduce(connected: socket.socket, user: str) -> None:
    """Tell jitd for whom this connection speaks from now on. Raises JitError: the daemon's own, or unreachable.

    The connection stays open behind the answer, so that just as much is read of it as the answer has.
    """
    body = json.dumps({"user": user}).encode()
    head = f"POST /v1/gate HTTP/1.1\r\nHost: jitd\r\nPrefer: hints=data\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    try:
        with suppress(BrokenPipeError, ConnectionResetError):  # it may have said why before it closed
            connected.sendall(head.encode() + body)
        with connected.makefile("rb", buffering=0) as stream:
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += stream.read(1) or _cut_off()
            told = _head(io.BytesIO(answer))
            text = b""
            while len(text) < (told.length or 0):
                text += stream.read((told.length or 0) - len(text)) or _cut_off()
    except (OSError, _CutOffError):
        raise JitError(
            "unreachable",
            "cannot get an answer from jitd: it closed the connection",
            "See: systemctl status jitd",
        ) from None
    _answer(told, text, "/v1/gate")


def _cut_off() -> bytes:
    raise _CutOffError(_NONE)


def follow(
    channel: Channel, path: str, wake: Callable[[], float] | None = None
) -> Iterator[dict[str, Any] | None]:
    """The lines of a stream, until the daemon ends it. Raises JitError as `ask` does, also when it is cut off, or
    when the daemon drops a reader and says why.

    With `wake` there is a None first, once the stream has begun, and another one whenever nothing has come for so
    many seconds as `wake` says then.
    """
    channel.begin()
    with _asking(channel, "GET", path, None, http="1.1") as stream:
        head = _head(stream)
        channel.patience(SILENCE_SECONDS)
        if head.status != 200:
            _answer(head, _whole(head, stream), path)
        pieces = _chunks(stream) if head.chunked else iter(lambda: stream.readline(answers.MOST_BYTES), b"")
        rest = b""
        if wake is not None:
            yield None
        while True:
            if wake is not None:
                yield from _pauses(channel, wake)
            piece = next(pieces, None)
            if piece is None:
                break
            _within(len(rest) + len(piece))
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                if line.strip():
                    yield _line(line, head.version)
        if rest:
            raise _CutOffError("the connection broke in the middle of a line")
        channel.close()


def _pauses(channel: Channel, wake: Callable[[], float]) -> Iterator[None]:
    """None as often as nothing comes for the seconds that `wake` says, until something comes."""
    silent = time.monotonic() + SILENCE_SECONDS
    while channel.is_quiet(min(max(wake(), 0), SILENCE_SECONDS)):
        if time.monotonic() >= silent:
            raise TimeoutError
        yield None


def _line(line: bytes, version: str) -> dict[str, Any]:
    """One line of a stream. Raises JitError where it is the daemon's last word to a reader that it drops."""
    try:
        found = answers.decoded(line, version)
    except ValueError:
        raise _CutOffError("a line is not in the format of jitd") from None
    if isinstance(found.get("error"), dict):
        raise _told(found["error"])
    return found


def _head(stream: IO[bytes]) -> _Head:
    """Read the status line and the headers."""
    line = stream.readline(4096)
    first = line.split()
    if not line:
        _cut_off()
    if len(first) < 2 or not first[0].startswith(b"HTTP/") or not _STATUS.fullmatch(first[1]):
        # A shell that greets, or another program: its words are the best hint.
        raise _CutOffError(f"it begins with {line.decode(errors='replace').strip()[:60]!r}")
    length, chunked, closes, version = None, False, first[0] == b"HTTP/1.0", ""
    for _ in range(_MOST_HEADERS):
        line = stream.readline(65536).strip()
        if not line:
            break
        name, _, value = line.partition(b":")
        name, value = name.lower(), value.strip()
        if name == b"content-length" and value.isdigit():
            length = _size(value, 10)
        chunked |= name == b"transfer-encoding" and value.lower() == b"chunked"
        closes |= name == b"connection" and value.lower() == b"close"
        if name == b"server" and value.startswith(b"jitd/"):
            version = value[5:40].decode(errors="replace")
    else:
        raise _CutOffError("its head has no end")
    return _Head(int(first[1]), length, chunked, closes, version)


def _whole(head: _Head, stream: IO[bytes]) -> bytes:
    """The body of an answer."""
    if head.chunked:
        pieces, length = [], 0
        for piece in _chunks(stream):
            pieces.append(piece)
            length = _within(length + len(piece))
        return b"".join(pieces)
    body = stream.read(answers.MOST_BYTES + 1 if head.length is None else head.length)
    _within(len(body))
    if head.length is not None and len(body) < head.length:
        raise _CutOffError("the connection broke in the middle of it")
    return body


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """The pieces of a chunked body."""
    while True:
        count = _size(stream.readline(64).partition(b";")[0].strip(), 16)
        if count == 0:
            return
        piece = stream.read(count)
        if len(piece) < count:
            raise _CutOffError("the connection broke in the middle of it")
        stream.readline(64)
        yield piece


def _size(digits: bytes, base: int) -> int:
    """A length in bytes. Raises _CutOffError for what is none, and where no answer has that."""
    try:
        count = int(digits[:_MOST_DIGITS], base)
    except ValueError:
        raise _CutOffError("the connection broke in the middle of it") from None
    return _within(count if len(digits) <= _MOST_DIGITS else answers.MOST_BYTES + 1)


def _within(count: int) -> int:
    """So many bytes. Raises _CutOffError where no answer has that."""
    if not 0 <= count <= answers.MOST_BYTES:
        raise _CutOffError("it is longer than any reply of jitd")
    return count


def _answer(head: _Head, text: bytes, path: str) -> dict[str, Any]:
    try:
        decoded = answers.decoded(text, head.version)
    except ValueError:
        raise JitError(
            "unreachable",
            f"cannot read jitd's answer (HTTP {head.status}): it is not in the format of jitd",
            "Check that jitd answers there.",
        ) from None
    if head.status < 400:
        return decoded
    error = _told(decoded)
    if error.code in ("unknown_route", "unknown_key"):
        from jitctl.api import skew

        raise skew.unknown(error, path, head.version)
    raise error


def _told(body: Mapping[str, Any]) -> JitError:
    """The daemon's error. A code that this jitctl does not know counts as a failure; its words are shown all the same."""
    code = str(body.get("code", "internal"))
    return JitError(
        code if code in KINDS else "internal", str(body.get("message", "")), str(body.get("hint", ""))
    )


def default_socket() -> str:
    """$JITCTL_SOCKET, else jitd's usual place."""
    return os.environ.get("JITCTL_SOCKET") or DEFAULT_SOCKET
