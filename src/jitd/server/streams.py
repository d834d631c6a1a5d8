"""GET /v1/events as JSON lines: what is there, and with `follow` what comes, each event once and in order."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from jitd import wire
from jitd.core.errors import JitError
from jitd.core.model import Actor
from jitd.queries.eventlog import Page
from jitd.server.connection import Connection, connection_of
from jitd.server.replies import encode, error_body, unexpected
from jitd.server.route import Route, Service

log = logging.getLogger("jitd.server")


@dataclass(frozen=True, slots=True)
class Streamer:
    """Sends events until the reader has all of them, or goes, or jitd stops."""

    service: Service
    stopping: asyncio.Event
    heartbeat: float  # seconds between signs of life
    page_limit: float  # seconds that one page may take
    slowest: float  # seconds that a reader may leave its connection full, and then has to take its leave

    async def page(self, route: Route, actor: Actor, query: Mapping[str, Any]) -> Page:
        """One page of events after `query["after"]`. Raises JitError."""
        assert route.verb is not None
        wanted = {key: value for key, value in query.items() if key not in ("follow", "last", "before")}
        async with asyncio.timeout(self.page_limit):
            page: Page = await self.service.query(route.verb, actor, wanted)
            return page

    async def newest(self, route: Route, actor: Actor, query: Mapping[str, Any]) -> Page:
        """One page with the `query["last"]` newest events below `query["before"]`. Raises JitError."""
        assert route.verb is not None
        wanted = {key: value for key, value in query.items() if key != "follow"}
        found: list[wire.EventView] = []
        reached: int | None = None
        while True:
            # What is rare may be far back: others have their turn between the parts of the way.
            page: Page = await self.service.query(route.verb, actor, wanted)
            found = [*page["events"], *found]
            reached = page["next"] if reached is None else reached
            if len(found) >= query["last"] or not page["before"]:
                return {"events": found, "next": reached}
            wanted |= {"last": query["last"] - len(found), "before": page["before"]}

    async def send(
        self,
        request: web.Request,
        route: Route,
        actor: Actor,
        query: Mapping[str, Any],
        *,
        first: Page,
        seen: int,
    ) -> web.StreamResponse:
        """Stream from the page `first` on; `seen` is a SEQ that was committed before that page was read.

        The status is sent by now, so what goes wrong is told in a last line, `{"error": …}`. A reader that does
        not even take that loses the connection without HTTP's own end mark. By either it knows that there is
        more, and resumes after its last SEQ.
        """
        connection = connection_of(request)
        response = web.StreamResponse(
            headers={"Content-Type": "application/jsonl", "Cache-Control": "no-store"}
        )
        try:
            await response.prepare(request)
            page, after = first, int(query.get("after", 0))
            while not self.stopping.is_set():
                await self._write(response, b"".join(encode(event) for event in page["events"]))
                reached = _reached(page, seen)
                if not query.get("follow") and "last" in query:
                    break
                if reached > after:
                    after = reached  # there may be more: look again before waiting
                elif not query.get("follow") or connection.half_closed:
                    break
                else:
                    # What was committed up to `seen` is in the pages that were read since.
                    await self._news(seen, response, connection.gone)
                    if connection.gone.is_set():
                        return response
                seen = self.service.feed.seq
                page = await self.page(route, actor, {**query, "after": after})
            await response.write_eof()
        except ConnectionError:
            return response  # the reader has gone
        except _SlowError:
            log.info("dropped a watcher of %s: it does not read", actor.user)
            self._dismiss(
                connection,
                response,
                JitError(
                    "limit",
                    f"cannot continue to send events: the client has not read them for {self.slowest:g} "
                    "seconds",
                    "No event is lost: continue after the last event that was received (?after=SEQ).",
                ),
            )
        except TimeoutError:
            log.warning("dropped a watcher of %s: a page took too long", actor.user)
            self._dismiss(
                connection,
                response,
                JitError(
                    "busy",
                    f"cannot read events within {self.page_limit:g} seconds: jitd is overloaded",
                    "Continue after the last event that was received (?after=SEQ).",
                ),
            )
        except Exception as error:  # noqa: BLE001 - a mistake of ours becomes a last line here, and is logged
            self._dismiss(connection, response, unexpected("a stream of events", error))
        return response

    def _dismiss(self, connection: Connection, response: web.StreamResponse, error: JitError) -> None:
        line = encode({"error": error_body(error)})
        if response.headers.get("Transfer-Encoding") == "chunked":
            line = b"%x\r\n%b\r\n0\r\n\r\n" % (len(line), line)
        connection.dismiss(line, self.slowest)

    async def _news(self, seen: int, response: web.StreamResponse, gone: asyncio.Event) -> None:
        """Return when there is an event above `seen`, the reader has gone, or jitd stops; send signs of life
        meanwhile.
        """
        waits = [
            asyncio.ensure_future(self.service.feed.wait(seen)),
            asyncio.ensure_future(gone.wait()),
            asyncio.ensure_future(self.stopping.wait()),
        ]
        try:
            while True:
                done, _ = await asyncio.wait(
                    waits, timeout=self.heartbeat, return_when=asyncio.FIRST_COMPLETED
                )
                if done:
                    return
                await self._write(response, b"\n")
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _write(self, response: web.StreamResponse, data: bytes) -> None:
        if data:
            try:
                async with asyncio.timeout(self.slowest):
                    await response.write(data)
            except TimeoutError:
                raise _SlowError from None


class _SlowError(Exception):
    """The reader has left its connection full for too long."""


def _reached(page: Page, seen: int) -> int:
    """The SEQ up to which a page is complete.

    `next` may count events that were committed while the page was read, and that are not on it. What had been
    committed before (`seen`) and what is on the page is certain.
    """
    events = page["events"]
    return max(min(page["next"], seen), events[-1]["seq"] if events else 0)
