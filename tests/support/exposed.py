"""Reads an exposition with prometheus_client's own parsers, and what docs/metrics.md says of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.support.processes import ROOT

#: By name, with the values of its labels in the order of their names.
Series = dict[tuple[str, ...], float]

_ROW = re.compile(r"\| `(?P<name>[\w*]+)` \| (?P<type>\w+) \|(?P<labels>[^|]*)\|")


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


@dataclass(frozen=True)
class Documented:
    """A row of the tables in docs/metrics.md; ``name``: with ``_total`` where it is a counter."""

    name: str
    type: str
    labels: frozenset[str]


def documented(prefix: str) -> dict[str, Documented]:
    """What docs/metrics.md says of a daemon's own series, by name."""
    found = {}
    for line in (ROOT / "docs" / "metrics.md").read_text().splitlines():
        row = _ROW.match(line)
        if row is not None:
            name = row["name"].replace("*", prefix)
            if name.startswith(f"{prefix}_"):
                labels = frozenset(re.findall(r"`(\w+)`", row["labels"]))
                found[name] = Documented(name, row["type"], labels)
    return found


def offered(registry: CollectorRegistry, prefix: str) -> dict[str, Documented]:
    """The same, as it is in truth; of series that are not there yet the labels are unknown."""
    found = {}
    for family in registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        if name.startswith(f"{prefix}_"):
            labels = {label for sample in family.samples for label in sample.labels} - {"le"}
            found[name] = Documented(name, family.type, frozenset(labels))
    return found
