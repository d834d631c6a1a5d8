"""How late a grant ends: in what the daemon read back, and in the packets of real clients."""

import random
import time
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from bench import fill
from bench.options import Options
from bench.results import Result, Row, Table, percentile
from bench.world import BARE, ENDPOINT, Client, WorldDaemon, hexadecimal, in_world, reach
from support import network
from support.gateway import wall_to_monotonic_ns
from support.realtime_priority import realtime_priority
from support.streams import Packet, Stream
from support.wait import until

RATE = 25  # grants a second
GRANT_MS = 1_500  # in packets: a second of traffic after the handshake
AFTERWARDS_NS = 400_000_000  # how long is looked for packets that are late
CLIENTS = tuple(f"client{number}" for number in range(10))
QUICK_CLIENTS = CLIENTS[:2]
PACKETS_RATE = (
    200  # a second and direction of each client: all of them together go before jitd on the processors
)
BARE_CLIENT = "floor"
SLEEP = "bare: sleep to the end, then one UAPI operation"
PACKETS = "bare: the last packet, with a UAPI operation at the end"


def measure(options: Options, result: Result) -> None:
    """Read-back over many devices that never connect; packets with some clients, in both directions each."""
    clients = QUICK_CLIENTS if options.quick else CLIENTS
    with in_world(options, "lateness", *clients, BARE_CLIENT) as daemon:
        daemon.furnish(ENDPOINT)
        firewall = daemon.firewall()
        bare_key = daemon.bare()
        table = Table(f"Lateness of endings in read-back, wireguard-go, firewall {firewall}")
        _read_back(daemon, options, table, result)
        result.tables.append(table)

        for name in clients:
            daemon.laptop(name)
        bare = daemon.bare_client(BARE_CLIENT, bare_key)
        realtime_priority(daemon.world)
        table = Table(
            f"Lateness of endings in packets, {len(clients)} clients, {PACKETS_RATE} a second in both directions each,"
            f" wireguard-go, firewall {firewall}"
        )
        table.add(PACKETS, _bare_packets(daemon, bare, options.choose(15, 4)))
        options.say("lateness: in packets")
        _packets(daemon, clients, options.choose(100, 3), table, result)
        result.tables.append(table)


def _summary(result: Result, row: Row, what: str) -> None:
    result.summary.append(
        f"told         lateness in {what}, {len(row.values):,} endings: p50 {row.p50:.1f}, p99 {percentile(row.values, 0.99):.1f}, max {max(row.values):.1f} ms"
    )


def _read_back(daemon: WorldDaemon, options: Options, table: Table, result: Result) -> None:
    """Grants of a second for one person of a crowd after the other, so that their ends are spread over the run."""
    count = options.choose(1_000, 150)
    # Each waits for their own grant to end before they get another.
    people = fill.crowd(min(count, RATE * 8))
    daemon.refill(people)
    after, begun = daemon.seq(), time.monotonic_ns()
    for number in range(count):
        reach(begun + number * 1_000_000_000 // RATE)
        daemon.grant(people[number % len(people)].name, 1_000)
        if number % 200 == 0:
            options.say(f"lateness: {number:,} of {count:,} grants of a second")
    took = (time.monotonic_ns() - begun) / 1e9
    found = daemon.latenesses(after, count, 60)
    assert daemon.peers(fill.INTERFACE) == 0
    table.add(SLEEP, _bare_ends(daemon, options.choose(200, 50), RATE))
    row = table.add("cut_confirmed", [float(one["lateness"]) for one in found], SLEEP)
    table.notes.append(
        f"{count:,} grants of one second, {count / took:.0f} made a second, so that about {count / took:.0f} are active"
    )
    table.notes.append("at a time. The events count whole milliseconds.")
    _summary(result, row, "read-back")


def _bare_ends(daemon: WorldDaemon, count: int, others: int) -> list[float]:
    """The lateness of a process that sleeps to a time and then removes a peer, among others."""

    def operation(number: int, verb: str) -> str:
        return f"public_key={hexadecimal(fill.public_key(f'bare {number}'))}\n{verb}"

    add = "replace_allowed_ips=true\nallowed_ip=10.66.{}.{}/32"
    everyone = [operation(number, add.format(1, number)) for number in range(others)]
    daemon.agent.uapi(BARE, "\n".join(["set=1", *everyone]))
    found = []
    for _ in range(count):
        daemon.agent.uapi(BARE, f"set=1\n{operation(others, add.format(0, 1))}")
        at_ns = time.time_ns() + random.randrange(20_000_000, 40_000_000)
        found.append(
            daemon.agent.uapi(BARE, f"set=1\n{operation(others, 'remove=true')}", at_ns=at_ns).late_ms
        )
    daemon.agent.uapi(BARE, "set=1\nreplace_peers=true")
    return found


@dataclass(frozen=True)
class Span:
    """One grant of a client in nanoseconds of CLOCK_MONOTONIC: when it began, when it had to end, when the next did."""

    begun: int
    end: int
    next: int


def _packets(daemon: WorldDaemon, clients: Sequence[str], rounds: int, table: Table, result: Result) -> None:
    """So many grants one after the other for each of the clients."""
    streams = {name: _both_ways(daemon, daemon.clients[name]) for name in clients}
    spans: dict[str, list[Span]] = {name: [] for name in clients}
    for _ in range(rounds):
        made = []
        for name in clients:
            begun = time.monotonic_ns()
            granted = daemon.grant(name, GRANT_MS)
            # Back again with a handshake of its own: how long that takes without is another measurement.
            daemon.clients[name].forget_session()
            made.append((name, granted.id, begun, wall_to_monotonic_ns(granted.ends)))
        reach(made[-1][3] + AFTERWARDS_NS)
        for name, number, begun, end in made:
            until(partial(_over, daemon, number), f"grant {number} ends")
            spans[name].append(Span(begun, end, time.monotonic_ns()))
    daemon.streams.stop()
    ends: list[float] = []
    late = silent = 0
    for name in clients:
        arrived = [_arrived(stream) for stream in streams[name]]
        for span in spans[name]:
            found = [last for packets in arrived if (last := _last(packets, span)) is not None]
            if not found:
                silent += 1
                continue
            ends.append(max(found))
            late += sum(len(_within(packets, span.end, span.next)) for packets in arrived)
    assert silent <= len(ends), f"{silent} of {silent + len(ends)} grants let no packet pass at their end"
    row = table.add("the last packet that passed, after the grant's end", ends, PACKETS)
    table.notes.append(
        f"Packets that were sent after an end and arrived all the same: {late} in {len(ends)} endings of {GRANT_MS} ms;"
    )
    table.notes.append(
        f"grants in which nothing passed just before the end: {silent}. Less than 0 is before the end."
    )
    _summary(result, row, "packets")
    result.judge(
        f"no packet that was sent after its grant's end passes: {late} in {len(ends)} endings",
        reached=not late,
    )


def _pass(streams: Sequence[Stream], since_ns: int) -> bool:
    return all(stream.sent_after(since_ns) for stream in streams)


def _over(daemon: WorldDaemon, number: int) -> bool:
    view = daemon.good("GET", f"/v1/show?id={number}").reply["request"]
    return view["ended"] is not None and not view["marks"]


def _both_ways(daemon: WorldDaemon, client: Client) -> tuple[Stream, Stream]:
    return (
        daemon.streams.udp(client.name, network.INSIDE, network.SERVER, rate=PACKETS_RATE),
        daemon.streams.udp(network.INSIDE, client.name, client.address, rate=PACKETS_RATE),
    )


def _arrived(stream: Stream) -> list[Packet]:
    """What arrived, in the order in which it was sent."""
    return sorted(stream.received(), key=_sent)


def _sent(packet: Packet) -> int:
    return packet.sent


def _within(packets: Sequence[Packet], begin: int, end: int) -> list[int]:
    """When those of the packets arrived that were sent in this span; nanoseconds."""
    first, behind = bisect_right(packets, begin, key=_sent), bisect_left(packets, end, key=_sent)
    return [packet.received for packet in packets[first:behind]]


def _last(packets: Sequence[Packet], span: Span) -> float | None:
    """When the last packet of a grant arrived, milliseconds after its end; None when nothing flowed up to it."""
    arrived = _within(packets, span.begun, span.next)
    if not arrived or max(arrived) < span.end - 100_000_000:
        return None
    return (max(arrived) - span.end) / 1e6


def _bare_packets(daemon: WorldDaemon, client: Client, count: int) -> list[float]:
    """The same for one client with nothing but WireGuard's own socket."""
    streams = _both_ways(daemon, client)
    spans = []
    for _ in range(count):
        begun = time.monotonic_ns()
        daemon.agent.uapi(BARE, client.let_in_operation())
        client.forget_session()
        until(partial(_pass, streams, begun), "packets pass", every=0.005)
        at_ns = time.time_ns() + 200_000_000
        end = wall_to_monotonic_ns(at_ns // 1_000_000)
        daemon.agent.uapi(BARE, client.cut_operation(), at_ns=at_ns)
        reach(end + AFTERWARDS_NS // 2)
        spans.append(Span(begun, end, time.monotonic_ns()))
    for stream in streams:
        stream.stop()
    arrived = [_arrived(stream) for stream in streams]
    return [max(_last(packets, span) or 0 for packets in arrived) for span in spans]
