"""A whole deployment: a world with wires, people, a running jitd, one interface, one network, and clients that are up.

carol is an administrator (by her group), alice and bob are colleagues, each with a laptop in a namespace of their own
name. `office` is 10.20.0.0/24 behind the gateway, where the echo server is.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from support import network, streams, tunnel
from support.gateway import ADMIN_GROUP, Gateway
from support.realtime_priority import realtime_priority
from support.streams import Stream, Streams
from support.wait import until
from support.world import World

Say = Callable[[str], None]  # prints a measurement where every run shows it


class Deployment:
    """What a test holds in its hands."""

    def __init__(self, world: World, directory: Path) -> None:
        self.world = world
        self.gateway = Gateway(world, directory / "jitd.log")
        self.streams = Streams(world, directory)
        self.addresses: dict[str, str] = {}
        self.keys: dict[str, str] = {}

    def people(self) -> None:
        """The users and wires."""
        network.wire(self.world, "alice", "bob")
        self.world.group(ADMIN_GROUP)
        self.world.user("alice")
        self.world.user("bob")
        self.world.user("carol", groups=[ADMIN_GROUP])
        streams.serve(self.world, network.INSIDE)

    def office(self) -> None:
        """The interface and the network, by the administrator."""
        endpoint = f"{network.OUTER}:51820"
        self.gateway.jitctl(
            "carol", "interface", "add", "wg0", "--pool", "10.9.0.0/24", "--endpoint", endpoint
        )
        self.gateway.jitctl("carol", "network", "add", "office", "--route", network.INSIDE_NET)

    def laptop(self, user: str, where: str = "") -> None:
        """Register the user's laptop and bring its tunnel up, without any access yet; in his own namespace, or `where`."""
        where = where or user
        key = tunnel.key_pair(self.world, user, where)
        self.gateway.jitctl(user, "device", "add", "laptop", "--public-key", "-", given=f"{key}\n")
        config = self.gateway.jitctl(user, "device", "config")
        self.keys[user] = key
        self.addresses[user] = tunnel.address(config)
        tunnel.up(self.world, where, f"{user}0", tunnel.put_key(self.world, user, config))

    def connects(self, user: str, seconds: float = 1) -> bool:
        """Whether the user reaches the echo server in the office."""
        return streams.connects(self.world, user, network.SERVER, seconds)

    def both_ways(self, user: str, *, rate: int = 1000) -> tuple[Stream, Stream]:
        """Packets from the user's laptop to the office and back, `rate` a second each."""
        realtime_priority(self.world)
        return (
            self.streams.udp(user, network.INSIDE, network.SERVER, rate=rate),
            self.streams.udp(network.INSIDE, user, self.addresses[user], rate=rate),
        )

    def grant(self, user: str, duration: str) -> int:
        """A request by the user, granted by carol. Returns its number."""
        request = self.gateway.json(user, "request", "office", "--reason", "the printer is on fire")
        number = int(request["request"]["id"])
        self.gateway.jitctl("carol", "grant", str(number), "--duration", duration)
        return number

    def ended(self, number: int, seconds: float) -> None:
        """Wait until a grant has an end and the kernel has been seen to agree."""

        def over() -> bool:
            view = self.gateway.request(number)
            # That somebody else has to look at it says nothing about the kernel.
            return view["ended"] is not None and not set(view["marks"]) - {"unreviewed"}

        until(over, f"grant {number} ends", seconds)


@contextmanager
def deployment(directory: Path) -> Iterator[Deployment]:
    """A deployment in a new world, with jitd started and the office there. Logs are kept in `directory`."""
    with World() as world:
        made = Deployment(world, directory)
        made.people()
        made.gateway.init()
        made.gateway.start()
        made.office()
        yield made
