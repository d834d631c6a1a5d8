"""What the machine itself says of its addresses, routes and ports."""

import socket

import pytest

from jitd.core import parsing
from jitd.enforce.host import KernelHost


@pytest.mark.parametrize(
    ("family", "address"),
    [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")],
)
def test_a_port_of_another_program_is_taken(family: socket.AddressFamily, address: str) -> None:
    """WireGuard listens on every address: a port that a program has on any of them cannot be had. Afterwards it can."""
    with socket.socket(family, socket.SOCK_DGRAM) as line:
        line.bind((address, 0))
        port = line.getsockname()[1]
        assert KernelHost().port_taken(port)
    assert not KernelHost().port_taken(port)


def test_the_machines_addresses_are_read() -> None:
    """At least the loopback address, with its prefix and its device; default routes are left out."""
    host = KernelHost().read()
    assert ("lo", parsing.interface_address("127.0.0.1/8")) in host.addresses
    assert all(network.prefixlen for _, network in host.routes)
    assert not host.without("lo").addresses or all(
        device != "lo" for device, _ in host.without("lo").addresses
    )
