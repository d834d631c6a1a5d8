"""Examinations."""

from typing import Literal, NotRequired, TypedDict

from jitd.wire.common import Reply

#: The parts of the gateway, in the order in which they are examined.
Part = Literal[
    "config", "socket", "store", "clock", "interfaces", "firewall", "sshd", "people", "mail", "files"
]
#: How a line of doctor stands: `unknown` is what cannot be known from there.
Level = Literal["ok", "warning", "broken", "unknown"]


class DoctorQuery(TypedDict):
    """What to examine: `part` of the gateway, or a `network`; a `part` that is none may be a network's name.

    With neither, the reply tells what there is. `user`: for whom a network is examined (administrators).
    """

    part: NotRequired[str]
    network: NotRequired[str]
    user: NotRequired[str]


class Check(TypedDict):
    """One line of doctor. `fix` is what to type, "" when there is nothing; `code` is the check's, where the gateway is
    examined, and stays the same in later versions.
    """

    code: NotRequired[str]
    level: Level
    what: str
    fix: str


class KnownDevice(TypedDict):
    """A registered device. `last_handshake` was read just now: milliseconds UTC, 0 for never."""

    name: str
    public_key: str
    last_handshake: NotRequired[int]


class TunnelFacts(TypedDict):
    """What the tunnel to a network looks like on the user's machine, if it is right."""

    interface: str
    public_key: str  # of the gateway
    endpoint: str
    routes: list[str]
    devices: list[KnownDevice]


class DoctorReply(Reply):
    """What was found just now: about a `part`, or about a `network` for a `user`; or what there is to examine."""

    part: str
    checks: list[Check]
    network: NotRequired[str]
    user: NotRequired[str]
    tunnel: NotRequired[TunnelFacts]
    parts: NotRequired[list[str]]
    networks: NotRequired[list[str]]
