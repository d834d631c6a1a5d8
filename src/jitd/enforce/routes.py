"""Which way the gateway would send packets: the kernel's own answers."""

import errno
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, Final

from pyroute2 import AsyncIPRoute
from pyroute2.netlink.exceptions import NetlinkError

from jitd.core import parsing
from jitd.core.firewall import IPAddress
from jitd.core.model import IPNetwork
from jitd.enforce.netlink import refusal, talk
from jitd.enforce.port import EnforceError

#: A router of the internet has a million routes; past this many, the rest is not looked at.
ROUTES: Final = 20_000

_UNICAST: Final = 1
_LOCAL: Final = 2
_TABLE_LOCAL: Final = 255
_IFF_UP: Final = 1
_FIB_MATCH: Final = 0x2000  # answer with the route itself and not with the one address


@dataclass(frozen=True, slots=True)
class Route:
    """A route of any table, apart from the gateway's own addresses. `via`: through another router."""

    network: IPNetwork
    device: str
    via: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Where does this destination go? With `device`: for a packet from `source` that came in there."""

    destination: IPAddress
    source: IPAddress | None = None
    device: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """The kernel's answer. `error` is an errno; then nothing else is known."""

    device: str = ""
    via: bool = False
    local: bool = False
    prefix: int = 0  # length of the prefix of the route that was used; 0: the default route
    error: int = 0


@dataclass(frozen=True, slots=True)
class Links:
    """The devices that are up, their routes, and the gateway's own addresses."""

    names: frozenset[str]
    routes: tuple[Route, ...]
    own: frozenset[IPAddress]


def links() -> Links:
    """Everything that is there now. Raises EnforceError."""
    try:
        return talk(_links())
    except NetlinkError as error:
        raise EnforceError(f"the routes cannot be read: {refusal(error)}") from error


def ask(questions: Sequence[Question]) -> list[Way]:
    """The kernel's answers, in the same order. Raises EnforceError when it cannot be asked."""
    return talk(_ask(questions)) if questions else []


def setting(path: str) -> int:
    """A number below /proc/sys/net; 0 when there is none such."""
    try:
        return int(Path("/proc/sys/net", path).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0


async def _links() -> Links:
    async with AsyncIPRoute() as ipr:
        up = {one["index"]: one.get_attr("IFLA_IFNAME") async for one in await ipr.get_links() if _is_up(one)}
        own = [one.get_attr("IFA_LOCAL") or one.get_attr("IFA_ADDRESS") async for one in await ipr.get_addr()]
        routes: list[Route] = []
        for family in (socket.AF_INET, socket.AF_INET6):
            count = 0
            async for one in await ipr.get_routes(family=family):
                count += 1
                if count > ROUTES:
                    break
                routes += _routes(one, up)
    return Links(frozenset(up.values()), tuple(routes), frozenset(parsing.address(one) for one in own))


def _is_up(link: Any) -> bool:
    return bool(link["flags"] & _IFF_UP)


def _routes(message: Any, names: dict[int, str]) -> list[Route]:
    table = message.get_attr("RTA_TABLE") or message["table"]
    if message["type"] != _UNICAST or table == _TABLE_LOCAL:
        return []
    network = message.get_attr("RTA_DST")
    if network is None:
        network = "0.0.0.0" if message["family"] == socket.AF_INET else "::"  # noqa: S104 - the default route
    where = parsing.network(f"{network}/{message['dst_len']}")
    hops = [(one["oif"], one) for one in message.get_attr("RTA_MULTIPATH") or ()]
    hops = hops or [(message.get_attr("RTA_OIF"), message)]
    return [Route(where, names[index], _via(hop)) for index, hop in hops if index in names]


def _via(message: Any) -> bool:
    return bool(message.get_attr("RTA_GATEWAY") or message.get_attr("RTA_VIA"))


async def _ask(questions: Sequence[Question]) -> list[Way]:
    async with AsyncIPRoute() as ipr:
        names = {one["index"]: one.get_attr("IFLA_IFNAME") async for one in await ipr.get_links()}
        indexes = {name: index for index, name in names.items()}
        return [await _way(ipr, question, names, indexes) for question in questions]


async def _way(ipr: Any, question: Question, names: dict[int, str], indexes: dict[str, int]) -> Way:
    spec: dict[str, Any] = {"dst": _text(question.destination)}
    if question.device:
        if question.device not in indexes:
            return Way(error=errno.ENODEV)
        spec |= {"iif": indexes[question.device]}
        if question.source is not None:
            spec |= {"src": _text(question.source)}
    try:
        (found, *_) = await ipr.route("get", **spec)
        (used, *_) = await ipr.route("get", **spec, flags=_FIB_MATCH)
    except NetlinkError as error:
        return Way(error=error.code)
    return Way(
        device=names.get(found.get_attr("RTA_OIF"), ""),
        via=_via(found),
        local=found["type"] == _LOCAL,
        prefix=used["dst_len"],
    )


def _text(address: IPAddress) -> str:
    # Without the zone that an IPv6 address may carry.
    return str((IPv4Address if address.version == 4 else IPv6Address)(int(address)))
