"""Many grants that end in the same second: when the last of them is cut, and what somebody else loses meanwhile."""

import re
import time
from collections.abc import Sequence

from bench import fill
from bench.options import Options
from bench.results import Result, Table, percentile
from bench.world import ENDPOINT, WorldDaemon, hexadecimal, in_world, reach
from support import network
from support.gateway import wall_to_monotonic_ns
from support.realtime_priority import realtime_priority
from support.streams import Stream
from support.wait import until

WANTED_MS = 100
BARE = "bare UAPI operation that removes all of them"
BYSTANDER = "bob"


def measure(options: Options, result: Result) -> None:
    """All at the same millisecond, then spread evenly over a second; then WireGuard alone."""
    count = options.choose(1_000, 200)
    with in_world(options, "burst", BYSTANDER) as daemon:
        daemon.furnish(ENDPOINT)
        bob = daemon.laptop(BYSTANDER)
        daemon.grant(BYSTANDER, 8 * fill.HOUR)
        realtime_priority(daemon.world)
        streams = (
            daemon.streams.udp(BYSTANDER, network.INSIDE, network.SERVER),
            daemon.streams.udp(network.INSIDE, BYSTANDER, bob.address),
        )
        for stream in streams:
            stream.arrives()
        table = Table(
            f"{count:,} grants that end in the same second, wireguard-go, firewall {daemon.firewall()}"
        )
        people = fill.crowd(count)
        bare = _bare(daemon, people, streams, table)
        table.add(BARE, bare)
        for spread_ms, what in ((0, "at the same millisecond"), (1000, "spread over one second")):
            options.say(f"burst: {count:,} grants that end {what}")
            _burst(daemon, people, spread_ms, what, streams, table, result)
        result.tables.append(table)


def _burst(
    daemon: WorldDaemon,
    people: Sequence[fill.Person],
    spread_ms: int,
    what: str,
    streams: Sequence[Stream],
    table: Table,
    result: Result,
) -> None:
    count = len(people)
    begun = time.monotonic_ns()
    lead_ms = 4_000 + 6 * count
    due_ms = time.time_ns() // 1_000_000 + lead_ms
    daemon.refill(people, lambda place: due_ms + place * spread_ms // count)
    assert time.time_ns() // 1_000_000 < due_ms - 1000, f"the start took too long for a lead of {lead_ms} ms"
    assert daemon.peers(fill.INTERFACE) == count + 1
    after = daemon.seq()
    calm = wall_to_monotonic_ns(due_ms) - 500_000_000
    reach(calm)
    closed_ms = _closed(daemon, due_ms + spread_ms)
    found = daemon.latenesses(after, count, 180)
    until(lambda: daemon.peers(fill.INTERFACE) == 1, "only the bystander is left")
    latenesses = [float(one["lateness"]) for one in found]
    end = wall_to_monotonic_ns(max(one["confirmed"] for one in found)) + 500_000_000
    reach(end + 200_000_000)
    table.add(f"lateness of each end, {what}", latenesses, BARE)
    table.notes.append(
        f"- {what}: {lost(streams, calm, end)}; during the daemon's restart before it: {lost(streams, begun, calm)}"
    )
    result.judge(
        f"{count:,} grants that end {what} are all cut within {WANTED_MS} ms of it: somebody else's nft saw the last one"
        f" gone at the latest {closed_ms:.0f} ms after it",
        reached=closed_ms <= WANTED_MS,
    )
    result.tell(
        f"{count:,} grants that end {what}: jitd has removed and read back their peers, and recorded it,"
        f" {max(latenesses):.0f} ms after the last one (p50 {percentile(latenesses, 0.5):.0f} ms)"
    )
    gone = sum(len(stream.lost(calm, end)) for stream in streams)
    result.judge(f"nobody else loses a packet meanwhile ({what}): {gone} lost", reached=gone == 0)


def _closed(daemon: WorldDaemon, due_ms: int) -> float:
    """How long after the last end the firewall was seen, from outside jitd, to let nobody but the bystander pass.

    Milliseconds; the listing itself takes some of them, so that it was so before. Less than 0 is before the end.
    """
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        listed = daemon.agent.run("nft", "list", "table", "inet", "jitd")
        # Who has expired is not listed; every other one is, with what is left.
        if len(set(re.findall(r"(10\.[0-9.]+) timeout", listed.text))) <= 1:
            return (listed.ended - wall_to_monotonic_ns(due_ms)) / 1e6
    raise AssertionError("members are left long after their end")


def _bare(
    daemon: WorldDaemon, people: Sequence[fill.Person], streams: Sequence[Stream], table: Table
) -> list[float]:
    """Put strangers on jitd's interface while it is stopped, and remove them at once."""
    daemon.stop()
    setting, removing = ["set=1"], ["set=1"]
    for place, person in enumerate(people):
        key = f"public_key={hexadecimal(person.keys[0])}"
        setting += [key, "replace_allowed_ips=true", f"allowed_ip=10.65.{place // 256}.{place % 256}/32"]
        removing += [key, "remove=true"]
    begun = time.monotonic_ns()
    found = []
    for _ in range(5):
        daemon.agent.uapi(fill.INTERFACE, "\n".join(setting))
        found.append(daemon.agent.uapi(fill.INTERFACE, "\n".join(removing)).ms)
    end = time.monotonic_ns()
    reach(end + 200_000_000)
    table.notes.append(
        f"- setting and removing them all by bare UAPI operations, five times: {lost(streams, begun, end)}"
    )
    daemon.start()
    return found


def lost(streams: Sequence[Stream], begin: int, end: int) -> str:
    """How many packets of how many were lost between two moments (nanoseconds of CLOCK_MONOTONIC)."""
    sent = sum(1 for stream in streams for packet in stream.sent() if begin <= packet.sent <= end)
    gone = sum(len(stream.lost(begin, end)) for stream in streams)
    return f"somebody else's 1 kHz streams, both ways, lost {gone} of {sent:,} packets"
