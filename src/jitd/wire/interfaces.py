"""Interfaces and their peers."""

from typing import NotRequired, TypedDict

from jitd.wire.common import ChangeReply, Reply
from jitd.wire.plans import Plan


class PeerView(TypedDict):
    """A peer of an interface as read back. `user` and `device` are empty for an unmanaged peer."""

    public_key: str
    user: str
    device: str
    allowed_ips: list[str]
    endpoint: str
    last_handshake: int
    rx_bytes: int
    tx_bytes: int
    managed: bool


class InterfaceView(TypedDict):
    """An interface. Private keys never cross the socket."""

    name: str
    adopted: bool
    enforced: bool
    public_key: str
    port: int
    pools: list[str]
    endpoint: str
    dns: list[str]
    mtu: int
    networks: list[str]
    up: bool
    peers: int
    unmanaged: int
    error: str


class InterfaceAddBody(TypedDict):
    """A new interface of jitd's own. `pools` holds at most one IPv4 and one IPv6 network; the gateway takes the
    first host address of each.
    """

    name: str
    pools: list[str]
    port: NotRequired[int]
    endpoint: NotRequired[str]
    dns: NotRequired[list[str]]
    mtu: NotRequired[int]


class InterfaceSetBody(TypedDict):
    """Change an interface; what is absent stays. Port, pools and MTU of adopted interfaces belong to their owner."""

    name: str
    port: NotRequired[int]
    pools: NotRequired[list[str]]
    endpoint: NotRequired[str]
    dns: NotRequired[list[str]]
    mtu: NotRequired[int]


class InterfaceAdoptBody(TypedDict):
    """Take part in an interface that exists. Nobody on it is disturbed. `pools` default to its own addresses."""

    name: str
    endpoint: NotRequired[str]
    pools: NotRequired[list[str]]
    dns: NotRequired[list[str]]


class InterfaceEnforceBody(TypedDict):
    """Let jitd decide about every peer of an adopted interface (on), or leave unmanaged ones alone (off)."""

    name: str
    on: bool
    plan: NotRequired[bool]
    confirm: NotRequired[str | None]
    reason: NotRequired[str | None]


class InterfaceReply(ChangeReply):
    """The interface after the verb, with its peers. For a plan there is only the plan, and `done` is false."""

    interface: NotRequired[InterfaceView]
    peers: NotRequired[list[PeerView]]
    plan: NotRequired[Plan]
    done: NotRequired[bool]
    warnings: NotRequired[list[str]]


class InterfaceShowReply(Reply):
    """One interface with its peers as read back just now."""

    interface: InterfaceView
    peers: list[PeerView]


class InterfacesReply(Reply):
    """All interfaces."""

    interfaces: list[InterfaceView]
