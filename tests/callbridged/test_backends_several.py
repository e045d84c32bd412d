"""Tests for `callbridged.backends.several` and `callbridged.backends.breaker`."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from callbridged.backends import (
    AccountRefused,
    BackendFault,
    BackendUnavailable,
    BrokenAccount,
    IAccounts,
    IDecoySource,
    IMechanismsChange,
    IUserBackend,
)
from callbridged.backends.breaker import HANGS_AFTER, MAX_QUESTIONS, MAX_UNANSWERED, PATIENCE
from callbridged.backends.several import SeveralBackends
from callbridged.scram_keys import ScramKeys
from tests.callbridged.accounts import Accounts
from tests.callbridged.people import MemoryBackend

SCHEME = "SCRAM-SHA-256"


class Other(Accounts):
    """Has bob alone."""

    passwords = {"bob": "builder"}  # noqa: RUF012


@implementer(IMechanismsChange, IDecoySource)
class Running(MemoryBackend, Service):
    """A service; its mechanisms may change."""

    mechanisms = frozenset({"PLAIN"})
    iterations = 5000
    decoy_key = b"key"

    def changed(self) -> None: ...


class SeveralCase(SynchronousTestCase):
    """Two backends: alice is in the first one, bob in the other."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.first: MemoryBackend = MemoryBackend()
        self.second: MemoryBackend = Other()
        self.users = self.make()

    def make(self) -> SeveralBackends:
        return SeveralBackends(self.clock, [("memory:a", self.first), ("memory:b", self.second)])

    def start(self, question: Awaitable[Any]) -> Deferred[Any]:
        async def ask() -> Any:
            return await question

        return Deferred.fromCoroutine(ask())

    def check(self, name: str, password: str) -> Deferred[Any]:
        return self.start(self.users.check_password(name, password))

    def release(self, backend: MemoryBackend) -> None:
        waiting, backend.waiting = backend.waiting, []
        for turn in waiting:
            if not turn.called:
                turn.callback(None)


class SeveralTests(SeveralCase):
    """Who is let in, and by whom."""

    def test_interfaces(self) -> None:
        """They look like one; accounts are known if one of them knows some."""
        verifyObject(IUserBackend, self.users)
        verifyObject(IDecoySource, self.users)
        verifyObject(IMechanismsChange, self.users)
        verifyObject(IAccounts, self.users)
        alone = SeveralBackends(self.clock, [("memory:a", self.first)])
        self.assertFalse(IAccounts.providedBy(alone))

    def test_each_lets_in_its_own(self) -> None:
        """Users of each are let in with their passwords, and nobody with another."""
        self.assertIs(self.successResultOf(self.check("alice", "wonderland")), True)
        self.assertIs(self.successResultOf(self.check("bob", "builder")), True)
        self.assertIs(self.successResultOf(self.check("alice", "builder")), False)
        self.assertIs(self.successResultOf(self.check("nobody", "builder")), False)

    def test_order(self) -> None:
        """The second is not asked for whom the first one has let in."""
        self.successResultOf(self.check("alice", "wonderland"))
        self.assertEqual(self.second.asked, [])

    def test_keys(self) -> None:
        """SCRAM keys come from the first that has some."""
        for name, there in (("alice", True), ("bob", True), ("nobody", False)):
            keys = self.successResultOf(self.start(self.users.scram_keys(name, SCHEME)))
            self.assertEqual(isinstance(keys, ScramKeys), there)

    def test_fingerprint(self) -> None:
        """It comes from those that have one."""
        self.assertEqual(
            self.successResultOf(self.start(self.users.fingerprint("bob"))), b"builder"
        )
        self.assertIsNone(self.successResultOf(self.start(self.users.fingerprint("alice"))))
        self.assertEqual(self.first.asked, [])

    def test_mechanisms(self) -> None:
        """What one of them cannot answer is not offered, and a change is told on."""
        running = Running()
        users = SeveralBackends(self.clock, [("memory:a", self.first), ("running:", running)])
        told: list[None] = []
        users.changed = lambda: told.append(None)
        self.assertEqual(users.mechanisms, {"PLAIN"})
        running.mechanisms = frozenset({SCHEME, "PLAIN"})
        running.changed()
        self.assertEqual(users.mechanisms, {SCHEME, "PLAIN"})
        self.assertEqual(len(told), 1)
        self.assertEqual((users.iterations, users.decoy_key), (5000, b"key"))

    def test_services(self) -> None:
        """What has to be started is started, and stopped."""
        running = Running()
        users = SeveralBackends(self.clock, [("running:", running)])
        users.startService()
        self.assertTrue(running.running)
        users.stopService()
        self.assertFalse(running.running)

    def test_refused_account(self) -> None:
        """An account that must not be used is not let in by another backend either."""
        self.first.error = AccountRefused("account-disabled", "by the directory")
        self.failureResultOf(self.check("bob", "builder"), AccountRefused)


class TroubleTests(SeveralCase):
    """One of them is slow, down or wrong."""

    def test_down(self) -> None:
        """Users of the others do not notice; for nobody is it a wrong password."""
        self.first.error = BackendUnavailable("the directory does not answer")
        self.assertIs(self.successResultOf(self.check("bob", "builder")), True)
        failure = self.failureResultOf(self.check("alice", "wonderland"), BackendUnavailable)
        self.assertEqual(str(failure.value), "memory:a: the directory does not answer")
        self.failureResultOf(self.check("bob", "wrong"), BackendUnavailable)

    def test_defect(self) -> None:
        """A backend with a defect is logged with its traceback, and the others go on."""
        self.first.error = ZeroDivisionError()
        self.assertIs(self.successResultOf(self.check("bob", "builder")), True)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_slow(self) -> None:
        """After a moment the next one is asked, too, and the slow one may still answer."""
        self.first.hold = True
        bob, alice = self.check("bob", "builder"), self.check("alice", "wonderland")
        self.clock.advance(PATIENCE / 2)
        self.assertNoResult(bob)
        self.clock.advance(PATIENCE / 2)
        self.assertIs(self.successResultOf(bob), True)
        self.assertNoResult(alice)
        self.release(self.first)
        self.assertIs(self.successResultOf(alice), True)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_slow_for_long(self) -> None:
        """Nobody waits any more for one that was late again and again, until it is in time."""
        self.first.hold = True
        for _ in range(MAX_UNANSWERED):
            bob = self.check("bob", "builder")
            self.clock.advance(PATIENCE)
            self.assertIs(self.successResultOf(bob), True)
        self.assertIs(self.successResultOf(self.check("bob", "builder")), True)
        self.first.hold = False
        self.successResultOf(self.check("alice", "wonderland"))
        self.first.hold = True
        self.assertNoResult(self.check("bob", "builder"))

    def test_late_is_not_hanging(self) -> None:
        """One that is late and answers in the end is asked by as many as before."""
        self.first.hold = True
        for _ in range(2 * MAX_UNANSWERED):
            bob = self.check("bob", "builder")
            self.clock.advance(PATIENCE)
            self.successResultOf(bob)
        several = [self.check("alice", "wonderland") for _ in range(5)]
        self.release(self.first)
        for one in several:
            self.assertIs(self.successResultOf(one), True)

    def hang(self) -> None:
        self.first.hold = True
        for _ in range(MAX_UNANSWERED):
            alice = self.check("alice", "wonderland")
            self.clock.advance(HANGS_AFTER)
            alice.cancel()
            self.failureResultOf(alice, CancelledError)

    def test_hanging(self) -> None:
        """One that hangs is asked by one login at a time; the others hear at once that it does."""
        self.hang()
        probe = self.check("alice", "wonderland")
        self.assertNoResult(probe)
        failure = self.failureResultOf(self.check("alice", "wonderland"), BackendUnavailable)
        self.assertIn("one question at a time", str(failure.value))
        self.assertIs(self.successResultOf(self.check("bob", "builder")), True)
        self.release(self.first)
        self.assertIs(self.successResultOf(probe), True)
        several = [self.check("alice", "wonderland") for _ in range(5)]
        self.release(self.first)
        for one in several:
            self.assertIs(self.successResultOf(one), True)

    def test_broken_account(self) -> None:
        """A user whose entry is broken does not make the backend look as if it hung."""
        self.first.error = BrokenAccount("no uid")
        self.first.hold = True
        for _ in range(2 * MAX_UNANSWERED):
            answer = self.check("alice", "wonderland")
            self.clock.advance(HANGS_AFTER)
            self.release(self.first)
            self.failureResultOf(answer, BackendUnavailable)
        self.first.error = None
        several = [self.check("alice", "wonderland") for _ in range(5)]
        self.release(self.first)
        for one in several:
            self.assertIs(self.successResultOf(one), True)

    def test_too_many(self) -> None:
        """So many may wait for one backend, and no more."""
        self.first.hold = True
        several = [self.check("alice", "wonderland") for _ in range(MAX_QUESTIONS)]
        more = self.check("alice", "wonderland")
        failure = self.failureResultOf(more, BackendUnavailable)
        self.assertIn(f"{MAX_QUESTIONS} questions wait", str(failure.value))
        self.release(self.first)
        for one in several:
            self.assertIs(self.successResultOf(one), True)

    def test_cancelled(self) -> None:
        """A client that goes away leaves no question behind."""
        self.first.hold = self.second.hold = True
        answer = self.check("alice", "wonderland")
        self.clock.advance(PATIENCE)
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.assertTrue(all(one.called for one in (*self.first.waiting, *self.second.waiting)))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class ReplacedTests(SeveralCase):
    """Other backends, while some are asked."""

    def setUp(self) -> None:
        super().setUp()
        self.running = Running()
        self.users = SeveralBackends(
            self.clock, [("running:", self.running), ("memory:b", self.second)]
        )
        self.users.startService()
        self.told = 0
        self.users.changed = self.count

    def count(self) -> None:
        self.told += 1

    def test_new(self) -> None:
        """The new one is started and asked, the old one stopped; who stays stays as it is."""
        new = Running()
        self.users.replace([("running:", new), ("memory:b", self.second)])
        self.assertEqual((new.running, bool(self.running.running)), (1, False))
        self.assertIs(self.users.backend("memory:b"), self.second)
        self.assertIs(self.users.backend("running:"), new)
        self.assertIs(self.successResultOf(self.check("alice", "wonderland")), True)
        self.assertEqual((new.asked, self.running.asked), (["alice"], []))

    def test_asked(self) -> None:
        """One that is asked is stopped when it has answered, and is asked nothing more."""
        self.running.hold = True
        alice = self.check("alice", "wonderland")
        self.users.replace([("memory:b", self.second)])
        self.assertTrue(self.running.running)
        self.assertIs(self.successResultOf(self.check("bob", "builder")), True)
        self.release(self.running)
        self.assertIs(self.successResultOf(alice), True)
        self.assertFalse(self.running.running)
        self.assertEqual(self.running.asked, ["alice"])
        self.assertNotIn(self.running, list(self.users))

    def test_still_to_be_asked(self) -> None:
        """So is one that a login has not come to yet."""
        self.second.hold = True
        self.users.replace([("memory:b", self.second), ("running:", self.running)])
        alice = self.check("alice", "wonderland")
        self.users.replace([("memory:b", self.second)])
        self.assertTrue(self.running.running)
        self.clock.advance(PATIENCE)
        self.assertIs(self.successResultOf(alice), True)
        self.assertFalse(self.running.running)

    def test_given_up(self) -> None:
        """So is one that hangs, when nobody waits for it any more."""
        self.running.hold = True
        alice = self.check("alice", "wonderland")
        self.users.replace([("memory:b", self.second)])
        alice.cancel()
        self.failureResultOf(alice, CancelledError)
        self.assertFalse(self.running.running)

    def test_same(self) -> None:
        """With the same ones nothing happens; in another order they are asked in that order."""
        self.users.replace([("running:", self.running), ("memory:b", self.second)])
        self.assertTrue(self.running.running)
        self.users.replace([("memory:b", self.second), ("running:", self.running)])
        self.assertTrue(self.running.running)
        self.assertIs(self.successResultOf(self.check("bob", "builder")), True)
        self.assertEqual((self.second.asked, self.running.asked), (["bob"], []))
        self.assertEqual(self.told, 0)

    def test_mechanisms(self) -> None:
        """Another set of mechanisms is told on, by those that are asked."""
        self.users.replace([("memory:a", self.first)])
        self.assertEqual((self.users.mechanisms, self.told), ({SCHEME, "PLAIN"}, 1))
        self.users.replace([("running:", Running())])
        self.assertEqual((self.users.mechanisms, self.told), ({"PLAIN"}, 2))

    def test_accounts(self) -> None:
        """Accounts are known as long as one of them knows some."""
        self.users.replace([("memory:a", self.first)])
        self.assertFalse(IAccounts.providedBy(self.users))
        self.users.replace([("memory:a", self.first), ("memory:b", self.second)])
        self.assertTrue(IAccounts.providedBy(self.users))

    def test_defect(self) -> None:
        """One that cannot be started changes nothing, and those that were started are stopped."""

        class Broken(Running):
            def startService(self) -> None:
                raise ZeroDivisionError

        new = Running()
        fault = self.assertRaises(
            BackendFault, self.users.replace, [("running:2", new), ("broken:", Broken())]
        )
        self.assertIn("broken:", str(fault))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual((bool(new.running), self.running.running), (False, 1))
        self.assertEqual(list(self.users), [self.running])
        self.assertIs(self.successResultOf(self.check("alice", "wonderland")), True)

    def test_stopped_meanwhile(self) -> None:
        """One that is let go while all stop is stopped once."""
        self.running.hold = True
        alice = self.check("alice", "wonderland")
        self.users.replace([("memory:b", self.second)])
        self.users.stopService()
        self.assertFalse(self.running.running)
        self.release(self.running)
        self.successResultOf(alice)
