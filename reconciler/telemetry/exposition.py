"""Figures as Prometheus reads them. Imported when the first one asks: the library costs memory that most never need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.utils import floatToGoString

from reconciler.telemetry.measures import Distribution

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client.core import Metric

    from reconciler.telemetry.measures import Family


class Exposition:
    """Answers scrapes with what the parts measure, and with what the process itself needs."""

    def __init__(self, families: Callable[[], Iterable[Family]]) -> None:
        self._families = families
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._registry.register(self)

    def describe(self) -> list[Metric]:
        """Nothing is known before it is asked for."""
        return []

    def collect(self) -> Iterator[Metric]:
        for family in self._families():
            yield _metric(family)

    def text(self, accept: str) -> tuple[bytes, str]:
        """Return the text, in the format that an ``Accept`` header prefers, and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type


def _metric(family: Family) -> Metric:
    if family.kind == "histogram":
        histogram = HistogramMetricFamily(family.name, family.help, labels=family.labels)
        for labels, value in family.values:
            if isinstance(value, Distribution):
                buckets = [
                    (floatToGoString(bound), float(count))  # type: ignore[no-untyped-call]
                    for bound, count in zip(family.bounds, value.cumulative, strict=True)
                ]
                histogram.add_metric(
                    labels, [*buckets, ("+Inf", float(value.observed))], value.total
                )
        return histogram
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = kind(family.name, family.help, labels=family.labels)
    for labels, value in family.values:
        metric.add_metric(labels, float(value))  # type: ignore[arg-type]
    return metric
