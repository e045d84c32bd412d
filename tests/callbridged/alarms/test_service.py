"""Tests of callbridged.alarms.service: alarms of a running daemon."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from twisted.internet.task import Clock
from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase

from callbridged.alarms.alarm import Condition, Kind, Severity
from callbridged.alarms.hysteresis import Delays
from callbridged.alarms.service import INTERVAL, Alarms
from callbridged.events import ALARM_CHANGED, ALARM_CLEARED, ALARM_RAISED
from tests.callbridged.alarms.conditions import ONE, condition
from tests.support.logged import written

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


class AlarmsTests(SynchronousTestCase):
    """Alarms after 30 seconds, and no more after 20."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.wrong: list[Condition] = []
        self.asked = 0
        self.alarms = Alarms(
            self.clock,
            self.conditions,
            lambda _: Delays(30, 20),
            lambda: NOON + timedelta(seconds=self.clock.seconds()),
        )
        self.written = self.enterContext(written(self.clock))
        self.alarms.startService()

    def conditions(self, now: datetime) -> Iterable[Condition]:
        self.asked += 1
        return self.wrong

    def pass_time(self, seconds: int) -> None:
        self.clock.pump([1] * seconds)

    def kinds(self) -> list[str]:
        return [str(one.kind) for one in self.alarms.active]

    def test_by_itself(self) -> None:
        """What nobody tells it of is found within two seconds, and raised when it has lasted."""
        self.pass_time(3)
        self.wrong = [condition()]
        self.pass_time(1)
        self.pass_time(29)
        self.assertEqual(self.kinds(), [])
        self.pass_time(1)
        self.assertEqual(self.kinds(), ["link-down"])

    def test_told(self) -> None:
        """What it is told of counts from then on, and to the second."""
        self.clock.advance(1)
        self.wrong = [condition()]
        self.alarms.look()
        self.clock.pump([1] * 29)
        self.assertEqual(self.kinds(), [])
        self.clock.advance(1)
        self.assertEqual(self.kinds(), ["link-down"])
        self.wrong = []
        self.alarms.look()
        self.clock.pump([1] * 20)
        self.assertEqual(self.kinds(), [])

    def test_few_looks(self) -> None:
        """It looks every two seconds, however often it was told before."""
        for _ in range(10):
            self.alarms.look()
        before = self.asked
        self.pass_time(20)
        self.assertEqual(self.asked - before, 20 / INTERVAL)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_feed_and_log(self) -> None:
        """What becomes of an alarm is in the feed and in the log, with what to do."""
        self.wrong = [condition()]
        self.alarms.look()
        self.pass_time(30)
        self.wrong = [condition(severity=Severity.CRITICAL)]
        self.alarms.look()
        self.wrong = []
        self.alarms.look()
        self.pass_time(20)
        changes = self.alarms.feed.last(10, lambda _: True)
        self.assertEqual([str(one.what) for one in changes], ["raised", "changed", "cleared"])
        self.assertEqual(
            [(line.event, line.level) for line in self.written],
            [
                (ALARM_RAISED, LogLevel.warn),
                (ALARM_CHANGED, LogLevel.error),
                (ALARM_CLEARED, LogLevel.info),
            ],
        )
        self.assertEqual(
            [line.text for line in self.written],
            [
                f"alarm link-down, warning, of {ONE}: It is down. Start it.",
                f"alarm link-down of {ONE} is critical now: It is down. Start it.",
                f"alarm link-down of {ONE} is over, after 50.0 s",
            ],
        )
        self.assertEqual(
            self.written[0].fields,
            {
                "alarm": "link-down",
                "severity": "warning",
                "subject": ONE,
                "step": "connect",
                "reason": "connect-refused",
                "remedy": "Start it.",
            },
        )

    def test_critical(self) -> None:
        """A critical one is an error in the log."""
        self.wrong = [condition(Kind.BACKEND_DOWN, "file:users", severity=Severity.CRITICAL)]
        self.alarms.look()
        self.pass_time(30)
        self.assertIs(self.written[0].level, LogLevel.error)

    def test_broken(self) -> None:
        """A defect in looking is logged, and it looks again."""
        self.wrong = None  # type: ignore[assignment]
        self.alarms.look()
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        self.wrong = [condition()]
        self.pass_time(35)
        self.assertEqual(self.kinds(), ["link-down"])

    def test_not_running(self) -> None:
        """Before the start, and after the stop, nothing is looked at."""
        self.alarms.stopService()
        before = self.asked
        self.alarms.look()
        self.assertEqual((self.asked, self.clock.getDelayedCalls()), (before, []))
