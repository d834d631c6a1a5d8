"""The way into the background, and the word that comes back from there. python-daemon is an extra: imported only for this."""

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn

from daemon import DaemonContext

from jitd.core.errors import EXIT_DONE, EXIT_FAILURE, JitError
from jitd.runtime.logs import open_log

log = logging.getLogger("jitd")

_READY: Final = b"ready"
_TAIL_BYTES: Final = 2000


def detach(serve: Callable[[Callable[[], None]], int], *, log_path: Path, keep: int) -> int:
    """Run `serve(ready)` in the background; returns the exit status for whoever typed it.

    That is EXIT_DONE once `ready` was called; when the daemon ends before, its reason is printed. `keep` is a file
    descriptor (the lock's) that stays open. To be called before any loop, thread, log handler or database.
    """
    before = log_path.stat().st_size if log_path.exists() else 0
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(reading)
        _background(serve, log_path, keep, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    if told == _READY:
        return EXIT_DONE
    reason = told.decode("utf-8", "replace") or "cannot start: the process ended without a message"
    sys.stderr.write(f"jitd: {reason}\nIts log, {log_path}:\n{_tail(log_path, before)}")
    return EXIT_FAILURE


def _background(
    serve: Callable[[Callable[[], None]], int], log_path: Path, keep: int, writing: int
) -> NoReturn:
    """Become the daemon, serve, and end the process."""
    waiting = True

    def say(word: bytes) -> None:
        nonlocal waiting
        if waiting:
            waiting = False
            os.write(writing, word)
            os.close(writing)

    status = EXIT_FAILURE
    try:
        with os.fdopen(open_log(log_path), "a", encoding="utf-8") as output:
            context = DaemonContext(
                umask=0o077,
                working_directory="/",
                signal_map={},
                detach_process=True,
                files_preserve=[keep, writing],
                stdout=output,
                stderr=output,
            )
            with context:
                output.close()  # standard error is it now; a log that is rotated is to have no other holder
                status = serve(lambda: say(_READY))
    except JitError as error:
        log.error("%s %s", error.message, error.hint)  # noqa: TRY400 - a refusal, not a fault
        _write_log()
        say(error.message.encode())
        status = error.exit_status
    except Exception as error:
        log.exception("jitd stops because of an internal error")
        _write_log()
        say(f"cannot go on: {error}".encode())
    finally:
        # Nothing of the process that was typed is to be run a second time here.
        logging.shutdown()
        os._exit(status)


def _write_log() -> None:
    """Have the log's lines written: whoever waits for the start is shown its end."""
    for handler in logging.getLogger().handlers:
        handler.flush()


def _tail(path: Path, start: int) -> str:
    """The last lines that were written since the file was `start` bytes long."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(start, end - _TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError as error:
        return f"(cannot be read: {error.strerror})"
