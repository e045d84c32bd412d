"""What both daemons tell of themselves: build, configuration, certificates."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any

from OpenSSL import SSL
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from daemonkit.metrics.series import gauge, gauges
from daemonkit.reload import Reload


@dataclass(frozen=True)
class Expiry:
    """Until when the certificates of a file are good (aware): the first of them to end.

    ``role``: what the file is for, as its setting is called; ``domain``: whose it is.
    """

    role: str
    domain: str
    until: datetime


class BuildInfo:
    """What runs here."""

    def __init__(self, prefix: str) -> None:
        self._name = f"{prefix}_build_info"
        self._labels = {
            "version": version("callbridge-xmpp"),
            "python": platform.python_version(),
            "twisted": version("Twisted"),
            "openssl": SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode().split()[1],
        }

    def __call__(self) -> Iterable[Metric]:
        """Answer 1, with the versions as labels."""
        family = GaugeMetricFamily(
            self._name, "1, with the versions that run here.", labels=tuple(self._labels)
        )
        family.add_metric(tuple(self._labels.values()), 1)
        yield family


def of_reload(prefix: str, reload: Reload[Any]) -> Iterable[Metric]:
    """Answer how the last reload ended, in the names that Prometheus uses for its own."""
    failed = reload.last is not None and not reload.last.ok
    yield gauge(
        f"{prefix}_config_last_reload_successful",
        "1 where the configuration in use is the one of the last attempt to read it, else 0.",
        0 if failed else 1,
    )
    yield gauge(
        f"{prefix}_config_last_reload_success_timestamp_seconds",
        "When the configuration in use was read, in UNIX time.",
        reload.succeeded_at.timestamp(),
    )


def of_certificates(prefix: str, expiries: Iterable[Expiry]) -> Iterable[Metric]:
    """Answer until when the certificates in use are good."""
    yield gauges(
        f"{prefix}_certificate_expiry_timestamp_seconds",
        "When the first certificate of a file in use ends, in UNIX time.",
        ("role", "domain"),
        {(one.role, one.domain): one.until.timestamp() for one in expiries},
    )
