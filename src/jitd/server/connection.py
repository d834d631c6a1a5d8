"""One connection that has a place: spoken to in HTTP, with limits that hold before any request is complete.

What is relied on of aiohttp beyond its documentation: `RequestHandler(manager, loop=…, **options)` is how its
own `web.Server` makes a connection; `data_received`, `connection_made`, `connection_lost` and `eof_received`
are asyncio's; `handle_error` is called for what could not be parsed; `close` lets the current request finish
and reads no other one; `force_close` closes behind what was written.
"""

import asyncio
import logging
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from jitd.core.configuration import Limits
from jitd.core.errors import JitError
from jitd.core.model import Actor
from jitd.core.people import Directory
from jitd.core.text import clean
from jitd.server.peer import Peer, identify
from jitd.server.places import Person, Place, Places
from jitd.server.replies import error_reply, raw_error

log = logging.getLogger("jitd.server")

#: How long a body that was refused is still read and thrown away, so that its sender reads the refusal;
#: seconds.
_LINGER: Final = 2.0
#: A request whose sender has closed its side is complete by now, or never will be; seconds.
_AFTER_EOF: Final = 0.5
_MOST_HEADERS: Final = 100


_UNREADABLE: Final = JitError(
    "bad_request", "cannot read the request as HTTP", "Use HTTP/1.1, as curl --unix-socket does."
)


@dataclass(frozen=True, slots=True)
class ServerContext:
    """What every connection needs of the server."""

    manager: web.Server
    places: Places
    limits: Limits
    directory: Directory
    executor: Executor  # reads /proc of whoever asks
    executor_of_administrators: Executor  # nobody else's questions stand before theirs


class Connection(web.RequestHandler):
    """An admitted connection: who it is, and how long and how much it may send until a request is complete."""

    def __init__(
        self, context: ServerContext, peer: Peer, place: Place, loop: asyncio.AbstractEventLoop
    ) -> None:
        limits = context.limits
        super().__init__(
            context.manager,
            loop=loop,
            keepalive_timeout=limits.idle_seconds,
            tcp_keepalive=False,
            access_log=None,  # type: ignore[arg-type]  # documented as the way to have none
            max_line_size=limits.header_bytes,
            max_field_size=limits.header_bytes,
            max_headers=_MOST_HEADERS,
            lingering_time=_LINGER,
            auto_decompress=False,  # or a small body could become a large one
        )
        self.peer = peer
        self.place = place
        place.give_way = self._give_way
        #: Set when the connection is gone.
        self.gone = asyncio.Event()
        #: Set by a stream without an end: when its reader closes its side, nobody is there any more.
        self.endless = False
        #: The client sends nothing more, but may still read.
        self.half_closed = False
        self._context = context
        self._actor: Actor | None = None
        self._refused: JitError | None = None
        self._handling = False
        self._has_body = False
        self._received = 0  # bytes since the last request was taken up
        # More than one request at its largest, also when it comes in small chunks.
        self._allowance = limits.header_bytes + 2 * limits.body_bytes
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def person(self) -> Person:
        """Whose limits count: the uid, or who speaks through a gate."""
        return self.place.person

    async def actor(self) -> Actor:
        """Who this is. Looked up once. Raises JitError not_permitted."""
        if self._actor is None:
            context = self._context
            executor = context.executor_of_administrators if self.place.admin else context.executor
            self._actor = await identify(self.peer, context.directory, executor)
        return self._actor

    def speak_for(self, uid: int, user: str) -> None:
        """From now on this connection is somebody who is registered here, for good. The service has allowed it.

        Raises JitError limit when this person has no place left: one of them must not hold out the others of the gate.
        """
        assert self._actor is not None
        self.place = self._context.places.move(self.place, user)
        through = f"gate of {self._actor.user}"
        origin = f"{through}, {self._actor.origin}" if self._actor.origin else through
        self._actor = Actor(uid=uid, user=user, pid=self._actor.pid, origin=origin)

    # --- around a request, called by the server ---

    def begin(self) -> None:
        """A complete head has arrived. Raises ConnectionResetError when the client was told already that none
        had.
        """
        if self.transport is None or self._refused:
            raise ConnectionResetError
        self._stop_waiting()
        self._handling, self._has_body, self._received = True, False, 0
        if self.half_closed:
            self.close()

    def is_read(self) -> None:
        """The request is complete: whatever comes now belongs to another one, and the place is kept for the reply.

        Raises ConnectionResetError when the client was told already that there is no answer.
        """
        self.expect_answer()
        self._has_body = True
        self._context.places.working(self.place)

    def expect_answer(self) -> None:
        """Raises ConnectionResetError when the client was told already that there is none."""
        if self._refused:
            raise ConnectionResetError

    def end(self) -> None:
        """The reply has been written."""
        self._handling, self.endless, self._received = False, False, 0
        self._context.places.idle(self.place)

    def abort(self) -> None:
        """Close at once, without what is still to be written."""
        transport = self.transport
        self.force_close()
        if transport is not None:
            transport.abort()

    def dismiss(self, last: bytes, seconds: float) -> None:
        """Close behind what is still to be written and these last bytes; at once when they are not taken in time."""
        transport = self.transport
        if transport is None:
            return
        transport.write(last)
        self.force_close()
        asyncio.get_running_loop().call_later(seconds, transport.abort)

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """HTTP begins, and with it the time for a first request."""
        super().connection_made(transport)
        if self._refused is None:
            self._wait(self._context.limits.read_seconds)
        else:
            self._send_error(self._refused)  # it gave way before it had begun

    def data_received(self, data: bytes) -> None:
        """Count and time what comes before a request is complete; aiohttp has no limit for either."""
        self._received += len(data)
        if self._refused:
            return
        if self._handling:
            # No pipelining: what is being answered is answered, and the rest is not kept.
            if self._has_body or self._received > self._allowance:
                self.close()
        elif self._received > self._allowance:
            self._refuse(self._too_large())
            return
        elif self._deadline is None:
            self._wait(self._context.limits.read_seconds)
        try:
            super().data_received(data)
        except Exception as error:  # noqa: BLE001 - what a parser trips over is the client's doing, and told to it alone
            log.debug("unreadable request of uid %s: %s", self.peer.uid, type(error).__name__)
            self._refuse(_UNREADABLE)

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio asks for it; aiohttp always says None
        """Keep a half-closed connection open until its reply is sent: `printf … | nc -N` wants to read it."""
        if self._refused or self.endless or not (self._received or self._handling):
            return False
        self.half_closed = True
        if self._handling:
            self.close()
        else:
            self._wait(_AFTER_EOF)
        return True

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give the place back."""
        self._stop_waiting()
        self._context.places.leave(self.place)
        self.gone.set()
        super().connection_lost(exc)

    async def start(self) -> None:
        """Take one request after the other. What aiohttp trips over is the client's doing, and told to it alone."""
        try:
            await super().start()
        except Exception as error:  # noqa: BLE001 - for example of a target that is no URL
            log.debug("unusable request of uid %s: %s", self.peer.uid, type(error).__name__)
            self._refuse(_UNREADABLE)

    # --- limits ---

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._deadline = asyncio.get_running_loop().call_later(seconds, self._too_late)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        if self._received:
            self._refuse(
                JitError(
                    "bad_request",
                    "cannot answer: the request did not arrive completely in time",
                    f"Send it within {self._context.limits.read_seconds} seconds, headers ended by an empty line.",
                )
            )
        else:
            self.force_close()  # it never said anything, so it is told nothing

    def _give_way(self) -> None:
        """Somebody else has got the place of this connection, which is idle."""
        self._refuse(
            JitError(
                "limit",
                "cannot keep this connection open: all connections are in use, and this one was idle",
                "Try again.",
            )
        )

    def _refuse(self, error: JitError) -> None:
        """Say why, and close. What is still being sent is thrown away for a moment: its sender could not read
        the reply if writing failed first.
        """
        if self._refused is None:
            self._refused = error
            self._send_error(error)

    def _send_error(self, error: JitError) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(raw_error(error))
            self.transport.write_eof()
            self._stop_waiting()
            self._deadline = asyncio.get_running_loop().call_later(_LINGER, self.force_close)

    def _too_large(self) -> JitError:
        return JitError(
            "too_large",
            f"cannot read the request: its headers are larger than {self._context.limits.header_bytes} bytes",
            "Send fewer and shorter headers.",
        )

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,  # noqa: ARG002 - aiohttp's signature
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The reply to what is no HTTP. Anyone can cause it, so the log has it at debug level only."""
        log.debug("unreadable request of uid %s: %s", self.peer.uid, type(exc).__name__)
        if self._refused or request.writer.output_size > 0:
            raise ConnectionResetError  # a reply has begun already; only closing is left
        unreadable = JitError(
            "bad_request",
            f"cannot read the request as HTTP: {clean(message or 'it is none')[:80]}",
            "Use HTTP/1.1, as curl --unix-socket does.",
        )
        large = self._received > self._context.limits.header_bytes
        response = error_reply(self._too_large() if large else unreadable)
        response.force_close()
        return response


def connection_of(request: web.BaseRequest) -> Connection:
    """The connection that a request came on."""
    connection = request.protocol
    assert isinstance(connection, Connection)
    return connection
