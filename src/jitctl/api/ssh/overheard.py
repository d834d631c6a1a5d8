"""What ssh says: it goes to its user as it comes, and the end of it is kept, because it says why ssh failed."""

from __future__ import annotations

import codecs
import contextlib
import os
import select
import threading
import tty
from types import TracebackType
from typing import Final, Self

from jitctl.render.output import beside
from jitd.core.text import visible_lines

#: Bytes that are kept: ssh's longest warning has about a thousand.
_MOST: Final = 16384
#: Seconds that a terminal which takes nothing (Ctrl-S) is waited for at the end.
_STUCK_SECONDS: Final = 1.0


class Overheard:
    """Standard error of another program. As a context manager it closes the other program's end, once that has it.

    Where our own is a terminal, the other program gets one too: ssh asks for a touch of a security key only there.
    """

    def __init__(self) -> None:
        self._ours, self.theirs = _ends()
        self._over, self._tell = os.pipe()
        self._kept = b""
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._thread = threading.Thread(target=self._pass_on, name="jitctl-ssh-said", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.theirs)

    def end(self) -> str:
        """The other program has ended: pass on what there still is, and return the end of all that it said.

        Not until everybody has closed it: a connection that ssh shares (ControlPersist) goes on and holds it open.
        """
        os.close(self._tell)
        self._thread.join(_STUCK_SECONDS)
        return self._kept.decode(errors="replace").replace("\r", "")

    def _pass_on(self) -> None:
        with contextlib.suppress(OSError):  # how a terminal ends whose other side is closed
            while self._ours in select.select([self._ours, self._over], [], [])[0]:
                data = os.read(self._ours, 4096)
                if not data:
                    break
                self._kept = (self._kept + data)[-_MOST:]
                # Most of it is ssh's own, but what the gateway's side says comes this way, too.
                beside(visible_lines(self._decode(data).replace("\r", "")))
        os.close(self._ours)
        os.close(self._over)


def _ends() -> tuple[int, int]:
    """(where we read, where the other program writes)."""
    with contextlib.suppress(OSError):  # our standard error is closed, or there are no more terminals
        if os.isatty(2):
            ours, theirs = os.openpty()
            tty.setraw(theirs)  # what comes goes on as it is
            return ours, theirs
    return os.pipe()
