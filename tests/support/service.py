"""A whole service in the test's process: real store, memory backend, a clock and people that the test moves."""

import base64
import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from jitd.config import load
from jitd.core.configuration import Config, Daemon, Enforce, Limits
from jitd.core.model import Actor
from jitd.core.placing import Host
from jitd.diagnostics import doctor
from jitd.diagnostics.machine import Machine
from jitd.enforce.firewallport import Firewall
from jitd.enforce.memoryfirewall import MemoryFirewall
from jitd.enforce.nofirewall import NoFirewall
from jitd.enforce.owner import Owner
from jitd.enforce.port import SetPeer
from jitd.engine.ports import Ports
from jitd.engine.service import Service
from jitd.reconcile.firewall import MARGIN_MS
from jitd.server.routes import RULES
from jitd.store.database import FILE_NAME
from jitd.verbs import devices, grants, interfaces, networks, requests
from jitd.verbs.access import Access, Role, Rule
from jitd.verbs.context import ChangeVerb, QueryVerb
from support import replies
from support.clock import TestClock
from support.shared_wireguard import SharedWireGuard
from support.static_directory import StaticDirectory

ROOT = Actor(uid=0, user="root")
ALICE = Actor(uid=61001, user="alice", login_uid=61001, login_user="alice")
BOB = Actor(uid=61002, user="bob", login_uid=61002, login_user="bob")
CAROL = Actor(uid=61003, user="carol", login_uid=61003, login_user="carol")  # an administrator by group
DAVE = Actor(uid=61004, user="dave", login_uid=61004, login_user="dave")  # another one
HOUR = 3_600_000


def key(name: str) -> str:
    """A public key for a name: any 32 bytes are one."""
    return base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()


class SomeHost:
    """A machine whose addresses, routes and programs the test sets."""

    def __init__(self) -> None:
        self.host = Host()
        self.ports: set[int] = set()

    def read(self) -> Host:
        """As the port says."""
        return self.host

    def port_taken(self, port: int) -> bool:
        """As the port says."""
        return port in self.ports


class World:
    """A service with what it stands on. `start` and `stop` may be called again: a restart."""

    def __init__(self, state_dir: Path, limits: Limits | None = None, *, firewall: bool = True) -> None:
        self.clock = TestClock()
        self.firewall: Firewall = MemoryFirewall(self.clock.boot_ms) if firewall else NoFirewall()
        self.people = StaticDirectory(
            {
                "root": (0, []),
                "alice": (61001, ["staff"]),
                "bob": (61002, []),
                "carol": (61003, ["admins"]),
                "dave": (61004, ["admins"]),
                "daemon": (1, []),
                "jit": (61009, []),
            }
        )
        self.wireguard = SharedWireGuard()
        self.host = SomeHost()
        self.owner = Owner(kind="by hand")
        self.config = Config(
            daemon=Daemon(
                socket=state_dir / "jitd.sock",
                state_dir=state_dir,
                admin_groups=("admins",),
                gate_users=("jit",),
            ),
            enforce=Enforce(backend="memory"),
            limits=limits or Limits(),
        )
        #: Who may call what. A test that runs a function of its own puts it here with `may_run`.
        self.api = dict(RULES)
        self.service = self._new()

    def _new(self) -> Service:
        return Service(
            config=self.config,
            ports=Ports(
                clock=self.clock,
                wireguard=self.wireguard,
                firewall=self.firewall,
                host=self.host,
                directory=self.people,
                owner_of=lambda _: self.owner,
                machine=Machine(None, load),
            ),
            api=self.api,
        )

    async def start(self) -> None:
        """Start the service."""
        await self.service.start()

    async def restart(self) -> None:
        """Stop it, and start another one on the same store and interfaces."""
        await self.service.stop()
        await self.start_anew()

    async def start_anew(self) -> None:
        """After a stop: start another one on the same store and interfaces."""
        self.service = self._new()
        await self.service.start()

    async def stop(self) -> None:
        """Stop the service."""
        await self.service.stop()

    def may_run(self, function: Callable[..., Any]) -> None:
        """Let everybody call a function of the test's, which the table of the API does not name."""
        self.api[function] = Rule(Access(Role.ANY))

    async def do(self, verb: ChangeVerb, actor: Actor, **body: Any) -> dict[str, Any]:
        """Run a verb that changes something."""
        return _checked(verb, await self.service.change(verb, actor, body))

    async def ask(self, verb: QueryVerb[Any], actor: Actor, **query: Any) -> dict[str, Any]:
        """Run a query."""
        return _checked(verb, await self.service.query(verb, actor, query))

    async def examine(self, actor: Actor, **query: Any) -> dict[str, Any]:
        """What doctor says."""
        return _checked(doctor.doctor, await self.service.examine(doctor.doctor, actor, query))

    async def advance(self, ms: int) -> None:
        """Time goes on, and what is due is done."""
        self.clock.advance(ms)
        await self.service.expire()

    async def furnish(self) -> None:
        """An interface, a network that everyone may ask for, and a device each for alice and bob."""
        await self.do(
            interfaces.add, ROOT, name="wg0", pools=["10.9.0.0/24"], endpoint="vpn.example.org:51820"
        )
        await self.do(networks.add, ROOT, name="office", routes=["10.0.0.0/8"])
        await self.do(devices.add, ALICE, name="laptop", public_key=key("alice"))
        await self.do(devices.add, BOB, name="laptop", public_key=key("bob"))

    async def asked(self, actor: Actor = ALICE, **more: Any) -> int:
        """A pending request; returns its id."""
        reply = await self.do(requests.request, actor, **{"network": "office", "reason": "ticket 42", **more})
        return int(reply["request"]["id"])

    async def granted(self, actor: Actor = ALICE, *, duration: int = HOUR) -> int:
        """An active grant; returns its id."""
        number = await self.asked(actor)
        await self.do(grants.grant, ROOT, id=number, duration=duration)
        return number

    def peers(self, interface: str = "wg0") -> Mapping[str, frozenset[str]]:
        """Who is on an interface, by the name that the key was made of, with the allowed IPs."""
        names = {key(name): name for name in ("alice", "bob", "carol", "dave", "old", "older", "phone")}
        return {
            names.get(peer.public_key, peer.public_key): frozenset(str(ip) for ip in peer.allowed_ips)
            for peer in self.wireguard.read(interface).peers.values()
        }

    def entries(self) -> dict[str, int]:
        """Who may pass in the firewall: milliseconds left (and the tick that is taken off), by network id and address."""
        return {f"{one.network_id} {one.ip}": one.least_ms + MARGIN_MS for one in self.firewall.read()}


def _checked(verb: Callable[..., Any], reply: Any) -> dict[str, Any]:
    """A reply, which is what its route promises."""
    replies.check(verb, reply)
    return dict(reply)


async def a_gateway_with_a_past(world: World) -> None:
    """An existing wg0 with two colleagues on it."""
    world.wireguard.add_foreign_link("wg0", addresses=("10.9.0.1/24",), port=51820)
    world.wireguard.apply(
        "wg0",
        [
            SetPeer(public_key=key(name), allowed_ips=frozenset({ip_network(ip)}), preshared_key=psk)
            for name, ip, psk in (("old", "10.9.0.2/32", key("psk")), ("older", "10.9.0.3/32", None))
        ],
    )
    await world.do(interfaces.adopt, ROOT, name="wg0", endpoint="vpn.example.org")
    await world.do(networks.add, ROOT, name="office", routes=["10.0.0.0/8"])


@contextmanager
def locked(world: World) -> Iterator[None]:
    """Another process holds the database."""
    other = sqlite3.connect(world.config.daemon.state_dir / FILE_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def passes(
    world: World, rx: int, tx: int, handshake_ms: int = 0, endpoint: str = "198.51.100.7:40000"
) -> None:
    """The counters of alice's peer, as the kernel would count them."""
    state = world.wireguard._links["wg0"]
    peer = replace(
        state.peers[key("alice")], rx_bytes=rx, tx_bytes=tx, last_handshake_ms=handshake_ms, endpoint=endpoint
    )
    world.wireguard._links["wg0"] = replace(state, peers={**state.peers, key("alice"): peer})
