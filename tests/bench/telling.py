"""What it costs to tell people: a change while many watch, and endings while the mail server hangs."""

import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bench import fill
from bench.change import CALL, changes
from bench.memory import MemoryDaemon
from bench.options import Options
from bench.results import Result, Table, percentile
from support.wait import until

WATCHERS = (0, 10, 50)
ALONE = "grant, nobody watches"
UNTOLD = "cut_confirmed, without mail"
PER_SECOND = 25


def measure(options: Options, result: Result) -> None:
    """On the memory backend: neither packets nor WireGuard have a part in it."""
    with MemoryDaemon(options.place("telling")) as daemon:
        daemon.start()
        daemon.furnish()
        watched(daemon, options.choose(60, 15), result)
        options.say("telling: endings while the mail server hangs")
        hanging(daemon, options.choose(500, 50), result)


def watched(daemon: MemoryDaemon, count: int, result: Result) -> None:
    """Grants and revokes while nobody, some and many follow the events."""
    people = fill.crowd(10)
    daemon.refill(people)
    names = [person.name for person in people]
    table = Table("One change while others watch, memory backend")
    used: dict[int, float] = {}
    for watchers in WATCHERS:
        with watching(daemon, watchers) as came:
            # The watchers have read what was there; what comes now is new.
            until(lambda came=came, watchers=watchers: len(came) == watchers, "everybody watches")  # type: ignore[misc]  # a loop's value, which a default binds
            before = daemon.cpu_ms()
            grants, revokes, calls = changes(daemon, names, count)
            used[watchers] = (daemon.cpu_ms() - before) / len(grants + revokes)
        if watchers == 0:
            table.add(CALL, calls)
            table.add(ALONE, grants)
        else:
            table.add(f"grant, {watchers} watch", grants, ALONE)
    many = used[WATCHERS[-1]]
    table.notes.append(
        "Processor time of jitd for one change: "
        + "; ".join(f"{ms:.1f} ms while {watchers} watch" for watchers, ms in used.items())
        + "."
    )
    result.tables.append(table)
    each = (many - used[0]) / WATCHERS[-1]
    result.tell(
        f"a watcher costs jitd {each:.2f} ms of a processor for each change; a change alone {used[0]:.1f} ms"
    )


def hanging(daemon: MemoryDaemon, count: int, result: Result) -> None:
    """The lateness of endings without mail, and with a mail server that takes connections and says nothing."""
    table = Table("Lateness of endings, memory backend, with and without a mail server that hangs")
    table.add(UNTOLD, _latenesses(daemon, count))
    with socket.create_server(("127.0.0.1", 0), backlog=128) as silent:
        daemon.mail_port = silent.getsockname()[1]
        told = table.add("cut_confirmed, the mail server hangs", _latenesses(daemon, count), UNTOLD)
        waiting = daemon.good("GET", "/v1/outbox/list").reply["messages_waiting"]
    daemon.mail_port = 0
    assert waiting >= count, f"only {waiting} mails wait"
    table.notes.append(f"{waiting:,} mails waited meanwhile. The events count whole milliseconds.")
    result.tables.append(table)
    alone = table.row(UNTOLD)
    result.tell(
        f"lateness with a mail server that hangs: p50 {told.p50:.1f}, p99 {percentile(told.values, 0.99):.1f} ms;"
        f" without mail: p50 {alone.p50:.1f}, p99 {percentile(alone.values, 0.99):.1f} ms"
    )


def _latenesses(daemon: MemoryDaemon, count: int) -> list[float]:
    people = fill.crowd(PER_SECOND * 8)
    daemon.refill(people)
    after, begun = daemon.seq(), time.monotonic()
    for number in range(count):
        time.sleep(max(begun + number / PER_SECOND - time.monotonic(), 0))
        daemon.grant(people[number % len(people)].name, 1_000)
    return [float(one["lateness"]) for one in daemon.latenesses(after, count, 60)]


@contextmanager
def watching(daemon: MemoryDaemon, number: int) -> Iterator[set[int]]:
    """So many that follow the events and read what comes. Gives the descriptors of those to whom something came."""
    came: set[int] = set()
    done = threading.Event()
    with ExitStack() as lines:
        found = selectors.DefaultSelector()
        lines.callback(found.close)
        for _ in range(number):
            line = lines.enter_context(socket.socket(socket.AF_UNIX))
            line.connect(str(daemon.directory / "jitd.sock"))
            line.sendall(b"GET /v1/events?follow=true HTTP/1.1\r\nHost: jitd\r\n\r\n")
            found.register(line, selectors.EVENT_READ)

        def read() -> None:
            while not done.is_set():
                for key, _ in found.select(0.1) if number else ():
                    assert isinstance(key.fileobj, socket.socket)
                    if key.fileobj.recv(1 << 20):
                        came.add(key.fd)

        reader = threading.Thread(target=read)
        reader.start()
        try:
            yield came
        finally:
            done.set()
            reader.join()
