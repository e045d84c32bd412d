"""Checks that the daemon runs itself, for the REST API and the web page: one at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from callbridged.check.report import Report
from callbridged.check.running import Running
from callbridged.check.trace import Trace
from callbridged.check.walk import check
from callbridged.config import Config

#: Seconds after which it makes sense to ask again, while a check runs.
RETRY_AFTER = 5


class Busy(Exception):
    """A check runs already: two would take each other's registrations for somebody else's."""

    def __init__(self) -> None:
        super().__init__(
            f"A check runs already, and there is one at a time. Try again in {RETRY_AFTER} seconds."
        )


class Checks:
    """Walks the steps of the signal flow with any settings, and changes nothing."""

    def __init__(self, reactor: Any, status: Callable[[], Mapping[str, Any]]) -> None:
        """``status`` answers that of this daemon, see `callbridged.status`."""
        self._reactor = reactor
        self._status = status
        self._busy = False

    async def run(self, config: Config) -> Report:
        """Answer what a check with ``config`` finds, be it in use or not. Raises Busy."""
        if self._busy:
            raise Busy
        self._busy = True
        try:
            return await check(self._reactor, config, Trace(None), self._running(config))
        finally:
            self._busy = False

    def _running(self, config: Config) -> Running:
        status = self._status()
        wanted = config.callbridge.name, config.callbridge.domain
        if wanted == (status["callbridge"], status["domain"]):
            return Running(status)
        former = [one for one in status["former"] if wanted == (one["callbridge"], one["domain"])]
        # Under another name no link is ours: who has one there is in the way.
        return Running({"links": former}) if former else Running(down=True)
