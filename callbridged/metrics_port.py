"""The port of callbridged that Prometheus and others ask, and what is measured for it."""

from __future__ import annotations

from typing import Any

from twisted.application.service import MultiService

from callbridged.alarms.service import Alarms
from callbridged.bridge import Bridge
from callbridged.metrics import PREFIX, make_metrics, not_ready
from callbridged.ports import NOT_ALLOWED, port_tls
from daemonkit.listener import listener
from daemonkit.metrics.lag import ReactorLag
from daemonkit.metrics.pages import make_site
from daemonkit.reload import Reload


class MetricsService(MultiService):
    """Counts in any case, and listens where ``[metrics]`` says."""

    def __init__(self, reactor: Any, bridge: Bridge, reload: Reload[Any], alarms: Alarms) -> None:
        """Raises CertificateFault."""
        super().__init__()
        context = port_tls("metrics", bridge.config)
        if context is not None:
            bridge.ports["metrics"] = context
        registry = make_metrics(reactor, bridge, reload, alarms)
        ReactorLag(reactor, PREFIX, registry).setServiceParent(self)
        site = make_site(reactor, registry, lambda: not_ready(bridge))
        for endpoint in bridge.config.metrics.listen:
            listener(
                endpoint,
                site.accept,
                reactor,
                program="callbridged",
                context=context,
                not_allowed=NOT_ALLOWED,
            ).setServiceParent(self)
