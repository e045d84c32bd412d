"""Tests for `callbridged.backends.sql.questions`, over connections that do as they are told."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from callbridged.attempt import ATTEMPT, Attempt
from callbridged.backends import BackendUnavailable
from callbridged.backends.sql.questions import GRACE, MAX_IDLE, SHARE, ConnectionLost, Questions
from callbridged.backends.sql.rows import Rows
from daemonkit.workers import Workers
from tests.callbridged.people import Threads

FOUND = Rows(["scram"], [])
TIMEOUT = 5.0


class FakeConnection:
    """``lost``: it is broken, and only notices when it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, float]] = []
        self.usable = True
        self.lost = False
        self.broken_off = self.closed = 0
        self.meanwhile: Callable[[], object] = lambda: None
        self.error: Exception | None = None

    def ask(self, username: str, seconds: float) -> Rows:
        assert not self.closed, "it is closed"
        self.asked.append((username, seconds))
        self.meanwhile()
        if self.lost or self.broken_off:
            self.usable = False
            raise ConnectionLost("the connection was lost")
        if self.error is not None:
            raise self.error
        return FOUND

    def break_off(self) -> None:
        self.broken_off += 1

    def close(self) -> None:
        self.closed += 1


class QuestionsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.threads = Threads()
        self.made: list[FakeConnection] = []
        self.seconds: list[float] = []
        self.refused: Exception | None = None
        self.connecting: Callable[[], object] = lambda: None
        self.meanwhile: Callable[[], object] = lambda: None
        workers = Workers(self.threads, 4, "sql", self.threads)
        self.questions = Questions(self.threads, workers, self.connect, TIMEOUT)

    def connect(self, seconds: float) -> FakeConnection:
        self.seconds.append(seconds)
        if self.refused is not None:
            raise self.refused
        self.made.append(FakeConnection())
        self.made[-1].meanwhile = self.meanwhile
        self.connecting()
        return self.made[-1]

    def ask(self, username: str = "alice") -> Deferred[Rows]:
        return Deferred.fromCoroutine(self.questions.ask(username))

    def answered(self, username: str = "alice") -> None:
        self.assertIs(self.successResultOf(self.ask(username)), FOUND)

    def fault(self, asking: Deferred[Rows]) -> str:
        return str(self.failureResultOf(asking, BackendUnavailable).value)

    def made_together(self, count: int) -> None:
        """So many connections, all idle now: each is asked while those before it are busy."""

        def one_more() -> None:
            if len(self.made) < count:
                self.answered()

        self.meanwhile = one_more
        self.answered()
        self.assertEqual(len(self.made), count)
        for connection in self.made:
            connection.meanwhile = lambda: None
            connection.asked.clear()

    def test_connection_is_kept(self) -> None:
        """The second question goes over the connection of the first, and no timer is left."""
        self.answered("alice")
        self.answered("bob")
        self.assertEqual(self.made[0].asked, [("alice", TIMEOUT * SHARE), ("bob", TIMEOUT * SHARE)])
        self.assertEqual(len(self.made), 1)

    def test_restart(self) -> None:
        """After a restart of the database the first question is asked again over a new connection,
        and all old ones are left."""
        self.made_together(3)
        for connection in self.made:
            connection.lost = True
        self.meanwhile = lambda: None
        self.answered()
        self.assertEqual([one.closed for one in self.made], [1, 1, 1, 0])
        self.assertEqual(sum(len(one.asked) for one in self.made), 2)

    def test_lost_at_once(self) -> None:
        """A new connection that is lost is a fault: nobody tries for ever."""

        def lose() -> None:
            self.made[-1].lost = True

        self.connecting = lose
        self.assertEqual(self.fault(self.ask()), "the connection was lost")
        self.assertEqual((len(self.made), self.made[0].closed), (1, 1))

    def test_no_connection(self) -> None:
        """Where nobody can connect, that is the answer; the next question tries again."""
        self.refused = BackendUnavailable("refused")
        self.assertEqual(self.fault(self.ask()), "refused")
        self.refused = None
        self.answered()

    def test_wrong_query(self) -> None:
        """A database that refuses the query keeps its connection."""
        self.answered()
        self.made[0].error = BackendUnavailable("no such column")
        self.assertEqual(self.fault(self.ask()), "no such column")
        self.made[0].error = None
        self.answered()
        self.assertEqual(len(self.made), 1)

    def test_unusable(self) -> None:
        """A connection that is left in some state is not asked again."""
        self.answered()
        self.made[0].usable = False
        self.answered()
        self.answered()
        self.assertEqual([one.closed for one in self.made], [1, 0])

    def test_idle(self) -> None:
        """Connections that nobody needs are closed: those that are too many while there are
        questions, and all when there is none. No timer is left."""
        self.made_together(2)
        for _ in range(4):
            self.threads.advance(MAX_IDLE / 3)
            self.answered()
        self.assertEqual(sum(one.closed for one in self.made), 1)
        self.threads.advance(MAX_IDLE)
        self.assertEqual([one.closed for one in self.made], [1, 1])
        self.assertEqual(self.threads.getDelayedCalls(), [])

    def test_hanging(self) -> None:
        """Who asks is answered when the time is up; a little later the connection is broken off,
        and its thread ends. The next question gets another one."""
        self.answered()
        hanging = self.made[0]
        answers: list[str] = []

        def hang() -> None:
            self.threads.advance(TIMEOUT)
            answers.append(self.fault(asking))
            self.assertEqual(hanging.broken_off, 0)
            self.threads.advance(GRACE)
            self.assertEqual(hanging.broken_off, 1)

        hanging.meanwhile = hang
        self.threads.at_once = False
        asking = self.ask()
        self.threads.work()
        self.assertIn("timeout: no answer came in time (timeout = 5s).", answers[0])
        self.assertIn("Does the database hang?", answers[0])
        self.assertEqual(hanging.closed, 1)
        self.threads.at_once = True
        self.answered()

    def test_slow_connecting(self) -> None:
        """A connection that comes when nobody waits for it any more is kept, and not asked."""
        self.connecting = partial(self.threads.advance, TIMEOUT + GRACE)
        self.threads.at_once = False
        asking = self.ask()
        self.threads.work()
        self.assertIn("timeout: no answer came in time", self.fault(asking))
        self.assertEqual(self.made[0].asked, [])
        self.threads.at_once = True
        self.answered()
        self.assertEqual(len(self.made), 1)

    def test_all_busy(self) -> None:
        """A question that no thread was free for is not asked in the end, and says why."""
        self.threads.at_once = False
        asking = self.ask()
        self.threads.advance(TIMEOUT)
        self.assertIn("All connections were busy", self.fault(asking))
        self.threads.work()
        self.assertEqual(self.made, [])
        self.assertEqual(self.threads.getDelayedCalls(), [])

    def test_waited(self) -> None:
        """The time that a question waited for its turn is not given to the database as well."""
        self.threads.at_once = False
        asking = self.ask()
        self.threads.advance(2.0)
        self.threads.work()
        self.assertIs(self.successResultOf(asking), FOUND)
        self.assertEqual(self.made[0].asked, [("alice", (TIMEOUT - 2.0) * SHARE)])
        self.assertEqual(self.seconds, [(TIMEOUT - 2.0) * SHARE])

    def test_deadline(self) -> None:
        """A login that has less time left gives the database less."""
        token = ATTEMPT.set(Attempt(None, "PLAIN", self.threads.seconds() + 1.5))
        self.addCleanup(ATTEMPT.reset, token)
        self.answered()
        self.assertEqual(self.made[0].asked, [("alice", 1.5 * SHARE)])

    def test_client_gone(self) -> None:
        """When the client goes while its question waits, it is not asked; while it is asked, it
        goes on, and the connection is good for others."""
        self.threads.at_once = False
        asking = self.ask()
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.threads.work()
        self.assertEqual(self.made, [])
        self.threads.at_once = True
        self.answered()
        self.threads.at_once = False
        asking = self.ask("bob")
        self.made[0].meanwhile = asking.cancel
        self.threads.work()
        self.failureResultOf(asking, CancelledError)
        self.made[0].meanwhile = lambda: None
        self.threads.at_once = True
        self.answered()
        self.assertEqual(len(self.made), 1)

    def test_stop(self) -> None:
        """Stopping closes what is idle, and breaks off what is asked."""
        self.made_together(2)

        def stop() -> None:
            self.questions.stopService()

        for connection in self.made:
            connection.meanwhile = stop
        self.fault(self.ask())
        self.assertEqual([one.closed for one in self.made], [1, 1])
        self.assertEqual(sum(one.broken_off for one in self.made), 1)
        self.assertEqual(self.threads.getDelayedCalls(), [])
