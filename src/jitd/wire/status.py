"""Status: of the caller's networks, and of the gateway."""

from typing import Literal, NotRequired, TypedDict

from jitd.wire.common import Reply

#: How a network stands for its user: `request` (may ask), `closed` (may not use it), `standing` (needs no grant).
NetworkState = Literal["request", "pending", "scheduled", "active", "standing", "closed"]


class NetworkStatus(TypedDict):
    """A network from its user's side.

    `paused` tells whether the active grant is switched off, `frozen` whether everything is, `asked` which pending
    request asks for more of it. `error` says what the kernel does not agree with yet, or why it is closed.
    """

    network: str
    interface: str
    state: NetworkState
    paused: bool
    id: int | None
    since: int | None
    starts: int | None
    ends: int | None
    devices: list[str]
    asked: int | None
    frozen: bool
    error: str


class GatewayStatus(TypedDict):
    """How the gateway itself is doing."""

    version: str
    backend: str
    firewall: str
    socket: str
    state_dir: str
    started: int
    pending: int
    active: int
    waiting: list[str]
    warnings: list[str]


class StatusReply(Reply):
    """`status`: every network of the caller. `gateway` is there for administrators only.

    `heard` says when each of the caller's devices had its last handshake, by name, as in DeviceView; those that never had
    one are not in it. `address` says where the caller gets mail, "" where nobody knows; it is absent where there is no mail
    server, or the caller wants no mail.
    """

    user: str
    admin: bool
    networks: list[NetworkStatus]
    devices: int
    heard: NotRequired[dict[str, int]]
    address: NotRequired[str]
    gateway: NotRequired[GatewayStatus]
