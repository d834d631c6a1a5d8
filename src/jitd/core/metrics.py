"""The catalogue of metrics: of each its name, its kind, its labels and what it says. docs/metrics.md has the same table.

No label ever names a person, a device or an address: whoever may read metrics learns how the gateway does, and not what
people do. Names of networks and interfaces are the administrator's own.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Final, NamedTuple, Self

_DECISION_SECONDS: Final = (30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14_400.0, 43_200.0, 86_400.0)
_LATENESS_SECONDS: Final = (0.0, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 600.0)


class Kind(StrEnum):
    """What a metric is, in the words of OpenMetrics."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"
    INFO = "info"


class Row(NamedTuple):
    """One metric. `name` is that of the family: a counter's samples end with _total, those of an info with _info."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()  # of a histogram's buckets, in seconds


_GAUGE, _COUNTER, _HISTOGRAM, _INFO = Kind.GAUGE, Kind.COUNTER, Kind.HISTOGRAM, Kind.INFO


class Metric(Enum):
    """Every metric of jitd."""

    # fmt: off
    # Requests and decisions.
    PENDING = Row("jitd_requests_pending", _GAUGE, "Requests that wait for a decision.", ("network",))
    OLDEST_PENDING = Row("jitd_requests_oldest_pending_seconds", _GAUGE, "How long the oldest pending request has waited; 0 when none waits.")
    DECISIONS = Row("jitd_decisions", _COUNTER, "Requests that were decided, or ended undecided, by outcome.", ("outcome",))
    DECISION_SECONDS = Row("jitd_decision_seconds", _HISTOGRAM, "Time from a request to the decision of somebody who was asked.", (), _DECISION_SECONDS)
    # Access.
    GRANTS = Row("jitd_grants", _GAUGE, "Grants that have not ended: active, scheduled (not begun) or paused.", ("network", "state"))
    ENDED = Row("jitd_grants_ended", _COUNTER, "Grants that ended, by how.", ("how",))
    LATENESS = Row("jitd_cut_lateness_seconds", _HISTOGRAM, "Time from the end of a grant until the kernel was seen to have cut it; 0 when that was early.", (), _LATENESS_SECONDS)
    UNCONFIRMED = Row("jitd_cuts_unconfirmed", _GAUGE, "Ended grants that the kernel was not seen to have cut yet.")
    FROZEN = Row("jitd_frozen", _GAUGE, "Whether everything is frozen: 1 or 0.")
    # Agreement with the kernel.
    DRIFT = Row("jitd_drift", _GAUGE, "Number of interfaces and peers that do not agree with the store, and of closings that are not recorded yet.", ("what",))
    REPAIRS = Row("jitd_repairs", _COUNTER, "Changes by others to interfaces, peers or the firewall that were undone, by event.", ("event",))
    RETRIES = Row("jitd_reconcile_retries", _COUNTER, "Further attempts at interfaces that did not agree.")
    PEERS = Row("jitd_peers", _GAUGE, "Peers of an interface, as it was read last (at most 30 s ago).", ("interface",))
    PEERS_CONNECTED = Row("jitd_peers_connected", _GAUGE, "Peers with a handshake within the last three minutes.", ("interface",))
    RECEIVED = Row("jitd_received_bytes", _COUNTER, "Bytes received from peers of an interface, sampled when it is read.", ("interface",))
    SENT = Row("jitd_sent_bytes", _COUNTER, "Bytes sent to peers of an interface, sampled when it is read.", ("interface",))
    # Messages, store and the daemon itself.
    OUTBOX = Row("jitd_outbox_messages", _GAUGE, "Messages that are not delivered: waiting for their next attempt, or failed (not tried again by themselves).", ("state",))
    OUTBOX_OLDEST = Row("jitd_outbox_oldest_seconds", _GAUGE, "Age of the oldest message that is not delivered; 0 when there is none.")
    STORE_READABLE = Row("jitd_store_readable", _GAUGE, "Whether the store could be read in time for this answer: 1 or 0. With 0, metrics that are read from it are missing, and counters stand still.")
    STORE_BYTES = Row("jitd_store_bytes", _GAUGE, "Size of the store's files.", ("file",))
    LAST_BACKUP = Row("jitd_last_backup_timestamp_seconds", _GAUGE, "When the last backup was made, seconds since 1970; missing when none is known.")
    WORKER_QUEUE = Row("jitd_worker_queue", _GAUGE, "Jobs that wait for the worker, which runs one at a time.")
    WORKER_TURN = Row("jitd_worker_longest_turn_seconds", _GAUGE, "The longest that the worker took for one job in the last five minutes, the one that runs now included.")
    CONNECTIONS = Row("jitd_connections", _GAUGE, "Connections to the API that are open.")
    REFUSED = Row("jitd_connections_refused", _COUNTER, "Connections to the API that were refused, by code of the error.", ("code",))
    ERRORS = Row("jitd_errors", _COUNTER, "Requests to the API that were answered with an error, by its code (limit: too many changes).", ("code",))
    PROBLEMS = Row("jitd_problems", _GAUGE, "Number of problems with jitd's own socket, log, worker, metrics and store.")
    START_TIME = Row("jitd_start_time_seconds", _GAUGE, "When jitd started, seconds since 1970. Counters begin at 0 then.")
    BUILD = Row("jitd_build", _INFO, "The version of jitd, and its backends.", ("version", "backend", "firewall"))
    # fmt: on

    @property
    def row(self) -> Row:
        """What the catalogue says of it."""
        return self.value

    @property
    def unit(self) -> str:
        """Seconds, bytes, or none."""
        last = self.row.name.rpartition("_")[2]
        return last if last in ("seconds", "bytes") else ""

    @property
    def series(self) -> tuple[str, ...]:
        """The names that a query uses."""
        endings = {
            Kind.COUNTER: ("_total",),
            Kind.INFO: ("_info",),
            Kind.HISTOGRAM: ("_bucket", "_count", "_sum"),
        }
        return tuple(f"{self.row.name}{ending}" for ending in endings.get(self.row.kind, ("",)))


@dataclass(slots=True)
class Histogram:
    """How often values were observed, by bucket, and their sum."""

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)  # of each bucket alone; the last one has no bound
    sum: float = 0.0

    @classmethod
    def of(cls, metric: Metric) -> Self:
        """An empty one."""
        return cls(metric.row.bounds, [0] * (len(metric.row.bounds) + 1))

    def observe(self, value: float) -> None:
        """Count one value. Negative ones count as 0: a sum that falls would be taken for a restart."""
        value = max(0.0, value)
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def cumulative(self) -> Iterator[tuple[str, float]]:
        """(upper bound, how many are not above it), as the text format wants them."""
        total = 0
        for bound, count in zip([*map(str, self.bounds), "+Inf"], self.counts, strict=True):
            total += count
            yield bound, total

    def copy(self) -> "Histogram":
        """One that does not change any more."""
        return Histogram(self.bounds, list(self.counts), self.sum)


class Sample(NamedTuple):
    """One value of a metric, with the values of its labels."""

    metric: Metric
    value: float | Histogram
    labels: tuple[str, ...] = ()
