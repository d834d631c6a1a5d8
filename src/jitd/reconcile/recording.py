"""Recording what happened, by a verb or by itself: each event goes through here."""

from dataclasses import dataclass, field
from typing import Protocol

from jitd.core.events import EventKind, Nothing
from jitd.core.model import Account, Actor, Request
from jitd.store import events, networks
from jitd.store.database import Rows


class RecordEvent(Protocol):
    """Records an event of jitd's own. What cannot be recorded is logged and stops nothing."""

    def __call__(
        self,
        kind: EventKind,
        data: Nothing | None = None,
        *,
        interface: str | None = None,
        account: Account | None = None,
        network: str | None = None,
    ) -> None:
        """Record it; `account` is whom it concerns."""
        ...


@dataclass(slots=True)
class Recorder:
    """Records what happened, in the transaction of `rows`. `actor` None: jitd itself acted."""

    rows: Rows
    at_ms: int
    actor: Actor | None = None
    later: bool = False  # it was done when it could not be recorded
    _names: dict[int, str] = field(default_factory=dict)  # of networks, each asked for once

    def __call__(
        self,
        kind: EventKind,
        data: Nothing | None = None,
        *,
        request: Request | None = None,
        account: Account | None = None,
        network: str | None = None,
        interface: str | None = None,
        device: str | None = None,
    ) -> None:
        """Record one event about a request, with its user and network, or about an account, a network, an interface."""
        if request is not None:
            account = request.account
            if request.network_id not in self._names:
                self._names[request.network_id] = networks.by_id(self.rows, request.network_id).name
            network = self._names[request.network_id]
        carried: dict[str, object] = {**(data or {})}
        shape = kind.row.shape
        assert shape.__required_keys__ <= carried.keys() <= shape.__annotations__.keys(), (kind, carried)
        events.add(
            self.rows,
            kind,
            at_ms=self.at_ms,
            actor=self.actor,
            request_id=request.id if request else None,
            user=account.name if account else None,
            user_uid=account.uid if account else None,
            network=network,
            interface=interface,
            device=device,
            data={**carried, "recorded_later": True} if self.later else carried,
        )
