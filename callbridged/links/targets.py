"""Which XMPP servers there are: asked in the beginning, on request, and when answers grow old."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from bridgewire.steps import Reason, Step, StepFailure
from callbridged.links.discovery import Discovery, Found, Target, settle
from callbridged.links.link_interface import State
from callbridged.links.progress import Progress
from callbridged.links.retry import Memory
from daemonkit.tasks import cancel
from daemonkit.units import format_duration

#: Bounds, in seconds, on what a TTL says about when to ask the DNS again.
REFRESH_MINIMUM = 30.0
REFRESH_MAXIMUM = 3600.0


class Targets:
    """What a discovery has found. Only a successful answer changes it."""

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        discovery: Discovery,
        memory: Memory,
        *,
        reached: Callable[[Step, str], None],
        failed: Callable[[StepFailure], None],
        changed: Callable[[], None],
    ) -> None:
        """``reached(step, text)`` hears of steps that succeed, where they differ from the last.

        ``failed`` hears why nothing was found, and ``changed`` of the end of each question.
        """
        #: In the order in which to try them.
        self.known: list[Target] = []
        self.memory = memory
        #: The steps that led to the targets.
        self.progress = Progress()
        self._clock = clock
        self._discovery = discovery
        self._reached = reached
        self._failed = failed
        self._changed = changed
        self._said: tuple[tuple[Step, str], ...] = ()
        self._since = datetime.now(UTC)
        self._running = False
        self._asking: Deferred[None] | None = None
        self._again = False
        self._refresh: IDelayedCall | None = None

    def start(self) -> None:
        """Ask from now on."""
        self._running = True
        self._since = datetime.now(UTC)
        self._ask()

    def stop(self) -> None:
        """Ask no more; what is being asked for is of no use either."""
        self._running = False
        cancel(self._refresh)
        if self._asking is not None:
            self._asking.cancel()

    def ask(self) -> None:
        """Ask anew, unless that goes on."""
        if self._asking is None:
            self._ask()

    def use(self, discovery: Discovery) -> None:
        """Ask by another discovery: at once, or after what is asked for now, and out of date."""
        self._discovery = discovery
        if not self._running:
            return
        if self._asking is None:
            self._ask()
        else:
            self._again = True

    @property
    def asking(self) -> bool:
        """True until the answer has come."""
        return self._asking is not None

    @property
    def error(self) -> StepFailure | None:
        """Why the last discovery failed."""
        return self.memory.journal.last

    def status(self) -> dict[str, object]:
        """What stands in ``links`` of the status while there is none."""
        failure = self.error
        return {
            "target": "",
            "address": None,
            "state": str(State.RESOLVING if self._asking else State.WAITING),
            "since": self._since.isoformat(timespec="seconds"),
            "tls": None,
            "last_error": failure.as_json() if failure else None,
            "certificate": None,
            "clock_skew": None,
            "secret_in_use": None,
            "ready": False,
            "steps": self.progress.as_json(),
            "newer": None,
            "newer_steps": [],
        }

    def _ask(self) -> None:
        cancel(self._refresh)
        self._asking = asking = Deferred.fromCoroutine(self._find())
        asking.addErrback(self._broke).addBoth(self._answered)

    async def _find(self) -> None:
        try:
            found = await self._discovery.find()
        except StepFailure as failure:
            self._not_found(failure)
        else:
            self._found(found)

    def _broke(self, failure: Failure) -> None:
        if self._running:
            self.log.failure("Error in looking for XMPP servers", failure)
            why = "An internal error."
            self._not_found(StepFailure(Step.SRV, Reason.PROTOCOL_ERROR, why, "See the log."))

    def _not_found(self, failure: StepFailure) -> None:
        self.memory.journal.failed(failure)
        self._failed(failure)
        if failure.step is Step.SRV and not self.known:
            self.progress.begin()
        self._since = datetime.now(UTC)
        self._refresh_in(self.memory.backoff.failed(failure))

    def _found(self, found: Found) -> None:
        self.memory.backoff.registered()
        self.memory.journal.recovered()
        for step, text in found.said:
            self.progress.passed(step, text, found.seconds if step is Step.SRV else None)
        if found.said != self._said:
            self._said = found.said
            for step, text in found.said:
                if step is Step.SRV:
                    text += f" ({format_duration(found.seconds)})"
                self.memory.journal.step(step, text)
                self._reached(step, text)
        self.known = settle(self.known, found.targets)
        if found.ttl is not None:
            self._refresh_in(min(max(found.ttl, REFRESH_MINIMUM), REFRESH_MAXIMUM))

    def _refresh_in(self, seconds: float) -> None:
        if self._running:
            self._refresh = self._clock.callLater(seconds, self._ask)

    def _answered(self, _: object) -> None:
        self._asking = None
        if self._again and self._running:
            self._again = False
            self._ask()
        else:
            self._changed()
