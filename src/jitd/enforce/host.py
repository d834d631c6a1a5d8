"""The machine's own addresses and routes, as the kernel says them, and whether a port can be had."""

import errno
import socket
from typing import Final

from pyroute2 import AsyncIPRoute
from pyroute2.netlink.exceptions import NetlinkError

from jitd.core.parsing import InterfaceAddress
from jitd.core.placing import Host
from jitd.enforce import links, routes
from jitd.enforce.netlink import refusal, talk
from jitd.enforce.port import EnforceError

#: On every address, as WireGuard listens.
_ANYWHERE: Final = ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::"))  # noqa: S104 - nothing is received there


class KernelHost:
    """The machine as this network namespace has it."""

    def read(self) -> Host:
        """As the port says."""
        try:
            addresses = talk(_addresses())
        except NetlinkError as error:
            raise EnforceError(f"the addresses cannot be read: {refusal(error)}") from error
        there = routes.links().routes
        return Host(
            addresses=tuple(addresses),
            routes=tuple((one.device, one.network) for one in there if one.network.prefixlen),
        )

    def port_taken(self, port: int) -> bool:
        """As the port says."""
        for family, address in _ANYWHERE:
            try:
                with socket.socket(family, socket.SOCK_DGRAM) as line:
                    if family == socket.AF_INET6:
                        line.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    line.bind((address, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    return True
        return False


async def _addresses() -> list[tuple[str, InterfaceAddress]]:
    async with AsyncIPRoute() as ipr:
        names = {one["index"]: str(one.get_attr("IFLA_IFNAME")) async for one in await ipr.get_links()}
        return [
            (names[one["index"]], links.address(one))
            async for one in await ipr.get_addr()
            if one["index"] in names
        ]
