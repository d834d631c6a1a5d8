"""A real jitd as a process of its own, with the memory backend, in a directory of the test's."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.wait import until


class Daemon:
    """`jitd run` as a subprocess. Its directory survives it, so that it can be started again."""

    def __init__(self, directory: Path, *, init: bool = True) -> None:
        self.directory = directory
        self.config = directory / "jitd.toml"
        self.socket = directory / "run" / "jitd.sock"
        self.state_dir = directory / "state"
        self.log = directory / "output.log"
        self.process: subprocess.Popen[bytes] | None = None
        if init:
            self.jitd(
                "init",
                "--socket",
                self.socket,
                "--state-dir",
                self.state_dir,
                "--backend",
                "memory",
                check=True,
            )

    def jitd(self, *arguments: object, check: bool = False) -> subprocess.CompletedProcess[str]:
        """Run jitd to its end."""
        return subprocess.run(
            [sys.executable, "-m", "jitd", "--config", self.config, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=60,
            check=check,
        )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jitd", "--config", self.config, "run"], stdout=output, stderr=output
            )
        until(self.answers, f"jitd answers; its log: {self.log}", seconds=30)

    def answers(self) -> bool:
        """Whether it answers; a process that has ended is an error at once."""
        assert self.process is None or self.process.poll() is None, self.log.read_text()
        try:
            return self.get("/v1/health")[0] == 200
        except OSError:
            return False

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Send a signal and wait for the end; returns the exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)

    def stop(self) -> int:
        """Stop it in order, if it runs."""
        if self.process is None or self.process.poll() is not None:
            return 0
        return self.kill(signal.SIGTERM)

    def get(self, path: str) -> tuple[int, Any]:
        """(status, JSON) of a GET."""
        return self.call("GET", path)

    def post(self, path: str, **body: object) -> tuple[int, Any]:
        """(status, JSON) of a POST."""
        return self.call("POST", path, body)

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """One request on a connection of its own."""
        payload = b"" if body is None else json.dumps(body).encode()
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(30)
            channel.connect(os.fspath(self.socket))
            head = f"{method} {path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
            channel.sendall(head.encode() + payload)
            answer = b""
            while chunk := channel.recv(65536):
                answer += chunk
        if not answer:
            raise ConnectionResetError("closed without an answer")
        head_bytes, _, rest = answer.partition(b"\r\n\r\n")
        return int(head_bytes.split()[1]), json.loads(rest)
