"""The listening socket while jitd runs: put back when somebody has taken its file away."""

import asyncio
import logging
import time
from pathlib import Path
from typing import Final

from jitd.core.errors import JitError
from jitd.server import listen
from jitd.server.admission import Admission

log = logging.getLogger("jitd.server")

#: For how long it is told that the file was gone, in seconds.
_TOLD_SECONDS: Final = 3600.0


class SocketFile:
    """Whoever removes the directory of the socket (a cleaner, `rm -rf`) leaves a jitd that nobody can reach, and through
    which nothing can be revoked: so it looks.
    """

    def __init__(self, path: Path) -> None:
        """Bind it. Raises JitError as `listen.bind` does."""
        self._path = path
        self._listening = listen.bind(path)
        self._admission: Admission | None = None
        self._wrong = ""
        self._put_back_at = float("-inf")

    def serve(self, admission: Admission) -> None:
        """Hand whoever connects to this admission."""
        self._admission = admission
        admission.listen(self._listening.sock)

    async def keep(self) -> None:
        """Look whether the file is there, and put it back."""
        try:
            if await asyncio.to_thread(self._listening.is_there):
                self._wrong = ""
                return
            # Bound anew, the directory too. It refuses to take the place of a socket on which somebody answers.
            new = await asyncio.to_thread(listen.bind, self._path)
        except JitError as error:
            self._log_problem(error.message)
            return
        except OSError as error:
            self._log_problem(f"cannot look at {self._path}: {error.strerror}")
            return
        old, self._listening = self._listening, new
        self._wrong, self._put_back_at = "", time.monotonic()
        log.warning("%s was gone, and is put back: somebody has removed it", self._path)
        assert self._admission is not None
        self._admission.listen(new.sock)
        self._admission.leave(old.sock)  # who had connected to it gets in

    def close(self, why: JitError) -> None:
        """Take the file away and listen no more; who waits is told `why`."""
        self._listening.unlink()
        if self._admission is None:
            self._listening.sock.close()
        else:
            self._admission.leave(self._listening.sock, why)

    @property
    def is_reachable(self) -> bool:
        """Whether clients found it when it was looked at last."""
        return not self._wrong

    def problem(self) -> str:
        """What is or was wrong within the hour; empty when nothing was."""
        if self._wrong:
            return f"users cannot reach {self._path}: {self._wrong}"
        ago = time.monotonic() - self._put_back_at
        if ago < _TOLD_SECONDS:
            return f"{self._path} was gone {ago / 60:.0f} min ago and was created again: another program removes it"
        return ""

    def _log_problem(self, wrong: str) -> None:
        if wrong != self._wrong:
            log.error("users cannot reach %s: %s", self._path, wrong)
        self._wrong = wrong
