"""Where log lines go, and what they look like: for journald with priorities, for people with times."""

import logging
import os
import sys
import threading
from typing import Final, TextIO

#: syslog(3)'s priorities, which journald reads as a prefix <N>.
_PRIORITIES: Final = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))

log = logging.getLogger("jitd")


def to_stderr(level: str) -> None:
    """Send every log line of this level (a name such as `info`) or above to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(journal=_is_journal(sys.stderr)))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    threading.excepthook = lambda args: log.critical("a thread died", exc_info=args.exc_value)


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
