"""Streams of numbered packets through a world, and what can be said about them: lost, late, silent."""

import bisect
import itertools
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from support.packets import RECORD
from support.wait import until
from support.world import Process, World

TCP_PORT = 7000
_ports = itertools.count(20000)


def _program(world: World) -> list[str]:
    """How packets.py is started in the world: its own copy, because the checkout may be in a private home."""
    place = Path("/usr/local/lib/jitctl/packets.py")
    if not world.path(place).exists():
        shutil.copy(Path(__file__).with_name("packets.py"), world.path(place))
    return [sys.executable, "-I", str(place)]


@dataclass(frozen=True)
class Packet:
    """One packet; times in nanoseconds of CLOCK_MONOTONIC, received 0 when it has not come."""

    number: int
    sent: int
    received: int


class Log:
    """A file of packets that grows; each record is read once."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._packets: list[Packet] = []

    def packets(self) -> list[Packet]:
        """What is in it so far."""
        if self.file.exists():
            with self.file.open("rb") as file:
                file.seek(len(self._packets) * RECORD.size)
                data = file.read()
            whole = len(data) - len(data) % RECORD.size
            self._packets += [Packet(*record) for record in RECORD.iter_unpack(data[:whole])]
        return self._packets


def _since(packets: list[Packet], moment_ns: int) -> list[Packet]:
    """Those at the end of a list in order of sending that were sent after this moment."""
    return packets[bisect.bisect_right(packets, moment_ns, key=lambda packet: packet.sent) :]


@dataclass
class Stream:
    """A UDP stream in one direction, from the first packet to stop()."""

    name: str
    sent_log: Log
    received_log: Log
    processes: list[Process] = field(default_factory=list)

    def sent(self) -> list[Packet]:
        """What was sent so far."""
        return self.sent_log.packets()

    def received(self) -> list[Packet]:
        """What arrived so far."""
        return self.received_log.packets()

    def stop(self) -> None:
        """End it: the sender first, and the receiver after what is under way has come."""
        for process in self.processes:
            if process.popen.stdin is not None and not process.popen.stdin.closed:
                if process is not self.processes[0]:
                    self._settle()
                process.popen.stdin.close()
                process.popen.wait(10)

    def _settle(self) -> None:
        """Wait until nothing has arrived for a tenth of a second: what was under way is there."""
        last, since = -1, time.monotonic()

        def quiet() -> bool:
            nonlocal last, since
            if (size := len(self.received())) != last:
                last, since = size, time.monotonic()
            return time.monotonic() - since > 0.1

        until(quiet, "the last packets arrive")

    def lost(self, since_ns: int = 0, until_ns: int = 2**63) -> list[Packet]:
        """The packets sent in this span that never arrived."""
        arrived = {packet.number for packet in self.received()}
        return [
            packet
            for packet in self.sent()
            if since_ns <= packet.sent <= until_ns and packet.number not in arrived
        ]

    def losses(self, since_ns: int = 0, until_ns: int = 2**63) -> str:
        """The same for people: nothing, or how many, and when each hole began and how long it was."""
        holes: list[list[Packet]] = []
        for packet in self.lost(since_ns, until_ns):
            if holes and holes[-1][-1].number == packet.number - 1:
                holes[-1].append(packet)
            else:
                holes.append([packet])
        texts = [
            f"{len(hole)} from +{(hole[0].sent - since_ns) / 1e9:.3f} s for {(hole[-1].sent - hole[0].sent) / 1e6:.0f} ms"
            for hole in holes
        ]
        return f"{self.name} lost {', '.join(texts[:10])}" if texts else ""

    def sent_after(self, moment_ns: int) -> list[Packet]:
        """Packets that were sent after this moment and arrived all the same."""
        # UDP may change the order: those that came with the first late one and before it are looked at too.
        tail = _since(self.received(), moment_ns - 1_000_000_000)
        return [packet for packet in tail if packet.sent > moment_ns]

    def between(self, begin_ns: int, end_ns: int) -> list[Packet]:
        """Packets that arrived in this span."""
        return [packet for packet in self.received() if begin_ns < packet.received <= end_ns]

    def arrives(self, seconds: float = 10) -> Packet:
        """Wait for a packet that is sent from now on to arrive, and return it."""
        now = time.monotonic_ns()
        until(lambda: self.sent_after(now), f"a packet arrives: {self.name}", seconds)
        return self.sent_after(now)[0]

    def silent(self, packets: int = 300, seconds: float = 10) -> bool:
        """Whether none of the next `packets` packets arrives. Raises AssertionError when they are not sent."""
        now = time.monotonic_ns()
        until(
            lambda: len(_since(self.sent(), now)) >= packets,
            f"{packets} packets are sent: {self.name}",
            seconds,
        )
        return not self.sent_after(now)


class Streams:
    """Makes streams in a world and ends them; files are kept in `directory`."""

    def __init__(self, world: World, directory: Path) -> None:
        self.world = world
        self.directory = directory
        self.all: list[Stream] = []

    def udp(self, sender: str, receiver: str, address: str, *, rate: int = 1000) -> Stream:
        """Packets from one namespace to an address in another, `rate` a second. Starts at once."""
        port = next(_ports)
        name = f"{sender}-to-{receiver}-{port}"
        stream = Stream(name, Log(self.directory / f"{name}.sent"), Log(self.directory / f"{name}.received"))
        program = _program(self.world)
        inward = self.world.start(
            [*program, "receive", str(port), str(stream.received_log.file)],
            where=receiver,
            stdin=subprocess.PIPE,
        )
        until(stream.received_log.file.exists, f"{name} listens")
        outward = self.world.start(
            [*program, "send", address, str(port), str(rate), str(stream.sent_log.file)],
            where=sender,
            stdin=subprocess.PIPE,
        )
        stream.processes = [outward, inward]
        self.all.append(stream)
        until(stream.sent, f"{name} sends")
        return stream

    def tcp(self, sender: str, address: str, *, rate: int = 100) -> Stream:
        """One TCP connection to the echo server: a packet is received when its echo is. Nothing counts as lost."""
        name = f"{sender}-tcp-{next(_ports)}"
        stream = Stream(name, Log(self.directory / "none"), Log(self.directory / f"{name}.received"))
        line = self.world.start(
            [*_program(self.world), "talk", address, str(TCP_PORT), str(rate), str(stream.received_log.file)],
            where=sender,
            stdin=subprocess.PIPE,
        )
        stream.processes = [line]
        self.all.append(stream)
        return stream

    def stop(self) -> None:
        """End all streams."""
        for stream in self.all:
            stream.stop()


def serve(world: World, where: str) -> None:
    """Start the echo server in a namespace, and wait until it answers there."""
    world.start([*_program(world), "serve", str(TCP_PORT)], where=where)
    until(lambda: connects(world, where, "127.0.0.1"), "the echo server answers")


def connects(world: World, where: str, address: str, seconds: float = 1) -> bool:
    """Whether a TCP connection to the echo server opens within the time."""
    argv = [*_program(world), "connect", address, str(TCP_PORT), str(seconds)]
    return world.run(argv, where=where, check=False, seconds=seconds * 2 + 10).returncode == 0
