"""Recording what jitd itself did or saw."""

from typing import Protocol

from jitd.core.model import Account


class RecordEvent(Protocol):
    """Records an event of jitd's own. What cannot be recorded is logged and stops nothing."""

    def __call__(
        self,
        kind: str,
        *,
        interface: str | None = None,
        account: Account | None = None,
        network: str | None = None,
        **data: object,
    ) -> None:
        """Record it; `account` is whom it concerns. `data` holds plain JSON values."""
        ...
