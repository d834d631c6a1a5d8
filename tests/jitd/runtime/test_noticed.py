"""What is taken away from a running jitd, or stops working around it: noticed, put right where it can be, and told."""

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

from support.daemon import Daemon
from support.wait import until


def warnings(daemon: Daemon) -> str:
    """The warnings of `status`, in one text."""
    return "; ".join(daemon.get("/v1/status")[1]["gateway"]["warnings"])


def test_a_log_that_nobody_drains_holds_nothing_up(daemon: Daemon) -> None:
    """Attack: standard error is a pipe that nobody reads (journald hangs, `| logger` is stuck), full to its end.

    Lines are said all the same, verbs are answered at once, `status` and systemd are told, and the end is in order.
    """
    reading, writing = os.pipe()
    address = daemon.directory / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(os.fspath(address))
        systemd.settimeout(30)
        daemon.process = subprocess.Popen(
            [sys.executable, "-m", "jitd", "--config", daemon.config, "run"],
            stderr=writing,
            env={**os.environ, "NOTIFY_SOCKET": os.fspath(address)},
        )
        until(daemon.answers, "jitd answers", seconds=30)
        flags = fcntl.fcntl(writing, fcntl.F_GETFL)
        os.set_blocking(writing, False)
        try:
            while True:
                os.write(writing, b"x" * 4096)
        except BlockingIOError:
            fcntl.fcntl(writing, fcntl.F_SETFL, flags)  # the flag is the daemon's, too
        for _ in range(3):
            daemon.process.send_signal(signal.SIGHUP)  # each says a line
            began = time.monotonic()
            assert daemon.get("/v1/list")[0] == 200
            assert time.monotonic() - began < 1
        until(lambda: "cannot write its log: no line was written" in warnings(daemon), "status says so", 10)
        while b"STATUS=cannot write its log" not in (told := systemd.recv(1000)):
            assert told
    assert daemon.kill(signal.SIGTERM) == 0
    os.close(reading)
    os.close(writing)


def test_the_run_directory_is_put_back(daemon: Daemon) -> None:
    """Attack (or a cleaner): `rm -rf` of the directory with the socket. Within seconds it is there again, for everybody."""
    daemon.start()
    shutil.rmtree(daemon.socket.parent)
    until(daemon.answers, "jitd answers again", 5)
    status = daemon.socket.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid) == (0o666, os.geteuid())
    status = daemon.socket.parent.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid) == (0o755, os.geteuid())
    until(lambda: "was created again: another program removes it" in warnings(daemon), "status says so", 5)
    assert "was gone, and is put back" in daemon.log.read_text()
    assert daemon.stop() == 0
    assert not daemon.socket.exists()


def test_systemd_hears_nothing_of_a_jitd_that_nobody_reaches(daemon: Daemon) -> None:
    """A socket that cannot be put back is told in STATUS=, again when it is well."""
    address = daemon.directory / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(os.fspath(address))
        systemd.settimeout(30)
        daemon.process = subprocess.Popen(
            [sys.executable, "-m", "jitd", "--config", daemon.config, "run"],
            env={**os.environ, "NOTIFY_SOCKET": os.fspath(address)},
            stderr=subprocess.DEVNULL,
        )
        assert systemd.recv(1000).startswith(b"READY=1")
        shutil.rmtree(daemon.socket.parent)
        daemon.socket.parent.write_text("in the way")
        assert systemd.recv(1000).startswith(b"STATUS=users cannot reach ")
        daemon.socket.parent.unlink()
        assert b"was created again" in systemd.recv(1000)
        assert daemon.answers()


def test_the_log_of_the_background_is_opened_anew(daemon: Daemon) -> None:
    """logrotate renames the log and sends SIGHUP: lines go to a new, private file, and none to the old one."""
    assert daemon.jitd("run", "--detach").returncode == 0
    pid = daemon.get("/v1/health")[1]["pid"]
    log, old = daemon.state_dir / "jitd.log", daemon.state_dir / "jitd.log.1"
    log.rename(old)
    os.kill(pid, signal.SIGHUP)
    until(lambda: log.exists() and "configuration read again" in log.read_text(), "the new log")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert "configuration read again" not in old.read_text()
    # Nothing holds the old file any more, so that its space is free when it is removed.
    assert old not in {descriptor.readlink() for descriptor in Path(f"/proc/{pid}/fd").iterdir()}
    os.kill(pid, signal.SIGTERM)
    until(lambda: not daemon.socket.exists(), "the end of the daemon")


def limited(daemon: Daemon, files: int) -> "subprocess.Popen[bytes]":
    """`jitd run` with so few open files."""
    with daemon.log.open("ab") as output:
        return subprocess.Popen(
            ["prlimit", f"--nofile={files}", sys.executable, "-m", "jitd", "--config", daemon.config, "run"],
            stderr=output,
        )


def test_few_open_files(daemon: Daemon) -> None:
    """Few mean fewer connections, and `status` says so; too few are an error at the start, with what to set."""
    daemon.process = limited(daemon, 400)
    until(daemon.answers, "jitd answers", 30)
    assert "only 104 of 256 connections at a time: 400 open files are allowed" in warnings(daemon)
    assert daemon.stop() == 0
    daemon.process = limited(daemon, 100)
    assert daemon.process.wait(30) == 2
    told = daemon.log.read_text()
    assert "jitd: cannot start: 100 open files are allowed" in told
    assert "LimitNOFILE=" in told


def test_a_copy_of_the_database_is_whole_or_says_so(daemon: Daemon) -> None:
    """`cp jitd.db` while jitd runs has what was decided a moment ago, and is known for what it is when it is put back.

    `jitd backup` makes one that is whole.
    """
    daemon.start()
    assert daemon.post("/v1/interface/add", name="wg0", pools=["10.9.0.0/24"])[0] == 200
    database, copy = daemon.state_dir / "jitd.db", daemon.directory / "copy.db"

    def complete() -> bool:
        copy.unlink(missing_ok=True)
        copy.write_bytes(database.read_bytes())
        with contextlib.closing(sqlite3.connect(f"file:{copy}?immutable=1", uri=True)) as read:
            return read.execute("SELECT name FROM interface").fetchall() == [("wg0",)]

    until(complete, "a copy of the file alone has it", 5)
    backup = daemon.directory / "backup.db"
    assert daemon.jitd("backup", backup).returncode == 0
    daemon.stop()
    for file, doubtful in ((copy, True), (backup, False)):
        for old in daemon.state_dir.glob("jitd.db*"):
            old.unlink()
        shutil.copy(file, database)
        database.chmod(0o600)
        daemon.start()
        assert daemon.get("/v1/interface/list")[1]["interfaces"][0]["name"] == "wg0"
        assert ("its -wal file is missing" in warnings(daemon)) is doubtful
        daemon.stop()
