"""A real server on a real socket, with a service small enough to read: transport tests need no more of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from jitd.core.configuration import Config, Daemon, Enforce, Limits
from jitd.core.errors import JitError
from jitd.core.metrics import Sample
from jitd.core.model import Actor
from jitd.core.people import Answer, Person
from jitd.engine.feed import EventFeed
from jitd.server.app import Server
from jitd.server.route import Kind, Reply, Route
from jitd.verbs.access import Access, Role
from jitd.wire import DeviceImportBody, EventsQuery, EventView, ListQuery, RequestBody

ANY = Access(Role.ANY)
PAGE = 7  # small, so that every test goes over several pages


class Names:
    """Everyone has a name, except the uids in `nameless`."""

    def __init__(self) -> None:
        self.nameless: set[int] = set()

    def person(self, name: str) -> Person:
        """Nobody was asked about."""
        return Person(name=name, exists=Answer.UNAVAILABLE)

    def name_of(self, uid: int) -> str | None:
        """A name made from the uid."""
        return None if uid in self.nameless else f"user{uid}"

    async def refresh(self, names: Iterable[str], groups: Iterable[str] = ()) -> None:
        """Nothing to ask."""
        return

    async def refresh_uid(self, uid: int) -> str | None:
        """The name."""
        return self.name_of(uid)

    async def has_name(self, uid: int) -> Answer:
        """Whether there is a name."""
        return Answer.NO if self.name_of(uid) is None else Answer.YES

    async def local_uids(self) -> frozenset[int]:
        """Nobody is local."""
        return frozenset()

    def group_exists(self, name: str) -> Answer:
        """Nobody was asked about."""
        return Answer.UNAVAILABLE

    def is_system(self, uid: int) -> bool:
        """As Debian has it."""
        return uid < 1000


class BootClock:
    """A clock that stands still."""

    def now_ms(self) -> int:
        """A day in 2027."""
        return 1_800_000_000_000

    def boot_ms(self) -> int:
        """A second after boot."""
        return 1_000

    def boot_id(self) -> str:
        """The only boot."""
        return "boot"

    async def wait(self, wall_ms: int | None, boot_ms: int | None) -> None:
        """Time does not pass."""
        await asyncio.Event().wait()


@dataclass
class TinyService:
    """Verbs here are `async (service, actor, given) -> reply`."""

    feed: EventFeed = field(default_factory=EventFeed)
    events: list[dict[str, Any]] = field(default_factory=list)
    admins: set[int] = field(default_factory=set)
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    held: int = 0
    most_held: int = 0
    done: list[Any] = field(default_factory=list)

    async def change(
        self, verb: Callable[..., Awaitable[Reply]], actor: Actor, body: Mapping[str, Any]
    ) -> Reply:
        """Run the verb."""
        return await verb(self, actor, body)

    query = change
    peek = change
    measure = change

    async def measured(self) -> list[Sample]:
        """Nothing is known here."""
        return []

    async def actor_admin(self, actor: Actor) -> bool:
        """Whether the test said so."""
        return actor.uid in self.admins

    def happen(self, kind: str = "requested", **more: Any) -> None:
        """Add an event and tell it."""
        self.events.append({"seq": len(self.events) + 1, "kind": kind, **more})
        self.feed.publish(len(self.events))


class Echo(TypedDict):
    """What was understood."""

    given: dict[str, object]


class Who(TypedDict):
    """The caller."""

    uid: int
    user: str
    pid: int
    origin: str
    login_uid: int | None


class Hold(TypedDict):
    """Waits until the test lets it go."""

    mark: NotRequired[str]


class Nothing(TypedDict):
    """No fields."""


async def echo(service: TinyService, actor: Actor, given: Mapping[str, Any]) -> Reply:
    service.done.append(given)
    return {"given": given}


async def whoami(service: TinyService, actor: Actor, given: Mapping[str, Any]) -> Reply:
    return {
        "uid": actor.uid,
        "user": actor.user,
        "pid": actor.pid,
        "origin": actor.origin,
        "login_uid": actor.login_uid,
    }


async def hold(service: TinyService, actor: Actor, given: Mapping[str, Any]) -> Reply:
    service.held += 1
    service.most_held = max(service.held, service.most_held)
    try:
        await service.hold.wait()
    finally:
        service.held -= 1
    service.done.append(given.get("mark"))
    return {"given": given}


async def refuse(service: TinyService, actor: Actor, given: Mapping[str, Any]) -> Reply:
    raise JitError("refused", "cannot do this: a rule said no", "Ask for less.")


async def crash(service: TinyService, actor: Actor, given: Mapping[str, Any]) -> Reply:
    raise ZeroDivisionError("hunter2")


async def events_page(service: TinyService, actor: Actor, given: Mapping[str, Any]) -> Reply:
    after = given.get("after", 0)
    page = [event for event in service.events[after:] if given.get("kind", event["kind"]) == event["kind"]][
        :PAGE
    ]
    await asyncio.sleep(0)  # writers get in between, as they do with a real store
    reached = page[-1]["seq"] if len(page) == PAGE else max(len(service.events), after)
    return {"events": page, "next": reached}


TABLE = (
    Route("POST", "/v1/request", Kind.CHANGE, echo, ANY, RequestBody, Echo, "Ask for access"),
    Route(
        "POST",
        "/v1/device/import",
        Kind.CHANGE,
        echo,
        ANY,
        DeviceImportBody,
        Echo,
        "Name the owners of peers",
    ),
    Route("GET", "/v1/list", Kind.QUERY, echo, ANY, ListQuery, Echo, "List requests"),
    Route("GET", "/v1/whoami", Kind.PEEK, whoami, ANY, Nothing, Who, "Who asks"),
    Route("POST", "/v1/hold", Kind.CHANGE, hold, ANY, Hold, Echo, "Take long"),
    Route("POST", "/v1/refuse", Kind.CHANGE, refuse, ANY, Nothing, Echo, "Say no"),
    Route("POST", "/v1/crash", Kind.CHANGE, crash, ANY, Nothing, Echo, "Make a mistake"),
    Route("GET", "/v1/events", Kind.STREAM, events_page, ANY, EventsQuery, EventView, "What happened"),
    Route("GET", "/v1/openapi.json", Kind.DOCUMENT, None, ANY, Nothing, Nothing, "This description"),
)


@dataclass
class World:
    """A running server and what it stands on."""

    path: Path
    server: Server
    service: TinyService
    names: Names

    async def raw(self, data: bytes, *, half_close: bool = False) -> bytes:
        """Send bytes, and give all that came back until the server closed."""
        reader, writer = await self.open()
        try:
            writer.write(data)
            if half_close:
                writer.write_eof()
            return await asyncio.wait_for(reader.read(), 10)
        finally:
            writer.close()

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection of its own."""
        return await asyncio.open_unix_connection(str(self.path))

    async def ask(self, method: str, path: str, body: object = None, *, raw: bytes | None = None) -> "Parsed":
        """One request on a connection of its own."""
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: jitd\r\nConnection: close\r\nContent-Length: {len(content)}\r\n\r\n"
        return parse(await self.raw(head.encode() + content))


@dataclass
class Parsed:
    """A parsed reply."""

    status: int
    head: str
    text: str

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.text)

    @property
    def code(self) -> str:
        """The code of an error."""
        return str(self.json["code"])


def parse(data: bytes) -> Parsed:
    head, _, body = data.partition(b"\r\n\r\n")
    return Parsed(int(head.split(b" ", 2)[1]), head.decode("latin-1"), body.decode())


@asynccontextmanager
async def world(
    path: Path, *, heartbeat: float = 15.0, longest: float = 30.0, slowest: float = 30.0, **limits: Any
) -> AsyncIterator[World]:
    """A server that listens on `path`."""
    service, names = TinyService(), Names()
    server = Server(
        config=Config(
            daemon=Daemon(socket=path, state_dir=path.parent, admin_groups=()),
            enforce=Enforce(backend="memory"),
            limits=Limits(**limits),
        ),
        service=service,  # type: ignore[arg-type]  # its verbs are coroutines, which a test can hold up
        directory=names,  # type: ignore[arg-type]  # the part of a directory that a server asks
        clock=BootClock(),
        version="1.2.3",
        table=TABLE,
        heartbeat=heartbeat,
        longest=longest,
        slowest=slowest,
    )
    await server.start()
    try:
        yield World(path, server, service, names)
    finally:
        service.hold.set()
        await server.stop()


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Return when the condition holds; fail when it does not in time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for is outside of this loop
            await asyncio.sleep(0.01)
