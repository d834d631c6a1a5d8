"""What passed an interface, summed up from the counters of its peers, whenever it is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from jitd.enforce.port import LinkState


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes since jitd first read the interface; peers as of the last time. Replaced as a whole, so that readers in other
    threads need no lock.
    """

    peers: int = 0
    received: int = 0
    sent: int = 0
    handshakes: tuple[int, ...] = ()  # milliseconds UTC, of peers that had one
    _last: Mapping[str, tuple[int, int]] | None = field(default=None, repr=False)

    def after(self, state: LinkState) -> Self:
        """With what passed since: nothing at the first reading; all of a peer that is new, or whose counters began anew."""
        received, sent = self.received, self.sent
        seen = {key: (peer.rx_bytes, peer.tx_bytes) for key, peer in state.peers.items()}
        for key, (rx, tx) in seen.items() if self._last is not None else ():
            before_rx, before_tx = (self._last or {}).get(key, (0, 0))
            anew = rx < before_rx or tx < before_tx
            received += rx - (0 if anew else before_rx)
            sent += tx - (0 if anew else before_tx)
        return type(self)(
            peers=len(seen),
            received=received,
            sent=sent,
            handshakes=tuple(one.last_handshake_ms for one in state.peers.values() if one.last_handshake_ms),
            _last=seen,
        )
