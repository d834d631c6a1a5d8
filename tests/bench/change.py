"""The cost of one change: a grant and a revoke over the socket, among more and more peers."""

from collections.abc import Callable, Sequence
from pathlib import Path

from bench import fill, floors
from bench.daemon import Daemon, hours
from bench.memory import MemoryDaemon
from bench.options import Options
from bench.results import Result, Table
from bench.world import Agent, WorldDaemon, hexadecimal, in_world

SIZES = (100, 1_000, 10_000)
QUICK_SIZES = (100, 1_000)
SUBJECTS = 10  # people with one device and no access, who get it and lose it
DEVICES_EACH = 10  # of everybody else; as many as a person may have
WARM_UP = 3
CALL = "GET /v1/health over the socket"
SQLITE = "one SQLite transaction (insert, update, event)"


def measure(options: Options, result: Result) -> None:
    """On the memory backend and, as root, on wireguard-go."""
    sizes = QUICK_SIZES if options.quick else SIZES
    count = options.choose(30, 10)
    with MemoryDaemon(options.place("change-memory")) as daemon:
        daemon.start()
        daemon.furnish()
        on(daemon, sizes, count, _memory_floors, "memory backend", options.say, result)
    if options.real:
        with in_world(options, "change-world") as real:
            real.furnish()
            where = f"wireguard-go, firewall {real.firewall()}"
            on(real, sizes, count, _world_floors, where, options.say, result)


def _judge(result: Result, tables: Sequence[Table], sizes: Sequence[int], where: str) -> None:
    """Whether a change among the most peers costs at most twice what it costs among the fewest."""
    for what in ("grant", "revoke"):
        few, many = (table.row(what).p50 for table in (tables[0], tables[-1]))
        result.judge(
            f"{what} among {sizes[-1]:,} peers costs at most twice what it costs among {sizes[0]:,} ({where}):"
            f" {few:.1f} ms, {many:.1f} ms, {many / few:.1f} times",
            reached=many <= 2 * few,
        )


Floors = Callable[[Daemon, Table, int, int, Path], list[str]]


def on(
    daemon: Daemon,
    sizes: Sequence[int],
    count: int,
    add_floors: Floors,
    where: str,
    say: Callable[[str], None],
    result: Result,
) -> None:
    """One table for each number of peers. The daemon runs, is furnished and empty. Raises AssertionError."""
    subjects = fill.crowd(SUBJECTS)
    daemon.refill(subjects)
    tables = []
    people = 0
    for size in sizes:
        wanted = max(size // DEVICES_EACH, 1)
        more = fill.crowd(wanted - people, devices_each=DEVICES_EACH, first=SUBJECTS + people)
        people = wanted
        ready = daemon.refill(more, hours(8))
        say(f"change: {where}, {size:,} peers: ready after {ready:.0f} ms")
        daemon.agrees()
        table = Table(f"One change among {size:,} peers, {where}")
        grants, revokes, calls = changes(daemon, [person.name for person in subjects], count)
        daemon.stop()
        table.add(SQLITE, floors.sqlite_transactions(daemon.state_dir.parent, 200))
        table.add(CALL, calls)
        names = [SQLITE, *add_floors(daemon, table, size, count, daemon.state_dir.parent)]
        table.add("grant", grants, *names)
        table.add("revoke", revokes, *names)
        daemon.start()
        table.notes.append(f"The floor of a change is the sum of: {'; '.join(names)}.")
        tables.append(table)
        result.tables.append(table)
    _judge(result, tables, sizes, where)


def changes(daemon: Daemon, users: Sequence[str], count: int) -> tuple[list[float], list[float], list[float]]:
    """How long grants, revokes, and calls that do nothing take, milliseconds."""
    grants, revokes, calls = [], [], []
    for number in range(WARM_UP + count):
        granted = daemon.grant(users[number % len(users)], fill.HOUR)
        revoked = daemon.revoke(granted.id)
        call = daemon.good("GET", "/v1/health")
        if number >= WARM_UP:
            grants.append(granted.answer.ms)
            revokes.append(revoked.ms)
            calls.append(call.ms)
    return grants, revokes, calls


def _memory_floors(_: Daemon, table: Table, size: int, count: int, __: Path) -> list[str]:
    name = "the memory backend's own change and read"
    table.add(name, floors.memory_changes(size, count))
    return [name]


def _world_floors(daemon: Daemon, table: Table, size: int, count: int, directory: Path) -> list[str]:
    """What the same change costs with WireGuard's own means, on the same interface, while jitd is stopped."""
    assert isinstance(daemon, WorldDaemon)
    found = daemon.peers(fill.INTERFACE)
    assert found >= size, f"{found} peers are there, and not {size}"
    key = fill.public_key("a stranger")
    address = "10.65.255.1/32"
    bare = "bare UAPI operation for one peer"
    operations = (
        f"set=1\npublic_key={hexadecimal(key)}\nreplace_allowed_ips=true\nallowed_ip={address}",
        f"set=1\npublic_key={hexadecimal(key)}\nremove=true",
    )
    agent = daemon.agent
    table.add(bare, [agent.uapi(fill.INTERFACE, operations[number % 2]).ms for number in range(count * 2)])
    table.add(
        "bare UAPI read of the whole interface",
        [agent.uapi(fill.INTERFACE, "get=1").ms for _ in range(10)],
        bare,
    )
    sets = (
        ["wg", "set", fill.INTERFACE, "peer", key, "allowed-ips", address],
        ["wg", "set", fill.INTERFACE, "peer", key, "remove"],
    )
    table.add("wg set as a program", [agent.run(*sets[number % 2]).ms for number in range(count)], bare)
    file = directory / "syncconf"
    without = agent.run("wg", "showconf", fill.INTERFACE).text
    with_it = f"{without}\n[Peer]\nPublicKey = {key}\nAllowedIPs = {address}\n"
    times = []
    for number in range(6):
        file.touch(mode=0o600)
        file.write_text(without if number % 2 else with_it)
        times.append(agent.run("wg", "syncconf", fill.INTERFACE, str(file)).ms)
    file.unlink()
    table.add("wg syncconf with everything", times, bare)
    assert daemon.peers(fill.INTERFACE) == found
    table.add("nft add or delete of one element as a program", _nft(agent, size, count))
    return [bare]


def _nft(agent: Agent, size: int, count: int) -> list[float]:
    """One element more or less in a set of so many that have a timeout, in a table of the bench's own."""
    elements = ", ".join(
        f"10.{66 + number // 65536}.{number // 256 % 256}.{number % 256}" for number in range(size)
    )
    agent.run(
        *("nft", "-f", "-"),
        given="table inet bench { set members { type ipv4_addr; flags timeout; timeout 8h; }; }\n"
        f"add element inet bench members {{ {elements} }}\n",
    )
    verbs = ("add", "delete")
    found = [
        agent.run("nft", verbs[number % 2], "element", "inet", "bench", "members", "{ 10.65.255.1 }").ms
        for number in range(count)
    ]
    agent.run("nft", "delete", "table", "inet", "bench")
    return found
