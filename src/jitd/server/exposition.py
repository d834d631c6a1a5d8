"""Samples as the text that Prometheus reads, through its own library, with a registry for each text: nothing is global."""

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from jitd.core.metrics import Histogram, Kind, Metric, Sample

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric as Family


class Text(Enum):
    """The two formats. node_exporter's textfile collector and promtool read the plain one alone."""

    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
    PLAIN = "text/plain; version=0.0.4; charset=utf-8"

    @classmethod
    def wanted(cls, accept: str) -> "Text":
        """What an Accept header asks for: OpenMetrics, but for who asks for plain text and not for it."""
        media = {one.partition(";")[0].strip().lower() for one in accept.split(",")}
        return (
            cls.PLAIN
            if "text/plain" in media and "application/openmetrics-text" not in media
            else cls.OPENMETRICS
        )


class Answer(NamedTuple):
    """A text, and what it is."""

    text: bytes
    media: str


def expose(samples: Iterable[Sample], how: Text) -> Answer:
    """The text of these samples. Takes milliseconds, so not for the loop."""
    # Here and not above: whoever is not asked for metrics does not load the library.
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import generate_latest as plain
    from prometheus_client.openmetrics.exposition import generate_latest as openmetrics

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(samples))
    text: bytes = openmetrics(registry) if how is Text.OPENMETRICS else plain(registry)  # type: ignore[no-untyped-call]
    return Answer(text, how.value)


_ORDER: Final = {metric: at for at, metric in enumerate(Metric)}


class _Collector:
    """What the daemon knows, as the library wants it: one family for each metric, in the order of the catalogue."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = sorted(samples, key=lambda one: _ORDER[one.metric])

    def describe(self) -> "Sequence[Family]":
        """Nothing is checked at registration: there is no other collector."""
        return ()

    def collect(self) -> "Iterator[Family]":
        """All families."""
        for metric, samples in groupby(self._samples, key=lambda one: one.metric):
            yield _family(metric, list(samples))


def _family(metric: Metric, samples: Sequence[Sample]) -> "Family":
    from prometheus_client import metrics_core as core

    row = metric.row
    match row.kind:
        case Kind.HISTOGRAM:
            histograms = core.HistogramMetricFamily(row.name, row.help, labels=row.labels, unit=metric.unit)
            for one in samples:
                found = cast("Histogram", one.value)
                histograms.add_metric(one.labels, list(found.cumulative()), found.sum)
            return histograms
        case Kind.INFO:
            infos = core.InfoMetricFamily(row.name, row.help)
            for one in samples:
                infos.add_metric((), dict(zip(row.labels, one.labels, strict=True)))
            return infos
        case Kind.COUNTER:
            family: core.CounterMetricFamily | core.GaugeMetricFamily = core.CounterMetricFamily(
                row.name, row.help, labels=row.labels, unit=metric.unit
            )
        case Kind.GAUGE:
            family = core.GaugeMetricFamily(row.name, row.help, labels=row.labels, unit=metric.unit)
    for one in samples:
        family.add_metric(one.labels, float(cast("float", one.value)))
    return family
