"""jitctl as a whole process, from the shell's side: what a person or a prompt waits for, beside an empty Python."""

import compileall
import os
import pty
import subprocess
import sys
import time
from collections.abc import Sequence

from bench import fill
from bench.memory import MemoryDaemon
from bench.options import Options
from bench.results import Result, Table
from support.world import SOURCE

NOTHING = "python3 -c pass"
#: Words, and how many times an empty Python they may take.
COMMANDS = (
    ("jitctl --version", ("--version",), 5),
    ("jitctl list --status pending --count", ("list", "--status", "pending", "--count"), 5),
    ("jitctl __complete show (a Tab)", ("__complete", "show", ""), 5),
    ("jitctl list --json, 20 requests", ("list", "--json", "--limit", "20"), 8),
    ("jitctl list, 20 requests at a terminal", ("list", "--limit", "20"), 11),
)


def measure(options: Options, result: Result) -> None:
    """With the memory backend behind it, and 20 requests."""
    with MemoryDaemon(options.place("command")) as daemon:
        daemon.start()
        daemon.furnish()
        people = fill.crowd(20)
        daemon.refill(people)
        for person in people:
            daemon.good(
                "POST", "/v1/request", {"user": person.name, "network": fill.NETWORK, "reason": "ticket 42"}
            )
        on(daemon, options.choose(31, 7), result)


def on(daemon: MemoryDaemon, count: int, result: Result) -> None:
    """One row for each command; the empty Python is run in between, so that both meet the same machine."""
    # As it is installed: pip compiles what it installs.
    compileall.compile_dir(SOURCE, quiet=1)
    environment = {**os.environ, "JITCTL_SOCKET": str(daemon.directory / "jitd.sock"), "COLUMNS": "120"}
    environment.pop("PYTHONPATH", None)
    jitctl = os.path.join(os.path.dirname(sys.executable), "jitctl")  # noqa: PTH118, PTH120 - as it is, links and all
    times: dict[str, list[float]] = {what: [] for what, *_ in COMMANDS}
    floor = []
    for _ in range(count):
        floor.append(_run([sys.executable, "-c", "pass"], environment))
        for what, words, _ in COMMANDS:
            times[what].append(_run([jitctl, *words], environment))
    table = Table("jitctl as a whole process, memory backend")
    table.add(NOTHING, floor)
    for what, _, most in COMMANDS:
        row = table.add(what, times[what], NOTHING)
        ratio = table.ratio(row) or 0
        result.judge(
            f"{what} takes at most {most} times an empty Python: {ratio:.1f} times", reached=ratio <= most
        )
    result.tables.append(table)


def _run(words: Sequence[str], environment: dict[str, str]) -> float:
    """Milliseconds from the start to the end of a process at a terminal."""
    main, side = pty.openpty()
    try:
        begun = time.monotonic_ns()
        process = subprocess.Popen(words, stdin=side, stdout=side, stderr=side, env=environment)
        os.close(side)
        said = b""
        try:
            while part := os.read(main, 65536):
                said += part
        except OSError:
            pass  # the other side is closed
        status = process.wait(30)
        took = (time.monotonic_ns() - begun) / 1e6
    finally:
        os.close(main)
    assert status == 0, f"{words}: {said.decode(errors='replace')}"
    return took
