"""Metrics as a file for node_exporter's textfile collector, written from a thread: a disk that hangs holds nobody."""

import asyncio
import contextlib
import logging
import os
import time
from concurrent.futures import Executor
from pathlib import Path
from typing import Final

from jitd.server.exposition import Text
from jitd.server.scraping import Expose

log = logging.getLogger("jitd.server")

#: Seconds between two files: what most are scraped at.
EVERY_SECONDS: Final = 15.0
#: A file that takes longer is told of, in seconds.
LONGEST_SECONDS: Final = 10.0
#: Everybody may read it: node_exporter has a user of its own.
_MODE: Final = 0o644


class Textfile:
    """Writes the file until it is closed. What goes wrong is told, and tried again with the next one."""

    def __init__(self, path: Path, expose: Expose, thread: Executor) -> None:
        """`thread` runs one call at a time, and does not keep the process from ending."""
        self._path = path
        self._expose = expose
        self._thread = thread
        self._problem = ""
        self._begun: float | None = None  # monotonic second at which the file that is being written was begun
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def keep(self) -> None:
        """Nothing: it goes on by itself."""

    def problem(self) -> str:
        """Why the file is not written; empty when it is."""
        begun = self._begun
        if begun is not None and time.monotonic() - begun > LONGEST_SECONDS:
            return f"cannot write {self._path} ([metrics] textfile): it takes {time.monotonic() - begun:.0f} s by now"
        return self._problem

    async def close(self) -> None:
        """Write no more, and take the file away: numbers of a jitd that does not run are not true."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        removing = asyncio.wrap_future(self._thread.submit(self._remove))
        await asyncio.wait({removing}, timeout=1)
        self._thread.shutdown(wait=False)

    async def _run(self) -> None:
        while True:
            try:
                text, _ = await self._expose(Text.PLAIN)
            except Exception:
                log.exception("cannot tell the metrics")
            else:
                await self._write(text)
            await asyncio.sleep(EVERY_SECONDS)

    async def _write(self, text: bytes) -> None:
        self._begun = time.monotonic()
        try:
            await asyncio.wrap_future(self._thread.submit(write, self._path, text))
        except OSError as error:
            problem = f"cannot write {self._path} ([metrics] textfile): {error.strerror or error}"
            if problem != self._problem:
                log.error("%s", problem)  # noqa: TRY400
            self._problem = problem
        else:
            self._problem = ""
        finally:
            self._begun = None

    def _remove(self) -> None:
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def write(path: Path, text: bytes) -> None:
    """Replace the file as a whole: whoever reads it sees the old one or the new one. Raises OSError."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)  # of a jitd that was killed; or somebody's link to another file
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), _MODE)  # whatever the umask is
            file.write(text)
        beside.rename(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
