"""Tests of callbridged.backends.ldap.pool: connections that are shared, one user at a time."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from bridgewire.steps import Reason, Step, StepFailure
from callbridged.backends import BackendUnavailable
from callbridged.backends.ldap.interface import Connection, Result, Say
from callbridged.backends.ldap.pool import KEEP, Pool
from tests.callbridged.ldap.directories import MemoryDirectory


class Use:
    """One use of the pool: binds as ``dn``."""

    def __init__(self, pool: Pool, dn: str, seconds: float = 5.0) -> None:
        self.outcome: Any = None
        self.begun = False
        self._dn = dn
        self.deferred = Deferred.fromCoroutine(pool.run(self._work, seconds))
        self.deferred.addBoth(self._done)

    async def _work(self, connection: Connection, say: Say) -> Result:
        self.begun = True
        say("its answer")
        return await connection.bind(self._dn, "x")

    def _done(self, outcome: Any) -> None:
        self.outcome = outcome.value if isinstance(outcome, Failure) else outcome


class PoolCase(SynchronousTestCase):
    """Two connections to a directory in memory that answers when it is told to."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.directory = MemoryDirectory()
        self.directory.hold = True
        self.pool = Pool(self.clock, self.directory, 2, "[ldap office]")

    def use(self, dn: str = "cn=a", seconds: float = 5.0) -> Use:
        return Use(self.pool, dn, seconds)

    def answer(self) -> None:
        """Answer what waits for longest."""
        held = self.directory.held
        held[:] = [turn for turn in held if not turn.called]
        held.pop(0).callback(None)

    @property
    def made(self) -> int:
        return len(self.directory.connections)

    def alive(self) -> int:
        return sum(one.usable for one in self.directory.connections)


class Sharing(PoolCase):
    """Who has a connection."""

    def test_kept(self) -> None:
        """A connection is used again, by one after the other."""
        for _ in range(3):
            used = self.use()
            self.answer()
            self.assertIsInstance(used.outcome, Result)
        self.assertEqual(self.made, 1)

    def test_bounded(self) -> None:
        """There are never more than so many; the next one waits for its turn."""
        uses = [self.use(), self.use(), self.use()]
        self.assertEqual([one.begun for one in uses], [True, True, False])
        self.answer()
        self.assertTrue(uses[2].begun)
        self.assertEqual(self.made, 2)

    def test_refusal(self) -> None:
        """What the directory does not want is an answer, and its connection is used again."""
        self.directory.hold = False

        async def refuse(connection: Connection, say: Say) -> None:
            raise BackendUnavailable("busy")

        self.failureResultOf(Deferred.fromCoroutine(self.pool.run(refuse, 5)), BackendUnavailable)
        self.assertIsInstance(self.use().outcome, Result)
        self.assertEqual(self.made, 1)

    def test_defect(self) -> None:
        """A defect of ours costs the connection, in whatever state it is."""

        async def fail(connection: Connection, say: Say) -> None:
            raise ZeroDivisionError

        self.failureResultOf(Deferred.fromCoroutine(self.pool.run(fail, 5)), ZeroDivisionError)
        self.assertEqual((self.made, self.alive()), (1, 0))


class Waiting(PoolCase):
    """What takes too long, and who is gone."""

    def test_silent(self) -> None:
        """A server that does not answer in time loses all its connections, and is avoided."""
        first, second = self.use(), self.use()
        self.answer()
        self.assertIsInstance(first.outcome, Result)
        self.clock.advance(5)
        self.assertIsInstance(second.outcome, StepFailure)
        self.assertIs(second.outcome.reason, Reason.TIMEOUT)
        self.assertIn("what was waited for is its answer", str(second.outcome))
        self.assertEqual(self.alive(), 0)
        self.assertEqual(self.directory.avoided, ["ldap://ldap.example.com"])
        self.use()
        self.answer()
        self.assertEqual(self.alive(), 1)

    def test_no_place(self) -> None:
        """The wait for a connection is bounded as well, and takes none."""
        self.use(), self.use()
        waiting = self.use(seconds=1)
        self.clock.advance(1)
        self.assertIn("what was waited for is a free connection", str(waiting.outcome))
        self.answer()
        self.assertFalse(waiting.begun)
        self.assertEqual(self.alive(), 2)

    def test_cancelled(self) -> None:
        """Who goes away in the middle does not take the connection along."""
        used = self.use()
        used.deferred.cancel()
        self.assertIsInstance(used.outcome, CancelledError)
        self.assertEqual(self.alive(), 1)
        self.answer()
        self.use()
        self.assertEqual((self.made, self.alive()), (1, 1))

    def test_cancelled_and_silent(self) -> None:
        """Who goes away while the server is silent leaves no connection that hangs."""
        used = self.use()
        used.deferred.cancel()
        self.clock.advance(5)
        self.assertEqual(self.alive(), 0)
        self.assertFalse(self.clock.getDelayedCalls())

    def test_cancelled_in_line(self) -> None:
        """Who goes away while waiting for a turn has none."""
        self.use(), self.use()
        waiting, last = self.use(), self.use()
        waiting.deferred.cancel()
        self.assertIsInstance(waiting.outcome, CancelledError)
        self.answer()
        self.assertFalse(waiting.begun)
        self.assertTrue(last.begun)


class Losing(PoolCase):
    """Connections that the server closes."""

    def test_restarted(self) -> None:
        """A connection that was kept and is gone is replaced, and the question asked again."""
        first = self.use()
        self.answer()
        second = self.use()
        self.directory.connections[0].lose()
        self.assertEqual(self.made, 2)
        self.answer()
        self.assertIsInstance(first.outcome, Result)
        self.assertIsInstance(second.outcome, Result)

    def test_noticed(self) -> None:
        """One that was lost while nobody used it is not used any more."""
        self.use()
        self.answer()
        self.directory.connections[0].lose()
        self.use()
        self.assertEqual(self.made, 2)

    def test_fresh(self) -> None:
        """A new connection that is lost is a failure: it is not tried for ever."""
        used = self.use()
        self.directory.connections[0].lose()
        self.assertIs(used.outcome.reason, Reason.LINK_LOST)
        self.assertEqual(self.made, 1)

    def test_unreachable(self) -> None:
        """No connection is a failure, and the place is free for the next."""
        self.directory.failure = StepFailure(Step.CONNECT, Reason.CONNECT_REFUSED, "No.")
        for _ in range(3):
            self.assertIs(self.use().outcome, self.directory.failure)
        self.directory.failure = None
        self.assertTrue(self.use().begun)

    def test_idle(self) -> None:
        """What was not used for long is closed, and leaves no timer."""
        first = self.use()
        second = self.use()
        self.answer()
        self.clock.advance(2)
        self.answer()
        self.assertTrue(first.outcome and second.outcome)
        self.clock.advance(KEEP - 2)
        self.assertEqual(self.alive(), 1)
        self.clock.advance(2)
        self.assertEqual(self.alive(), 0)
        self.assertFalse(self.clock.getDelayedCalls())

    def test_close(self) -> None:
        """In the end all are closed, those in use too, and none is made or kept."""
        first, second = self.use(), self.use()
        self.answer()
        self.pool.close()
        self.assertIsInstance(first.outcome, Result)
        self.assertIsInstance(second.outcome, CancelledError)
        self.assertEqual(self.alive(), 0)
        late = self.use()
        self.answer()
        self.assertIsInstance(late.outcome, Result)
        self.assertEqual(self.alive(), 0)
        self.assertFalse(self.clock.getDelayedCalls())
