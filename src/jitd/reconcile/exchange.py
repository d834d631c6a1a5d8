"""An exchange for each interface: what hangs at one interface holds no other one, and nothing else.

Every call for an interface runs in a thread of that interface's own, in order. Whoever calls waits for the answer, but
not for one that does not come: the interface counts as hanging then, and nobody waits for it any more until it has
answered. What closes is queued without waiting, whatever hangs.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

from jitd.enforce.port import (
    Change,
    EnforceError,
    Known,
    LinkSpec,
    LinkState,
    NoAnswer,
    Place,
    SetPeer,
    WireGuard,
    closes,
)
from jitd.reconcile.closed import Closed

log = logging.getLogger("jitd.reconcile")

T = TypeVar("T")

#: So long an answer is waited for, in seconds. To read ten thousand peers takes 0.1 s.
PATIENCE: Final = 2.0
#: The same where an interface may have to be made or removed: as long as a backend takes at the most, and more.
LONG_PATIENCE: Final = 30.0


@dataclass(slots=True)
class _Exchange:
    """One interface's."""

    calls: Executor
    known: bool = False  # it has answered before: nothing has to be made
    hangs: bool = False
    asking: "Future[LinkState] | None" = None  # whether it answers again
    #: What was to be closed and got no answer, by public key.
    owed: dict[str, SetPeer] = field(default_factory=dict)


class Exchanges:
    """A WireGuard whose interfaces do not hold each other. The worker's, but for `close_peers`, which is everybody's."""

    def __init__(
        self,
        wireguard: WireGuard,
        closed: Closed,
        serial: Callable[[str], Executor],
        answered: Callable[[str], None],
    ) -> None:
        """`answered` is called, in an exchange's thread, when an interface that hung answers again."""
        self._wireguard = wireguard
        self._closed = closed
        self._serial = serial
        self._answered = answered
        self._exchanges: dict[str, _Exchange] = {}

    @property
    def name(self) -> str:
        """As the port says."""
        return self._wireguard.name

    def know(self, known: Known) -> None:
        """As the port says. Nobody is asked for it."""
        self._wireguard.know(known)

    def ensure_link(self, spec: LinkSpec) -> bool:
        """As the port says."""
        patience = PATIENCE if self._of(spec.name).known else LONG_PATIENCE
        return self._ask(spec.name, partial(self._wireguard.ensure_link, spec), patience)

    def remove_link(self, name: str) -> None:
        """As the port says. It is tried also where the interface hangs."""
        exchange = self._of(name)
        self._wait(name, exchange, exchange.calls.submit(self._wireguard.remove_link, name), LONG_PATIENCE)
        exchange.calls.shutdown(wait=False)
        self._exchanges.pop(name, None)

    def read(self, name: str) -> LinkState:
        """As the port says."""
        return self._ask(name, partial(self._wireguard.read, name), PATIENCE)

    def locate(self, name: str) -> Place | None:
        """As the port says."""
        return self._ask(name, partial(self._wireguard.locate, name), PATIENCE)

    def apply(self, name: str, changes: Sequence[Change]) -> None:
        """As the port says. A peer that was closed after these changes were worked out is not opened."""
        exchange = self._of(name)
        self._refuse_hanging(name, exchange)
        with self._closed.lock:
            shut = self._closed.peers
            admitted = [one for one in changes if closes(one) or (name, one.public_key) not in shut]
            for one in admitted:
                exchange.owed.pop(one.public_key, None)
            running = exchange.calls.submit(self._wireguard.apply, name, admitted)
        self._wait(name, exchange, running, PATIENCE)

    def close_peers(self, name: str, peers: Sequence[SetPeer]) -> "Future[None]":
        """Queue changes that open nothing, from any thread, without waiting: they are applied as soon as may be."""
        exchange = self._of(name)
        with self._closed.lock:
            self._closed.close_peers(name, (one.public_key for one in peers))
            running = exchange.calls.submit(self._wireguard.apply, name, list(peers))
        running.add_done_callback(partial(self._note_owed, exchange, peers))
        return running

    def hanging(self) -> list[str]:
        """The interfaces that do not answer."""
        return [name for name, one in list(self._exchanges.items()) if one.hangs]

    def close(self) -> None:
        """As the port says. What hangs is left behind."""
        for exchange in self._exchanges.values():
            exchange.calls.shutdown(wait=False)
        self._exchanges.clear()
        self._wireguard.close()

    # --- how ---

    def _of(self, name: str) -> _Exchange:
        exchange = self._exchanges.get(name)
        if exchange is None:
            # Of two threads that make one at the same time, one wins.
            exchange = self._exchanges.setdefault(name, _Exchange(self._serial(f"jitd-{name}")))
        return exchange

    def _ask(self, name: str, call: Callable[[], T], patience: float) -> T:
        exchange = self._of(name)
        self._refuse_hanging(name, exchange)
        found = self._wait(name, exchange, exchange.calls.submit(call), patience)
        exchange.known = True
        return found

    def _refuse_hanging(self, name: str, exchange: _Exchange) -> None:
        """Nobody waits for what hangs; but it is asked again, behind everything else that it was told."""
        if not exchange.hangs:
            return
        if exchange.asking is None or exchange.asking.done():
            exchange.asking = exchange.calls.submit(self._wireguard.read, name)
            exchange.asking.add_done_callback(partial(self._note_answer, name, exchange))
        raise _no_answer(name)

    def _wait(self, name: str, exchange: _Exchange, running: "Future[T]", patience: float) -> T:
        try:
            return running.result(patience)
        except NoAnswer:
            self._note_hanging(name, exchange)
            raise _no_answer(name) from None
        except EnforceError:
            exchange.known = False  # perhaps it is gone, and has to be made the next time
            raise
        except TimeoutError:
            self._note_hanging(name, exchange)
            running.add_done_callback(partial(self._note_answer, name, exchange))
            raise _no_answer(name) from None

    def _note_hanging(self, name: str, exchange: _Exchange) -> None:
        if not exchange.hangs:
            exchange.hangs = True
            log.error("%s", _no_answer(name))

    def _note_answer(self, name: str, exchange: _Exchange, future: "Future[object]") -> None:
        """Called in the exchange's thread: what was waited for in vain has come, or given up."""
        if isinstance(future.exception(), NoAnswer) or not exchange.hangs:
            return
        if exchange.owed:
            self.close_peers(name, list(exchange.owed.values()))
        log.warning("%s answers again", name)
        exchange.hangs = False
        self._answered(name)

    def _note_owed(self, exchange: _Exchange, peers: Sequence[SetPeer], future: "Future[None]") -> None:
        with self._closed.lock:
            for one in peers:
                if isinstance(future.exception(), NoAnswer):
                    exchange.owed[one.public_key] = one
                elif exchange.owed.get(one.public_key) == one:
                    del exchange.owed[one.public_key]


def _no_answer(name: str) -> NoAnswer:
    return NoAnswer(f"{name} does not answer")
