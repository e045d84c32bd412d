"""Connections of one kind: so many at most, each for one thing at a time, kept for the next."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from bridgewire.steps import Reason, StepFailure
from callbridged.backends import BackendUnavailable
from callbridged.backends.ldap.interface import Connection, Say
from callbridged.backends.ldap.words import too_late

T = TypeVar("T")

#: Seconds that a connection is kept without use. Firewalls forget sooner than servers.
KEEP = 60.0


class Opener(Protocol):
    """Makes connections that are ready for use."""

    async def open(self, until: float, say: Say) -> Connection:
        """Answer one, before the reactor's clock says ``until``. Raises StepFailure."""

    def avoid(self, name: str) -> None:
        """The server of that name did not answer."""


class Pool:
    """The connections of one kind."""

    def __init__(self, clock: IReactorTime, opener: Opener, size: int, section: str) -> None:
        """``size``: connections at most. ``section``: for messages."""
        self._clock = clock
        self._opener = opener
        self._section = section
        self._places = DeferredSemaphore(size)
        self._working: set[Deferred[Any]] = set()
        #: What is kept, and since when; the latest at the end.
        self._kept: list[tuple[Connection, float]] = []
        self._sweeping: IDelayedCall | None = None
        self._closed = False

    async def run(self, work: Callable[[Connection, Say], Awaitable[T]], seconds: float) -> T:
        """Answer what ``work`` makes of a connection, which it has for itself meanwhile.

        All together, the wait for a connection included, is given up after ``seconds``. Who is
        cancelled does not wait for the end, and the connection goes on to the next. Raises
        StepFailure.
        """
        progress = _Progress()
        answer: Deferred[T] = Deferred(lambda _: None if progress.begun else working.cancel())

        def give_up(*_: object) -> None:
            raise too_late(self._section, progress.doing)

        def done(result: Any) -> None:
            self._working.discard(working)
            if not answer.called:
                answer.callback(result)

        until = self._clock.seconds() + seconds
        working = Deferred.fromCoroutine(self._in_turn(work, until, progress))
        self._working.add(working)
        working.addTimeout(seconds, self._clock, onTimeoutCancel=give_up)
        working.addBoth(done)
        return await answer

    def close(self) -> None:
        """Close all, and give up what is under way."""
        self._closed = True
        self._drop_kept()
        for working in list(self._working):
            working.cancel()

    async def _in_turn(
        self, work: Callable[[Connection, Say], Awaitable[T]], until: float, progress: _Progress
    ) -> T:
        await self._places.acquire()
        try:
            progress.begun = True
            connection = self._take_kept()
            if connection is not None:
                try:
                    return await self._use(connection, work, progress.say)
                except StepFailure as failure:
                    if failure.reason is not Reason.LINK_LOST or self._clock.seconds() >= until:
                        raise
                # It was closed just when we used it again. A question may be asked twice, and the
                # others that are kept have most likely gone the same way.
                self._drop_kept()
            connection = await self._opener.open(until, progress.say)
            return await self._use(connection, work, progress.say)
        finally:
            self._places.release()

    async def _use(
        self, connection: Connection, work: Callable[[Connection, Say], Awaitable[T]], say: Say
    ) -> T:
        try:
            return await work(connection, say)
        except BackendUnavailable:  # an answer all the same
            raise
        except CancelledError:  # by the timeout
            self._opener.avoid(connection.name)
            connection.close()
            self._drop_kept()
            raise
        except BaseException:
            connection.close()
            raise
        finally:
            self._keep(connection)

    def _keep(self, connection: Connection) -> None:
        if self._closed:
            connection.close()
        if not connection.usable:
            return
        self._kept.append((connection, self._clock.seconds()))
        if self._sweeping is None:
            self._sweeping = self._clock.callLater(KEEP, self._sweep)

    def _take_kept(self) -> Connection | None:
        while self._kept:
            connection, since = self._kept.pop()
            if not connection.usable:
                continue
            if self._clock.seconds() - since < KEEP:
                return connection
            connection.close()
        return None

    def _drop_kept(self) -> None:
        kept, self._kept = self._kept, []
        for connection, _ in kept:
            connection.close()
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None

    def _sweep(self) -> None:
        """Close what was not used for long; look again when the next may be due."""
        self._sweeping = None
        now = self._clock.seconds()
        kept, self._kept = self._kept, []
        for connection, since in kept:
            if now - since >= KEEP:
                connection.close()
            elif connection.usable:
                self._kept.append((connection, since))
        if self._kept:
            due = self._kept[0][1] + KEEP - now
            self._sweeping = self._clock.callLater(due, self._sweep)


class _Progress:
    """How far one use of a pool is."""

    def __init__(self) -> None:
        self.begun = False
        self.doing = "a free connection"

    def say(self, what: str) -> None:
        self.doing = what
