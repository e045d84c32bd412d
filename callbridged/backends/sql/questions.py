"""Asks a database in threads: over few connections, and not for longer than anyone waits.

What the database does wrong has a remedy at three times: who asks is answered when the time is up.
A query that is slow is given up by the database itself, and the connection lives on. And where not
even that comes, the connection is broken off a little later, so that its thread is free again.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Any, Protocol

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from bridgewire.steps import Reason
from callbridged.attempt import seconds_left
from callbridged.backends import BackendUnavailable, unavailable
from callbridged.backends.sql.rows import Rows
from daemonkit.tasks import cancel
from daemonkit.units import spell_duration
from daemonkit.workers import Workers

#: The database's share of the time there is: it may have something to say when it is over.
SHARE = 0.8
#: Seconds that a database has to give up a query by itself.
GRACE = 1.0
#: Seconds after which a connection that nobody used is closed.
MAX_IDLE = 300.0


class ConnectionLost(BackendUnavailable):
    """The connection is no more; it may have been so for long."""


class Connection(Protocol):
    """One connection. One thread at a time uses it."""

    @property
    def usable(self) -> bool:
        """True where it can be asked again."""

    def ask(self, username: str, seconds: float) -> Rows:
        """Answer what the query answers, within ``seconds``.

        Raises ConnectionLost, and BackendUnavailable.
        """

    def break_off(self) -> None:
        """Let `ask` end at once. Another thread is in it, or just about to be."""

    def close(self) -> None:
        """Leave."""


#: Connects within so many seconds, at least two. Raises BackendUnavailable.
Connect = Callable[[float], Connection]


class _Question:
    """One, from being asked to the end of the thread's work. ``ends``: seconds of the clock."""

    def __init__(self, username: str, ends: float) -> None:
        self.username = username
        self._ends = ends
        #: False: nobody waits any more.
        self.wanted = True
        self.begun = False
        self._lock = Lock()
        self._connection: Connection | None = None

    def seconds(self, clock: IReactorTime) -> float:
        """Answer how long the database may take from now on."""
        return max(0.0, self._ends - clock.seconds()) * SHARE

    def hold(self, connection: Connection | None) -> bool:
        """In the thread: this is what is asked now. Answers whether to ask at all."""
        with self._lock:
            self._connection = connection
            return self.wanted

    def break_off(self) -> None:
        """End the waiting in the thread."""
        with self._lock:  # so that it is not the connection of another question meanwhile
            self.wanted = False
            if self._connection is not None:
                self._connection.break_off()


class Questions(MultiService):
    """There is at most one connection for each thread of ``workers``."""

    def __init__(
        self, clock: IReactorTime, workers: Workers, connect: Connect, timeout: float
    ) -> None:
        """``timeout``: seconds for an answer."""
        super().__init__()
        workers.setServiceParent(self)
        self._clock = clock
        self._workers = workers
        self._connect = connect
        self._timeout = timeout
        self._late = f"no answer came in time (timeout = {spell_duration(timeout)})."
        #: With the time when they were used last, the latest last.
        self._idle: deque[tuple[Connection, float]] = deque()
        self._running: set[_Question] = set()
        self._tidying: IDelayedCall | None = None
        self._stopped = False

    def stopService(self) -> Any:
        """Break off what is under way."""
        self._stopped = True
        for question in list(self._running):
            question.break_off()
        self._close_idle()
        self._tidy_later(None)
        return super().stopService()

    async def ask(self, username: str) -> Rows:
        """Answer what the query answers for a user. Raises BackendUnavailable."""
        seconds = seconds_left(self._clock, self._timeout)
        question = _Question(username, self._clock.seconds() + seconds)
        self._running.add(question)
        hanging = self._clock.callLater(seconds + GRACE, question.break_off)
        answer: Deferred[Rows] = Deferred()

        def done(result: Any) -> None:
            self._running.discard(question)
            cancel(hanging)
            self._tidy_later(MAX_IDLE)
            if not answer.called:
                answer.callback(result)

        def late(_failure: Any, _seconds: float) -> Failure:
            return Failure(self._too_late(question))

        self._workers.run(self._work, question).addBoth(done)
        answer.addTimeout(seconds, self._clock, late)
        try:
            return await answer
        finally:
            question.wanted = False

    def _too_late(self, question: _Question) -> BackendUnavailable:
        if question.begun:
            return unavailable(Reason.TIMEOUT, self._late, "Does the database hang?")
        return unavailable(
            Reason.RESOURCE_LIMIT,
            f"{self._late} All connections were busy.",
            "Is the database slow? If not, raise connections.",
        )

    def _work(self, question: _Question) -> Rows:
        """In a thread."""
        question.begun = True
        while question.wanted:
            connection, is_new = self._take(question)
            try:
                if question.hold(connection):
                    return connection.ask(question.username, question.seconds(self._clock))
            except ConnectionLost:
                self._close_idle()  # they are older than what broke
                if is_new:
                    raise
            finally:
                question.hold(None)
                self._put_back(connection)
        raise self._too_late(question)

    def _take(self, question: _Question) -> tuple[Connection, bool]:
        """Answer a connection, and whether it is a new one."""
        self._close_old()
        try:
            connection, _ = self._idle.pop()
        except IndexError:
            return self._connect(question.seconds(self._clock)), True
        return connection, False

    def _put_back(self, connection: Connection) -> None:
        if connection.usable and not self._stopped:
            self._idle.append((connection, self._clock.seconds()))
        else:
            connection.close()

    def _tidy_later(self, seconds: float | None) -> None:
        """Close what is idle, unless there is another question before. None: do not."""
        cancel(self._tidying)
        self._tidying = None
        if seconds is not None and self._idle:
            self._tidying = self._clock.callLater(seconds, self._close_idle)

    def _close_old(self) -> None:
        self._close_idle(self._clock.seconds() - MAX_IDLE)

    def _close_idle(self, before: float = math.inf) -> None:
        """Close connections that were not used since the time ``before``."""
        while True:
            try:
                connection, used = self._idle.popleft()
            except IndexError:
                return
            if used >= before:
                self._idle.appendleft((connection, used))
                return
            connection.close()
