"""The wires of a world: clients outside, the gateway, and a server behind it.

    alice 192.168.77.11 --.
                           gateway 192.168.77.1 | 10.20.0.1 -- inside 10.20.0.10
    bob   192.168.77.12 --'

The gateway forwards. Nothing but the tunnel leads from a client to the inside: there is no other route.
"""

from support.world import GATEWAY, World

OUTER = "192.168.77.1"
INSIDE = "inside"
SERVER = "10.20.0.10"
INSIDE_NET = "10.20.0.0/24"


def wire(world: World, *clients: str) -> None:
    """Make the inside and a namespace per client, named as the client, joined to the gateway."""
    _namespace(world, INSIDE)
    _pair(world, "to-inside", INSIDE)
    _ip(world, GATEWAY, "addr add 10.20.0.1/24 dev to-inside")
    _ip(world, INSIDE, f"addr add {SERVER}/24 dev eth0")
    _ip(world, INSIDE, "route add default via 10.20.0.1")
    for number, client in enumerate(clients, start=11):
        address = f"192.168.77.{number}"
        _namespace(world, client)
        _pair(world, f"to-{client}", client)
        _ip(world, GATEWAY, f"addr add {OUTER}/32 dev to-{client}")
        _ip(world, GATEWAY, f"route add {address}/32 dev to-{client}")
        _ip(world, client, f"addr add {address}/32 dev eth0")
        _ip(world, client, f"route add {OUTER}/32 dev eth0 src {address}")


def _ip(world: World, where: str, line: str) -> None:
    world.run(["ip", *line.split()], where=where)


def _namespace(world: World, name: str) -> None:
    _ip(world, GATEWAY, f"netns add {name}")
    _ip(world, name, "link set lo up")


def _pair(world: World, here: str, where: str) -> None:
    _ip(world, GATEWAY, f"link add {here} type veth peer name eth0 netns {where}")
    _ip(world, GATEWAY, f"link set {here} up")
    _ip(world, where, "link set eth0 up")
