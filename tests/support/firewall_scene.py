"""A gateway, two clients and a host inside, as network namespaces; the gateway is the namespace that the tests run in.

    one 10.9.0.2 fd09::2 --.
                            far -- wg0 (gateway 10.9.0.1 fd09::1) in0 10.20.0.1 -- inside 10.20.0.10 10.1.2.3 10.1.2.4
    two 10.9.0.3 fd09::3 --'

`wg0` is a veth pair here: to the rules, an interface is its name. `far` stands for WireGuard, and passes everything on
to the gateway, also from client to client. It needs no ARP, as WireGuard has none, and the rules let none out.
"""

import ctypes
import itertools
import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Self, TypeVar

from support.wait import until

T = TypeVar("T")
_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_OPTIONS = re.compile(r"(?:-n \w+ )?(?:-6 )?")
ONE, TWO, INSIDE, GATEWAY = "one", "two", "inside", "gateway"
ADDRESS = {"one": "10.9.0.2", "two": "10.9.0.3", "inside": "10.20.0.10", "gateway": "10.9.0.1"}
ADDRESS6 = {"one": "fd09::2", "two": "fd09::3", "inside": "fd20::10", "gateway": "fd09::1"}
DB = "10.1.2.3"  # also inside
DB_NEIGHBOUR = "10.1.2.4"

WIRES = """
link set lo up
link add wg0 address 02:00:00:00:00:01 type veth peer name eth0 address 02:00:00:00:00:02 netns far
link add in0 type veth peer name eth0 netns inside
link set wg0 up
link set in0 up
addr add 10.9.0.1/32 dev wg0
addr add fd09::1/128 dev wg0 nodad
neigh add 10.9.0.254 lladdr 02:00:00:00:00:02 dev wg0 nud permanent
addr add 10.20.0.1/24 dev in0
addr add fd20::1/64 dev in0 nodad
route add 10.9.0.254/32 dev wg0
route add 10.9.0.0/24 via 10.9.0.254
route add fd09::fe/128 dev wg0
route add fd09::/64 via fd09::fe
route add 10.1.2.0/24 via 10.20.0.10
-n inside link set lo up
-n inside link set eth0 up
-n inside addr add 10.20.0.10/24 dev eth0
-n inside addr add 10.1.2.3/32 dev lo
-n inside addr add 10.1.2.4/32 dev lo
-n inside addr add fd20::10/64 dev eth0 nodad
-n inside route add default via 10.20.0.1
-n inside route add default via fd20::1
-n far link set eth0 up
-n far addr add 10.9.0.254/32 dev eth0
-n far addr add fd09::fe/128 dev eth0 nodad
-n far neigh add 10.9.0.1 lladdr 02:00:00:00:00:01 dev eth0 nud permanent
-n far route add 10.9.0.1/32 dev eth0
-n far route add fd09::1/128 dev eth0
-n far route add default via 10.9.0.1 table 100
-n far route add default via fd09::1 table 100
"""
CLIENT = """
-n far link add {name} type veth peer name eth0 netns {name}
-n far link set {name} up
-n far addr add 169.254.0.1/32 dev {name}
-n far addr add fe80::1/64 dev {name} nodad
-n far route add {ip}/32 dev {name}
-n far route add {ip6}/128 dev {name}
-n far rule add iif {name} table 100
-n far -6 rule add iif {name} table 100
-n {name} link set lo up
-n {name} link set eth0 up
-n {name} addr add {ip}/32 dev eth0
-n {name} addr add {ip6}/128 dev eth0 nodad
-n {name} route add default via 169.254.0.1 dev eth0 onlink
-n {name} route add default via fe80::1 dev eth0
"""
SETTINGS = (
    *("ipv4/ip_forward=1", "ipv6/conf/all/forwarding=1", "ipv4/conf/all/rp_filter=0"),
    *(
        "ipv4/conf/default/rp_filter=0",
        "ipv4/conf/all/send_redirects=0",
        "ipv4/conf/default/send_redirects=0",
    ),
    # So that each refusal is answered: the kernel would let some pass and then wait.
    "ipv4/icmp_ratelimit=0",
    "ipv6/icmp/ratelimit=0",
    # Nobody else is there to have the same address.
    *("ipv6/conf/all/accept_dad=0", "ipv6/conf/default/accept_dad=0"),
)


def ip(line: str) -> None:
    """Run `ip` with these words."""
    subprocess.run(["ip", *line.split()], check=True, capture_output=True, text=True)


def nft(text: str) -> str:
    """What an administrator types."""
    return subprocess.run(["nft", text], check=True, capture_output=True, text=True).stdout


def build() -> None:
    """Make the namespaces and wires."""
    for name in (GATEWAY, "far", ONE, TWO, INSIDE):
        if name != GATEWAY:
            ip(f"netns add {name}")
        prefix = [] if name == GATEWAY else ["ip", "netns", "exec", name]
        for setting in SETTINGS:
            key, value = setting.split("=")
            subprocess.run([*prefix, "sh", "-c", f"echo {value} >/proc/sys/net/{key}"], check=True)
    clients = [CLIENT.format(name=one, ip=ADDRESS[one], ip6=ADDRESS6[one]) for one in (ONE, TWO)]
    # As few processes as possible: on a slow machine each of them takes a third of a second.
    lines = [line for text in (WIRES, *clients) for line in text.strip().splitlines()]
    for options, some in itertools.groupby(lines, lambda line: _OPTIONS.match(line)[0]):  # type: ignore[index]  # every line matches
        batch = "".join(line.removeprefix(options) + "\n" for line in some)
        argv = ["ip", *options.split(), "-batch", "-"]
        subprocess.run(argv, input=batch, text=True, check=True, capture_output=True)


#: What goes with `ip link set down`, and comes back by itself with nothing.
ROUTES = """
addr add 10.9.0.1/32 dev {name}
addr add fd09::1/128 dev {name} nodad
neigh add 10.9.0.254 lladdr 02:00:00:00:00:02 dev {name} nud permanent
route add 10.9.0.254/32 dev {name}
route add 10.9.0.0/24 via 10.9.0.254
route add fd09::fe/128 dev {name}
route add fd09::/64 via fd09::fe
"""


@contextmanager
def called(name: str, new: str) -> Iterator[None]:
    """An interface under another name for a while, as an administrator renames it: down, renamed, up."""
    _rename(name, new)
    try:
        yield
    finally:
        _rename(new, name)


def _rename(name: str, new: str) -> None:
    ip(f"link set {name} down")
    ip(f"link set {name} name {new}")
    ip(f"link set {new} up")
    # Those that went with it, of both versions; those that did not are there already.
    lines = ROUTES.format(name=new).strip().replace("add ", "replace ")
    subprocess.run(["ip", "-batch", "-"], input=lines, text=True, check=True, capture_output=True)


def index_of(name: str) -> int:
    """The kernel's number of an interface."""
    return socket.if_nametoindex(name)


def within(where: str, function: Callable[[], T]) -> T:
    """Call a function in a namespace. A socket that it makes stays there."""
    if where == GATEWAY:
        return function()
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            space = os.open(f"/run/netns/{where}", os.O_RDONLY)
            refused = _libc.setns(space, _CLONE_NEWNET)
            os.close(space)
            assert not refused, os.strerror(ctypes.get_errno())
            done.append(function())
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def listen(where: str, port: int, address: str = "::") -> socket.socket:
    """A TCP server for both IP versions."""

    def make() -> socket.socket:
        server = socket.socket(socket.AF_INET6)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, port))
        server.listen()
        server.settimeout(2)
        return server

    return within(where, make)


def tcp(where: str, address: str, port: int, source: str = "", seconds: float = 2) -> socket.socket:
    """A TCP connection from a namespace. Raises OSError."""
    line = within(where, lambda: socket.socket(_family(address)))
    line.settimeout(seconds)
    try:
        if source:
            line.bind((source, 0))
        line.connect((address, port))
        # A refusal that arrives between the kernel's two looks at the socket ends it without an error: about one
        # connect in 200 with a timeout "succeeds" then, on a socket that is closed.
        line.getpeername()
    except BaseException:
        line.close()
        raise
    return line


def udp(where: str) -> socket.socket:
    """An IPv4 UDP socket in a namespace."""
    line = within(where, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    line.settimeout(2)
    return line


def opens(where: str, address: str, port: int) -> bool:
    """Whether a TCP connection opens; False: it was refused. Raises TimeoutError when nobody answers.

    TCP heeds no refusal that comes back within the call that connects, as it does over veth on a slow machine, but
    that of one of its next tries, 1, 3 and 7 s later.
    """
    try:
        tcp(where, address, port, seconds=8).close()
    except TimeoutError:
        raise
    except OSError:
        return False
    return True


def passes(one: socket.socket, other: socket.socket, seconds: float = 0.4) -> bool:
    """Whether a byte that is written to one end of a connection comes out of the other."""
    one.send(b"x")
    other.settimeout(seconds)
    try:
        return other.recv(65536) != b""
    except TimeoutError:
        return False


class Talk:
    """UDP packets both ways between two addresses, a thousand a second each, as one flow."""

    def __init__(
        self, where: str, there: str, address: str, *, source: str, rate: int = 1000, port: int = 7777
    ) -> None:
        self.rate = rate
        self.ends = [self._socket(where, source), self._socket(there, address, port)]
        for end, other in (self.ends, self.ends[::-1]):
            end.connect(other.getsockname()[:2])
        self.sent: list[list[int]] = [[], []]  # by direction: the time in ns at the index that is the number
        self.received: list[dict[int, int]] = [
            {},
            {},
        ]  # by direction: the number and the time of arrival in ns
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(index,)) for index in (0, 1)]
        self._threads += [threading.Thread(target=self._receive, args=(index,)) for index in (0, 1)]

    @staticmethod
    def _socket(where: str, address: str, port: int = 0) -> socket.socket:
        end = within(where, lambda: socket.socket(_family(address), socket.SOCK_DGRAM))
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        end.settimeout(0.05)
        end.bind((address, port))
        return end

    def __enter__(self) -> Self:
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._ended.set()
        for thread in self._threads:
            thread.join()
        for end in self.ends:
            end.close()

    def _send(self, index: int) -> None:
        begun = time.monotonic()
        while not self._ended.is_set():
            number = len(self.sent[index])
            time.sleep(max(begun + number / self.rate - time.monotonic(), 0))
            self.sent[index].append(time.monotonic_ns())
            # A refusal that came back shows here.
            with suppress(OSError):
                self.ends[index].send(number.to_bytes(8, "big"))

    def _receive(self, index: int) -> None:
        while not self._ended.is_set():
            # A refusal that came back shows here, too.
            with suppress(OSError):
                number = int.from_bytes(self.ends[1 - index].recv(64), "big")
                self.received[index][number] = time.monotonic_ns()

    def flows(self, seconds: float = 5) -> None:
        """Wait until packets that are sent from now on arrive both ways."""
        marks = [len(sent) for sent in self.sent]
        until(
            lambda: all(
                max(received, default=-1) > mark + 20
                for received, mark in zip(self.received, marks, strict=True)
            ),
            "packets flow both ways",
            seconds,
        )

    def sends(self, packets: int) -> None:
        """Wait until so many more were sent each way."""
        marks = [len(sent) + packets for sent in self.sent]
        until(
            lambda: all(len(sent) > mark for sent, mark in zip(self.sent, marks, strict=True)),
            "packets sent",
            30,
        )

    def after(self, moment_ns: int) -> list[int]:
        """By direction: how many packets that were sent after this moment arrived."""
        return [
            sum(1 for number in list(self.received[index]) if self.sent[index][number] > moment_ns)
            for index in (0, 1)
        ]

    def last_ns(self) -> list[int]:
        """By direction: when the last packet that arrived was sent."""
        return [self.sent[index][max(self.received[index])] for index in (0, 1)]


def wireguard(here: str, where: str, name: str) -> None:
    """A real tunnel between the gateway (10.11.0.1) and a namespace (10.11.0.2), over the wires that are there.

    It is the kernel's where the kernel has it, else wireguard-go's.
    """
    keys = {}
    for space, link in ((GATEWAY, here), (where, name)):
        inside = [] if space == GATEWAY else ["ip", "netns", "exec", space]
        if subprocess.run(
            [*inside, "ip", "link", "add", link, "type", "wireguard"], check=False, capture_output=True
        ).returncode:
            subprocess.run([*inside, "wireguard-go", link], check=True, capture_output=True)
        private = subprocess.run(["wg", "genkey"], check=True, capture_output=True, text=True).stdout
        keys[space] = subprocess.run(
            ["wg", "pubkey"], input=private, check=True, capture_output=True, text=True
        ).stdout.strip()
        argv = [*inside, "wg", "set", link, "private-key", "/proc/self/fd/0", "listen-port", "51999"]
        subprocess.run(argv, input=private, text=True, check=True)
    other = ["ip", "netns", "exec", where]
    allowed = ["allowed-ips", "10.11.0.2/32"]
    subprocess.run(["wg", "set", here, "peer", keys[where], *allowed], check=True)
    dial = ["allowed-ips", "0.0.0.0/0", "endpoint", "10.20.0.1:51999"]
    subprocess.run([*other, "wg", "set", name, "peer", keys[GATEWAY], *dial], check=True)
    for line in (
        f"addr add 10.11.0.1/24 dev {here}",
        f"link set {here} up",
        f"-n {where} addr add 10.11.0.2/24 dev {name}",
        f"-n {where} link set {name} up",
    ):
        ip(line)
