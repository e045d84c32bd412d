"""Series that are looked at when they are scraped, out of what the daemon knows anyway."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, TypeVar

from prometheus_client import CollectorRegistry, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from twisted.logger import Logger

#: The names of a family's labels, in order; one is just that.
Labels: TypeAlias = str | tuple[str, ...]
#: Their values: the same, and words of an enumeration.
L = TypeVar("L", str, tuple[str, ...], tuple[str, str], tuple[Any, Any])
#: What stands for all values of a label that are not known.
OTHER = "other"


def new_registry() -> CollectorRegistry:
    """Answer a daemon's own registry, with none of the library's global series in it."""
    # A second series for each counter and bucket, which Prometheus does not use. The library has
    # this switch for the whole process only.
    disable_created_metrics()
    return CollectorRegistry()


def one_of(known: Iterable[str], value: str) -> str:
    """Answer ``value`` if it is ``known``, else `OTHER`: what a peer says makes no new series."""
    return value if value in known else OTHER


def gauge(name: str, text: str, value: float) -> Metric:
    """Answer a gauge without labels."""
    return GaugeMetricFamily(name, text, value=value)


def gauges(name: str, text: str, labels: Labels, values: Mapping[L, float]) -> Metric:
    """Answer a gauge by ``labels``."""
    return _filled(GaugeMetricFamily(name, text, labels=_tuple(labels)), values)


def counter(name: str, text: str, value: float) -> Metric:
    """Answer a counter without labels. ``name``: without ``_total``."""
    return CounterMetricFamily(name, text, value=value)


def counters(name: str, text: str, labels: Labels, values: Mapping[L, float]) -> Metric:
    """Answer a counter by ``labels``. ``name``: without ``_total``."""
    return _filled(CounterMetricFamily(name, text, labels=_tuple(labels)), values)


class AtScrape(Collector):
    """A part of the series, by a function that answers them as they are now."""

    log = Logger()

    def __init__(self, name: str, look: Callable[[], Iterable[Metric]]) -> None:
        """``name``: for the log, where ``look`` has a defect."""
        self._name = name
        self._look = look
        self._told = False

    def collect(self) -> Iterable[Metric]:
        """Answer them; none where that fails, so that the others are there."""
        try:
            return list(self._look())
        except Exception:  # noqa: BLE001 - logged whole, and once: a scrape comes each second
            if not self._told:
                self._told = True
                self.log.failure("Error in looking at the metrics {name}", name=self._name)
            return ()


def _filled(family: GaugeMetricFamily | CounterMetricFamily, values: Mapping[L, float]) -> Metric:
    for labels, value in values.items():
        family.add_metric(_tuple(labels), value)
    return family


def _tuple(labels: str | Iterable[str]) -> tuple[str, ...]:
    return (labels,) if type(labels) is str else tuple(map(str, labels))
