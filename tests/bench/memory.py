"""jitd on the memory backend in a process of its own: everything but WireGuard, packets and the system's users.

`python -m bench.memory DIRECTORY PEOPLE MAIL_PORT` is that process; it needs no root. A port of 0 means: no mail.
"""

import asyncio
import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

from bench import fill
from bench.daemon import LONGEST_START, Answer, Daemon
from bench.inside import call
from jitd import app
from jitd.core import configuration
from jitd.enforce.memory import MemoryWireGuard
from jitd.runtime.clock import SystemClock
from support.static_directory import StaticDirectory

TESTS = Path(__file__).resolve().parents[1]


class MemoryDaemon(Daemon):
    """The process, from outside; a context manager."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state_dir = directory / "state"
        self.state_dir.mkdir(mode=0o700, parents=True)
        self.people = 0
        self.mail_port = 0  # of the mail server at the next start; 0: none
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Nothing is started yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        if self._process is not None:
            self.stop()

    def know(self, people: Sequence[fill.Person]) -> None:
        """At the next start there are people up to the last of these."""
        self.people = max([self.people, *(person.uid - fill.FIRST_UID + 1 for person in people)])

    def start(self) -> float:
        """As the base says."""
        begun = time.monotonic_ns()
        path = os.pathsep.join([str(TESTS), str(TESTS.parent / "src"), os.environ.get("PYTHONPATH", "")])
        with (self.directory / "jitd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "bench.memory",
                    str(self.directory),
                    str(self.people),
                    str(self.mail_port),
                ],
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": path},
            )
        assert self._process.stdout is not None
        select.select([self._process.stdout], [], [], LONGEST_START)
        if self._process.poll() is not None or self._process.stdout.readline() != b"ready\n":
            process, self._process = self._process, None
            process.kill()
            process.wait(10)
            raise AssertionError(f"jitd is not ready:\n{(self.directory / 'jitd.log').read_text()[-4000:]}")
        return (time.monotonic_ns() - begun) / 1e6

    def stop(self) -> None:
        """As the base says; the memory backend's peers are gone with it."""
        assert self._process is not None
        process, self._process = self._process, None
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(60)
        finally:
            process.kill()
            assert process.stdout is not None
            process.stdout.close()
        assert status == 0, f"jitd ended with {status}"

    def cpu_ms(self) -> float:
        """How much time of a processor the daemon has used, milliseconds (proc(5): fields 14 and 15 of stat)."""
        assert self._process is not None
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")

    def call(self, method: str, path: str, body: object = None) -> Answer:
        """As the base says."""
        begun = time.monotonic_ns()
        status, text = call(str(self.directory / "jitd.sock"), method, path, body)
        return Answer(status, text, begun, time.monotonic_ns())


def settings(directory: Path, mail_port: int = 0) -> configuration.Config:
    """A configuration of the memory backend, without a firewall, in a directory; and mail at a port of this machine."""
    return configuration.Config(
        daemon=configuration.Daemon(
            socket=directory / "jitd.sock", state_dir=directory / "state", admin_groups=("admins",)
        ),
        enforce=configuration.Enforce(backend="memory", firewall="none"),
        limits=configuration.Limits(connections_per_user=128, watchers_per_user=128),
        mail=configuration.Mail(
            server="127.0.0.1" if mail_port else "",
            port=mail_port or 25,
            security="none",
            sender="jitd@example.org",
            email_domain="example.org",
        ),
    )


async def _run(directory: Path, people: int, mail_port: int) -> None:
    # The caller first: a StaticDirectory looks for a uid from the beginning.
    users: dict[str, tuple[int, Iterable[str]]] = {"admin": (os.getuid(), ["admins"])}
    users |= {
        f"p{number:05}": (fill.FIRST_UID + number, [] if number % 5 else ["night"])
        for number in range(people)
    }
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await app.run(
        settings(directory, mail_port),
        clock=SystemClock(),
        wireguard=MemoryWireGuard(),
        directory=StaticDirectory(users),
        ready=lambda: print("ready", flush=True),
        stop=stop,
    )


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
