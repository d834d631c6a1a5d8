"""jitd as a process: what it needs before it starts, signals, systemd's protocol, and the pid file."""

import asyncio
import contextlib
import logging
import os
import re
import resource
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from jitd import app, config
from jitd.core.configuration import Config, needs_restart, taken_over
from jitd.core.errors import EXIT_DONE, JitError
from jitd.diagnostics.checks import files
from jitd.runtime import logs, systemd
from jitd.runtime.clock import SystemClock
from jitd.runtime.lock import Lock

log = logging.getLogger("jitd")

LOG_FILE: Final = "jitd.log"
#: For so long the socket may be missing before systemd's watchdog hears no more of a jitd that cannot put it back; seconds.
_SILENT_SECONDS: Final = 60.0


def run(
    loaded: Config,
    path: Path,
    *,
    background: bool = False,
    pidfile: Path | None = None,
    log_level: str | None = None,
) -> int:
    """Run until SIGTERM or SIGINT; in the background return as soon as the daemon is ready or has failed.

    `path` is where the configuration is read again on SIGHUP; `log_level` wins over the one in it. Returns the exit
    status. Raises JitError when it cannot start.
    """
    state_dir = loaded.daemon.state_dir
    if problem := files.state_dir_problem(state_dir):
        raise JitError("bad_request", f"cannot start: {problem[0]}", problem[1])
    # Locked before the fork, so that a second start fails in front of whoever typed it.
    lock = Lock(state_dir)
    try:
        process = _Process(loaded, path, lock, pidfile, log_level)
        if background:
            log_path = state_dir / LOG_FILE
            from jitd.runtime.detach import detach

            return detach(
                lambda ready: process.serve(ready, log_path=log_path), log_path=log_path, keep=lock.fd
            )
        return process.serve()
    finally:
        lock.release()


class _Process:
    """A running daemon, and what the outside may tell it."""

    def __init__(
        self, loaded: Config, path: Path, lock: Lock, pidfile: Path | None, log_level: str | None
    ) -> None:
        self._config = loaded
        self._path = path
        self._lock = lock
        self._pidfile = pidfile
        self._log_level = log_level
        self._ready = False
        self._output: logs.Output | None = None
        self._silent_since: float | None = None  # monotonic second
        self._listening = f"listening on {loaded.daemon.socket}"
        self._status = self._listening

    def problem(self) -> str:
        """What is wrong with the log; empty when nothing is."""
        return self._output.problem() if self._output else ""

    def report(self, problems: Sequence[str], *, alive: bool) -> None:
        """Tell systemd what is wrong. Where jitd is out of reach or stuck for long, its watchdog is told nothing any more."""
        if alive:
            self._silent_since = None
        elif self._silent_since is None:
            self._silent_since = time.monotonic()
        status = "; ".join(problems) or self._listening
        # Numbers in it count up: what has only another number is no news.
        if re.sub("[0-9]+", "", status) != re.sub("[0-9]+", "", self._status):
            self._status = status
            systemd.notify(f"STATUS={status}")

    def serve(self, tell_ready: Callable[[], None] = lambda: None, log_path: Path | None = None) -> int:
        """Serve until told to stop; `tell_ready` is called once it listens. With `log_path` standard error is this file.

        Raises JitError when it cannot start.
        """
        self._output = logs.to_stderr(self._log_level or self._config.daemon.log_level, log_path)
        _allow_many_files()
        try:
            asyncio.run(self._serve(tell_ready))
        finally:
            if self._pidfile is not None and self._ready:
                _remove_pid(self._pidfile)
        return EXIT_DONE

    async def _serve(self, tell_ready: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        reloads: asyncio.Queue[Config] = asyncio.Queue()

        def ready() -> None:
            if self._pidfile is not None:
                _write_pid(self._pidfile)
            self._ready = True
            systemd.notify("READY=1", f"STATUS={self._listening}")
            tell_ready()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _stop, stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload, reloads)
        alive = asyncio.create_task(self._show_life())
        try:
            await app.run(
                self._config,
                clock=SystemClock(),
                lock=self._lock,
                ready=ready,
                stop=stop,
                reloads=reloads,
                path=self._path,
                outside=self,
            )
        finally:
            alive.cancel()

    async def _show_life(self) -> None:
        """The watchdog's sign of life: sent from the loop, so that a stuck loop sends none; nor does a jitd that nobody has
        reached for long, because a new start gets a new directory for its socket, or whose worker is stuck.
        """
        interval = systemd.watchdog_seconds()
        while interval is not None:
            since = self._silent_since
            if since is None or time.monotonic() - since < _SILENT_SECONDS:
                systemd.notify("WATCHDOG=1")
            await asyncio.sleep(interval)

    def _reload(self, reloads: "asyncio.Queue[Config]") -> None:
        """SIGHUP: open the log anew, and take over what may change; a broken file keeps what there is."""
        systemd.reloading()
        if self._output is not None:
            self._output.reopen()
        try:
            new = config.load(self._path)
        except JitError as error:
            log.error("%s; going on with the configuration as it was", error.message)  # noqa: TRY400
        else:
            if later := needs_restart(self._config, new):
                log.warning("%s changed: it takes effect at the next start", ", ".join(later))
            self._config = taken_over(self._config, new)
            logs.set_level(self._log_level or self._config.daemon.log_level)
            reloads.put_nowait(self._config)
            log.info("configuration read again")
        # A reload during the start is no readiness.
        if self._ready:
            systemd.notify("READY=1")


def _stop(stop: asyncio.Event) -> None:
    systemd.notify("STOPPING=1")
    log.info("stopping")
    stop.set()


def _write_pid(path: Path) -> None:
    """The pid file is for whoever wants one; what decides is the lock."""
    try:
        descriptor = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644
        )
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            os.fchmod(file.fileno(), 0o644)  # whatever the umask: others may read it
            file.write(f"{os.getpid()}\n")
    except OSError as error:
        raise JitError(
            "bad_request",
            f"cannot write the pid file {path}: {error.strerror}",
            "Set another one with --pidfile.",
        ) from error


def _remove_pid(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.read_text("ascii").strip() == str(os.getpid()):
            path.unlink()


def _allow_many_files() -> None:
    """Connections are limited by the configuration, not by the shell that started us."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
