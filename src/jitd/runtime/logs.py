"""Where log lines go, and what they look like: for journald with priorities, for people with times.

Nobody waits for a line to be written: not the loop and not the worker, also while nobody drains standard error, journald
hangs or the disk is full. Lines go through a bounded queue to a thread; what does not fit is counted.
"""

import collections
import contextlib
import logging
import os
import queue
import select
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final, TextIO

#: syslog(3)'s priorities, which journald reads as a prefix <N>.
_PRIORITIES: Final = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_STDERR: Final = 2
#: So many lines wait to be written; a line has at most so many characters.
_LINES: Final = 2000
_LONGEST: Final = 16_384
#: Seconds after which a line that is still not written is a fault, and for which lost lines are told.
_STUCK_SECONDS: Final = 2.0
_TOLD_SECONDS: Final = 3600.0
#: Seconds for which the end of the process waits for what is not written yet.
_LAST_SECONDS: Final = 1.0
#: Seconds for which the traceback of one place stands in the log once, and the number of places that are remembered.
_TRACEBACK_SECONDS: Final = 3600.0
_TRACEBACKS: Final = 1000

log = logging.getLogger("jitd")


class Output:
    """Standard error, written by a thread of its own; with `path` it is this file, which can be opened anew."""

    def __init__(self, descriptor: int = _STDERR, path: Path | None = None, lines: int = _LINES) -> None:
        self._descriptor = descriptor
        self._path = path
        self._queue: queue.Queue[bytes | None] = queue.Queue(lines)
        self._reopen = threading.Event()
        self._lost = 0
        self._lost_at = 0.0  # monotonic second
        self._untold = 0  # lost lines that the log itself does not tell of yet
        self._busy_since: float | None = None
        self._error = ""
        threading.Thread(target=self._work, name="jitd-log", daemon=True).start()

    def put(self, line: str) -> None:
        """Have a line written, some time soon. Never waits."""
        text = line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
        try:
            self._queue.put_nowait(text.encode("utf-8", "backslashreplace") + b"\n")
        except queue.Full:
            self._lose()

    def reopen(self) -> None:
        """Open the file anew: what rotates logs has renamed it. Nothing without a `path`."""
        if self._path is None:
            return
        self._reopen.set()
        try:
            self._queue.put_nowait(b"")  # for a thread that waits
        except queue.Full:
            return  # it has enough to do, and sees it

    def problem(self) -> str:
        """What is wrong with the log now, or has been within the hour; empty when nothing is."""
        now, since, lost = time.monotonic(), self._busy_since, self._lost
        told = f"; {lost} lines are lost" if lost else ""
        if since is not None and now - since > _STUCK_SECONDS:
            return f"cannot write its log: no line was written for {now - since:.0f} s{told}"
        if self._error:
            return f"cannot write its log: {self._error}{told}"
        if lost and now - self._lost_at < _TOLD_SECONDS:
            return f"{lost} lines of its log are lost: they could not be written in time"
        return ""

    def drain(self, seconds: float = _LAST_SECONDS) -> None:
        """Wait for what is still to be written, for so long at most."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self._queue.unfinished_tasks:
            time.sleep(0.005)

    def finish(self, seconds: float = _LAST_SECONDS) -> None:
        """Wait for what is still to be written, for so long at most, and let the thread end."""
        self.drain(seconds)
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(None)

    def _lose(self) -> None:
        self._lost += 1
        self._untold += 1
        self._lost_at = time.monotonic()

    def _work(self) -> None:
        while (line := self._queue.get()) is not None:
            self._busy_since = time.monotonic()
            try:
                if self._reopen.is_set():
                    self._reopen.clear()
                    self._open()
                if line:
                    self._write(line)
            except OSError as error:
                self._error = error.strerror or str(error)
                self._lose()
            except Exception as error:  # noqa: BLE001 - there is no log to tell it in
                self._error = str(error)
                self._lose()
            self._busy_since = None
            self._queue.task_done()

    def _write(self, line: bytes) -> None:
        untold = self._untold
        if untold:
            line = f"{untold} lines before this one are lost: they could not be written\n".encode() + line
        while line:
            try:
                line = line[os.write(self._descriptor, line) :]
            except BlockingIOError:
                select.select([], [self._descriptor], [])  # whoever gave it to us made it non-blocking
        self._untold -= untold
        self._error = ""

    def _open(self) -> None:
        assert self._path is not None
        descriptor = open_log(self._path)
        try:
            # In the place of the old one, for whatever else writes there.
            for number in (1, self._descriptor):
                os.dup2(descriptor, number, inheritable=True)
        finally:
            os.close(descriptor)


def open_log(path: Path) -> int:
    """The log file, to append to. Raises OSError."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


class _Handler(logging.Handler):
    """Formats where the line is said, and leaves the writing to the output."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._output.put(self.format(record))
        except Exception as error:  # noqa: BLE001 - a line that cannot be formatted must not end what said it
            self._output.put(f"a log line of {record.name} cannot be formatted: {error}")

    def flush(self) -> None:
        self._output.drain()

    def close(self) -> None:
        self._output.finish()
        super().close()


class _Tracebacks(logging.Filter):
    """Lets the traceback of one place through once an hour: whoever finds a way to cause one must not fill the log."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: collections.OrderedDict[tuple[object, ...], float] = collections.OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        information = record.exc_info
        if information and information[1] is not None:
            now, place = time.monotonic(), _place(information[1])
            if now - self._seen.get(place, float("-inf")) < _TRACEBACK_SECONDS:
                record.msg = f"{record.getMessage()}: {type(information[1]).__name__}, as told before at {place[1]}:{place[2]}"
                record.args, record.exc_info, record.exc_text = None, None, None
            else:
                self._seen[place] = now
                if len(self._seen) > _TRACEBACKS:
                    self._seen.popitem(last=False)
        return True


def _place(error: BaseException) -> tuple[object, ...]:
    """What kind of error it is, and the file and line where it was raised."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return (type(error), at.tb_frame.f_code.co_filename if at else "", at.tb_lineno if at else 0)


def to_stderr(level: str, path: Path | None = None) -> Output:
    """Send every log line of this level (a name such as `info`) or above to standard error, which is the file `path`
    where one is given.
    """
    output = Output(path=path)
    handler = _Handler(output)
    handler.setFormatter(_Formatter(journal=_is_journal(sys.stderr)))
    handler.addFilter(_Tracebacks())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # What would write to standard error by itself, and wait there.
    logging.captureWarnings(capture=True)
    threading.excepthook = lambda args: log.critical("a thread died", exc_info=args.exc_value)
    sys.unraisablehook = _unraisable
    return output


def _unraisable(told: Any) -> None:
    log.error(
        "%s: %r", told.err_msg or "an error that nobody could catch", told.object, exc_info=told.exc_value
    )


def set_level(level: str) -> None:
    """Change the level of what is running."""
    logging.getLogger().setLevel(level.upper())


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


def _is_journal(stream: TextIO) -> bool:
    """Whether the stream leads to journald: children of services inherit the variable, but not always the stream."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    status = os.fstat(stream.fileno())
    return (device, inode) == (str(status.st_dev), str(status.st_ino))
