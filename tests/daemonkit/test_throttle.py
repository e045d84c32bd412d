"""Tests for `daemonkit.throttle`."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from daemonkit.throttle import Refused, Throttle, Turn
from daemonkit.throttle_limits import ThrottleLimits

FREE, MOST, WINDOW, PAUSE = 5, 12, 60.0, 300.0
LIMITS = ThrottleLimits(FREE, MOST, WINDOW, PAUSE)


class ThrottleCase(SynchronousTestCase):
    """A throttle on a clock."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.throttle = self.make()

    def make(self, limits: ThrottleLimits = LIMITS, **more: float) -> Throttle:
        return Throttle(self.clock, limits, **more)  # type: ignore[arg-type]

    def ask(self, key: str = "a") -> Deferred[Turn]:
        return Deferred.fromCoroutine(self.throttle.turn(key))

    def take(self, key: str = "a") -> Turn:
        """A turn that comes at once."""
        return self.successResultOf(self.ask(key))

    def fail_often(self, count: int, key: str = "a") -> list[float]:
        """Fail so often, one after the other, and answer how long each waited for its turn."""
        waits = []
        for _ in range(count):
            asked, began = self.ask(key), self.clock.seconds()
            while not asked.called:
                self.clock.advance(0.5)
            waits.append(self.clock.seconds() - began)
            self.successResultOf(asked).failed()
        return waits

    def refused(self, key: str = "a") -> Refused:
        refused = self.failureResultOf(self.ask(key), Refused).value
        assert isinstance(refused, Refused)
        return refused


class OneKeyTests(ThrottleCase):
    """One key, that fails and succeeds."""

    def test_slower(self) -> None:
        """After so many failures turns come further and further apart."""
        self.assertEqual(self.fail_often(FREE + 6), [0.0] * (FREE + 1) + [1.0, 2.0, 4.0, 8.0, 8.0])

    def test_pause(self) -> None:
        """After too many there are no turns for a while; the failure that begins it says so."""
        self.throttle = self.make(slowest=0.0)
        began = [self.take().failed() for _ in range(MOST)]
        self.assertEqual(began, [False] * (MOST - 1) + [True])
        refused = self.refused()
        self.assertEqual((refused.seconds, refused.paused), (PAUSE, True))
        self.assertEqual(self.throttle.pauses(), [("a", PAUSE)])
        self.clock.advance(PAUSE - 1)
        self.assertEqual(self.refused().seconds, 1)
        self.take("b")
        self.clock.advance(1)
        self.take().over()
        self.assertEqual(self.throttle.pauses(), [])

    def test_after_a_pause(self) -> None:
        """What has not leaked out during a pause counts: the next one comes sooner."""
        self.throttle = self.make(replace(LIMITS, pause=60.0), slowest=0.0)
        for _ in range(MOST):
            self.take().failed()
        self.clock.advance(60.0)
        self.assertEqual([self.take().failed() for _ in range(FREE)], [False] * (FREE - 1) + [True])

    def test_success_clears_nothing(self) -> None:
        """Who succeeds in between is slowed down, and paused, all the same."""
        turns = 0
        while not self.throttle.paused("a"):
            self.fail_often(1)
            if not self.throttle.paused("a"):
                self.take_late().over()
            turns += 1
        self.assertLess(turns, 2 * MOST)

    def take_late(self) -> Turn:
        asked = self.ask()
        while not asked.called:
            self.clock.advance(0.5)
        return self.successResultOf(asked)

    def test_parallel(self) -> None:
        """Who asks for many turns at once gets no more failures than one after the other."""
        asked = [self.ask() for _ in range(200)]
        failures = 0
        for one in asked:
            if one.called and not self.throttle.paused("a"):
                self.successResultOf(one).failed()
                failures += 1
        while not self.throttle.paused("a"):
            self.clock.advance(1.0)
            for one in asked:
                if one.called and isinstance(one.result, Turn):
                    self.successResultOf(one).failed()
                    failures += 1
        refused = [self.failureResultOf(one, Refused) for one in asked if one.result is not None]
        self.assertEqual((failures, len(refused)), (MOST, 200 - MOST))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_parallel_and_slow(self) -> None:
        """Nor does it help that some of the failures leak out before the last one is told."""
        turns = [self.take() for _ in range(MOST)]
        waiting = self.ask()
        for turn in turns:
            self.assertNoResult(waiting)
            self.clock.advance(0.01)
            turn.failed()
        self.failureResultOf(waiting, Refused)

    def test_many_who_succeed(self) -> None:
        """A crowd that succeeds waits for nothing but itself, and nobody of it is refused."""
        asked = [self.ask() for _ in range(500)]
        for one in asked:
            self.successResultOf(one).over()
        self.assertEqual(self.clock.seconds(), 0.0)

    def test_slow_ones(self) -> None:
        """Turns that never end hold up others for a second, and not for longer."""
        asked = [self.ask() for _ in range(3 * MOST)]
        for second in (1, 2, 3):
            self.assertEqual(sum(one.called for one in asked), second * MOST)
            self.clock.advance(1.0)

    def test_held(self) -> None:
        """Turns in which the peer has the next move are no way to have more of them."""
        turns = [self.take() for _ in range(MOST)]
        for turn in turns:
            turn.hold()
        self.assertFalse(self.throttle.ready("a"))
        self.assertTrue(self.throttle.ready("b"))
        first, second, third = (self.ask() for _ in range(3))
        self.clock.advance(100.0)
        for late in (first, second, third):
            self.assertNoResult(late)
        turns[0].over()
        last = self.successResultOf(first)
        last.hold()
        turns[1].resume()
        self.assertNoResult(second)
        self.clock.advance(1.0)
        self.successResultOf(second).over()
        self.successResultOf(third).over()
        for turn in (*turns[1:], last):
            self.assertFalse(turn.failed() and turn is not last)
        self.assertEqual((self.throttle._lanes, self.clock.getDelayedCalls()), ({}, []))

    def test_too_many_wait(self) -> None:
        """Who would wait for too long is refused at once, and told for how long."""
        self.fail_often(FREE + 5)
        self.assertNoResult(self.ask())
        refused = self.refused()
        self.assertEqual((refused.seconds, refused.paused), (16.0, False))

    def test_pause_while_waiting(self) -> None:
        """When a pause begins, those who wait are refused."""
        self.throttle = self.make(patience=1000.0)
        turns = [self.take() for _ in range(MOST)]
        waiting = self.ask()
        for turn in turns:
            turn.failed()
        self.assertTrue(self.failureResultOf(waiting, Refused).value.paused)

    def test_given_up(self) -> None:
        """Who gives up waiting leaves their place to the next, and nothing behind."""
        self.throttle = self.make(patience=1000.0)
        self.fail_often(FREE + 1)
        first, second = self.ask(), self.ask()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.clock.advance(1.0)
        self.successResultOf(second).over()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_told_once(self) -> None:
        """How a turn ended is told once; more of it counts for nothing."""
        turn = self.take()
        turn.over()
        turn.failed()
        self.assertEqual(self.throttle.level("a"), 0.0)
        turn = self.take()
        turn.failed()
        turn.failed()
        self.assertEqual(self.throttle.level("a"), 1.0)

    def test_forgiven(self) -> None:
        """An operator can end a pause, and then all is as at the beginning."""
        self.throttle = self.make(slowest=0.0)
        for _ in range(MOST):
            self.take().failed()
        self.assertTrue(self.throttle.forgive("a"))
        self.assertFalse(self.throttle.forgive("a"))
        self.assertEqual((self.throttle.level("a"), self.throttle.pauses()), (0.0, []))
        self.take().over()

    @settings(deadline=None)
    @given(st.lists(st.floats(WINDOW / FREE, 10 * WINDOW), max_size=30), st.integers(0, FREE))
    def test_now_and_then(self, between: list[float], at_once: int) -> None:
        """Failures that are not too many in each window are never noticed."""
        self.setUp()
        self.assertEqual(self.fail_often(at_once), [0.0] * at_once)
        for seconds in between:
            self.clock.advance(seconds)
            self.assertEqual(self.fail_often(1), [0.0])

    @settings(deadline=None, max_examples=50)
    @given(st.data(), st.integers(1, 30))
    def test_in_the_long_run(self, data: st.DataObject, at_once: int) -> None:
        """However one key tries, it has no more failures than the first ones and what leaks out."""
        self.setUp()
        asked: list[Deferred[Turn]] = []
        failures = 0
        for _ in range(data.draw(st.integers(1, 60))):
            while len(asked) < at_once:
                asked.append(self.ask().addErrback(lambda one: one.trap(Refused, CancelledError)))
            while answered := [one for one in asked if one.called]:
                asked = [one for one in asked if not one.called]
                for one in answered:
                    result = one.result
                    if not isinstance(result, Turn):
                        continue
                    if data.draw(st.booleans()):
                        result.failed()
                        failures += 1
                    else:
                        result.over()
            self.clock.advance(data.draw(st.sampled_from([0.0, 0.5, 3.0, 70.0, PAUSE])))
        leaked = self.clock.seconds() * FREE / WINDOW
        self.assertLessEqual(failures, MOST + leaked + 1)
        for one in asked:
            if not one.called:
                one.cancel()
        for one in asked:
            if isinstance(one.result, Turn):
                one.result.over()
        self.assertEqual(self.throttle._lanes, {})
        self.assertEqual(self.clock.getDelayedCalls(), [])


class ManyKeysTests(ThrottleCase):
    """More keys than can be remembered."""

    def test_paused_stay(self) -> None:
        """Nobody gets out of a pause by failing under many other keys."""
        self.throttle = self.make(size=20, slowest=0.0)
        for _ in range(MOST):
            self.take("paused").failed()
        for number in range(1000):
            self.take(f"other {number}").failed()
        self.assertGreater(self.throttle.paused("paused"), 0)

    def test_so_many_pauses(self) -> None:
        """Where no more pauses can be remembered, the older ones go on, and others are slow."""
        self.throttle = self.make(size=3)
        for key in "abcd":
            self.fail_fast(key)
        self.assertEqual([key for key, _ in self.throttle.pauses()], ["a", "b", "c"])
        self.assertNoResult(self.ask("d"))

    def fail_fast(self, key: str) -> None:
        turns = [self.take(key) for _ in range(MOST)]
        for turn in turns:
            turn.failed()

    @settings(deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 8), st.floats(0.0, 5.0)), max_size=200))
    def test_never_too_few(self, walk: list[tuple[int, float]]) -> None:
        """No key has fewer failures than it had in truth, however many others there are."""
        self.setUp()
        self.throttle = self.make(replace(LIMITS, most=1000), size=3, slowest=0.0)
        truth: Counter[int] = Counter()
        for key, pause in walk:
            turn = self.successResultOf(Deferred.fromCoroutine(self.throttle.turn(key)))
            turn.failed()
            truth[key] += 1
            self.clock.advance(pause)
            for one in truth:
                truth[one] = max(0.0, truth[one] - pause * FREE / WINDOW)  # type: ignore[assignment]
                self.assertGreaterEqual(self.throttle.level(one), truth[one] - 1e-6)

    def test_memory(self) -> None:
        """What is remembered is bounded, and the least harmful is what is forgotten."""
        self.throttle = self.make(size=100)
        self.fail_often(4, "harmful")
        for number in range(250):
            self.take(f"other {number}").failed()
        self.assertLessEqual(len(self.throttle._failures._buckets), 100)
        self.assertEqual(self.throttle._lanes, {})
        self.assertIn("harmful", self.throttle._failures._buckets)


class OtherLimitsTests(ThrottleCase):
    """Limits that change on the way."""

    def change(self, **limits: float) -> None:
        self.throttle.set_limits(replace(LIMITS, **limits))  # type: ignore[arg-type]

    def pause(self, key: str = "a") -> None:
        """Fail until there is a pause."""
        while not self.throttle.paused(key):
            self.fail_often(1, key)

    def test_counted(self) -> None:
        """As many failures count as before, and they leak at the new pace from then on."""
        self.fail_often(4)
        level = self.throttle.level("a")
        self.change(window=WINDOW / 10)
        self.assertAlmostEqual(self.throttle.level("a"), level)
        self.clock.advance(WINDOW / 10 / FREE)
        self.assertAlmostEqual(self.throttle.level("a"), level - 1)
        self.assertEqual(self.throttle.level("b"), 0)

    def test_lower(self) -> None:
        """Who has more than are allowed now is paused by the next failure, not by the change."""
        self.fail_often(4)
        self.change(most=3, free=2)
        self.assertEqual(self.throttle.paused("a"), 0)
        self.assertLessEqual(self.throttle.level("a"), 3)
        self.fail_often(1)
        self.assertEqual(self.throttle.paused("a"), PAUSE)

    def test_pauses(self) -> None:
        """Pauses become no longer than the new one, no shorter where it is longer, and end in
        order."""
        self.pause("a")
        self.clock.advance(10)
        self.pause("b")
        left = self.throttle.paused("a")
        self.assertGreater(left, 5.0)
        self.change(pause=PAUSE * 2)
        self.assertEqual(self.throttle.paused("a"), left)
        self.change(pause=5.0)
        self.pause("c")
        self.assertEqual(self.throttle.paused("c"), 5.0)
        ends = [left for _, left in self.throttle.pauses()]
        self.assertEqual(ends, sorted(ends))
        self.clock.advance(5)
        self.assertEqual(self.throttle.pauses(), [])

    def test_same(self) -> None:
        """The same limits change nothing."""
        self.pause()
        before = (self.throttle.level("a"), self.throttle.paused("a"))
        self.change()
        self.assertEqual((self.throttle.level("a"), self.throttle.paused("a")), before)
