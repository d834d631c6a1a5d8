"""Networks."""

from typing import NotRequired, TypedDict

from jitd.wire.common import ChangeReply, Reply
from jitd.wire.plans import Plan


class NetworkView(TypedDict):
    """A network as its administrator sees it; others see name, interface, routes, ports, jit and durations.

    `settings` has everything that can be set, as plain values by the name that people type.
    """

    name: str
    interface: str
    routes: list[str]
    ports: list[str]
    jit: bool
    members: list[str]
    settings: dict[str, object]
    default_duration: int
    max_duration: int
    pending_ttl: int
    created: int
    active: int
    pending: int
    shortage: NotRequired[str]  # why too few people are left who may decide; absent, or "": enough are


class NetworkAddBody(TypedDict):
    """A new network, JIT on. Durations in milliseconds; `changes` are `KEY=VALUE` for every other setting."""

    name: str
    interface: NotRequired[str | None]
    routes: list[str]
    ports: NotRequired[list[str]]
    members: NotRequired[list[str]]
    default_duration: NotRequired[int | None]
    max_duration: NotRequired[int | None]
    pending_ttl: NotRequired[int | None]
    changes: NotRequired[list[str]]
    plan: NotRequired[bool]
    confirm: NotRequired[str | None]
    reason: NotRequired[str | None]


class NetworkSetBody(TypedDict):
    """Change a network; what is absent stays. `changes` are `KEY=VALUE`, `KEY+=VALUE` and `KEY-=VALUE`."""

    name: str
    routes: NotRequired[list[str]]
    ports: NotRequired[list[str]]
    members: NotRequired[list[str]]
    default_duration: NotRequired[int]
    max_duration: NotRequired[int]
    pending_ttl: NotRequired[int]
    changes: NotRequired[list[str]]
    plan: NotRequired[bool]
    confirm: NotRequired[str | None]
    reason: NotRequired[str | None]


class NetworkJitBody(TypedDict):
    """Switch just-in-time access of a network on or off."""

    name: str
    on: bool
    plan: NotRequired[bool]
    confirm: NotRequired[str | None]
    reason: NotRequired[str | None]


class NetworkReply(ChangeReply):
    """The network after the verb. For a plan there is only the plan, and `done` is false."""

    network: NotRequired[NetworkView]
    plan: NotRequired[Plan]
    done: NotRequired[bool]


class NetworkShowReply(Reply):
    """One network."""

    network: NetworkView


class NetworksReply(Reply):
    """All networks that the caller may know of."""

    networks: list[NetworkView]
