"""Reads an exposition with prometheus_client's own parsers, and finds series in it."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

#: By name, with the values of its labels in the order of their names.
Series = dict[tuple[str, ...], float]


def families(text: str | bytes) -> dict[str, Metric]:
    """The families in Prometheus' text format, by name."""
    shown = text.decode() if isinstance(text, bytes) else text
    return {one.name: one for one in text_string_to_metric_families(shown)}


def series(found: Iterable[Metric]) -> Series:
    """All series of the families."""
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in found
        for sample in family.samples
    }


def exposed(registry: CollectorRegistry) -> Series:
    """All series that are exposed, as a scraper reads them."""
    return series(families(generate_latest(registry)).values())
