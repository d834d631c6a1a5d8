"""Recording what jitd itself did or saw."""

from dataclasses import dataclass, field
from typing import Protocol

from jitd.core.model import Account, Now, Request
from jitd.store import events, networks
from jitd.store.database import Rows


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


@dataclass(slots=True)
class Recorder:
    """Records, in the transaction of `rows`, what happened at `now` by itself."""

    rows: Rows
    now: Now
    _names: dict[int, str] = field(default_factory=dict)  # of networks, each asked for once

    def of_request(self, kind: str, request: Request, **data: object) -> None:
        """What became of a request or grant."""
        number = request.network_id
        if number not in self._names:
            self._names[number] = networks.by_id(self.rows, number).name
        events.add(
            self.rows,
            kind,
            at_ms=self.now.wall_ms,
            actor=None,
            request_id=request.id,
            user=request.account.name,
            user_uid=request.account.uid,
            network=self._names[number],
            data=data,
        )

    def of_account(self, kind: str, account: Account, *, device: str | None = None, **data: object) -> None:
        """What became of an account, or of one of its devices."""
        events.add(
            self.rows,
            kind,
            at_ms=self.now.wall_ms,
            actor=None,
            user=account.name,
            user_uid=account.uid,
            device=device,
            data=data,
        )
