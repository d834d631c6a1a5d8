"""A world: a private copy of this machine with a gateway, real users and network namespaces, gone without a trace.

It is one process (`world_init.py`) in its own mount, PID, network and UTS namespaces, reached with nsenter. It dies
when its maker does, whatever ended that one, and everything inside dies with it: standard input is its life line.
The world's own network namespace is the gateway. /tmp is shared with the machine.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from support.wait import until

GATEWAY = "gateway"
NEEDED = (
    "unshare",
    "nsenter",
    "setpriv",
    "ip",
    "useradd",
    "groupadd",
    "wg",
    "wg-quick",
    "wireguard-go",
    "ping",
)
NAMESPACES = (
    *("--mount", "--pid", "--net", "--uts", "--fork", "--kill-child", "--mount-proc"),
    *("--propagation", "private"),
)
SOURCE = Path(__file__).resolve().parents[2] / "src"
UNSET_LOGIN = 4294967295
# The login uid can only be written by the process itself, before it stops being root.
ENTER = 'echo "$1" >/proc/self/loginuid || exit 125; cd "$2" || exit 125; shift 2; exec "$@"'


class WorldError(Exception):
    """A real part is missing; the text says which, for people."""


def lacking() -> str:
    """What this machine or user lacks for a world, as a sentence; empty when nothing is lacking."""
    if os.geteuid() != 0:
        return "needs root (network namespaces, users of its own)"
    programs = [name for name in NEEDED if shutil.which(name) is None]
    return f"these programs are not installed: {' '.join(programs)}" if programs else ""


def only_child(parent: int) -> int | None:
    """The process whose parent this is, or None while there is none."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            # The name of the program, in parentheses, may hold anything.
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                return int(stat.parent.name)
    return None


class Process:
    """A program that runs in the world. Signals reach the program itself and not the nsenter in front of it."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self.popen = popen
        self._child: int | None = None

    @property
    def pid(self) -> int:
        """The program's process id outside of the world. Raises AssertionError when it does not start."""
        child = self._started()
        assert child is not None, f"{self.popen.args!r} ended at once"
        return child

    def _started(self) -> int | None:
        """The program's process id, None when it has ended before anybody asked."""
        if self._child is None:
            until(lambda: self.popen.poll() is not None or only_child(self.popen.pid), "the program starts")
            self._child = only_child(self.popen.pid)
        return self._child

    def send(self, number: signal.Signals) -> None:
        """Send a signal; a program that is gone already is not an error."""
        if self.popen.poll() is None and (child := self._started()) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, number)

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 15) -> int:
        """End the program with a signal and return its exit status; one that does not end in time is killed."""
        self.send(number)
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            self.popen.wait(5)
            raise


class World:
    """A running world; a context manager."""

    def __init__(self) -> None:
        self.processes: list[Process] = []
        self._unshare: subprocess.Popen[str] | None = None
        self.init = 0

    def __enter__(self) -> Self:
        """Start it. Raises WorldError."""
        if reason := lacking():
            raise WorldError(reason)
        init = Path(__file__).with_name("world_init.py")
        scratch = tempfile.mkdtemp(prefix="jitctl-world-")
        with tempfile.TemporaryFile("w+") as errors:
            self._unshare = subprocess.Popen(
                ["unshare", *NAMESPACES, sys.executable, "-I", str(init), scratch, str(SOURCE)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,  # Ctrl-C is for the maker, which then ends the world in good order
            )
            assert self._unshare.stdout is not None
            ready = self._unshare.stdout.readline()
            errors.seek(0)
            said = errors.read().strip()
        Path(scratch).rmdir()
        if ready != "ready\n":
            self.close()
            raise WorldError(f"namespaces of its own cannot be made here: {said[-600:]}")
        child = only_child(self._unshare.pid)
        assert child is not None
        self.init = child
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.close()

    def close(self) -> None:
        """End every process in the world, and with them its mounts and links."""
        unshare, self._unshare = self._unshare, None
        if unshare is not None:
            assert unshare.stdin is not None
            assert unshare.stdout is not None
            unshare.stdin.close()
            unshare.stdout.close()
            try:
                unshare.wait(10)
            except subprocess.TimeoutExpired:
                unshare.kill()
                unshare.wait(10)
        for process in self.processes:
            process.popen.wait(10)

    def path(self, inside: str | Path) -> Path:
        """How a path of the world is reached from outside."""
        return Path(f"/proc/{self.init}/root{inside}")

    # --- users ---

    def group(self, name: str) -> None:
        """Make a group; one of the machine with this name is forgotten first, in here only."""
        if self.run(["getent", "group", name], check=False).returncode == 0:
            self.run(["groupdel", "-f", name])
        self.run(["groupadd", name])

    def user(self, name: str, *, groups: Sequence[str] = ()) -> int:
        """Make a user with a home and a shell and return the uid; a user of the machine with this name is forgotten."""
        if self.run(["getent", "passwd", name], check=False).returncode == 0:
            self.run(["userdel", "-f", name])
        extra = ["-G", ",".join(groups)] if groups else []
        self.run(["useradd", "-m", "-s", "/bin/bash", *extra, name])
        return self.uid(name)

    def uid(self, name: str) -> int:
        """The uid of a user of the world."""
        return self._passwd(name).pw_uid

    def _passwd(self, name: str) -> pwd.struct_passwd:
        if name == "root":
            return pwd.getpwnam("root")
        for line in self.path("/etc/passwd").read_text().splitlines():
            parts = line.split(":")
            if parts[0] == name:
                return pwd.struct_passwd((name, "x", int(parts[2]), int(parts[3]), *parts[4:7]))
        raise KeyError(name)

    # --- programs ---

    def command(self, argv: Sequence[str], *, user: str, where: str, login: str | None) -> list[str]:
        """The command line that runs a program as a user in a namespace; `login` is who logged in, root: nobody."""
        entry = self._passwd(user)
        login = user if login is None else login
        login_uid = UNSET_LOGIN if login == "root" else self.uid(login)
        net = f"/proc/{self.init}/ns/net" if where == GATEWAY else str(self.path(f"/run/netns/{where}"))
        become = []
        if user != "root":
            become = ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--init-groups", "--"]
        return [
            "nsenter",
            f"--target={self.init}",
            "--mount",
            "--root",  # where this machine is itself a chroot
            "--wd",
            "--pid",
            "--uts",
            f"--net={net}",
            "--",
            "sh",
            "-c",
            ENTER,
            "sh",
            str(login_uid),
            entry.pw_dir,
            *become,
            *argv,
        ]

    def environment(self, user: str) -> dict[str, str]:
        """The environment of a fresh login: nothing of the caller's."""
        system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return {
            "PATH": system if user == "root" else "/usr/local/bin:/usr/bin:/bin",
            "HOME": self._passwd(user).pw_dir,
            "USER": user,
            "LOGNAME": user,
            "SHELL": "/bin/bash",
            "LANG": "C.UTF-8",
        }

    def run(
        self,
        argv: Sequence[str],
        *,
        user: str = "root",
        where: str = GATEWAY,
        login: str | None = None,
        given: str = "",
        check: bool = True,
        env: dict[str, str] | None = None,
        seconds: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end with `given` on standard input.

        Raises AssertionError with what it said when `check` is set and it fails, and TimeoutExpired after `seconds`.
        """
        done = subprocess.run(
            self.command(argv, user=user, where=where, login=login),
            input=given,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env=self.environment(user) | (env or {}),
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{argv!r} as {user}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def start(
        self,
        argv: Sequence[str],
        *,
        user: str = "root",
        where: str = GATEWAY,
        login: str | None = None,
        stdin: int = subprocess.DEVNULL,
        output: IO[str] | int = subprocess.DEVNULL,
        env: dict[str, str] | None = None,
    ) -> Process:
        """Start a program that goes on; the world's end is its end at the latest."""
        process = Process(
            subprocess.Popen(
                self.command(argv, user=user, where=where, login=login),
                stdin=stdin,
                stdout=output,
                stderr=output,
                text=True,
                env=self.environment(user) | (env or {}),
                start_new_session=True,
            )
        )
        self.processes.append(process)
        return process
