"""The real daemon in the test's process: app.run on a loop in a thread, with a clock and people that the test moves."""

import asyncio
import contextlib
import json
import os
import sqlite3
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jitd import app
from jitd.core.configuration import Config, Enforce, Limits, Mail, Metrics
from jitd.core.configuration import Daemon as DaemonTable
from jitd.store.database import FILE_NAME
from support.clock import TestClock
from support.daemon import Daemon
from support.shared_wireguard import SharedWireGuard
from support.static_directory import StaticDirectory


class InProcessDaemon(Daemon):
    """A daemon that is reached over its socket like any other, and whose time and people stand still until moved."""

    def __init__(
        self,
        directory: Path,
        limits: Limits | None = None,
        mail: Mail | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__(directory, init=False)
        self.state_dir.mkdir(mode=0o700)
        self.settings = Config(
            daemon=DaemonTable(socket=self.socket, state_dir=self.state_dir, admin_groups=("admins",)),
            enforce=Enforce(backend="memory"),
            limits=limits or Limits(),
            mail=mail or Mail(),
            metrics=metrics or Metrics(),
        )
        self.clock = TestClock()
        me = os.getuid()
        self.people = StaticDirectory(
            {"admin": (me, ["admins"]), "alice": (me + 30001, ["staff"]), "bob": (me + 30002, [])}
        )
        self.wireguard = SharedWireGuard()
        self._error: BaseException | None = None
        self._renew()

    def _renew(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="jitd-under-test")
        self._ready = threading.Event()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(
                app.run(
                    self.settings,
                    clock=self.clock,
                    wireguard=self.wireguard,
                    directory=self.people,
                    ready=self._ready.set,
                    stop=self._stop,
                )
            )
        except BaseException as error:  # noqa: BLE001 - raised again in the test's own thread
            self._error = error
        finally:
            self._ready.set()
            self._loop.close()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._thread.start()
        assert self._ready.wait(30)
        if self._error is not None:
            raise self._error

    def stop(self) -> int:
        """Stop it in order. Raises what it ended with, if it did not end well."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        assert not self._thread.is_alive()
        if self._error is not None:
            raise self._error
        return 0

    def start_again(self) -> None:
        """Start it after a stop, with the same store, clock, people and interfaces."""
        self._renew()
        self.start()

    def advance(self, ms: int) -> None:
        """Time goes on; what is due is done by the daemon itself."""
        self._loop.call_soon_threadsafe(self.clock.advance, ms)

    def post_as(self, user: str, path: str, **body: object) -> None:
        """Call a verb as a user of this world."""
        status, reply = self._as(user, "POST", path, json.dumps(body))
        assert status == 200, reply

    def get_as(self, user: str, path: str) -> tuple[int, Any]:
        """Ask as a user of this world."""
        return self._as(user, "GET", path, "")

    def _as(self, user: str, method: str, path: str, text: str) -> tuple[int, Any]:
        """From a process of theirs, where root runs the tests."""
        uid = self.people.people[user].uid
        assert uid is not None
        if uid == os.getuid():
            return self.call(method, path, json.loads(text) if text else None)
        self.directory.chmod(0o755)
        request = f"{method} {path} HTTP/1.0\r\nContent-Length: {len(text)}\r\n\r\n{text}"
        script = (
            "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
            "s.sendall(sys.argv[2].encode()); print(s.makefile().read())"
        )
        words = ["/usr/bin/python3", "-I", "-c", script, str(self.socket), request]
        done = subprocess.run(words, user=uid, capture_output=True, text=True, check=True)
        head, _, answer = done.stdout.partition("\n\n")
        return int(head.split()[1]), json.loads(answer)

    def furnish(self) -> None:
        """An interface, the network office, and a laptop for alice and for bob."""
        for path, body in (
            (
                "/v1/interface/add",
                {"name": "wg0", "pools": ["10.9.0.0/24"], "endpoint": "vpn.example.org:51820"},
            ),
            ("/v1/network/add", {"name": "office", "routes": ["10.0.0.0/8"]}),
            ("/v1/device/add", {"name": "laptop", "public_key": KEY_OF["alice"], "user": "alice"}),
            ("/v1/device/add", {"name": "laptop", "public_key": KEY_OF["bob"], "user": "bob"}),
        ):
            status, reply = self.post(path, **body)
            assert status == 200, reply
        # As if each had added their own: what somebody else registered is decided about otherwise.
        with contextlib.closing(sqlite3.connect(self.state_dir / FILE_NAME, timeout=10)) as store, store:
            store.execute("DELETE FROM registrar")


#: Any 32 bytes are a public key.
KEY_OF = {
    "alice": "YWxpY2VhbGljZWFsaWNlYWxpY2VhbGljZWFsaWNlYWw=",
    "bob": "Ym9iYm9iYm9iYm9iYm9iYm9iYm9iYm9iYm9iYm9iYm8=",
    "third": "dGhpcmR0aGlyZHRoaXJkdGhpcmR0aGlyZHRoaXJkdGg=",
}


@contextmanager
def in_process_daemon(
    limits: Limits | None = None, mail: Mail | None = None, metrics: Metrics | None = None
) -> Iterator[InProcessDaemon]:
    """A running daemon in a directory of its own, stopped at the end."""
    # pytest's own directories have names that are too long for a socket.
    with tempfile.TemporaryDirectory(prefix="jitd-") as directory:
        made = InProcessDaemon(Path(directory), limits, mail, metrics)
        made.start()
        try:
            yield made
        finally:
            made.stop()
