"""What systemd is told while a daemon runs: that it lives, and in one line how it does.

The reactor itself sends both. If it is stuck nothing is sent, and a unit with ``WatchdogSec`` is
started again.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from daemonkit.notify import notify, watchdog_interval

#: Seconds between two looks at how the daemon does; the watchdog may want to hear more often.
INTERVAL = 2.0


class Pulse(Service):
    """Sends ``WATCHDOG=1``, and ``STATUS=`` when the line has changed."""

    log = Logger()

    def __init__(self, clock: IReactorTime, status: Callable[[], str]) -> None:
        """``status`` answers one line for ``systemctl status``."""
        self._clock = clock
        self._status = status
        self._said = ""
        self._call: IDelayedCall | None = None
        self._watched = False
        self._interval = INTERVAL

    def startService(self) -> None:
        super().startService()
        watched = watchdog_interval()
        self._watched = watched is not None
        self._interval = min(INTERVAL, watched or INTERVAL)
        self._beat()

    def stopService(self) -> None:
        super().stopService()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _beat(self) -> None:
        self._call = self._clock.callLater(self._interval, self._beat)
        if self._watched:
            notify("WATCHDOG=1")
        self.look()

    def look(self) -> None:
        """Say how it does now, if that has changed, and do not wait for the next beat."""
        try:
            line = self._status()
        except Exception:  # noqa: BLE001 - logged whole; the watchdog is fed all the same
            self.log.failure("Error in saying how this daemon does")
            return
        if line != self._said:
            self._said = line
            notify(f"STATUS={line}")
