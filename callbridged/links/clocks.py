"""Does a server's clock agree with this one? If not, certificates may look expired."""

from __future__ import annotations

from datetime import UTC, datetime

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.words.xish.domish import Element

from bridgewire.iq import RequestError, new_request
from bridgewire.namespaces import TIME
from callbridged.events import CLOCKS_DIFFER
from callbridged.links.link_interface import ActiveLink
from daemonkit.tasks import cancel, detach

#: Seconds by which the two clocks may differ before that is worth a warning.
CLOCK_SKEW = 30.0
#: Clocks that agree are compared again after so many times ``ping_interval``; others after one.
PINGS_TO_A_CLOCK = 20


class ClockWatch:
    """Compares the clock of one link's server with this one, at once and then again and again."""

    log = Logger()

    def __init__(
        self, clock: IReactorTime, link: ActiveLink, interval: float, within: float
    ) -> None:
        """``interval``: seconds from one ping to the next; ``within``: for an answer."""
        #: By how many seconds the server's clock is ahead; None where it has not said.
        self.skew: float | None = None
        self._clock = clock
        self._link = link
        self._interval = interval
        self._within = within
        self._running = False
        self._call: IDelayedCall | None = None

    def start(self) -> None:
        """Compare them from now on."""
        self._running = True
        self._begin()

    def stop(self) -> None:
        """Compare them no more."""
        self._running = False
        cancel(self._call)

    def _begin(self) -> None:
        detach(self._compare(), self.log, "Comparing clocks")

    async def _compare(self) -> None:
        target = str(self._link.target)
        known = describe_skew(target, self.skew)
        self.skew = await ask_skew(self._link, self._within)
        warning = describe_skew(target, self.skew)
        if warning and not known:
            self.log.warn(CLOCKS_DIFFER, target=target, text=warning)
        if self._running:
            wait = self._interval * (1 if warning else PINGS_TO_A_CLOCK)
            self._call = self._clock.callLater(wait, self._begin)


async def ask_skew(link: ActiveLink, within: float) -> float | None:
    """Answer by how many seconds the server's clock is ahead (XEP-0202); None if it says nothing.

    ``within``: seconds for the answer. Below 0: it is behind.
    """
    question = new_request("get", link.component, link.domain, Element((TIME, "time")))
    sent = datetime.now(UTC)
    asking: Deferred[Element] = link.request(question, within)
    try:
        time = (await asking).firstChildElement()
        utc = next(iter(time.elements(TIME, "utc"))) if time is not None else ""
        return (datetime.fromisoformat(str(utc)) - sent).total_seconds()
    except (RequestError, ValueError, TypeError, StopIteration):  # it need not know how late it is
        return None


def describe_skew(target: str, skew: float | None) -> str:
    """Answer a warning; empty where the clocks agree, or nobody knows."""
    return " ".join(skew_in_words(target, skew, CLOCK_SKEW))


def skew_in_words(target: str, skew: float | None, limit: float) -> tuple[str, ...]:
    """Answer what is seen, and what to do; nothing where it is no more than ``limit`` seconds."""
    if skew is None or abs(skew) <= limit:
        return ()
    how = "ahead of" if skew > 0 else "behind"
    return (
        f"The clock of {target} is {abs(skew):.0f} s {how} the one of this host.",
        "Let both hosts take the time from the network (NTP).",
    )
