"""Recording what jitd itself did or saw."""

from typing import Protocol


class Tell(Protocol):
    """Records an event of jitd's own. What cannot be recorded is logged and stops nothing."""

    def __call__(self, kind: str, *, interface: str | None = None, **data: object) -> None:
        """Record it. `data` holds plain JSON values."""
        ...
