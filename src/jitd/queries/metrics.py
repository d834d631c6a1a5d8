"""metrics: everything that is known for monitoring, as samples of the catalogue (core/metrics.py).

What a scrape costs does not grow with the store: counts of the present come from tallies and indexes of what is open
(store/metrics.py); counts of the past are kept in memory and add up the events that are new since the last scrape; the rest
is in memory anyway. So they begin at 0 with each start, as Prometheus expects of counters.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from jitd.core import durations
from jitd.core.events import EventKind
from jitd.core.metrics import Histogram, Metric, Sample
from jitd.core.model import Now
from jitd.core.release import VERSION
from jitd.reconcile.drift import Drift
from jitd.store.metrics import REPAIRS, Happened, Stored

T = TypeVar("T")

#: A peer without a handshake for so long has no session any more (REJECT_AFTER_TIME of WireGuard, 180 s).
SESSION_MS: Final = 3 * durations.MINUTE

_OUTCOMES: Final = ("granted", "automatic", "break_glass", "extended", "denied", "lapsed", "cancelled")
_ENDINGS: Final = ("expired", "revoked", "released")


@dataclass(slots=True)
class Past:
    """What happened since the start, counted. `seq` is the last event that was looked at."""

    seq: int = 0
    kinds: Counter[str] = field(default_factory=Counter)  # by outcome, ending or event
    decision: Histogram = field(default_factory=lambda: Histogram.of(Metric.DECISION_SECONDS))
    lateness: Histogram = field(default_factory=lambda: Histogram.of(Metric.LATENESS))

    def add(self, one: Happened) -> None:
        """Count an event."""
        if one.kind is EventKind.CUT_CONFIRMED:
            self.lateness.observe((one.lateness or 0) / durations.SECOND)
            return
        self.kinds["automatic" if one.kind is EventKind.GRANTED and one.automatic else one.kind.value] += 1
        if one.waited_ms is not None:
            self.decision.observe(one.waited_ms / durations.SECOND)

    def copy(self) -> "Past":
        """One that does not change any more."""
        return Past(self.seq, Counter(self.kinds), self.decision.copy(), self.lateness.copy())


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What is known at one moment. `stored` is None while the store cannot be read; seconds and milliseconds as they say."""

    now: Now
    started_ms: int
    backend: str
    firewall: str
    stored: Stored | None
    past: Past
    drift: Drift
    unconfirmed: int
    queue: int
    longest_turn: float  # seconds


MeasureVerb = Callable[[Measured, Any], T]


def metrics(measured: Measured, _query: Mapping[str, object]) -> list[Sample]:
    """All samples, those of one metric behind each other."""
    return [*_of_store(measured), *_of_past(measured.past), *_of_kernel(measured), *_of_daemon(measured)]


def _of_store(measured: Measured) -> Iterator[Sample]:
    found, now_ms = measured.stored, measured.now.wall_ms
    yield Sample(Metric.STORE_READABLE, found is not None)
    if found is None:
        return
    for network, number in found.pending.items():
        yield Sample(Metric.PENDING, number, (network,))
    yield Sample(Metric.OLDEST_PENDING, _age(found.oldest_ms, now_ms))
    for labels, number in found.grants.items():
        yield Sample(Metric.GRANTS, number, labels)
    yield Sample(Metric.FROZEN, found.frozen)
    yield Sample(Metric.OUTBOX, found.outbox.waiting - found.outbox.stuck, ("waiting",))
    yield Sample(Metric.OUTBOX, found.outbox.stuck, ("failed",))
    yield Sample(Metric.OUTBOX_OLDEST, _age(found.outbox_oldest_ms, now_ms))
    for file, size in found.sizes.items():
        yield Sample(Metric.STORE_BYTES, size, (file,))
    if found.last_backup_ms is not None:
        yield Sample(Metric.LAST_BACKUP, found.last_backup_ms / durations.SECOND)


def _of_past(past: Past) -> Iterator[Sample]:
    for outcome in _OUTCOMES:
        yield Sample(Metric.DECISIONS, past.kinds[outcome], (outcome,))
    yield Sample(Metric.DECISION_SECONDS, past.decision)
    for how in _ENDINGS:
        yield Sample(Metric.ENDED, past.kinds[how], (how,))
    yield Sample(Metric.LATENESS, past.lateness)
    for kind in REPAIRS:
        yield Sample(Metric.REPAIRS, past.kinds[kind.value], (kind.value,))


def _of_kernel(measured: Measured) -> Iterator[Sample]:
    drift = measured.drift
    for what, differing in (
        ("interfaces", drift.errors),
        ("peers", drift.open),
        ("unrecorded", drift.unrecorded),
    ):
        yield Sample(Metric.DRIFT, len(differing), (what,))
    yield Sample(Metric.RETRIES, drift.retries)
    yield Sample(Metric.UNCONFIRMED, measured.unconfirmed)
    traffic = drift.traffic
    since_ms = measured.now.wall_ms - SESSION_MS
    for name, one in traffic.items():
        yield Sample(Metric.PEERS, one.peers, (name,))
    for name, one in traffic.items():
        yield Sample(Metric.PEERS_CONNECTED, sum(at_ms > since_ms for at_ms in one.handshakes), (name,))
    for name, one in traffic.items():
        yield Sample(Metric.RECEIVED, one.received, (name,))
    for name, one in traffic.items():
        yield Sample(Metric.SENT, one.sent, (name,))


def _of_daemon(measured: Measured) -> Iterator[Sample]:
    yield Sample(Metric.WORKER_QUEUE, measured.queue)
    yield Sample(Metric.WORKER_TURN, measured.longest_turn)
    yield Sample(Metric.PROBLEMS, len(measured.drift.troubles) + len(measured.drift.doubts))
    yield Sample(Metric.START_TIME, measured.started_ms / durations.SECOND)
    yield Sample(Metric.BUILD, 1, (VERSION, measured.backend, measured.firewall))


def _age(since_ms: int | None, now_ms: int) -> float:
    return 0.0 if since_ms is None else max(0, now_ms - since_ms) / durations.SECOND
