"""What is examined without a running jitd: the store, the socket, files and their modes, the configuration."""

import os
import socket
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from jitd import config, wire
from jitd.core import configuration
from jitd.core.configuration import Config, Daemon, Limits
from jitd.diagnostics.bounded import Bounded
from jitd.diagnostics.checks import apisocket, configfile, files, store
from jitd.store.database import FILE_NAME, Store, quick_check


def said(found: list[wire.Check], level: str) -> list[str]:
    """What was said at a level."""
    return [check["what"] for check in found if check["level"] == level]


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """A private directory with a database in it, as a jitd leaves it."""
    made = tmp_path / "state"
    made.mkdir(mode=0o700)
    Store(made / FILE_NAME).close()
    return made


def test_a_whole_store_is_ok(state_dir: Path) -> None:
    """Beside one that writes, and when nobody has it open; what SQLite makes to read it is as private as it is."""
    assert said(store.examine(state_dir), "ok")[0].startswith("the database is whole")
    assert {stat.S_IMODE(path.stat().st_mode) for path in state_dir.iterdir()} == {0o600}
    writing = Store(state_dir / FILE_NAME)
    with writing.transaction() as rows:
        rows.run("INSERT INTO fact VALUES ('x', 1)")
        assert said(store.examine(state_dir), "broken") == []
    writing.close()


def test_a_damaged_store_is_broken(state_dir: Path) -> None:
    """Pages that hold something else are found, and the fix names the backup."""
    file = state_dir / FILE_NAME
    pages = bytearray(file.read_bytes())
    pages[4096 * 3 : 4096 * 6] = b"\xff" * 4096 * 3
    file.write_bytes(pages)
    (check,) = [one for one in store.examine(state_dir) if one["level"] == "broken"]
    assert check["what"].startswith(f"{file} is damaged: ")
    assert "backup" in check["fix"]


def test_what_is_no_database_is_broken(state_dir: Path) -> None:
    """A file of something else is told as that."""
    (state_dir / FILE_NAME).write_bytes(b"no database at all" * 500)
    assert "file is not a database" in said(store.examine(state_dir), "broken")[0]


def test_a_store_of_a_newer_jitd_is_broken(state_dir: Path) -> None:
    """It is whole, and this jitd could not start with it."""
    writing = Store(state_dir / FILE_NAME)
    writing.rows.run("PRAGMA user_version = 9999")
    writing.close()
    assert "it belongs to a newer jitd" in said(store.examine(state_dir), "broken")[0]


def test_a_large_store_is_given_up_in_time(state_dir: Path) -> None:
    """What cannot be read within the time limit is a warning, and no claim."""
    writing = Store(state_dir / FILE_NAME)
    with writing.transaction() as rows:
        for number in range(20_000):
            rows.run("INSERT INTO fact VALUES (?, ?)", (f"fact {number}", number))
    assert quick_check(state_dir / FILE_NAME, 60) == []
    assert quick_check(state_dir / FILE_NAME, 0) is None
    assert "could not be read to its end within 0 s" in said(store.examine(state_dir, 0), "warning")[0]
    writing.close()


def test_the_socket_as_it_should_be(tmp_path: Path) -> None:
    """It is ok with the right process behind it; somebody else's, or a mode that shuts users out, is broken."""
    path = tmp_path / "jitd.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        path.chmod(0o666)
        listening.listen()
        fine = apisocket.examine(path, pid=os.getpid())
        assert f"process {os.getpid()} listens on {path}" in said(fine, "ok")
        assert f"another process listens on {path}: process {os.getpid()}, while jitd is process 1" in said(
            apisocket.examine(path, pid=1), "broken"
        )
        path.chmod(0o600)
        assert f"{path} has the mode 0600: some users cannot reach jitd" in said(
            apisocket.examine(path, pid=os.getpid()), "broken"
        )
    assert f"no process answers on {path}: Connection refused" in said(
        apisocket.examine(path, pid=1), "broken"
    )


def test_no_socket(tmp_path: Path) -> None:
    """Without a running jitd that is to be expected; with one it is broken."""
    path = tmp_path / "jitd.sock"
    assert said(apisocket.examine(path, pid=None), "unknown") == [
        f"jitd does not run: the socket {path} does not exist"
    ]
    assert len(said(apisocket.examine(path, pid=1), "broken")) == 1
    path.write_text("")
    assert said(apisocket.examine(path, pid=1), "broken") == [f"{path} is not a socket"]


def test_files_that_others_may_read_or_change(tmp_path: Path, state_dir: Path) -> None:
    """The store, a secret and the configuration: each with the command that closes it."""
    file = tmp_path / "jitd.toml"
    file.write_text("")
    secrets = tmp_path / "secrets"
    secrets.mkdir(mode=0o700)
    (secrets / "smtp").write_text("open sesame")
    (secrets / "smtp").chmod(0o600)
    running = Config(
        daemon=Daemon(state_dir=state_dir),
        mail=replace(configuration.Mail(), secrets=secrets, templates=tmp_path / "no"),
    )
    assert said(files.examine(running, file), "broken") == []
    (state_dir / FILE_NAME).chmod(0o644)
    (secrets / "smtp").chmod(0o640)
    file.chmod(0o666)
    found = files.examine(running, file)
    assert [check["fix"].partition(" && ")[2] for check in found] == [
        f"chmod 600 {state_dir / FILE_NAME}",
        f"chmod go-w {file}",
        f"chmod 600 {secrets / 'smtp'}",
    ]
    state_dir.chmod(0o755)
    assert f"other users may read {state_dir}" in said(files.examine(running, file), "broken")
    assert stat.S_IMODE(state_dir.stat().st_mode) == 0o755  # it looks, and changes nothing


def test_templates_that_others_may_write_or_nobody_can_use(tmp_path: Path, state_dir: Path) -> None:
    """jitd sends what stands in them, and does not start with one that is wrong."""
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "granted.txt").write_text("{{ nonsense")
    mail = replace(configuration.Mail(), server="localhost", templates=templates, secrets=tmp_path / "none")
    running = Config(daemon=Daemon(state_dir=state_dir), mail=mail)
    (line,) = said(files.examine(running, None), "broken")
    assert "granted.txt" in line
    (templates / "granted.txt").unlink()
    templates.chmod(0o777)
    line = said(files.examine(running, None), "broken")[0]
    assert line.startswith(f"users other than root may change {templates} ")


def test_the_configuration_on_disk_against_what_runs(tmp_path: Path) -> None:
    """The same is ok; what waits for a reload or a restart is a warning; what cannot be read is broken."""
    file = tmp_path / "jitd.toml"
    file.write_text("")
    running = config.load(file)
    assert "jitd runs with the settings of the file" in said(
        configfile.examine(running, file, config.load), "ok"
    )
    file.write_text("[limits]\nrequests_per_hour = 5\nconnections = 99\n")
    changed = configfile.examine(running, file, config.load)
    assert [
        check["fix"].split(" ")[1] for check in changed if "jitd.toml" in check["what"] and check["fix"]
    ] == [
        "restart",
        "reload",
    ]
    assert "limits.connections" in said(changed, "warning")[0]
    file.write_text("[limits]\nrequest_per_hour = 5\n")
    (line,) = said(configfile.examine(running, file, config.load), "broken")
    assert line.startswith("jitd runs, but could not be restarted: cannot use [limits] request_per_hour")
    assert Config(limits=Limits()) == running


def test_what_hangs_is_left_behind() -> None:
    """After its time it is told as unknown, and after three that hang no more are begun; what raises, raises."""
    bounded, ended = Bounded(), threading.Event()
    begun: list[int] = []

    def hang() -> list[wire.Check]:
        begun.append(1)
        ended.wait()
        return []

    for _ in range(5):
        ((check,)) = bounded.run("mail", 0.05, hang)
        assert (check["level"], check["what"].partition(":")[0]) == (
            "unknown",
            "mail could not be examined within 0.05 s",
        )
    assert len(begun) == 3
    assert bounded.run("clock", 5, list) == []
    with pytest.raises(ZeroDivisionError):
        bounded.run("clock", 5, lambda: [][1 // 0])
    ended.set()
