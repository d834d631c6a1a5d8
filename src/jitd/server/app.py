"""The daemon's HTTP side: from the table of routes to an application on the Unix socket."""

import asyncio
import logging
import os
import resource
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Final, cast

from aiohttp import web

from jitd.core.clock import Clock
from jitd.core.configuration import Config
from jitd.core.errors import JitError
from jitd.core.model import REGISTERED, Actor
from jitd.core.people import Directory
from jitd.server import inputs, openapi
from jitd.server.administrators import Administrators
from jitd.server.admission import Admission
from jitd.server.concurrency import ConcurrencyLimiter, Watchers
from jitd.server.connection import Connection, ServerContext, connection_of
from jitd.server.monitoring import Monitoring
from jitd.server.places import Person, Places, affordable
from jitd.server.rates import Rates
from jitd.server.replies import error_reply, of_http, reply, unexpected, wants_data
from jitd.server.route import Kind, Reply, Route, Service
from jitd.server.routes import ROUTES
from jitd.server.socketfile import SocketFile
from jitd.server.streams import Streamer

log = logging.getLogger("jitd.server")

#: Requests of one uid that are worked on at the same time, and that wait for it.
_AT_ONCE: Final = 4
_WAITING: Final = 8
#: How long a request may wait for its slot, a verb may take, and a reply may stay unread; seconds each.
_LONGEST: Final = 30.0
#: How long requests that are being answered may take when jitd stops, in seconds.
_STOP: Final = 5.0
#: Signs of life of a stream, in seconds.
_HEARTBEAT: Final = 15.0
#: How often the service is asked whether a uid is an administrator's, for places only; milliseconds.
_ASK_AGAIN_MS: Final = 60 * 1000
_STOPPING: Final = JitError(
    "busy", "cannot take another request: jitd is stopping", "Try again when it is back."
)


class Server:
    """Listens on the socket of the configuration and answers from the service."""

    def __init__(
        self,
        *,
        config: Config,
        service: Service,
        directory: Directory,
        clock: Clock,
        version: str,
        table: Sequence[Route] = ROUTES,
        heartbeat: float = _HEARTBEAT,
        longest: float = _LONGEST,
        slowest: float = _LONGEST,
    ) -> None:
        self._config = config
        self._service = service
        self._directory = directory
        self._clock = clock
        self._longest = longest
        self._administrators = Administrators(os.geteuid(), config.daemon.state_dir)
        limits = config.limits
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        connections = affordable(limits.connections, limits.connections_reserved, files)
        self._few = (
            f"only {connections} of {limits.connections} connections at a time: {files} open files are allowed"
            " (LimitNOFILE= of its unit)"
            if connections < limits.connections
            else ""
        )
        if self._few:
            log.warning("%s", self._few)
        self._places = Places(
            total=connections,
            reserved=limits.connections_reserved,
            per_user=limits.connections_per_user,
            now=time.monotonic,
        )
        self._limiter = ConcurrencyLimiter(at_once=_AT_ONCE, waiting=_WAITING)
        self._watchers = Watchers(limits.watchers_per_user)
        self._rates = Rates(
            os.geteuid(),
            self._administrators,
            clock,
            per_minute=limits.changes_per_minute,
            per_day=limits.changes_per_day,
        )
        self._executor = ThreadPoolExecutor(2, thread_name_prefix="jitd-peer")
        self._executor_of_administrators = ThreadPoolExecutor(1, thread_name_prefix="jitd-admins-peer")
        self._stopping = asyncio.Event()
        self._monitoring = Monitoring(config.metrics, service.measured)
        self._streamer = Streamer(service, self._stopping, heartbeat, longest, slowest)
        self._asked: dict[int, int] = {}  # uid -> boot time of the last question, milliseconds
        self._asking: set[asyncio.Task[None]] = set()
        self._socket: SocketFile | None = None
        self._admission: Admission | None = None
        self._runner = web.AppRunner(
            self._build(table, version), handle_signals=False, shutdown_timeout=_STOP
        )

    # --- life ---

    async def start(self) -> None:
        """Bind the socket and listen on it. Raises JitError when that cannot be done; nothing is left behind
        then.
        """
        limits = self._config.limits
        self._socket = SocketFile(self._config.daemon.socket)
        await self._runner.setup()
        manager = self._runner.server
        assert manager is not None
        context = ServerContext(
            manager,
            self._places,
            limits,
            self._directory,
            self._executor,
            self._executor_of_administrators,
        )
        self._admission = Admission(context, self._administrators, self._directory)
        await self._admission.open()
        self._socket.serve(self._admission)
        admission = self._admission
        self._monitoring.connections = lambda: (self._places.taken, admission.refused)
        await self._monitoring.start()

    async def look(self) -> list[str]:
        """Put right what keeps clients out, and say what is wrong, one sentence each."""
        assert self._socket is not None
        assert self._admission is not None
        await self._socket.keep()
        problems = [
            self._socket.problem(),
            self._admission.problem(),
            self._few,
            *await self._monitoring.look(),
        ]
        return [problem for problem in problems if problem]

    @property
    def is_reachable(self) -> bool:
        """Whether clients find the socket."""
        return self._socket is not None and self._socket.is_reachable

    async def stop(self) -> None:
        """Listen no more, end streams in order, let requests be answered for a moment, and close."""
        self._stopping.set()
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.close(_STOPPING)
        await self._monitoring.close()
        await self._runner.cleanup()
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)
        if self._admission is not None:
            await self._admission.close()
        self._executor.shutdown(wait=False)
        self._executor_of_administrators.shutdown(wait=False)

    # --- the application ---

    def _build(self, table: Sequence[Route], version: str) -> web.Application:
        application = web.Application(
            middlewares=[self._around], client_max_size=self._config.limits.body_bytes, logger=log
        )
        document = openapi.describe(table, version)

        async def sign(_request: web.Request, response: web.StreamResponse) -> None:
            # From it a jitctl of another version says what to update.
            response.headers["Server"] = f"jitd/{version}"

        application.on_response_prepare.append(sign)
        for route in table:
            application.router.add_route(route.method, route.path, self._handler(route, document))
        return application

    def _handler(
        self, route: Route, document: Mapping[str, Any]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            connection = connection_of(request)
            given = await self._given(request, route)
            connection.is_read()
            if route.kind is Kind.STREAM:
                return await self._stream(request, connection, route, given)
            async with self._turn(connection.person):
                actor = await connection.actor()
                answer = document if route.kind is Kind.DOCUMENT else await self._ask(route, actor, given)
            self._learn(actor)
            if route.kind is Kind.MEASURE:
                return await self._monitoring.reply(cast("Any", answer), request.headers.get("Accept", ""))
            if route.kind is Kind.GATE:
                connection.speak_for(cast("int", answer["uid"]), given["user"])
            return reply(answer, as_data=wants_data(request))

        return handle

    @web.middleware
    async def _around(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Around every request: its connection knows that one is being answered, and every error has one
        shape.
        """
        connection = connection_of(request)
        connection.begin()
        try:
            response = await self._answer(request, handler)
            connection.expect_answer()
            try:
                # Written here and not by aiohttp, so that a reply which nobody reads has a limit, too.
                async with asyncio.timeout(self._longest):
                    await response.prepare(request)
                    await response.write_eof()
            except ConnectionError:
                log.debug("uid %s left before its reply", connection.peer.uid)
            except TimeoutError:
                connection.abort()
            return response
        finally:
            connection.end()

    async def _answer(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            self._check_head(request)
            return await handler(request)
        except ConnectionError:
            raise  # nobody is there, or it was answered already
        except JitError as error:
            self._monitoring.errors[error.code] += 1
            return error_reply(error, as_data=wants_data(request))
        except web.HTTPException as error:
            problem = of_http(error, request)
            self._monitoring.errors[problem.code] += 1
            response = error_reply(problem)
            if "Allow" in error.headers:
                response.headers["Allow"] = error.headers["Allow"]
            return response
        except Exception as error:  # noqa: BLE001 - a mistake of ours becomes a reply here, and is logged
            self._monitoring.errors["internal"] += 1
            return error_reply(unexpected(f"{request.method} {request.path!r}", error))

    def _check_head(self, request: web.Request) -> None:
        if self._stopping.is_set():
            raise _STOPPING
        largest = self._config.limits.header_bytes
        if (
            sum(len(name) + len(value) + 4 for name, value in request.raw_headers) + len(request.raw_path)
            > largest
        ):
            raise JitError(
                "too_large",
                f"cannot read the request: its headers are larger than {largest} bytes",
                "Send fewer and shorter headers.",
            )

    async def _given(self, request: web.Request, route: Route) -> dict[str, Any]:
        """The body of a POST or the query string of a GET, validated. Raises JitError."""
        if route.method != "POST":
            return inputs.query(request.rel_url.raw_query_string, route.takes)
        if request.rel_url.raw_query_string:
            raise JitError(
                "bad_request",
                "cannot use a query string here",
                "Send the fields as a JSON object in the body.",
            )
        limits = self._config.limits
        too_large = JitError(
            "too_large",
            f"cannot take a body of more than {limits.body_bytes} bytes",
            "Send less in one request.",
        )
        if (request.content_length or 0) > limits.body_bytes:
            raise too_large  # before any of it is read
        try:
            async with asyncio.timeout(limits.read_seconds):
                raw = await request.read()
        except TimeoutError:
            raise JitError(
                "bad_request",
                "cannot answer: the body did not arrive completely in time",
                f"Send it within {limits.read_seconds} seconds, as long as Content-Length says.",
            ) from None
        except web.HTTPRequestEntityTooLarge:
            raise too_large from None
        return inputs.body(raw, route.takes)

    # --- asking the service ---

    @asynccontextmanager
    async def _turn(self, person: Person) -> AsyncIterator[None]:
        """A slot of the person's, with a limit for waiting and working together."""
        try:
            async with asyncio.timeout(self._longest), self._limiter.slot(person):
                yield
        except TimeoutError:
            raise JitError(
                "busy",
                f"cannot answer within {self._longest:g} seconds: jitd is overloaded, or an operation hangs",
                "The request may still be carried out: check before you try again.",
            ) from None

    async def _ask(self, route: Route, actor: Actor, given: Mapping[str, Any]) -> Reply:
        assert route.verb is not None
        match route.kind:
            case Kind.CHANGE:
                if route.counted:
                    self._rates.take(actor)
                return await self._service.change(route.verb, actor, given)
            case Kind.PEEK:
                return await self._service.peek(route.verb, actor, given)
            case Kind.EXAMINE:
                return await self._service.examine(route.verb, actor, given)
            case Kind.MEASURE:
                return await self._service.measure(route.verb, actor, given)
            case _:
                return await self._service.query(route.verb, actor, given)

    async def _stream(
        self, request: web.Request, connection: Connection, route: Route, given: Mapping[str, Any]
    ) -> web.StreamResponse:
        person = connection.person
        connection.endless = bool(given.get("follow"))
        with self._watchers.place(person):
            async with self._turn(person):
                actor = await connection.actor()
                seen = self._service.feed.seq
                begin = self._streamer.newest if "last" in given else self._streamer.page
                first = await begin(route, actor, given)
            self._learn(actor)
            return await self._streamer.send(request, route, actor, given, first=first, seen=seen)

    def _learn(self, actor: Actor) -> None:
        """Ask the service, behind the reply and not too often, whether this uid gets the places of
        administrators.
        """
        if actor.uid == REGISTERED:
            return  # somebody behind a gate
        now = self._clock.boot_ms()
        last = self._asked.get(actor.uid)
        if last is not None and now - last < _ASK_AGAIN_MS:
            return
        self._asked[actor.uid] = now
        task = asyncio.get_running_loop().create_task(self._learn_now(actor))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _learn_now(self, actor: Actor) -> None:
        try:
            async with asyncio.timeout(self._longest):
                admin = await self._service.actor_admin(actor)
                if self._administrators.learn(actor.uid, admin=admin):
                    await asyncio.to_thread(self._administrators.save)
        except TimeoutError:
            log.warning("cannot tell in time whether %s is an administrator", actor.user)
        except JitError as error:
            log.warning("cannot tell whether %s is an administrator: %s", actor.user, error)
