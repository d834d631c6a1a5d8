"""Names of the machine's devices in what doctor says to type."""

import ipaddress
import shlex
from types import SimpleNamespace
from typing import Any

from jitd.diagnostics.firewall import forwarding, nat
from jitd.enforce.routes import Links, Route

#: The kernel takes it: no slash, no colon, no blank, at most 15 bytes.
DEVICE = "a';id;$(id)'b"


def facts() -> tuple[Any, list[Any], Links]:
    """Clients whose packets leave by a device of that name, where a route takes a part of their pool, too."""
    pool = ipaddress.ip_network("10.9.0.0/24")
    side = SimpleNamespace(name="wg0", version=4, pool=pool, clients=pool)
    way = SimpleNamespace(error="", local=False, device=DEVICE, via=True)
    trip = SimpleNamespace(side=side, way=way, place=ipaddress.ip_network("10.20.0.0/24"), traffic=lambda: ())
    routes = (Route(network=ipaddress.ip_network("10.9.0.0/25"), device=DEVICE, via=False),)
    return side, [trip], Links(names=frozenset({DEVICE}), routes=routes, own=frozenset())


def test_the_name_of_a_device_runs_nothing() -> None:
    """Attack: who may name a device of the gateway (a desktop's user by NetworkManager, a container) puts a command into
    its name, and root pastes what doctor says.
    """
    side, trips, links = facts()
    found = [*forwarding.overlapping(side, links), *nat.unanswered(side, trips, [], links)]
    assert len(found) == 2
    for one in found:
        typed = shlex.split(one.fix, comments=True)
        assert [word for word in typed if DEVICE in word]
        assert not [word for word in typed if word in ("id", ";id")]
        assert DEVICE not in one.fix  # as it is it would end the quotes
