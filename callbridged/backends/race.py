"""A question that is put to several user backends at the same time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from callbridged.backends import AccountRefused, IUserBackend
from callbridged.backends.breaker import Breaker
from daemonkit.tasks import cancel

T = TypeVar("T")

#: How a question ended. ``given-up``: nobody waited for the answer any more.
How = Literal["answered", "failed", "given-up"]
Asked = Callable[[str, How, float], None]


@dataclass(eq=False)
class Member:
    """One of the backends. ``name``: as in ``backend =``. ``users``: who may still ask it."""

    name: str
    backend: IUserBackend
    breaker: Breaker
    users: int = 0
    #: Why it could not look when it was last asked; empty where it could.
    trouble: str = ""


class Race(Generic[T]):
    """Whoever is asked, and what they have answered."""

    def __init__(self, clock: IReactorTime, asked: Asked) -> None:
        """``asked`` hears of each that ends: of whom, how, and after how many seconds."""
        self.running: set[Deferred[Any]] = set()
        self._clock = clock
        self._asked = asked
        self._outcomes: list[tuple[Member, T | Failure | None]] = []
        self._turn: Deferred[None] | None = None

    def start(self, member: Member, question: Callable[[Any], Awaitable[T | None]]) -> None:
        """Ask one more."""

        async def ask() -> T | None:
            return await question(member.backend)

        asking: Deferred[Any] = Deferred.fromCoroutine(member.breaker.run(ask))
        self.running.add(asking)
        asking.addBoth(self._done, member, asking, self._clock.seconds())

    async def outcomes(self, patience: float | None) -> list[tuple[Member, T | Failure | None]]:
        """Answer what has come; wait for it, for up to ``patience`` seconds."""
        if not self._outcomes and patience != 0:
            turn: Deferred[None] = Deferred()
            self._turn = turn
            timer = None if patience is None else self._clock.callLater(patience, self._wake)
            try:
                await turn
            finally:
                self._turn = None
                cancel(timer)
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    def cancel(self) -> None:
        """Nobody waits for the others any more."""
        for asking in list(self.running):
            asking.cancel()

    def _done(self, outcome: Any, member: Member, asking: Deferred[Any], asked_at: float) -> None:
        self.running.discard(asking)
        self._asked(member.name, _how(outcome), self._clock.seconds() - asked_at)
        self._outcomes.append((member, outcome))
        self._wake()

    def _wake(self) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.callback(None)


def _how(outcome: Any) -> How:
    if not isinstance(outcome, Failure) or outcome.check(AccountRefused):
        return "answered"
    return "given-up" if outcome.check(CancelledError) else "failed"
