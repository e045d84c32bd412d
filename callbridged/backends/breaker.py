"""How much is asked of one user backend: so much at once, and almost nothing while it hangs.

A backend that hangs must not take the places of logins that others could answer, and who waits for
it should hear soon that it cannot look. One that fails at once costs nothing, and is always asked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime

from callbridged.backends import BackendUnavailable, BrokenAccount

#: Questions at once: half of the logins that a Call Bridge takes (`callbridged.logins.login`).
MAX_QUESTIONS = 100
#: After so many questions in a row that it left without an answer it counts as hanging.
MAX_UNANSWERED = 3
#: Seconds after which a question that ends without an answer was one that it hung on.
HANGS_AFTER = 2.0
#: Seconds that others wait for its answer before they are asked, too.
PATIENCE = 0.2

T = TypeVar("T")


class Breaker:
    """One backend's circuit breaker.

    While the backend hangs it is asked one question at a time, and an answer ends that.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._running = 0
        self._unanswered = 0
        self._late = 0

    @property
    def hangs(self) -> bool:
        """True where it has left one question after the other without an answer."""
        return self._unanswered >= MAX_UNANSWERED

    @property
    def patience(self) -> float:
        """Seconds to wait for an answer before the next backend is asked, too; mostly `PATIENCE`.

        None at all where that was in vain lately.
        """
        return 0.0 if self._late >= MAX_UNANSWERED else PATIENCE

    async def run(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask. Raises BackendUnavailable where too much is asked, and whatever ``ask`` raises."""
        if self._running >= MAX_QUESTIONS:
            raise BackendUnavailable(f"{self._running} questions wait for its answer already")
        if self._running and self.hangs:
            raise BackendUnavailable("it does not answer; it is asked one question at a time")
        began = self._clock.seconds()
        self._running += 1
        answered = True
        try:
            return await ask()
        except BrokenAccount:
            raise
        except (BackendUnavailable, CancelledError):
            answered = False
            raise
        finally:
            self._running -= 1
            self._count(answered, self._clock.seconds() - began)

    def _count(self, answered: bool, seconds: float) -> None:
        if answered or seconds >= PATIENCE:
            self._late = 0 if seconds < PATIENCE else self._late + 1
        if answered:
            self._unanswered = 0
        elif seconds >= HANGS_AFTER:
            self._unanswered += 1
