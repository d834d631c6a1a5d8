"""A real jitd in a world, and jitctl as people type it."""

import json
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from support.wait import until
from support.world import Process, World

SOCKET = "/run/jitd/jitd.sock"
CONFIG = "/etc/jitd/jitd.toml"
ADMIN_GROUP = "jit-admins"
ASK = """
import socket, sys
with socket.socket(socket.AF_UNIX) as line:
    line.settimeout(10)
    line.connect(sys.argv[1])
    line.sendall(f"GET {sys.argv[2]} HTTP/1.0\\r\\n\\r\\n".encode())
    head, _, body = b"".join(iter(lambda: line.recv(65536), b"")).partition(b"\\r\\n\\r\\n")
print(body.decode())
sys.exit(b" 200 " not in head.partition(b"\\r\\n")[0])
"""


class RefusedError(Exception):
    """jitctl said no: its exit status and what it wrote."""

    def __init__(self, argv: list[str], status: int, stdout: str, stderr: str) -> None:
        super().__init__(f"{shlex.join(argv)}: exit {status}\n{stdout}{stderr}")
        self.status = status
        self.stdout = stdout
        self.stderr = stderr


class Gateway:
    """jitd in the gateway of a world."""

    def __init__(self, world: World, log: Path) -> None:
        self.world = world
        self.log = log
        self.daemon: Process | None = None

    def init(self) -> str:
        """`jitd init`, as an administrator does it once. Returns what it printed."""
        return self.world.run(["jitd", "init", "--admin-group", ADMIN_GROUP]).stdout

    def settle(self, table: str, line: str) -> None:
        """Set a line of the configuration: `settle("enforce", 'backend = "userspace"')`."""
        file = self.world.path(CONFIG)
        text = file.read_text()
        key = line.split("=", maxsplit=1)[0].strip()
        before, header, after = text.partition(f"[{table}]")
        body, separator, rest = after.partition("\n[")
        body, count = re.subn(rf"(?m)^#? ?{key} *=.*$", line, body, count=1)
        if not count:
            body = f"\n{line}{body}"
        file.write_text(before + (header or f"\n[{table}]\n") + body + separator + rest)

    def start(self, seconds: float = 60) -> float:
        """Start `jitd run` and wait until it answers. Returns how long that took, in seconds."""
        assert self.daemon is None
        begun = time.monotonic()
        with self.log.open("a") as log:
            self.daemon = self.world.start(["jitd", "run"], output=log)
        daemon = self.daemon

        def answers() -> bool:
            assert daemon.popen.poll() is None, f"jitd ended:\n{self.log.read_text()[-4000:]}"
            return self.answers()

        until(answers, f"jitd answers; its log: {self.log}", seconds)
        return time.monotonic() - begun

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it with a signal and return its exit status as nsenter passes it on."""
        assert self.daemon is not None
        daemon, self.daemon = self.daemon, None
        return daemon.stop(number)

    def answers(self) -> bool:
        """Whether GET /v1/health is answered."""
        return self._ask("/v1/health").returncode == 0

    def get(self, path: str) -> dict[str, Any]:
        """Ask the API as root, without jitctl. Raises AssertionError with what was said when there is no good answer."""
        done = self._ask(path)
        assert done.returncode == 0, f"GET {path}: {done.stdout}{done.stderr}"
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def _ask(self, path: str) -> subprocess.CompletedProcess[str]:
        # From inside: jitd refuses a process that its own PID namespace cannot see.
        return self.world.run([sys.executable, "-I", "-S", "-c", ASK, SOCKET, path], check=False)

    # --- jitctl ---

    def jitctl(
        self,
        user: str,
        *argv: str,
        given: str = "",
        where: str = "gateway",
        before: tuple[str, ...] = (),
        env: dict[str, str] | None = None,
    ) -> str:
        """Run jitctl as a user and return its standard output. Raises RefusedError when it does not exit with 0.

        `before` stands in front of it, as in `("sudo", "-n")`.
        """
        command = [*before, "jitctl", *argv]
        done = self.world.run(command, user=user, where=where, given=given, check=False, env=env)
        if done.returncode != 0:
            raise RefusedError(command, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def json(self, user: str, *argv: str, given: str = "") -> Any:
        """The same with --json, decoded."""
        return json.loads(self.jitctl(user, *argv, "--json", given=given))

    def refusal(self, user: str, *argv: str, before: tuple[str, ...] = ()) -> RefusedError:
        """Run jitctl where it must refuse, and return how it did. Raises AssertionError when it does not."""
        try:
            said = self.jitctl(user, *argv, before=before)
        except RefusedError as refused:
            return refused
        raise AssertionError(f"jitctl {shlex.join(argv)} as {user} was to be refused, and said: {said}")

    def request(self, number: int) -> dict[str, Any]:
        """One request as the API shows it to root."""
        view: dict[str, Any] = self.get(f"/v1/show?id={number}")["request"]
        return view

    def peers(self, interface: str = "wg0") -> dict[str, list[str]]:
        """What WireGuard itself says: allowed IPs by public key."""
        lines = self.world.run(["wg", "show", interface, "allowed-ips"]).stdout.splitlines()
        return {
            key: [] if ips == "(none)" else ips.split() for key, ips in (line.split("\t") for line in lines)
        }


def wall_to_monotonic_ns(wall_ms: int) -> int:
    """The moment of CLOCK_MONOTONIC, in nanoseconds, that is this wall-clock time in milliseconds."""
    return time.monotonic_ns() + wall_ms * 1_000_000 - time.time_ns()
