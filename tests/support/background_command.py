"""A command that runs while the test does something else."""

import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence

from support.command_result import CommandResult


class BackgroundCommand:
    """A process whose outputs are read as they come."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._pipes = {self._process.stdout.fileno(): "out", self._process.stderr.fileno(): "err"}
        self._said = {"out": "", "err": ""}

    @property
    def out(self) -> str:
        """Standard output so far."""
        self._read(0)
        return self._said["out"]

    @property
    def err(self) -> str:
        """Standard error so far."""
        self._read(0)
        return self._said["err"]

    def until(self, text: str, seconds: float = 60) -> None:
        """Read until this was printed, to either of them."""
        deadline = time.monotonic() + seconds
        while text not in self._said["out"] and text not in self._said["err"]:
            assert self._pipes, f"it ended without {text!r}: {self._said}"
            assert time.monotonic() < deadline, f"waited in vain for {text!r}; there is: {self._said}"
            self._read(0.2)

    def interrupt(self) -> None:
        """As Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def end(self, seconds: float = 60) -> CommandResult:
        """Read to the end."""
        deadline = time.monotonic() + seconds
        while self._pipes:
            assert time.monotonic() < deadline, f"it does not end; there is: {self._said}"
            self._read(0.2)
        return CommandResult(self._process.wait(30), self._said["out"], self._said["err"])

    def kill(self) -> None:
        """End it whatever it does."""
        self._process.kill()
        self._process.wait(30)
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()
        self._pipes = {}

    def _read(self, seconds: float) -> None:
        for pipe in select.select(list(self._pipes), [], [], seconds)[0]:
            data = os.read(pipe, 65536)
            if data:
                self._said[self._pipes[pipe]] += data.decode()
            else:
                del self._pipes[pipe]
