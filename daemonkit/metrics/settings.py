"""The settings of ``[metrics]``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from daemonkit.ini import Section
from daemonkit.listen import is_local, parse_local_listen


@dataclass(frozen=True)
class MetricsSettings:
    """``[metrics]``: where metrics are served. Endpoint strings; none: nowhere.

    ``certificate`` and ``private_key``: with TLS. Both are None, or neither.
    """

    listen: tuple[str, ...] = ()
    certificate: Path | None = None
    private_key: Path | None = None


def read_metrics(section: Section) -> MetricsSettings:
    """Read ``[metrics]``."""
    listen = section.items("listen", parse_local_listen, ())
    certificate, private_key = section.file_pair("certificate", "private_key")
    if not section.has("certificate"):
        for endpoint in listen:
            if is_local(endpoint) is False:
                section.warn(
                    "listen",
                    f"{endpoint} is open to other machines, without TLS. Set certificate and "
                    "private_key, or leave interface= out.",
                )
    return MetricsSettings(listen, certificate, private_key)
