"""How long a start takes until jitd is ready, with many active grants in its store."""

import os
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

from bench import fill
from bench.burst import BYSTANDER, lost
from bench.daemon import Daemon, hours
from bench.floors import timed
from bench.memory import MemoryDaemon
from bench.options import Options
from bench.results import Result, Table
from bench.world import BARE, ENDPOINT, WorldDaemon, hexadecimal, in_world
from jitd.store.database import FILE_NAME
from support import network
from support.realtime_priority import realtime_priority

WANTED_MS = 5_000
EMPTY = "start with an empty store"
STORED = "bare SQLite: reading all grants and tunnels"
LOOK_UP = "looking each of them up once (passwd, groups)"
SET = "bare UAPI operation for all peers at once"
COLD = "start, with no peer on the interface yet"
WARM = "start, with all peers there already"
READ = "bare UAPI read of all peers"


def measure(options: Options, result: Result) -> None:
    """With wireguard-go as root; on the memory backend for everybody."""
    count = options.choose(10_000, 1_000)
    with MemoryDaemon(options.place("start-memory")) as memory:
        on(memory, count, "memory backend, people without NSS", options, result)
    if options.real:
        with in_world(options, "start-world", BYSTANDER) as real:
            where = f"wireguard-go, firewall {real.firewall()}"
            real.stop()
            on(real, count, where, options, result)
            _beside(real, count, result)


def on(daemon: Daemon, count: int, where: str, options: Options, result: Result) -> None:
    """One table; the daemon is stopped, and its store is empty."""
    table = Table(f"Start with {count:,} active grants of as many people, {where}")
    empty = _starts(daemon, 3)
    daemon.start()
    daemon.furnish(ENDPOINT)
    people = fill.crowd(count)
    first = daemon.refill(people, hours(8))
    options.say(f"start: {where}: ready after {first:.0f} ms")
    active = daemon.good("GET", "/v1/status").reply["gateway"]["active"]
    assert active == count, f"{active} grants are active, and not {count}"
    if isinstance(daemon, WorldDaemon):
        # Nothing is ready before everyone is let in.
        assert (found := daemon.peers(fill.INTERFACE)) == count, f"{found} peers are there, and not {count}"
    daemon.stop()
    again = _starts(daemon, 2)
    table.add(EMPTY, empty)
    table.add(STORED, _reads(daemon))
    floors = [EMPTY, STORED]
    if isinstance(daemon, WorldDaemon):
        table.add(LOOK_UP, [daemon.agent.look_up([person.name for person in people]).ms])
        table.add(READ, [daemon.agent.uapi(fill.INTERFACE, "get=1").ms for _ in range(3)])
        table.add(SET, [_bare_set(daemon, people)])
        floors += [LOOK_UP, READ]
    if isinstance(daemon, WorldDaemon):
        table.add(COLD, [first], *floors, SET)
        table.add(WARM, again, *floors)
    else:
        # The memory backend's peers go with the process.
        table.add(COLD, [first, *again], *floors)
    result.tables.append(table)
    worst = max(first, *again)
    result.judge(
        f"a start with {count:,} active grants is ready in under 5 s ({where}): {worst / 1000:.1f} s",
        reached=worst < WANTED_MS,
    )
    ready = daemon.start()
    table.add("the same, until the kernel agrees with everything", [ready + daemon.agrees()], *floors)
    if isinstance(daemon, WorldDaemon):
        seconds = options.choose(35, 16)
        options.say(f"start: what it costs to do nothing for {seconds} s")
        share = _busy(daemon, seconds)
        result.summary.append(
            f"told         jitd with {count:,} active grants and nothing to do takes {share:.0%} of a processor"
        )


def _beside(daemon: WorldDaemon, count: int, result: Result) -> None:
    """What somebody who is in loses while jitd is stopped and started again with all the others."""
    bob = daemon.laptop(BYSTANDER)
    daemon.grant(BYSTANDER, 8 * fill.HOUR)
    realtime_priority(daemon.world)
    streams = (
        daemon.streams.udp(BYSTANDER, network.INSIDE, network.SERVER),
        daemon.streams.udp(network.INSIDE, BYSTANDER, bob.address),
    )
    begun = max(stream.arrives().sent for stream in streams)
    daemon.stop()
    daemon.start()
    end = max(stream.arrives().sent for stream in streams)
    for stream in streams:
        stream.stop()
    gone = sum(len(stream.lost(begun, end)) for stream in streams)
    result.judge(
        f"nobody loses a packet by a restart with {count:,} active grants: {lost(streams, begun, end)}",
        reached=not gone,
    )


def _busy(daemon: WorldDaemon, seconds: float) -> float:
    """Which share of a processor the daemon took over so many seconds."""
    assert daemon.gateway.daemon is not None
    stat = Path(f"/proc/{daemon.gateway.daemon.pid}/stat")

    def used() -> float:
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    begun, before = time.monotonic(), used()
    time.sleep(seconds)
    return (used() - before) / (time.monotonic() - begun)


def _starts(daemon: Daemon, count: int) -> list[float]:
    """Start and stop a stopped daemon so many times; milliseconds until it was ready."""
    found = []
    for _ in range(count):
        found.append(daemon.start())
        daemon.stop()
    return found


def _reads(daemon: Daemon) -> list[float]:
    database = sqlite3.connect(daemon.state_dir / FILE_NAME)
    statements = (
        "SELECT r.*, a.uid, a.name FROM request r JOIN account a ON a.id = r.account_id WHERE r.ended_how IS NULL",
        "SELECT * FROM tunnel t JOIN device d ON d.id = t.device_id JOIN address x ON x.tunnel_id = t.id",
    )
    try:
        return [timed(lambda: [database.execute(sql).fetchall() for sql in statements]) for _ in range(3)]
    finally:
        database.close()


def _bare_set(daemon: WorldDaemon, people: Sequence[fill.Person]) -> float:
    daemon.bare()
    lines = ["set=1"]
    for place, person in enumerate(people):
        address = f"10.{65 + place // 65536}.{place // 256 % 256}.{place % 256}/32"
        lines += [
            f"public_key={hexadecimal(person.keys[0])}",
            "replace_allowed_ips=true",
            f"allowed_ip={address}",
        ]
    return daemon.agent.uapi(BARE, "\n".join(lines)).ms
