"""Which connections are let in, and which are refused, as cheaply as can be: a flood of connections meets this."""

import asyncio
import errno
import logging
import socket
import time
from collections.abc import Awaitable, Mapping
from typing import Final

from jitd.core.errors import JitError
from jitd.core.people import Answer, Directory
from jitd.server.administrators import Administrators
from jitd.server.connection import Connection, ServerContext
from jitd.server.peer import Peer, peer_of
from jitd.server.refusals import Refusals

log = logging.getLogger("jitd.server")

#: Connections that are accepted before the loop does anything else.
_AT_ONCE: Final = 64
#: Connections of uids whose name is being looked up: all together, and of one uid.
_UNNAMED: Final = 32
_UNNAMED_OF_ONE: Final = 4
#: Seconds for which it is remembered that a uid has a name, and that it has none. Either gives or takes a place, no right.
_NAMED_SECONDS: Final = 86_400.0
_NAMELESS_SECONDS: Final = 30.0
#: So many uids without a name are remembered.
_NAMELESS: Final = 10_000
_OUT_OF: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
#: Seconds to wait when there is no file descriptor left, and between two words about it.
_PATIENCE: Final = 0.5
_TELL_SECONDS: Final = 60.0


class Admission:
    """Accepts connections of listening sockets, finds out whether they have a name, and gives them a place or a refusal."""

    def __init__(self, context: ServerContext, administrators: Administrators, directory: Directory) -> None:
        self._context = context
        self._administrators = administrators
        self._directory = directory
        self._loop = asyncio.get_running_loop()
        self._refusals = Refusals(self._loop)
        self._named: dict[int, float] = {}  # uid -> monotonic second of the last yes
        self._nameless: dict[int, float] = {}
        self._unnamed: dict[int, list[tuple[socket.socket, Peer]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._told_at, self._why = float("-inf"), ""
        self._listening: set[socket.socket] = set()

    async def open(self) -> None:
        """Learn which uids are local users': they never wait for a directory service."""
        now = time.monotonic()
        self._named = dict.fromkeys(await self._directory.local_uids(), now)

    def listen(self, sock: socket.socket) -> None:
        """Accept connections of this socket, which is bound, listening and non-blocking."""
        self._listening.add(sock)
        self._loop.add_reader(sock, self._accept, sock)

    def leave(self, sock: socket.socket, why: JitError | None = None) -> None:
        """Accept no more of this socket, and close it. Who waits in its queue gets in, or is told `why` not."""
        self._listening.discard(sock)
        self._loop.remove_reader(sock)
        while (arrived := self._next(sock)) is not None:
            if why is None:
                self._meet(arrived)
            else:
                self._refusals.refuse(arrived, why)
        sock.close()

    @property
    def refused(self) -> Mapping[str, int]:
        """How many connections were refused, by code of the error."""
        return self._refusals.by_code

    def problem(self) -> str:
        """What keeps connections out now, or did a minute ago; empty when nothing does."""
        if time.monotonic() - self._told_at > _TELL_SECONDS:
            return ""
        return f"cannot accept connections: {self._why} (LimitNOFILE= of its unit)"

    async def close(self) -> None:
        """Let nobody wait any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for waiting in self._unnamed.values():
            for sock, _ in waiting:
                sock.close()
        self._unnamed.clear()
        self._refusals.close()

    def _accept(self, sock: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            arrived = self._next(sock)
            if arrived is None:
                return
            self._meet(arrived)

    def _next(self, sock: socket.socket) -> socket.socket | None:
        try:
            arrived, _ = sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return None
        except OSError as error:
            if error.errno not in _OUT_OF:
                raise
            self._rest(sock, error)
            return None
        arrived.setblocking(False)
        return arrived

    def _rest(self, sock: socket.socket, error: OSError) -> None:
        """No file descriptor is left: whoever connects waits in the kernel's queue for a moment."""
        if time.monotonic() - self._told_at > _TELL_SECONDS:
            self._told_at, self._why = time.monotonic(), error.strerror or str(error)
            log.error("cannot accept connections: %s", error.strerror)
        self._loop.remove_reader(sock)
        self._loop.call_later(_PATIENCE, self._again, sock)

    def _again(self, sock: socket.socket) -> None:
        if sock in self._listening:
            self._loop.add_reader(sock, self._accept, sock)

    def _meet(self, sock: socket.socket) -> None:
        """Take the credentials, which are gone once the client is, and go by them."""
        try:
            peer = peer_of(sock)
        except OSError:
            sock.close()  # nobody knows who it is
            return
        uid, now = peer.uid, time.monotonic()
        if uid in self._administrators or now - self._named.get(uid, float("-inf")) < _NAMED_SECONDS:
            self._admit(sock, peer)
        elif now - self._nameless.get(uid, float("-inf")) < _NAMELESS_SECONDS:
            self._refusals.refuse(sock, _no_name(uid))
        else:
            self._ask(sock, peer)

    def _admit(self, sock: socket.socket, peer: Peer) -> None:
        try:
            place = self._context.places.enter(peer.uid, admin=peer.uid in self._administrators)
        except JitError as error:
            self._refusals.refuse(sock, error)
            return
        connection = Connection(self._context, peer, place, self._loop)
        self._do(self._begin(sock, connection))

    async def _begin(self, sock: socket.socket, connection: Connection) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: connection, sock)
        except BaseException:
            self._context.places.leave(connection.place)
            sock.close()
            raise

    def _ask(self, sock: socket.socket, peer: Peer) -> None:
        """Look up whether the uid has a name, beside everything else."""
        waiting = self._unnamed.get(peer.uid)
        if len(waiting or ()) >= _UNNAMED_OF_ONE or sum(map(len, self._unnamed.values())) >= _UNNAMED:
            self._refusals.refuse(
                sock,
                JitError(
                    "limit",
                    "cannot serve another connection: too many connections wait for the look-up of their "
                    "users",
                    "Try again in a few seconds.",
                ),
            )
        elif waiting is not None:
            waiting.append((sock, peer))
        else:
            self._unnamed[peer.uid] = [(sock, peer)]
            self._do(self._name(peer.uid))

    async def _name(self, uid: int) -> None:
        answer = await self._directory.has_name(uid)
        match answer:
            case Answer.YES:
                self._named[uid] = time.monotonic()
            case Answer.NO:
                self._nameless.pop(uid, None)
                self._nameless[uid] = time.monotonic()
                if len(self._nameless) > _NAMELESS:
                    del self._nameless[next(iter(self._nameless))]
        for sock, peer in self._unnamed.pop(uid):
            match answer:
                case Answer.YES:
                    self._admit(sock, peer)
                case Answer.NO:
                    self._refusals.refuse(sock, _no_name(uid))
                case Answer.UNAVAILABLE:
                    self._refusals.refuse(sock, _no_answer(uid))

    def _do(self, work: "Awaitable[None]") -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Future[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.warning("a connection could not be begun: %s", error)


def _no_name(uid: int) -> JitError:
    return JitError(
        "not_permitted",
        f"cannot tell who you are: the system has no name for uid {uid}",
        "jitd identifies people by user names; see `getent passwd` on the gateway.",
    )


def _no_answer(uid: int) -> JitError:
    return JitError(
        "not_permitted",
        f"cannot tell who you are: the user database of the system does not answer for uid {uid}",
        "Try again when `getent passwd` answers on the gateway.",
    )
