"""Evidence of use: counters and handshakes of peers, sampled whenever an interface is read, summed up by grant."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from jitd.core import durations
from jitd.core.model import Now
from jitd.enforce.port import LinkState, Peer
from jitd.reconcile.access import DeviceAccess
from jitd.store import devices, usage
from jitd.store.database import Rows
from jitd.store.usage import Usage

#: Between two samples that are further apart, nobody knows for how long something came.
LONGEST_MS: Final = durations.MINUTE


@dataclass(frozen=True, slots=True)
class _Sample:
    rx_bytes: int
    tx_bytes: int
    at_boot_ms: int


@dataclass(slots=True)
class Sampler:
    """Belongs to the worker thread. What was sampled is held until `flush`."""

    _last: dict[tuple[int, str], _Sample] = field(default_factory=dict)
    _sums: dict[int, Usage] = field(default_factory=dict)
    #: Where each client was last heard from, by public key; what is new since the last `flush`.
    endpoints: dict[str, str] = field(default_factory=dict)
    _moved: dict[tuple[int, str], str] = field(default_factory=dict)

    def load(self, rows: Rows) -> None:
        """Take over what was known when jitd last ran."""
        self.endpoints.update(devices.endpoints(rows))

    def saw(self, interface_id: int, state: LinkState, accesses: Iterable[DeviceAccess], now: Now) -> None:
        """Take a sample of an interface that was read at `now`, before anything is changed on it."""
        for one in accesses:
            key = one.tunnel.device.public_key
            peer = state.peers.get(key)
            if peer is None:
                self._last.pop((interface_id, key), None)
                continue
            if peer.endpoint and self.endpoints.get(key) != peer.endpoint:
                self.endpoints[key] = self._moved[interface_id, key] = peer.endpoint
            numbers = [r.request_id for r in one.reasons if r.request_id is not None and not r.paused]
            self._count(interface_id, peer, numbers, now)

    def new(self, interface_id: int, public_key: str, boot_ms: int) -> None:
        """A peer was added: its counters begin now."""
        self._last[interface_id, public_key] = _Sample(0, 0, boot_ms)

    def gone(self, interface_id: int, public_key: str) -> None:
        """A peer was removed: its counters begin anew."""
        self._last.pop((interface_id, public_key), None)

    def _count(self, interface_id: int, peer: Peer, request_ids: list[int], now: Now) -> None:
        before = self._last.get((interface_id, peer.public_key))
        self._last[interface_id, peer.public_key] = _Sample(peer.rx_bytes, peer.tx_bytes, now.boot_ms)
        if not request_ids or (before is None and not peer.rx_bytes):
            return
        if before is None or peer.rx_bytes < before.rx_bytes or peer.tx_bytes < before.tx_bytes:
            before = _Sample(0, 0, now.boot_ms)
        rx, tx = peer.rx_bytes - before.rx_bytes, peer.tx_bytes - before.tx_bytes
        used = min(now.boot_ms - before.at_boot_ms, LONGEST_MS) if rx else 0
        if not rx and not tx:
            return
        for number in request_ids:
            known = self._sums.get(number, Usage(used_ms=0, rx_bytes=0, tx_bytes=0, handshake_ms=0))
            self._sums[number] = Usage(
                used_ms=known.used_ms + used,
                rx_bytes=known.rx_bytes + rx,
                tx_bytes=known.tx_bytes + tx,
                handshake_ms=max(known.handshake_ms, peer.last_handshake_ms),
            )

    def flush(self, rows: Rows) -> None:
        """Write down what was sampled, in a transaction. Call `flushed` when that is through."""
        for number, sums in self._sums.items():
            usage.add(rows, number, sums)
        for (interface_id, key), endpoint in self._moved.items():
            devices.keep_endpoint(rows, interface_id, key, endpoint)

    def flushed(self) -> None:
        """What was sampled is in the store."""
        self._sums.clear()
        self._moved.clear()
