"""All series as the text that is scraped: in which format, and compressed or not, is asked for."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, openmetrics
from prometheus_client.exposition import generate_latest, gzip_accepted

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
#: Little is gained by more of it, and it costs as much as the text itself.
_COMPRESSION = 1


@dataclass(frozen=True)
class Exposition:
    """What a scraper gets. ``encoding``: as in Content-Encoding, or empty."""

    body: bytes
    content_type: str
    encoding: str = ""


def expose(registry: CollectorRegistry, accept: str = "", accept_encoding: str = "") -> Exposition:
    """Answer what a scraper with these request headers gets: OpenMetrics 1.0.0 where it reads that,
    else Prometheus' text format 0.0.4, which all of them read.

    prometheus_client's own choice goes by versions and escapings too, echoes them, and fails on
    some; there is one version of each here.
    """
    kinds = {one.partition(";")[0].strip().lower() for one in accept.split(",")}
    generate: Callable[[CollectorRegistry], bytes] = generate_latest
    content_type = PLAIN
    if "application/openmetrics-text" in kinds:
        generate, content_type = openmetrics.exposition.generate_latest, OPENMETRICS
    body = generate(registry)
    if gzip_accepted(accept_encoding):
        return Exposition(gzip.compress(body, _COMPRESSION), content_type, "gzip")
    return Exposition(body, content_type)
