"""Tests of callbridged.links.retry: when to try again, and what the log hears of it."""

from __future__ import annotations

from random import Random

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from bridgewire.steps import Reason, Step, StepFailure
from callbridged.links.retry import Backoff, Journal

REFUSED = StepFailure(Step.CONNECT, Reason.CONNECT_REFUSED, "Nobody listens.", "Start it.")
CONFLICT = StepFailure(Step.REGISTER, Reason.CONFLICT, "Another one is there.")


class Highest(Random):
    """Draws the upper end."""

    def uniform(self, a: float, b: float) -> float:
        return b


class Lowest(Random):
    """Draws the lower end."""

    def uniform(self, a: float, b: float) -> float:
        return a


class BackoffTests(SynchronousTestCase):
    """Exponential, with full jitter, forgetful only after a real registration."""

    def setUp(self) -> None:
        self.clock = Clock()

    def backoff(self, random: Random | None = None) -> Backoff:
        return Backoff(self.clock, 1.0, 60.0, random or Highest())

    def test_doubles(self) -> None:
        """The upper end doubles from retry_initial to retry_max."""
        backoff = self.backoff()
        delays = [backoff.failed(REFUSED) for _ in range(9)]
        self.assertEqual(delays, [1, 2, 4, 8, 16, 32, 60, 60, 60])

    def test_for_ever(self) -> None:
        """After any number of failures it still tries again within retry_max."""
        backoff = self.backoff()
        self.assertEqual([backoff.failed(REFUSED) for _ in range(3000)][-1], 60)

    def test_jitter(self) -> None:
        """Every delay is drawn from the whole range up to the upper end."""
        random = Random(7)
        delays = []
        for _ in range(2000):
            backoff = self.backoff(random)
            backoff.failed(REFUSED)
            backoff.failed(REFUSED)
            delays.append(backoff.failed(REFUSED))
        self.assertLess(min(delays), 0.2)
        self.assertGreater(max(delays), 3.8)
        self.assertLess(abs(sum(delays) / len(delays) - 2.0), 0.1)

    def test_floor(self) -> None:
        """However low it draws, it never spins."""
        self.assertEqual(self.backoff(Lowest()).failed(REFUSED), 0.1)

    def test_refusals_wait_long(self) -> None:
        """A refusal waits about retry_max from the first time on."""
        self.assertAlmostEqual(self.backoff(Lowest()).failed(CONFLICT), 54.0)
        self.assertAlmostEqual(self.backoff(Highest()).failed(CONFLICT), 66.0)

    def test_forgets_after_registration(self) -> None:
        """A registration that lasted makes the next delay short again."""
        backoff = self.backoff()
        for _ in range(5):
            backoff.failed(REFUSED)
        backoff.registered()
        self.clock.advance(10)
        self.assertEqual(backoff.failed(REFUSED), 1)

    def test_short_registrations(self) -> None:
        """Registrations that break within seconds, again and again, are failures all the same."""
        backoff = self.backoff()
        delays = []
        for _ in range(5):
            backoff.registered()
            self.clock.advance(2)
            delays.append(backoff.failed(REFUSED))
        self.assertEqual(delays, [1, 2, 4, 8, 16])

    def test_remaining(self) -> None:
        """What remains of a wait is told, whoever asks."""
        backoff = self.backoff()
        self.assertEqual(backoff.remaining(), 0)
        backoff.failed(REFUSED)
        self.clock.advance(0.25)
        self.assertEqual(backoff.remaining(), 0.75)
        self.clock.advance(5)
        self.assertEqual(backoff.remaining(), 0)

    def test_hopeful(self) -> None:
        """A target is hopeful until it fails, and again once it is registered."""
        backoff = self.backoff()
        self.assertTrue(backoff.hopeful)
        backoff.failed(REFUSED)
        self.assertFalse(backoff.hopeful)
        backoff.registered()
        self.assertTrue(backoff.hopeful)


class JournalTests(SynchronousTestCase):
    """The log hears of every change, and of nothing twice."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.journal = Journal(self.clock, "xmpp1.example.com:5223")

    def lines(self, *happenings: object) -> list[str]:
        with capturedLogs() as logged:
            for happening in happenings:
                if isinstance(happening, StepFailure):
                    self.journal.failed(happening)
                elif isinstance(happening, str):
                    self.journal.step(Step.ADDRESS, happening)
                else:
                    self.journal.recovered()
        return [formatEvent(event) for event in logged]

    def test_steps(self) -> None:
        """The steps of a first attempt are logged as they happen, by number and name."""
        self.assertEqual(
            self.lines("it has 192.0.2.1"),
            ["step 5 (address), xmpp1.example.com:5223: it has 192.0.2.1"],
        )

    def test_failure(self) -> None:
        """A failure is a warning with step, reason, what was seen and what to do."""
        with capturedLogs() as logged:
            self.journal.failed(REFUSED)
        (event,) = logged
        self.assertEqual(event["log_level"], LogLevel.warn)
        self.assertEqual(
            formatEvent(event),
            "xmpp1.example.com:5223: step 6 (connect) failed, connect-refused: Nobody listens. "
            "Start it.",
        )

    def test_repeated(self) -> None:
        """An attempt that ends as the one before it leaves no trace in the log."""
        self.lines("a", REFUSED)
        self.assertEqual(self.lines("a", REFUSED, "b", REFUSED), [])
        self.assertIs(self.journal.last, REFUSED)

    def test_changed(self) -> None:
        """An attempt that ends otherwise is logged with its steps."""
        self.lines("a", REFUSED)
        said = self.lines("b", CONFLICT)
        self.assertEqual(len(said), 2)
        self.assertIn("step 5 (address)", said[0])
        self.assertIn("conflict", said[1])

    def test_recovery(self) -> None:
        """A recovery is logged with how long it was down and after how many attempts."""
        self.lines(REFUSED, REFUSED)
        self.clock.advance(90)
        self.lines(CONFLICT)
        said = self.lines("a", None)
        self.assertIn("step 5 (address)", said[0])
        self.assertIn("1m 30s and 3 failed attempts", said[1])
        self.assertIn("conflict at step 9 (register)", said[1])
        self.assertIsNone(self.journal.last)

    def test_no_trouble(self) -> None:
        """What was never down does not recover."""
        self.assertEqual(self.lines(None), [])
