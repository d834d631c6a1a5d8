"""jitd as a process: logging, signals, systemd's protocol, and the way into the background."""

import asyncio
import logging
import os
import resource
import signal
import sys
import threading
from pathlib import Path
from typing import Final

from jitd import app, config, sdnotify
from jitd.config import Config
from jitd.core.errors import EXIT_DONE, EXIT_FAILURE, JitError
from jitd.lock import Lock
from jitd.systemclock import SystemClock

log = logging.getLogger("jitd")

LOG_FILE: Final = "jitd.log"
#: syslog(3)'s priorities, which journald reads as a prefix <N>.
_PRIORITIES: Final = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))


def foreground(loaded: Config, path: Path) -> int:
    """Run until SIGTERM or SIGINT; returns the exit status. Raises JitError when it cannot start."""
    _refuse_unprepared(loaded)
    lock = Lock(loaded.daemon.state_dir)
    try:
        return _serve(loaded, path, lock, ready_fd=None)
    finally:
        lock.release()


def detached(loaded: Config, path: Path) -> int:
    """Run in the background; returns once the daemon is ready, or has failed.

    Locks before the fork, so that a second start fails here, in front of whoever typed it.
    """
    from daemon import DaemonContext

    _refuse_unprepared(loaded)
    lock = Lock(loaded.daemon.state_dir)
    log_path = loaded.daemon.state_dir / LOG_FILE
    reading, writing = os.pipe()
    if os.fork():
        # The first of two processes waits for the word of the last one.
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            told = pipe.read().decode("utf-8", "replace")
        if told == "ready":
            return EXIT_DONE
        print(f"jitd: {told or 'cannot start: it ended without a word'}", file=sys.stderr)
        print(f"See {log_path}", file=sys.stderr)
        return EXIT_FAILURE
    os.close(reading)
    log_file = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(log_file, "a", encoding="utf-8") as output:
        context = DaemonContext(
            umask=0o077,
            working_directory="/",
            signal_map={},
            detach_process=True,
            files_preserve=[lock.fd, writing],
            stdout=output,
            stderr=output,
        )
        with context:
            try:
                status = _serve(loaded, path, lock, ready_fd=writing)
            except JitError as error:
                log.error("%s %s", error.message, error.hint)  # noqa: TRY400 - a refusal, not a fault
                _say(writing, error.message)
                status = error.exit_status
    os._exit(status)


def _serve(loaded: Config, path: Path, lock: Lock, *, ready_fd: int | None) -> int:
    _log_to_stderr(loaded.daemon.log_level)
    _allow_many_files()

    def ready() -> None:
        sdnotify.notify("READY=1", f"STATUS=listening on {loaded.daemon.socket}")
        if ready_fd is not None:
            _say(ready_fd, "ready")

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        reloads: asyncio.Queue[Config] = asyncio.Queue()
        running = [loaded]
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _stop, stop)
        loop.add_signal_handler(signal.SIGHUP, _reload, path, running, reloads)
        alive = asyncio.create_task(_show_life())
        try:
            await app.run(loaded, clock=SystemClock(), lock=lock, ready=ready, stop=stop, reloads=reloads)
        finally:
            alive.cancel()

    asyncio.run(serve())
    return EXIT_DONE


def _stop(stop: asyncio.Event) -> None:
    sdnotify.notify("STOPPING=1")
    log.info("stopping")
    stop.set()


def _reload(path: Path, running: list[Config], reloads: "asyncio.Queue[Config]") -> None:
    """SIGHUP: take over what may change; a broken file keeps what there is."""
    sdnotify.reloading()
    try:
        new = config.load(path)
    except JitError as error:
        log.error("%s; going on with the configuration as it was", error.message)  # noqa: TRY400
    else:
        later = config.needs_restart(running[0], new)
        if later:
            log.warning("%s changed: it takes effect at the next start", ", ".join(later))
        logging.getLogger().setLevel(new.daemon.log_level.upper())
        running[0] = new
        reloads.put_nowait(new)
        log.info("configuration read again")
    sdnotify.notify("READY=1")


async def _show_life() -> None:
    """The watchdog's sign of life: sent from the loop, so that a stuck loop sends none."""
    interval = sdnotify.watchdog_seconds()
    while interval is not None:
        sdnotify.notify("WATCHDOG=1")
        await asyncio.sleep(interval)


def _say(descriptor: int, word: str) -> None:
    os.write(descriptor, word.encode())
    os.close(descriptor)


class _Formatter(logging.Formatter):
    """Lines for journald (with a priority, without a time, which it has itself) or for people."""

    def __init__(self, *, journal: bool) -> None:
        super().__init__("%(message)s" if journal else "%(asctime)s %(levelname)s %(message)s")
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if not self._journal:
            return text
        priority = next((number for level, number in _PRIORITIES if record.levelno >= level), 7)
        return "\n".join(f"<{priority}>{line}" for line in text.splitlines())


def _log_to_stderr(level: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(journal="JOURNAL_STREAM" in os.environ))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    threading.excepthook = lambda args: log.critical("a thread died", exc_info=args.exc_value)


def _allow_many_files() -> None:
    """Connections are limited by the configuration, not by the shell that started us."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _refuse_unprepared(loaded: Config) -> None:
    state_dir = loaded.daemon.state_dir
    if not state_dir.is_dir():
        raise JitError(
            "not_found", f"cannot start: there is no state directory {state_dir}", "Make it with: jitd init"
        )
    if state_dir.stat().st_mode & 0o077:
        raise JitError(
            "bad_request", f"cannot start: {state_dir} is open to others", f"Close it: chmod 700 {state_dir}"
        )
