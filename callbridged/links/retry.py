"""When to try again, and how often to say why: one target's memory of failures."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from bridgewire.steps import Step, StepFailure
from callbridged.events import LINK_FAILED, LINK_RECOVERED, LINK_STEP
from daemonkit.units import format_duration

#: No wait is shorter than this part of ``retry_initial``, so that nothing spins.
FLOOR = 0.1
#: Refusals wait ``retry_max``, give or take this part of it.
REFUSAL_SPREAD = 0.1
#: A registration counts as a success once it has lasted this many times ``retry_initial`` (or
#: ``retry_max`` if that is shorter). One that breaks sooner is one more failure.
STABLE = 10
#: Doubling stops here, far beyond any ``retry_max``; it keeps the numbers finite.
_MAX_DOUBLINGS = 32


class Backoff:
    """Exponential backoff with full jitter, that forgets only after a real registration."""

    def __init__(self, clock: IReactorTime, initial: float, maximum: float, random: Random) -> None:
        """``initial`` and ``maximum`` in seconds, as ``retry_initial`` and ``retry_max``."""
        self._clock = clock
        self._random = random
        self._failures = 0
        self._not_before = clock.seconds()
        self._registered_at: float | None = None
        self.hopeful = True
        self.set(initial, maximum)

    def set(self, initial: float, maximum: float) -> None:
        """Take new settings; a wait that has begun keeps its length."""
        self._initial = min(initial, maximum)
        self._maximum = maximum

    def registered(self) -> None:
        """It worked, for now."""
        self._registered_at = self._clock.seconds()
        self.hopeful = True

    def failed(self, failure: StepFailure) -> float:
        """Answer after how many seconds to try again."""
        now = self._clock.seconds()
        if self._registered_at is not None:
            if now - self._registered_at >= min(self._maximum, STABLE * self._initial):
                self._failures = 0
            self._registered_at = None
        if failure.refusal:
            delay = self._maximum * self._random.uniform(1 - REFUSAL_SPREAD, 1 + REFUSAL_SPREAD)
        else:
            ceiling = self._initial * 2 ** min(self._failures, _MAX_DOUBLINGS)
            delay = self._random.uniform(0, min(self._maximum, ceiling))
            delay = max(delay, FLOOR * self._initial)
        self._failures += 1
        self._not_before = now + delay
        self.hopeful = False
        return delay

    def remaining(self) -> float:
        """Answer for how many seconds it is still too early to try again."""
        return max(0.0, self._not_before - self._clock.seconds())


class Journal:
    """What the log hears of one target: every change once, and not every attempt.

    The steps of a first attempt are logged as they happen. Those of a repeated one wait until it
    is known whether it ends as the last one did; if so, nothing is logged.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, subject: str) -> None:
        """``subject`` is what the lines are about: a target, or the SRV name."""
        self.subject = subject
        self._clock = clock
        self._held: list[tuple[Step, str]] = []
        self._down_since = 0.0
        self._attempts = 0
        self.last: StepFailure | None = None

    def step(self, step: Step, text: str) -> None:
        """A step succeeded."""
        if self.last is None:
            self._say(step, text)
        else:
            self._held.append((step, text))

    def failed(self, failure: StepFailure) -> None:
        """An attempt ended, or what was registered is so no longer."""
        held, self._held = self._held, []
        last, self.last = self.last, failure
        if last is None:
            self._down_since = self._clock.seconds()
            self._attempts = 0
        self._attempts += 1
        if last is not None and last.as_json() == failure.as_json():
            return
        for step, text in held:
            self._say(step, text)
        self.log.warn(LINK_FAILED, target=self.subject, **failure.log_fields())

    def recovered(self) -> None:
        """It works, or works again."""
        held, self._held = self._held, []
        last, self.last = self.last, None
        if last is None:
            return
        for step, text in held:
            self._say(step, text)
        self.log.info(
            LINK_RECOVERED,
            target=self.subject,
            duration=format_duration(self._clock.seconds() - self._down_since),
            attempts=self._attempts,
            reason=last.reason,
            step=last.step,
        )

    def _say(self, step: Step, text: str) -> None:
        self.log.info(
            LINK_STEP,
            step=step,
            target=self.subject,
            text=text,
        )


@dataclass(frozen=True)
class Memory:
    """What is remembered of a target for as long as the DNS names it, link or no link."""

    backoff: Backoff
    journal: Journal
