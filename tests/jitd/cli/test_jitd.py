"""jitd as its administrator meets it: init, check, run, stop."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from jitd.runtime.lock import Lock
from support.daemon import Daemon
from support.wait import until


def test_init_makes_what_check_accepts(daemon: Daemon) -> None:
    """The written configuration is valid, explained, world-readable, and the state directory is private."""
    assert daemon.jitd("check").stdout == f"{daemon.config}: ok\n"
    assert stat.S_IMODE(daemon.config.stat().st_mode) == 0o644
    assert stat.S_IMODE(daemon.state_dir.stat().st_mode) == 0o700
    lines = daemon.config.read_text().splitlines()
    keys = [number for number, line in enumerate(lines) if line and line[0] not in "#["]
    explained = 0
    for number in keys:
        above = next(lines[before] for before in range(number - 1, -1, -1) if before not in keys)
        explained += above.startswith("#")
    assert explained == len(keys)


def test_init_never_overwrites_without_force(daemon: Daemon) -> None:
    """A second init is refused and changes nothing; with --force it writes anew."""
    daemon.config.write_text("[daemon]\n")
    refused = daemon.jitd("init", "--socket", daemon.socket, "--state-dir", daemon.state_dir)
    assert refused.returncode == 8
    assert refused.stderr.startswith(f"jitd: cannot write {daemon.config}: it exists\n")
    assert daemon.config.read_text() == "[daemon]\n"
    again = daemon.jitd("init", "--socket", daemon.socket, "--state-dir", daemon.state_dir, "--force")
    assert again.returncode == 0
    assert "[limits]" in daemon.config.read_text()


@pytest.mark.parametrize("path", ["/run/\x7f", "/x" * 60])
def test_init_writes_no_configuration_that_cannot_be_read(daemon: Daemon, path: str) -> None:
    """A socket path that the configuration cannot hold is refused before anything is written."""
    before = daemon.config.read_text()
    refused = daemon.jitd("init", "--socket", path, "--state-dir", daemon.directory / "other", "--force")
    assert refused.returncode == 2
    assert refused.stderr.startswith("jitd: cannot ")
    assert daemon.config.read_text() == before
    assert not (daemon.directory / "other").exists()


def test_every_key_is_in_the_written_file(daemon: Daemon) -> None:
    """The template explains just the keys that the program knows."""
    import dataclasses
    import tomllib

    from jitd.core.configuration import Daemon as DaemonTable
    from jitd.core.configuration import Enforce, Limits

    written = tomllib.loads(daemon.config.read_text())
    for table, kind in (("daemon", DaemonTable), ("enforce", Enforce), ("limits", Limits)):
        assert set(written[table]) == {field.name for field in dataclasses.fields(kind)}


def test_a_named_group_that_is_missing_is_told(daemon: Daemon) -> None:
    """init says how to make the group; check says that it is missing."""
    told = daemon.jitd(
        "init",
        "--admin-group",
        "no-such-group",
        "--socket",
        daemon.socket,
        "--state-dir",
        daemon.state_dir,
        "--force",
    )
    assert "groupadd --system no-such-group" in told.stdout
    checked = daemon.jitd("check")
    assert checked.returncode == 1
    assert "there is no group no-such-group" in checked.stderr


def test_a_second_start_is_refused_with_the_pid_of_the_first(daemon: Daemon) -> None:
    """Two daemons never work in one state directory."""
    daemon.start()
    assert daemon.process is not None
    second = daemon.jitd("run")
    assert second.returncode == 8
    assert second.stderr.startswith(
        f"jitd: cannot start: another jitd (pid {daemon.process.pid}) uses {daemon.state_dir}\n"
    )
    assert daemon.answers()


def test_sigterm_ends_in_order(daemon: Daemon) -> None:
    """SIGTERM: exit status 0, the socket is gone, the stop is in the log of events."""
    daemon.start()
    assert daemon.stop() == 0
    assert not daemon.socket.exists()
    daemon.start()
    assert events(daemon) == ["started", "stopped", "started"]


def events(daemon: Daemon) -> list[str]:
    """The kinds of all events."""
    import json

    with socket.socket(socket.AF_UNIX) as channel:
        channel.connect(os.fspath(daemon.socket))
        channel.sendall(b"GET /v1/events HTTP/1.0\r\n\r\n")
        answer = b""
        while chunk := channel.recv(65536):
            answer += chunk
    lines = answer.partition(b"\r\n\r\n")[2].splitlines()
    return [json.loads(line)["kind"] for line in lines if line]


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(daemon: Daemon) -> None:
    """After kill -9 the socket file is replaced; one on which somebody else answers is left alone."""
    daemon.start()
    daemon.kill()
    assert daemon.socket.exists()
    daemon.start()
    daemon.stop()
    with socket.socket(socket.AF_UNIX) as foreign:
        foreign.bind(os.fspath(daemon.socket))
        foreign.listen()
        refused = daemon.jitd("run")
        assert refused.returncode != 0
        assert str(daemon.socket) in refused.stderr
    assert daemon.socket.exists()


def test_sighup_reads_the_configuration_again(daemon: Daemon) -> None:
    """A broken file is reported and changes nothing; a good one is taken over; what needs a restart is named."""
    daemon.start()
    assert daemon.process is not None
    good = daemon.config.read_text()
    daemon.config.write_text("[broken")
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: "going on with the configuration as it was" in daemon.log.read_text(), "the complaint")
    daemon.config.write_text(good.replace('backend = "memory"', 'backend = "auto"'))
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: "configuration read again" in daemon.log.read_text(), "the reload")
    assert "enforce.backend changed: it takes effect at the next start" in daemon.log.read_text()
    assert daemon.answers()


def test_detach_returns_when_it_is_ready(daemon: Daemon) -> None:
    """After `run --detach` the daemon answers, in a session of its own, with a private log; and it can be stopped."""
    started = daemon.jitd("run", "--detach")
    assert (started.returncode, started.stderr) == (0, "")
    status, health = daemon.get("/v1/health")
    assert status == 200
    assert os.getsid(health["pid"]) != os.getsid(0)
    assert stat.S_IMODE((daemon.state_dir / "jitd.log").stat().st_mode) == 0o600
    assert daemon.jitd("run", "--detach").returncode == 8
    os.kill(health["pid"], signal.SIGTERM)
    until(lambda: not daemon.socket.exists(), "the end of the daemon")


def test_detach_says_which_library_is_missing(daemon: Daemon) -> None:
    """Without python-daemon, which is an extra, --detach says what to install, and nothing has begun."""
    without = "import sys; sys.modules['daemon'] = None; from jitd.__main__ import main; sys.exit(main())"
    failed = subprocess.run(
        [sys.executable, "-c", without, "--config", daemon.config, "run", "--detach"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert failed.returncode == 1
    assert failed.stderr == (
        "jitd: cannot run in the background: the library python-daemon is not installed\n"
        "Install it on the gateway: pip install 'jitctl[detach]'\n"
    )
    assert not (daemon.state_dir / "jitd.db").exists()
    assert daemon.jitd("run", "--detach").returncode == 0
    daemon.jitd("stop", check=True)


def test_detach_shows_the_log_of_a_failure(daemon: Daemon) -> None:
    """When the daemon fails in the background, its last lines are shown in front of whoever typed it."""
    daemon.config.write_text(daemon.config.read_text().replace("jitd.sock", "none/such/jitd.sock"))
    failed = daemon.jitd("run", "--detach")
    assert failed.returncode == 1
    assert failed.stderr.startswith(f"jitd: cannot listen on {daemon.directory}/run/none/such/jitd.sock")
    assert f"Its log, {daemon.state_dir}/jitd.log:\n" in failed.stderr
    assert "ERROR cannot listen on" in failed.stderr
    Lock(daemon.state_dir).release()  # nobody has it any more


def test_pidfile_and_log_level(daemon: Daemon) -> None:
    """--pidfile holds the pid while it is ready, readable by all; --log-level wins over the file, after a reload too."""
    pidfile = daemon.directory / "jitd.pid"
    with daemon.log.open("ab") as output:
        daemon.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jitd", "--config", daemon.config, "run"),
                *("--pidfile", pidfile, "--log-level", "debug"),
            ],
            stderr=output,
        )
    until(daemon.answers, "jitd answers", seconds=30)
    assert pidfile.read_text() == f"{daemon.process.pid}\n"
    assert stat.S_IMODE(pidfile.stat().st_mode) == 0o644
    assert "DEBUG" in daemon.log.read_text()
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: "configuration read again" in daemon.log.read_text(), "the reload")
    assert daemon.stop() == 0
    assert not pidfile.exists()


def test_lines_for_the_journal_and_for_people(daemon: Daemon) -> None:
    """Lines have a priority only when standard error is the very stream that JOURNAL_STREAM names."""
    for journal in (True, False):
        log = daemon.directory / f"log-{journal}"
        with log.open("wb") as output:
            status = os.fstat(output.fileno())
            stream = f"{status.st_dev}:{status.st_ino if journal else 1}"
            daemon.process = subprocess.Popen(
                [sys.executable, "-m", "jitd", "--config", daemon.config, "run"],
                env={**os.environ, "JOURNAL_STREAM": stream},
                stderr=output,
            )
        until(daemon.answers, "jitd answers", seconds=30)
        assert daemon.stop() == 0
        lines = log.read_text().splitlines()
        assert lines
        assert all(line.startswith("<6>") == journal for line in lines)


def test_detach_tells_why_it_failed(daemon: Daemon) -> None:
    """When the daemon cannot start, `run --detach` fails in front of whoever typed it."""
    (daemon.state_dir / "jitd.db").write_bytes(b"this is no database, whatever its name says" * 100)
    failed = daemon.jitd("run", "--detach")
    assert failed.returncode == 1
    assert "cannot use the database" in failed.stderr


def test_a_newer_database_is_refused_and_not_touched(daemon: Daemon) -> None:
    """A store with a schema from the future stays as it is, byte for byte."""
    import sqlite3

    path = daemon.state_dir / "jitd.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.execute("CREATE TABLE future (x)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    refused = daemon.jitd("run")
    assert refused.returncode == 1
    assert "it belongs to a newer jitd" in refused.stderr
    assert path.read_bytes() == before


def test_an_open_state_directory_is_refused(daemon: Daemon) -> None:
    """A state directory that others may enter is refused by run and named by check."""
    daemon.state_dir.chmod(0o755)
    assert "other users may read" in daemon.jitd("run").stderr
    assert "other users may read" in daemon.jitd("check").stderr


def test_nothing_in_the_state_directory_is_for_others(daemon: Daemon) -> None:
    """Every file of the state directory is private."""
    daemon.start()
    for path in daemon.state_dir.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_sd_notify(daemon: Daemon) -> None:
    """systemd is told READY once the socket answers, RELOADING and READY around a reload, STOPPING; and of its life."""
    address = daemon.directory / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(os.fspath(address))
        channel.settimeout(30)
        signs_of_life = 0

        def told() -> bytes:
            nonlocal signs_of_life
            while (message := channel.recv(1000)) == b"WATCHDOG=1":
                signs_of_life += 1
            return message

        daemon.process = subprocess.Popen(
            [sys.executable, "-m", "jitd", "--config", daemon.config, "run"],
            env={**os.environ, "NOTIFY_SOCKET": os.fspath(address), "WATCHDOG_USEC": "200000"},
            stderr=subprocess.DEVNULL,
        )
        assert told().startswith(b"READY=1\n")
        assert daemon.get("/v1/health")[0] == 200
        daemon.process.send_signal(signal.SIGHUP)
        assert told().startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        assert told() == b"READY=1"
        while signs_of_life < 2:
            signs_of_life += channel.recv(1000) == b"WATCHDOG=1"
        daemon.process.send_signal(signal.SIGTERM)
        assert told() == b"STOPPING=1"
        assert daemon.process.wait(30) == 0


def test_nobody_to_be_told_stops_nothing(daemon: Daemon) -> None:
    """A notification socket that is not there is a line in the log, not the end."""
    with daemon.log.open("ab") as output:
        daemon.process = subprocess.Popen(
            [sys.executable, "-m", "jitd", "--config", daemon.config, "run"],
            env={**os.environ, "NOTIFY_SOCKET": os.fspath(daemon.directory / "nobody")},
            stderr=output,
        )
    until(daemon.answers, "jitd answers", seconds=30)
    assert "cannot tell systemd READY=1" in daemon.log.read_text()


def test_it_is_its_users_own(daemon: Daemon) -> None:
    """Whoever runs jitd is its administrator."""
    daemon.start()
    status, reply = daemon.get("/v1/status")
    assert (status, reply["admin"]) == (200, True)


@pytest.mark.parametrize("arguments", [[], ["fly"], ["run", "--fast"]])
def test_usage_errors(daemon: Daemon, arguments: list[str]) -> None:
    """An unknown verb or option is exit status 2."""
    assert daemon.jitd(*arguments).returncode == 2


def test_help_has_an_example() -> None:
    """`jitd --help` shows what to type."""
    jitd = shutil.which("jitd", path=Path(sys.executable).parent)
    assert jitd is not None
    shown = subprocess.run([jitd, "--help"], capture_output=True, text=True, check=True).stdout
    assert "jitd init --admin-group" in shown


def test_version(daemon: Daemon) -> None:
    """`jitd version` and `jitd --version` say the same."""
    assert daemon.jitd("version").stdout.startswith("jitd ")
    assert daemon.jitd("version").stdout == daemon.jitd("--version").stdout
