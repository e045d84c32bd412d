"""How late the reactor does what is due: for as long as it is stuck, everybody waits."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Histogram
from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: Seconds between two looks. A reactor that is stuck for longer than that is seen in any case.
INTERVAL = 0.5
_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class ReactorLag(Service):
    """Asks to be called, again and again, and measures by how much that comes too late."""

    def __init__(self, clock: IReactorTime, prefix: str, registry: CollectorRegistry) -> None:
        self._clock = clock
        self._lag = Histogram(
            f"{prefix}_reactor_lag_seconds",
            "By how much the reactor was late with what was due; looked at twice a second.",
            buckets=_BUCKETS,
            registry=registry,
        )
        self._due = 0.0
        self._call: IDelayedCall | None = None

    def startService(self) -> None:
        super().startService()
        self._wait()

    def stopService(self) -> None:
        super().stopService()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _wait(self) -> None:
        self._due = self._clock.seconds() + INTERVAL
        self._call = self._clock.callLater(INTERVAL, self._look)

    def _look(self) -> None:
        self._lag.observe(max(0.0, self._clock.seconds() - self._due))
        self._wait()
