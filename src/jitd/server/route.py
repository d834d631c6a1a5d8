"""What one line of the API's table says, and what the server needs of the service. No sockets here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol, TypeVar

from jitd.core.metrics import Sample
from jitd.core.model import Actor
from jitd.verbs.access import Access
from jitd.verbs.concerned import NOBODY, Concerned

Reply = Mapping[str, object]
T = TypeVar("T")


class Kind(Enum):
    """How a route reaches the service."""

    CHANGE = "change"  # runs in the worker, in one transaction with its event
    QUERY = "query"  # reads the store, beside the worker
    PEEK = "peek"  # reads the interfaces too, so in the worker
    EXAMINE = "examine"  # asks other programs and servers too, in threads of its own
    STREAM = "stream"  # a query whose pages are sent as JSON lines
    GATE = "gate"  # a query whose answer makes its connection speak for somebody else from then on
    MEASURE = "measure"  # what is counted in memory too, as the text that Prometheus reads
    DOCUMENT = "document"  # answered by the server itself


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the table. `takes` and `gives` are typed dictionaries of jitd.wire: the body of a POST or the
    query string of a GET, and the reply (for a stream, one line of it).
    """

    method: str
    path: str
    kind: Kind
    verb: Callable[..., Any] | None  # None for a document
    access: Access
    takes: type
    gives: type
    summary: str
    #: Whether a change counts against what one person may change within a minute and a day.
    counted: bool = True
    #: Whom the system is asked about before the verb runs, besides the caller.
    concerns: Concerned = NOBODY


class Feed(Protocol):
    """Tells that there are new events."""

    @property
    def seq(self) -> int:
        """SEQ of the newest committed event."""

    async def wait(self, after: int) -> None:
        """Return as soon as there is an event with a SEQ above `after`."""


class Service(Protocol):
    """What the server needs of `jitd.engine.service.Service`."""

    @property
    def feed(self) -> Feed:
        """Where new events are told."""

    async def change(self, verb: Callable[..., Any], actor: Actor, body: Mapping[str, Any]) -> Reply:
        """Run a verb that changes something. Raises JitError."""

    async def query(self, verb: Callable[..., T], actor: Actor, query: Mapping[str, Any]) -> T:
        """Run a verb that reads the store. Raises JitError."""

    async def peek(self, verb: Callable[..., T], actor: Actor, query: Mapping[str, Any]) -> T:
        """Run a verb that reads the interfaces too. Raises JitError."""

    async def examine(self, verb: Callable[..., T], actor: Actor, query: Mapping[str, Any]) -> T:
        """Run a verb that examines the machine. Raises JitError."""

    async def measure(self, verb: Callable[..., T], actor: Actor, query: Mapping[str, Any]) -> T:
        """Run a verb that tells how jitd does. Raises JitError."""
        ...

    async def measured(self) -> Sequence[Sample]:
        """How jitd does, for what the configuration names to read it."""
        ...

    async def actor_admin(self, actor: Actor) -> bool:
        """Whether the caller administers this gateway."""
