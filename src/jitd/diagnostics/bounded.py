"""Examining what may hang (a directory of users, a resolver, a network disk), each with a limit of time."""

import threading
from collections.abc import Callable
from typing import Final

from jitd import wire
from jitd.diagnostics.lines import unknown

#: How many threads of one part may hang, or be at work, before no more are begun.
_AT_ONCE: Final = 3


class Bounded:
    """Runs each examination in a thread that must not keep jitd from ending: one that hangs is left behind."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._busy: dict[str, int] = {}

    def run(self, part: str, seconds: float, examine: Callable[[], list[wire.Check]]) -> list[wire.Check]:
        """What it says; after so many seconds, that it could not be examined. Raises what it raises."""
        late = unknown(
            f"{part} could not be examined within {seconds:g} s: something that it asks hangs",
            "journalctl -u jitd; sudo jitd check",
        )
        with self._lock:
            if self._busy.get(part, 0) >= _AT_ONCE:
                return [late]
            self._busy[part] = self._busy.get(part, 0) + 1
        said: list[list[wire.Check] | Exception] = []

        def work() -> None:
            try:
                said.append(examine())
            except Exception as error:  # noqa: BLE001 - raised again where it was asked for
                said.append(error)
            finally:
                with self._lock:
                    self._busy[part] -= 1

        thread = threading.Thread(target=work, name=f"jitd-examine-{part}", daemon=True)
        thread.start()
        thread.join(seconds)
        if not said:
            return [late]
        if isinstance(said[0], Exception):
            raise said[0]
        return said[0]
