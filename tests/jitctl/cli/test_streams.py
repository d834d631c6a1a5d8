"""What jitctl writes to may be closed, full or gone; Ctrl-C may come at any moment. Each is a sentence, and a true status."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.in_process_daemon import InProcessDaemon
from support.wait import until


def run(daemon: InProcessDaemon, line: str) -> tuple[int, str]:
    """(exit status, standard error) of a line for a shell, `jitctl` in it being jitctl."""
    command = line.replace("jitctl", f"{sys.executable} -m jitctl", 1)
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "JITCTL_SOCKET": os.fspath(daemon.socket), "TZ": "UTC"},
    )
    return done.returncode, done.stderr


def status_of(daemon: InProcessDaemon, number: int) -> str:
    """The status of a request."""
    return str(daemon.get(f"/v1/show?id={number}")[1]["request"]["status"])


@pytest.mark.parametrize(
    ("to", "why"), [(">&-", "Bad file descriptor"), (">/dev/full", "No space left on device")]
)
def test_standard_output_that_takes_nothing(daemon: InProcessDaemon, to: str, why: str) -> None:
    """What was to be shown was not: 1, in a sentence. What was done is done: 0."""
    for user in ("alice", "bob"):
        daemon.post("/v1/request", network="office", reason="x", user=user, duration=3_600_000)
    said = f"jitctl: cannot write to standard output: {why}"
    for verb in (
        "list",
        "status",
        "show 1",
        "events",
        "list --status pending --count",
        "--version",
        "list --json",
    ):
        code, err = run(daemon, f"jitctl {verb} {to}")
        assert (code, err.splitlines()[-1]) == (1, said), verb
        assert "Traceback" not in err
    assert run(daemon, f"jitctl grant 1 -d 1h {to}") == (0, f"{said}; what was asked for is done\n")
    assert status_of(daemon, 1) == "active"
    code, err = run(daemon, f"jitctl grant 1 2 77 --yes --json {to}")
    assert (code, err.splitlines()[-1]) == (10, said)
    assert status_of(daemon, 2) == "active"
    # A failure stays one.
    assert run(daemon, f"jitctl revoke 99 -r x {to}")[0] == 10


def test_a_reader_that_has_enough(daemon: InProcessDaemon) -> None:
    """Nothing is said of a closed pipe; what changes something does it all the same."""
    gone, pipe = os.pipe()
    os.close(gone)
    for words, status in (
        (["list"], 1),
        (["events", "-o", "jsonl"], 1),
        (["network", "set", "office", "max_duration=2h", "--yes"], 0),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "jitctl", *words],
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "JITCTL_SOCKET": os.fspath(daemon.socket)},
        )
        assert (done.returncode, "annot write" in done.stderr, "Traceback" in done.stderr) == (
            status,
            False,
            False,
        )
    os.close(pipe)
    assert daemon.get("/v1/network/show?name=office")[1]["network"]["max_duration"] == 7_200_000


def test_closed_standard_input_and_error(daemon: InProcessDaemon) -> None:
    """Neither is missed where nothing has to be read or said; an error has its status all the same."""
    daemon.post("/v1/request", network="office", reason="x", user="alice")
    assert run(daemon, "jitctl grant 1 <&- 2>&-")[0] == 0
    assert run(daemon, "jitctl grant 99 <&- >&- 2>&-")[0] == 10
    assert run(daemon, "jitctl request office </dev/null 2>/dev/full")[0] == 7


def test_ctrl_c_while_an_answer_is_waited_for(daemon: InProcessDaemon, tmp_path: Path) -> None:
    """One line says whether it may be done all the same; 130."""
    import socket

    silent = socket.socket(socket.AF_UNIX)
    silent.bind(os.fspath(tmp_path / "s"))
    silent.listen()
    for words, told in (
        (["list"], "jitctl: interrupted\n"),
        (
            ["revoke", "1"],
            "jitctl: interrupted before the reply arrived; it may have been carried out all the same, see "
            "jitctl list\n",
        ),
    ):
        process = subprocess.Popen(
            [sys.executable, "-m", "jitctl", "--socket", os.fspath(tmp_path / "s"), *words],
            stderr=subprocess.PIPE,
            text=True,
        )
        asked, _ = silent.accept()
        assert asked.recv(1)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30)[1] == told
        assert process.returncode == 130
        asked.close()
    silent.close()
    until(lambda: daemon.get("/v1/health")[0] == 200, "nothing else is disturbed")
