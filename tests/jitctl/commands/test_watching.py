"""What watch prints, and that nothing is missing from it or twice in it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial

from support.background_command import BackgroundCommand
from support.command_result import RunCommand
from support.in_process_daemon import InProcessDaemon
from support.wait import until

Begin = Callable[..., BackgroundCommand]


def has_printed(watching: BackgroundCommand, count: int) -> bool:
    """Whether so many whole lines are there."""
    return len(lines(watching)) == count


def lines(watching: BackgroundCommand) -> list[int]:
    """The SEQs of the whole lines so far."""
    return [json.loads(line)["seq"] for line in watching.out.splitlines(keepends=True) if line.endswith("\n")]


def toggle(daemon: InProcessDaemon) -> bool:
    """Two events about nobody."""
    for reason in ("one", "two"):
        assert daemon.post("/v1/freeze", reason=reason)[0] == 200
        assert daemon.post("/v1/thaw")[0] == 200
    return True


def test_watch_begins_with_now(daemon: InProcessDaemon, begin: Begin) -> None:
    """What happened before is not printed; what happens then is, as `events` prints it; Ctrl-C is 130."""
    before = daemon.get("/v1/health")[1]["seq"]
    watching = begin("watch")
    until(lambda: toggle(daemon) and watching.out, "something is printed")
    first = int(watching.out.split()[0])
    assert first > before
    watching.interrupt()
    said = watching.end()
    assert (said.status, said.err) == (130, "jitctl: interrupted\n")
    assert said.out.splitlines()[0].split("  ")[-1].startswith("admin: ")


def test_watch_survives_a_restart(daemon: InProcessDaemon, begin: Begin) -> None:
    """Over two restarts of the daemon every event is printed once, and it says that it was gone."""
    watching = begin("watch", "--after", "0", "--json")
    until(lambda: lines(watching), "the first")
    for _ in range(2):
        daemon.stop()
        watching.until("trying again\n")
        daemon.start_again()
        toggle(daemon)
    last = daemon.get("/v1/health")[1]["seq"]
    until(lambda: lines(watching)[-1] == last, "the last", seconds=30)
    assert lines(watching) == list(range(1, last + 1))
    assert "jitctl: connected again, continuing after " in watching.err


def test_watch_filters(daemon: InProcessDaemon, begin: Begin) -> None:
    """--user, --network, --id and --kind leave out what is about something else."""
    for user in ("alice", "bob"):
        daemon.post("/v1/request", network="office", reason="x", user=user)
    for words, kinds in (
        (("--user", "alice"), ["device_added", "requested", "denied"]),
        (("--id", "2"), ["requested", "denied"]),
        (("--network", "office", "--kind", "denied"), ["denied", "denied"]),
    ):
        watching = begin("watch", "--since", "2026-01-01", "--json", *words)
        for number in (1, 2):
            daemon.post("/v1/deny", id=number)
        until(partial(has_printed, watching, len(kinds)), "all of it", seconds=60)
        assert [json.loads(line)["kind"] for line in watching.out.splitlines()] == kinds
        watching.interrupt()


def test_watch_cannot_begin(daemon: InProcessDaemon, jitctl: RunCommand, begin: Begin) -> None:
    """Without a daemon it is exit 6 at once; with no place for another stream it says so and ends."""
    assert jitctl("watch", "--socket", "/nonexistent").status == 6
    for _ in range(daemon.settings.limits.watchers_per_user):
        begin("watch", "--after", "0").until("created the interface")
    said = jitctl("watch", "--after", "0")
    assert (said.status, "streams open, which is the limit" in said.err) == (3, True)


def test_status_as_it_changes(daemon: InProcessDaemon, begin: Begin, jitctl: RunCommand) -> None:
    """status --watch --json prints a line when something has changed, and none when nothing has."""
    watching = begin("status", "--watch", "--json")
    until(lambda: watching.out.count("\n") == 1, "how it is")
    daemon.post("/v1/request", network="office", reason="x", user="alice")
    until(lambda: watching.out.count("\n") == 2, "how it is then", seconds=30)
    assert [json.loads(line)["gateway"]["pending"] for line in watching.out.splitlines()] == [0, 1]
    daemon.stop()
    daemon.start_again()
    daemon.post("/v1/deny", id=1)
    until(lambda: '"pending": 0' in watching.out.splitlines()[-1], "how it is at last", seconds=30)
    watching.interrupt()
    assert watching.end().status == 130
    assert jitctl("status", "--watch").status == 2


def test_a_count(daemon: InProcessDaemon, jitctl: RunCommand) -> None:
    """--count prints a number, for what the filters leave; the quick way and the whole one say the same."""
    assert jitctl("list", "--count").out == "0\n"
    for user in ("alice", "bob"):
        daemon.post("/v1/request", network="office", reason="x", user=user)
    daemon.post("/v1/grant", id=1)
    for words, number in (
        ((), 2),
        (("--status", "pending"), 1),
        (("-s", "pending", "-s", "active"), 2),
        (("--tab", "approved", "-u", "alice"), 1),
        (("-n", "office", "--user", "carol"), 0),
    ):
        assert jitctl("list", *words, "--count").out == f"{number}\n"
        assert jitctl("list", "--search", "", *words, "--count").out == f"{number}\n"
        assert jitctl("list", *words, "--count", "--json").out == f'{{"count": {number}}}\n'
    code = "import sys\nfrom jitctl.__main__ import main\nmain()\nprint('typer' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, "list", "--status", "pending", "--count"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "JITCTL_SOCKET": os.fspath(daemon.socket)},
    )
    assert done.stdout == "1\nFalse\n"
    assert jitctl("list", "--count", "--status", "sleeping").status == 2
    assert jitctl("list", "--count", "--limit", "3").status == 2
    assert jitctl("list", "--count", "--socket", "/nonexistent").status == 6
    # Who asks through a gate is not the account that all of them share.
    assert jitctl("gate", "--user", "zoe", SSH_ORIGINAL_COMMAND="jitctl list --count").status == 7
