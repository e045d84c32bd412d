"""Tests for `daemonkit.workers`."""

from __future__ import annotations

import threading

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.trial.unittest import TestCase

from daemonkit.workers import Workers

#: Seconds; reached by failures only.
PATIENCE = 20.0


class WorkersTests(TestCase):
    """Real threads, and a real reactor."""

    def setUp(self) -> None:
        self.workers = Workers(reactor, 2, "test")
        self.workers.startService()
        self.let_go = threading.Event()
        self.addCleanup(self.let_go.set)

    def tearDown(self) -> None:
        if self.workers.running:
            self.workers.stopService()

    def hang(self) -> Deferred[bool]:
        """Keep one thread busy until `let_go`; answered when it has begun."""
        begun: Deferred[bool] = Deferred()

        def work() -> None:
            reactor.callFromThread(begun.callback, True)
            self.let_go.wait(PATIENCE)

        self.held = self.workers.run(work)
        return begun

    async def test_runs(self) -> None:
        """Work is done in another thread, and its result or exception is the answer."""
        ours = threading.get_ident()
        self.assertNotEqual(await self.workers.run(threading.get_ident), ours)
        self.assertEqual(await self.workers.run(int, "11", base=2), 3)
        with self.assertRaises(ZeroDivisionError):
            await self.workers.run(divmod, 1, 0)

    async def test_bounded(self) -> None:
        """With as many pieces of work as threads under way, more of them wait."""
        await gatherResults([self.hang(), self.hang()])
        third = self.workers.run(int, "3")
        self.assertFalse(third.called)
        self.let_go.set()
        self.assertEqual(await third, 3)

    async def test_cancelled_before(self) -> None:
        """Work that nobody wants any more before its turn is not done."""
        await gatherResults([self.hang(), self.hang()])
        done: list[int] = []
        unwanted = self.workers.run(done.append, 1)
        unwanted.cancel()
        with self.assertRaises(CancelledError):
            await unwanted
        self.let_go.set()
        await self.workers.run(done.append, 2)
        self.assertEqual(done, [2])

    async def test_cancelled_while(self) -> None:
        """Who waits for work that goes on is told at once that it is cancelled."""
        await self.hang()
        self.held.cancel()
        with self.assertRaises(CancelledError):
            await self.held

    async def test_stop(self) -> None:
        """Stopping does not wait for a thread that hangs, and its threads hold up no exit."""
        await self.hang()
        self.workers.stopService()
        hanging = [one for one in threading.enumerate() if "-test-" in one.name]
        self.assertTrue(hanging)
        self.assertTrue(all(one.daemon for one in hanging), hanging)
