"""XEP-0199 keepalive: a peer that has gone silent is asked, and given up if it does not answer."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure
from twisted.words.xish.domish import Element

from bridgewire.iq import RequestFailed


def measured(
    clock: IReactorTime, answer: Deferred[Element], told: Callable[[float], None]
) -> Deferred[Element]:
    """Let ``told`` know after how many seconds the answer has come; not where none does."""
    asked_at = clock.seconds()

    def came(element: Element) -> Element:
        told(clock.seconds() - asked_at)
        return element

    return answer.addCallback(came)


class Keepalive:
    """Pings after ``interval`` seconds without a word; calls ``dead`` if no answer comes.

    ``ping`` sends one ping and answers a Deferred that fails when its own timeout passes, so a
    dead peer is noticed within interval + timeout. Any stanza counts as a sign of life, and an
    error answer too: somebody is there.
    """

    def __init__(
        self,
        clock: IReactorTime,
        interval: float,
        ping: Callable[[], Deferred[Element]],
        dead: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._interval = interval
        self._ping = ping
        self._dead = dead
        self._call: IDelayedCall | None = None
        self._heard_at = 0.0
        self._asked_at = 0.0
        self._running = False

    def start(self) -> None:
        """Begin to watch."""
        self._running = True
        self.heard()
        self._wait(self._interval)

    def heard(self) -> None:
        """Something came from the peer. Cheap: called for every stanza."""
        self._heard_at = self._clock.seconds()

    def stop(self) -> None:
        """Watch no more; a ping under way is ignored."""
        self._running = False
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _wait(self, seconds: float) -> None:
        self._call = self._clock.callLater(seconds, self._due)

    def _due(self) -> None:
        self._call = None
        silent = self._clock.seconds() - self._heard_at
        if silent < self._interval:
            self._wait(self._interval - silent)
        else:
            self._asked_at = self._clock.seconds()
            self._ping().addCallbacks(self._answered, self._unanswered)

    def _answered(self, _: object) -> None:
        if self._running:
            self.heard()
            self._wait(self._interval)

    def _unanswered(self, failure: Failure) -> None:
        if not self._running:
            return
        if failure.check(RequestFailed):
            self._answered(None)
        elif self._heard_at > self._asked_at:  # busy, but alive
            self._due()
        else:
            self._running = False
            self._dead()
