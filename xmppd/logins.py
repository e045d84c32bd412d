"""The logins under way and the Call Bridges that take them: whose turn it is (step 12). No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime

from bridgewire.login import LoginReply, LoginRequest
from bridgewire.session_end import SessionEnded
from xmppd.troubles import Recent

#: What clients are offered until a Call Bridge has said what it serves.
DEFAULT_MECHANISMS = frozenset({"SCRAM-SHA-256", "PLAIN"})


class CallBridge(Protocol):
    """A Call Bridge's link, as far as logins need it."""

    host: str
    outstanding: int

    @property
    def mechanisms(self) -> frozenset[str]:
        """The SASL mechanisms it serves."""

    @property
    def capacity(self) -> int:
        """How many logins it takes at once."""

    def ask(self, request: LoginRequest, timeout: float) -> Deferred[LoginReply]:
        """Relay one message; fails with RequestError or WireFault."""

    def tell_ended(self, ended: SessionEnded) -> None:
        """Tell it that a session is over. Where its link is gone, nobody is told."""


class Logins:
    """The logins under way, over all Call Bridges."""

    def __init__(self, clock: IReactorTime, deadline: float, max_waiting: int) -> None:
        """``deadline``: seconds for a whole exchange; ``max_waiting``: logins at once."""
        self.clock = clock
        self.deadline = deadline
        self.max_waiting = max_waiting
        self.waiting = 0
        #: How many were refused since so many were under way.
        self.refused = 0
        self._bridges: list[CallBridge] = []
        self._queue: deque[Deferred[None]] = deque()
        self._last_served = DEFAULT_MECHANISMS
        #: Logins that nobody has answered.
        self.unanswered = Recent()

    def update(self, bridge: CallBridge) -> None:
        """A Call Bridge offered or changed its service, or (with no mechanisms) went away."""
        if bridge in self._bridges:
            self._bridges.remove(bridge)
        if bridge.mechanisms:
            self._bridges.append(bridge)
        served = frozenset().union(*(one.mechanisms for one in self._bridges))
        if served:
            self._last_served = served
        self.wake()

    @property
    def queued(self) -> int:
        """How many of those under way wait for a Call Bridge that has room."""
        return len(self._queue)

    @property
    def serving_now(self) -> int:
        """How many Call Bridges take new logins."""
        return sum(one.capacity > 0 for one in self._bridges)

    @property
    def mechanisms(self) -> frozenset[str]:
        """What clients are offered.

        With no Call Bridge it is what the last one served: a client that sees no mechanism gives
        up for good, one that gets ``temporary-auth-failure`` comes back.
        """
        return self._last_served

    def serving(self, mechanism: str, tried: Iterable[CallBridge]) -> list[CallBridge]:
        """Answer who serves ``mechanism``, takes logins at all and was not tried."""
        return [
            bridge
            for bridge in self._bridges
            if mechanism in bridge.mechanisms and bridge.capacity > 0 and bridge not in tried
        ]

    async def choose(self, mechanism: str, tried: Iterable[CallBridge]) -> CallBridge | None:
        """Answer the one with the fewest logins under way; wait while all are full."""
        while candidates := self.serving(mechanism, tried):
            free = [one for one in candidates if one.outstanding < one.capacity]
            if free:
                return min(free, key=lambda one: one.outstanding)
            turn: Deferred[None] = Deferred()
            self._queue.append(turn)
            try:
                await turn
            except CancelledError:
                if turn in self._queue:
                    self._queue.remove(turn)
                raise
        return None

    def assign(self, bridge: CallBridge) -> None:
        """Count a login; among equals the others come first from now on."""
        bridge.outstanding += 1
        if bridge in self._bridges:
            self._bridges.remove(bridge)
            self._bridges.append(bridge)

    def release(self, bridge: CallBridge) -> None:
        """A login of ``bridge`` is over."""
        bridge.outstanding -= 1
        self.wake(bridge)

    def wake(self, only_for: CallBridge | None = None) -> None:
        """Let those who wait look again, in turn; or as many as one Call Bridge has room for."""
        for _ in range(len(self._queue)):
            full = only_for is not None and only_for.outstanding >= only_for.capacity
            if full or not self._queue:
                return
            self._queue.popleft().callback(None)
