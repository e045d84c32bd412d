"""WebSocket pings: they keep proxies and NATs from forgetting a connection, and find dead ones."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: Seconds of silence after which the peer is asked. nginx forgets a connection after 60.
PING_INTERVAL = 50.0
#: Seconds in which something has to come, else the peer is dead.
PING_TIMEOUT = 20.0


class PingTimer:
    """Calls ``ping`` after each interval without a word, and ``dead`` if it stays silent then."""

    def __init__(
        self, clock: IReactorTime, ping: Callable[[], None], dead: Callable[[], None]
    ) -> None:
        self._clock = clock
        self._ping = ping
        self._dead = dead
        self._call: IDelayedCall | None = None
        self._heard_at = 0.0
        self._asked = False

    def start(self) -> None:
        """Begin to watch."""
        self.heard()
        self._call = self._clock.callLater(PING_INTERVAL, self._due)

    def heard(self) -> None:
        """Something came. Cheap: called for all that comes."""
        self._heard_at = self._clock.seconds()
        self._asked = False

    def stop(self) -> None:
        """Watch no more."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _due(self) -> None:
        self._call = None
        silent = self._clock.seconds() - self._heard_at
        if self._asked:
            self._dead()
        elif silent < PING_INTERVAL:
            self._call = self._clock.callLater(PING_INTERVAL - silent, self._due)
        else:
            self._asked = True
            self._call = self._clock.callLater(PING_TIMEOUT, self._due)
            self._ping()
