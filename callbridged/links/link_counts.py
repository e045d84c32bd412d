"""What has happened to links since the daemon was started, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from bridgewire.steps import Reason, Step, StepFailure
from callbridged.links.discovery import Target

#: Servers without a link that are remembered, to tell whether a link comes back.
_MAX_LOST = 1000


class LinkCounts:
    """Counts registrations and failures over all links."""

    def __init__(self) -> None:
        #: Registrations that have succeeded, and how many of them after a link to the same server
        #: had been lost.
        self.registrations = self.reconnects = 0
        #: Failures of links, and of attempts at one.
        self.failures: Counter[tuple[Step, Reason]] = Counter()
        #: Hears after how many seconds a server has answered a ping.
        self.round_trip: Callable[[float], None] = lambda _: None
        self._lost: dict[Target, None] = {}

    def registered(self, target: Target) -> None:
        """A link was registered."""
        self.registrations += 1
        if target in self._lost:
            del self._lost[target]
            self.reconnects += 1

    def lost(self, target: Target) -> None:
        """There was a link to ``target``, and there is none now."""
        self._lost[target] = None
        if len(self._lost) > _MAX_LOST:
            del self._lost[next(iter(self._lost))]

    def failed(self, failure: StepFailure) -> None:
        """An attempt failed, or a link was lost."""
        self.failures[failure.step, failure.reason] += 1
