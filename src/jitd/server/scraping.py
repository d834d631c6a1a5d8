"""Metrics on a port of this machine, for a Prometheus that cannot ask on the socket. It asks nobody who they are.

Whoever is on this machine may connect, as often as they like. So it answers one thing alone, to few at a time, for a few
seconds, and not anew more than once a second.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from jitd.core import parsing
from jitd.server.exposition import Answer, Text

log = logging.getLogger("jitd.server")

#: Connections at a time. Further ones are closed at once.
MOST: Final = 8
#: Seconds for which one connection is kept, and for which one answer is good.
SECONDS: Final = 15.0
FRESH_SECONDS: Final = 1.0
#: Seconds between two attempts to listen.
AGAIN_SECONDS: Final = 5.0
_HEAD_BYTES: Final = 8192
_BACKLOG: Final = 16

#: Gives the metrics in one of the formats.
Expose = Callable[[Text], Awaitable[Answer]]


class Scraping:
    """Listens at an address of this machine alone; where that is taken, it tries again until it is free."""

    def __init__(self, address: tuple[str, int], expose: Expose) -> None:
        self._address = address
        self._expose = expose
        self._server: asyncio.Server | None = None
        self._problem = ""
        self._next = float("-inf")  # monotonic seconds of the next attempt
        self._tasks: set[asyncio.Task[None]] = set()
        self._kept: dict[Text, tuple[float, asyncio.Future[Answer]]] = {}

    @property
    def shown(self) -> str:
        """The address as people write it."""
        host, port = self._address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def start(self) -> None:
        """Begin. Where that cannot be, jitd starts all the same."""
        await self.keep()

    async def keep(self) -> None:
        """Listen, unless that is so, or failed a moment ago."""
        if self._server is not None or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + AGAIN_SECONDS
        host, port = self._address
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._server = await asyncio.start_server(
                self._serve, host, port, family=family, backlog=_BACKLOG, limit=_HEAD_BYTES
            )
        except OSError as error:
            problem = f"cannot listen for metrics on {self.shown}: {_why(error)}"
            if problem != self._problem:
                log.error("%s; trying again every %.0f s", problem, AGAIN_SECONDS)  # noqa: TRY400
            self._problem = problem
        else:
            log.info("metrics are read on %s", self.shown)
            self._problem = ""

    def problem(self) -> str:
        """Why nobody can read metrics there; empty when they can."""
        return self._problem and f"{self._problem}; it is tried again ([metrics] listen in jitd.toml)"

    async def close(self) -> None:
        """Listen no more, and end what is going on."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._tasks) >= MOST:
            writer.transport.abort()
            return
        self._tasks.add(task)
        try:
            async with asyncio.timeout(SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(await self._answer(head.decode("latin-1")))
                await writer.drain()
                writer.write_eof()
                # Until the other end has read it: closed with something unread, it would be told of a reset.
                await reader.read()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            log.debug("a scrape was not finished")
        except Exception:
            log.exception("a scrape failed unexpectedly")
        finally:
            self._tasks.discard(task)
            writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()

    async def _answer(self, head: str) -> bytes:
        request, *lines = head.split("\r\n")
        method, _, rest = request.partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)
        }
        if method not in ("GET", "HEAD"):
            return _reply(HTTPStatus.METHOD_NOT_ALLOWED, "cannot do that here: only GET is answered\n")
        if not _is_ours(headers.get("host", "")):
            # A page in somebody's browser may have its own name lead here, and would read the answer as its own.
            return _reply(
                HTTPStatus.FORBIDDEN, f"cannot answer under this name: use http://{self.shown}/metrics\n"
            )
        if path != "/metrics":
            return _reply(HTTPStatus.NOT_FOUND, "cannot find that: metrics are at /metrics\n")
        text, media = await self._fresh(Text.wanted(headers.get("accept", "")))
        return _reply(HTTPStatus.OK, text if method == "GET" else b"", media)

    async def _fresh(self, how: Text) -> Answer:
        """An answer of the last second; all who ask at once get the same one."""
        begun, found = self._kept.get(how, (float("-inf"), None))
        if found is None or (found.done() and time.monotonic() - begun > FRESH_SECONDS):
            found = asyncio.ensure_future(self._expose(how))
            self._kept[how] = time.monotonic(), found
        return await asyncio.shield(found)


def _is_ours(host: str) -> bool:
    """Whether a Host header names this machine itself."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    if name in ("", "localhost"):
        return True
    try:
        return parsing.address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _reply(status: HTTPStatus, body: str | bytes, media: str = "text/plain; charset=utf-8") -> bytes:
    encoded = body.encode() if isinstance(body, str) else body
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {media}\r\nContent-Length: {len(encoded)}\r\n"
        "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + encoded


def _why(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else str(error)
