"""`jitd check` looks at the machine without asking a jitd: alive, dead, and with a damaged store."""

import signal

from jitd.store.database import FILE_NAME
from support.daemon import Daemon


def test_a_running_jitd_is_named(daemon: Daemon) -> None:
    """With its process and its socket; --verbose prints what is right, too."""
    daemon.directory.chmod(0o755)  # users reach the socket in it
    daemon.start()
    assert daemon.process is not None
    said = daemon.jitd("check", "--verbose")
    assert said.returncode == 0, said.stderr
    assert f"ok: process {daemon.process.pid} listens on {daemon.socket}\n" in said.stdout
    assert "ok: the database is whole" in said.stdout
    assert said.stdout.endswith(f"{daemon.config}: ok\n")
    assert daemon.jitd("check").stdout == f"{daemon.config}: ok\n"


def test_a_dead_jitd_is_told(daemon: Daemon) -> None:
    """Killed, it leaves its socket behind: nobody answers there. That is no mistake of the configuration's."""
    daemon.directory.chmod(0o755)
    daemon.start()
    daemon.kill(signal.SIGKILL)
    said = daemon.jitd("check")
    assert said.returncode == 0
    assert (
        f"jitd: jitd does not run: no process answers on {daemon.socket} (Connection refused)\n"
        in said.stderr
    )
    assert "      -> systemctl start jitd" in said.stderr


def test_a_damaged_store_fails(daemon: Daemon) -> None:
    """It is named with the way out, and the exit status is 1."""
    daemon.start()
    daemon.stop()
    file = daemon.state_dir / FILE_NAME
    pages = bytearray(file.read_bytes())
    pages[4096 * 3 : 4096 * 6] = b"\xff" * 4096 * 3
    file.write_bytes(pages)
    said = daemon.jitd("check")
    assert said.returncode == 1
    assert f"jitd: {file} is damaged: " in said.stderr
    assert f"restore {file} from a backup" in said.stderr
