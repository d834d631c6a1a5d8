"""A real jitd in a world (support/world.py): wireguard-go, real users, clients with tunnels, and times taken inside."""

import base64
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import fill
from bench.daemon import LONGEST_START, Answer, Daemon
from bench.options import Options
from support import network, tunnel
from support.gateway import ADMIN_GROUP, SOCKET, Gateway
from support.streams import Streams
from support.wait import until
from support.world import World

BARE = "bare0"  # an interface that jitd knows nothing of: what WireGuard costs by itself
BARE_PORT = 51900
BARE_NET = "10.8.0"
ENDPOINT = f"{network.OUTER}:51820"


@dataclass(frozen=True)
class Done:
    """Something done inside; nanoseconds of CLOCK_MONOTONIC around it."""

    begun: int
    ended: int
    text: str = ""
    peers: int = 0
    late_ms: float = 0

    @property
    def ms(self) -> float:
        """How long it took."""
        return (self.ended - self.begun) / 1e6


class Agent:
    """inside.py, running as root in the gateway of a world."""

    def __init__(self, world: World) -> None:
        place = Path("/usr/local/lib/jitctl/bench_inside.py")
        shutil.copy(Path(__file__).with_name("inside.py"), world.path(place))
        self._process = world.start(
            [sys.executable, "-I", str(place)], stdin=subprocess.PIPE, output=subprocess.PIPE
        )

    def ask(self, **asked: object) -> dict[str, Any]:
        """One question. Raises AssertionError when it could not be done."""
        line = self._process.popen
        assert line.stdin is not None
        assert line.stdout is not None
        line.stdin.write(f"{json.dumps(asked)}\n")
        line.stdin.flush()
        answer: dict[str, Any] = json.loads(line.stdout.readline() or '{"failed": "it has ended"}')
        assert "failed" not in answer, f"{asked}: {answer['failed']}"
        return answer

    def uapi(self, interface: str, operation: str, at_ns: int = 0) -> Done:
        """An operation on WireGuard's own socket, at a wall clock time if one is given."""
        answer = self.ask(do="uapi", interface=interface, operation=operation, at_ns=at_ns)
        assert answer["errno"] == 0, f"{operation[:200]}: errno {answer['errno']}"
        late = answer.get("late_ns", 0) / 1e6
        return Done(answer["begun"], answer["ended"], peers=answer["peers"], late_ms=late)

    def run(self, *argv: str, given: str = "") -> Done:
        """Run a program to its end; it must succeed."""
        answer = self.ask(do="run", argv=argv, given=given)
        assert answer["status"] == 0, f"{argv}: {answer['error']}"
        return Done(answer["begun"], answer["ended"], text=answer["text"])

    def look_up(self, names: Sequence[str]) -> Done:
        """Ask the system for these users."""
        answer = self.ask(do="look_up", names=names)
        return Done(answer["begun"], answer["ended"])


class WorldDaemon(Daemon):
    """`jitd run` in the gateway. Its store is in `directory`, on the machine's own filesystem."""

    def __init__(self, world: World, directory: Path, clients: Sequence[str], firewall: str) -> None:
        self.world = world
        self.directory = directory
        self.state_dir = directory / "state"
        self.state_dir.mkdir(mode=0o700)
        self.gateway = Gateway(world, directory / "jitd.log")
        self.streams = Streams(world, directory)
        self.agent = Agent(world)
        self.clients: dict[str, Client] = {}
        network.wire(world, *clients)
        world.group(ADMIN_GROUP)
        world.user("carol", groups=[ADMIN_GROUP])
        self.gateway.init()
        self.gateway.settle("daemon", f'state_dir = "{self.state_dir}"')
        self.gateway.settle("enforce", 'backend = "userspace"')
        self.gateway.settle("enforce", f'firewall = "{firewall}"')
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(directory / "notify"))
        self._notify.settimeout(0.2)

    def know(self, people: Sequence[fill.Person]) -> None:
        """As the base says: in the world's own /etc/passwd."""
        file = self.world.path("/etc/passwd")
        known = {line.split(":")[0] for line in file.read_text().splitlines()}
        lines = [
            f"{person.name}:x:{person.uid}:100::/nonexistent:/bin/sh\n"
            for person in people
            if person.name not in known
        ]
        with file.open("a") as passwd:
            passwd.writelines(lines)

    def start(self) -> float:
        """As the base says: until it tells systemd that it is ready."""
        begun = time.monotonic_ns()
        with self.gateway.log.open("a") as log:
            running = self.world.start(
                ["jitd", "run"], output=log, env={"NOTIFY_SOCKET": str(self.directory / "notify")}
            )
        self.gateway.daemon = running
        while True:
            try:
                if self._notify.recv(4096).startswith(b"READY=1"):
                    return (time.monotonic_ns() - begun) / 1e6
            except TimeoutError:
                seconds = (time.monotonic_ns() - begun) / 1e9
                waits = running.popen.poll() is None and seconds < LONGEST_START
                assert waits, (
                    f"jitd is not ready after {seconds:.0f} s:\n{self.gateway.log.read_text()[-4000:]}"
                )

    def stop(self) -> None:
        """As the base says."""
        daemon = self.gateway.daemon
        assert daemon is not None
        self.gateway.daemon = None
        daemon.stop(seconds=60)

    def call(self, method: str, path: str, body: object = None) -> Answer:
        """As the base says."""
        found = self.agent.ask(do="call", socket=SOCKET, method=method, path=path, body=body)
        return Answer(found["status"], found["text"], found["begun"], found["ended"])

    def peers(self, interface: str) -> int:
        """How many peers WireGuard has there."""
        return self.agent.uapi(interface, "get=1").peers

    def firewall(self) -> str:
        """The firewall layer that the daemon says it has."""
        return str(self.good("GET", "/v1/status").reply["gateway"]["firewall"])

    def bare(self) -> str:
        """Bring up the bare interface. Returns its public key."""
        private = self.agent.run("wg", "genkey").text.strip()
        self.agent.run("wireguard-go", BARE)
        until(lambda: BARE in self.agent.run("wg", "show", "interfaces").text, f"{BARE} is there")
        self.agent.run("ip", "address", "add", f"{BARE_NET}.1/24", "dev", BARE)
        self.agent.run("ip", "link", "set", BARE, "up")
        self.agent.uapi(BARE, f"set=1\nprivate_key={hexadecimal(private)}\nlisten_port={BARE_PORT}")
        return self.agent.run("wg", "pubkey", given=private).text.strip()

    def laptop(self, user: str) -> "Client":
        """A user with a device, whose tunnel is up; there is no access yet."""
        self.world.user(user)
        key = tunnel.key_pair(self.world, user, user)
        self.gateway.jitctl(user, "device", "add", "laptop", "--public-key", "-", given=f"{key}\n")
        config = tunnel.put_key(self.world, user, self.gateway.jitctl(user, "device", "config"))
        return self._client(user, key, config)

    def bare_client(self, name: str, gateway_key: str) -> "Client":
        """A client of the bare interface, not let in yet."""
        private = self.agent.run("wg", "genkey").text.strip()
        config = (
            f"[Interface]\nPrivateKey = {private}\nAddress = {BARE_NET}.2/32\n[Peer]\nPublicKey = {gateway_key}\n"
            f"Endpoint = {network.OUTER}:{BARE_PORT}\nAllowedIPs = {network.INSIDE_NET}\n"
        )
        return self._client(name, self.agent.run("wg", "pubkey", given=private).text.strip(), config)

    def _client(self, name: str, key: str, config: str) -> "Client":
        tunnel.up(self.world, name, f"{name}0", config)
        (gateway,) = [
            line.partition("=")[2].strip() for line in config.splitlines() if line.startswith("PublicKey")
        ]
        (endpoint,) = [
            line.partition("=")[2].strip() for line in config.splitlines() if line.startswith("Endpoint")
        ]
        self.clients[name] = Client(self.agent, name, key, tunnel.address(config), gateway, endpoint)
        return self.clients[name]


@dataclass(frozen=True)
class Client:
    """A laptop in the namespace of its name. Keys base64, `address` in the tunnel."""

    agent: Agent
    name: str
    key: str
    address: str
    gateway_key: str
    endpoint: str

    def forget_session(self) -> Done:
        """What switching the tunnel off and on does for WireGuard: the next packet begins with a handshake."""
        gateway = hexadecimal(self.gateway_key)
        return self.agent.uapi(
            f"{self.name}0",
            f"set=1\npublic_key={gateway}\nremove=true\npublic_key={gateway}\nendpoint={self.endpoint}"
            f"\nreplace_allowed_ips=true\nallowed_ip={network.INSIDE_NET}",
        )

    def let_in_operation(self) -> str:
        """What lets this client in through the bare interface."""
        return f"set=1\npublic_key={hexadecimal(self.key)}\nreplace_allowed_ips=true\nallowed_ip={self.address}/32"

    def cut_operation(self) -> str:
        """And what cuts it."""
        return f"set=1\npublic_key={hexadecimal(self.key)}\nremove=true"


def hexadecimal(key: str) -> str:
    """A key as WireGuard's socket wants it."""
    return base64.b64decode(key).hex()


def reach(moment_ns: int) -> None:
    """Wait for a moment of CLOCK_MONOTONIC."""
    until(
        lambda: time.monotonic_ns() > moment_ns, "the time comes", (moment_ns - time.monotonic_ns()) / 1e9 + 5
    )


@contextmanager
def in_world(options: Options, name: str, *clients: str) -> Iterator[WorldDaemon]:
    """A new world with wires to these clients and a running jitd that is empty."""
    with World() as world:
        made = WorldDaemon(world, options.place(name), clients, options.firewall)
        made.start()
        try:
            yield made
        except BaseException:
            # The world goes, and with it what would explain it.
            log = made.gateway.log
            sys.stderr.write(
                f"the end of jitd's log:\n{log.read_text()[-3000:] if log.exists() else '(none)'}\n"
            )
            raise
        finally:
            made.streams.stop()
