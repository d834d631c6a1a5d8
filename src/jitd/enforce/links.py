"""Network interfaces of any kind: their addresses, MTU and state, through rtnetlink."""

import errno
import logging
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface
from typing import Any, Final

from pyroute2 import AsyncIPRoute
from pyroute2.netlink.exceptions import NetlinkError

from jitd.core import parsing
from jitd.core.firewall import IPAddress
from jitd.enforce.netlink import refusal, talk
from jitd.enforce.port import Device, EnforceError, InterfaceGone, LinkState, Place

log = logging.getLogger("jitd.links")

Address = IPv4Interface | IPv6Interface

_IFF_UP: Final = 1
#: Of the routes that the kernel makes for an IPv6 address.
_METRIC6: Final = 256
#: A smaller network has no host but the address itself.
_FEWEST: Final = 4
#: The kernel marks so the link-local addresses that it makes by itself; nobody asked for those.
_STABLE_PRIVACY: Final = 0x800
_DONE_ALREADY: Final = {
    ("addr", "add", errno.EEXIST),
    ("addr", "del", errno.EADDRNOTAVAIL),
    ("route", "add", errno.EEXIST),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An interface of this network namespace. `kind` is the kernel's word: wireguard, tun, veth, "" for hardware."""

    name: str
    index: int
    kind: str
    mtu: int  # bytes
    up: bool
    addresses: frozenset[Address]
    in_vrf: bool  # a VRF has routes of its own

    @property
    def place(self) -> Place:
        """As the port tells it. Raises EnforceError."""
        return Place(
            name=self.name,
            index=self.index,
            up=self.up,
            addresses=self.addresses,
            routed=not self.up or not _unrouted(self),
        )

    def state(self, device: Device) -> LinkState:
        """The interface with what WireGuard knows of it."""
        return LinkState(
            name=self.name,
            index=self.index,
            addresses=self.addresses,
            mtu=self.mtu,
            up=self.up,
            private_key=device.private_key,
            public_key=device.public_key,
            port=device.port,
            peers=device.peers,
        )


def find(name: str) -> Link | None:
    """The interface of this name, or None; one that only has it as an alternative name is another. Raises EnforceError."""
    link = _one(name, ifname=name)
    return link if link is not None and link.name == name else None


def at(index: int) -> Link | None:
    """The interface with this number, or None. Raises EnforceError."""
    return _one(f"interface {index}", index=index)


def all_of(kind: str) -> list[Link]:
    """Every interface of a kind. Raises EnforceError."""

    async def look() -> list[int]:
        async with AsyncIPRoute() as ipr:
            return [one["index"] async for one in await ipr.get_links() if _kind(one) == kind]

    try:
        indexes = talk(look())
    except NetlinkError as error:
        raise EnforceError(f"the interfaces cannot be read: {refusal(error)}") from error
    return [link for index in indexes if (link := at(index)) is not None]


def _one(what: str, **which: Any) -> Link | None:
    try:
        return talk(_find(which))
    except NetlinkError as error:
        if error.code == errno.ENODEV:
            return None
        raise EnforceError(f"{what} cannot be read: {refusal(error)}") from error


def make(name: str, kind: str) -> None:
    """Make an interface. Raises EnforceError; its `__cause__` is the kernel's NetlinkError."""
    _change(name, "be made", [("link", "add", {"ifname": name, "kind": kind})])


def remove(link: Link) -> None:
    """Remove an interface; one that is gone already is not an error. Raises EnforceError."""
    try:
        _change(link.name, "be removed", [("link", "del", {"index": link.index})])
    except InterfaceGone:
        return


def _route(link: Link) -> None:
    """Put back the routes that the kernel made when the interface got its addresses, where others lead elsewhere or none
    is there. What stands in their way stays, and what is refused is for doctor to tell. Raises InterfaceGone.
    """
    steps: list[_Step] = []
    for address in _unrouted(link):
        spec: dict[str, Any] = {"dst": str(address.network), "oif": link.index, "proto": "kernel"}
        if address.version == 4:
            spec |= {"scope": "link", "prefsrc": str(address.ip)}
        else:
            spec |= {"priority": _METRIC6}
        steps.append(("route", "add", spec))
    if not steps:
        return
    try:
        _change(link.name, "get its routes back", steps)
    except InterfaceGone:
        raise
    except EnforceError as error:
        log.warning("%s", error)


def _unrouted(link: Link) -> list[Address]:
    """The addresses whose network's other hosts are not looked for behind the interface."""
    asked = {
        address: host
        for address in sorted(link.addresses, key=str)
        if not link.in_vrf
        and not address.ip.is_link_local
        and (host := next((one for one in _hosts(address) if one != address.ip), None)) is not None
    }
    if not asked:
        return []

    async def look() -> list[Address]:
        async with AsyncIPRoute() as ipr:
            return [address for address, host in asked.items() if await _leads(ipr, host) != link.index]

    return talk(look())


def _hosts(address: Address) -> list[IPAddress]:
    """Two hosts of its network, one of which is not itself."""
    network = address.network
    return [network[number] for number in (1, 2)] if network.num_addresses >= _FEWEST else []


async def _leads(ipr: Any, host: IPAddress) -> int:
    try:
        (found, *_) = await ipr.route("get", dst=parsing.write_address(host))
    except NetlinkError:
        return 0
    return int(found.get_attr("RTA_OIF") or 0)


def configure(link: Link, addresses: Iterable[Address], mtu: int) -> None:
    """Give the interface exactly these addresses, with their routes, and this MTU in bytes (0 leaves it), and switch it on.

    Raises InterfaceGone or EnforceError.
    """
    _address(link, addresses, mtu)
    if not link.up:
        _change(link.name, "be brought up", [("link", "set", {"index": link.index, "state": "up"})])
    _route(at(link.index) or link)


def _address(link: Link, addresses: Iterable[Address], mtu: int) -> None:
    wanted = frozenset(addresses)
    # New ones first: connections over an address that stays are not to lose their route. And twice, because with
    # the first address of a subnet the kernel removes the others of that subnet too.
    for _ in range(2):
        steps: list[_Step] = []
        if mtu not in (0, link.mtu):
            steps.append(("link", "set", {"index": link.index, "mtu": mtu}))
        for verb, chosen in (("add", wanted - link.addresses), ("del", link.addresses - wanted)):
            for one in sorted(chosen, key=str):
                spec = {
                    "index": link.index,
                    "address": parsing.write_address(one.ip),
                    "prefixlen": one.network.prefixlen,
                }
                steps.append(("addr", verb, spec))
        if not steps:
            return
        _change(link.name, "be configured", steps)
        found = find(link.name)
        if found is None:
            raise InterfaceGone(f"there is no interface {link.name}")
        link = found


_Step = tuple[str, str, dict[str, Any]]


def _change(name: str, what: str, steps: list[_Step]) -> None:
    async def work() -> None:
        async with AsyncIPRoute() as ipr:
            for noun, verb, spec in steps:
                try:
                    await getattr(ipr, noun)(verb, **spec)
                except NetlinkError as error:
                    if (noun, verb, error.code) not in _DONE_ALREADY:
                        raise

    try:
        talk(work())
    except NetlinkError as error:
        kind = InterfaceGone if error.code == errno.ENODEV else EnforceError
        raise kind(f"{name} cannot {what}: {refusal(error)}") from error


def _kind(link: Any) -> str:
    info = link.get_attr("IFLA_LINKINFO")
    return (info.get_attr("IFLA_INFO_KIND") or "") if info else ""


async def _find(which: dict[str, Any]) -> Link:
    async with AsyncIPRoute() as ipr:
        (link,) = await ipr.link("get", **which)
        index = link["index"]
        found = [one async for one in await ipr.get_addr(index=index)]
    return Link(
        name=link.get_attr("IFLA_IFNAME"),
        index=index,
        kind=_kind(link),
        mtu=link.get_attr("IFLA_MTU"),
        up=bool(link["flags"] & _IFF_UP),
        in_vrf=link.get_attr("IFLA_MASTER") is not None,
        addresses=frozenset(address(one) for one in found if one["index"] == index and not _own_making(one)),
    )


def address(message: Any) -> Address:
    """The address of a message of rtnetlink, with its prefix."""
    # On a point-to-point link IFA_ADDRESS is the other end; IPv6 has only IFA_ADDRESS as long as there is none.
    local = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
    return parsing.interface_address(f"{local}/{message['prefixlen']}")


def _own_making(message: Any) -> bool:
    if message["family"] != socket.AF_INET6 or not address(message).is_link_local:
        return False
    return bool((message.get_attr("IFA_FLAGS") or message["flags"]) & _STABLE_PRIVACY)
