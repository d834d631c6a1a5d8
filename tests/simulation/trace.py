"""What happened, in order: hashed as a whole, so that two runs can be compared to the byte; its tail is kept."""

import hashlib
from collections import deque
from typing import Final

TAIL: Final = 4000


class Trace:
    """Lines of `time thread place detail`."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self.lines = 0
        self.tail: deque[str] = deque(maxlen=TAIL)

    def note(self, now_us: int, who: str, place: str, detail: str) -> None:
        """One more thing happened."""
        line = f"{now_us / 1e6:.6f} {who:<14} {place:<10} {detail}"
        self._digest.update(line.encode())
        self._digest.update(b"\n")
        self.tail.append(line)
        self.lines += 1

    def hash(self) -> str:
        """A name for everything so far."""
        return self._digest.hexdigest()[:16]
