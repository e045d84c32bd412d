"""Tests for `daemonkit.logging.log`: levels, limits, and what could not be written."""

from __future__ import annotations

import errno

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from daemonkit.logging.context import about
from daemonkit.logging.event import Event, Limit
from daemonkit.logging.events import LINES_LEFT_OUT, LINES_LOST
from daemonkit.logging.limiter import WINDOW
from daemonkit.logging.settings import LogSettings
from tests.support.logged import MemorySink, memory_log

_KNOCK = Event("knock", "a knock of {peer}", "At the door.", limit=Limit(("peer",), 2, in_all=10))


class LogCase(SynchronousTestCase):
    """A log in memory."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.log, self.sink = memory_log(self.clock)
        self.logger = Logger("here", observer=self.log)

    def texts(self) -> list[str]:
        texts = [line.text for line in self.sink.lines]
        self.sink.lines.clear()
        return texts

    def knock(self, peer: str, times: int = 1) -> None:
        for _ in range(times):
            self.logger.warn(_KNOCK, peer=peer)


class LogTests(LogCase):
    """What gets written, and where."""

    def test_level(self) -> None:
        """What matters less than the level is left out."""
        self.log.take(self.sink, LogSettings(level="warn"))
        self.logger.info("info")
        self.logger.warn("warn")
        self.logger.error("error")
        self.logger.critical("critical")
        self.assertEqual(self.texts(), ["warn", "error", "critical"])

    def test_moved(self) -> None:
        """A log can be moved; the place before is closed."""
        other = MemorySink([])
        self.log.take(other, LogSettings())
        self.logger.info("here now")
        self.assertEqual([line.text for line in other.lines], ["here now"])
        self.assertEqual(self.texts(), [])
        self.assertTrue(self.sink.closed)

    def test_about(self) -> None:
        """What is logged on behalf of a task has its fields, also after it had to wait."""
        waiting: Deferred[None] = Deferred()

        async def task(login: str) -> None:
            about(login=login)
            await waiting
            self.logger.info("within")

        for login in ("1", "2"):
            Deferred.fromCoroutine(task(login))
        waiting.callback(None)
        self.logger.info("outside")
        logins = [line.fields.get("login") for line in self.sink.lines]
        self.assertEqual(logins, ["1", "2", None])


class LimitTests(LogCase):
    """Who repeats themselves is heard once in a while."""

    def test_each(self) -> None:
        """So many lines about each; what was left out is said when the minute is over."""
        self.knock("192.0.2.7", 5)
        self.knock("192.0.2.8", 1)
        said = ["a knock of 192.0.2.7"] * 2 + ["a knock of 192.0.2.8"]
        self.assertEqual(self.texts(), said)
        self.clock.advance(WINDOW)
        self.assertIs(self.sink.lines[0].event, LINES_LEFT_OUT)
        self.assertEqual(self.sink.lines[0].fields["suppressed"], "3")
        self.assertEqual(
            self.texts(),
            ["3 more lines of knock were left out in the last minute; 3 of them of peer 192.0.2.7"],
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_network(self) -> None:
        """Who has an IPv6 network is one peer, whichever of its addresses is used."""
        for number in range(10):
            self.knock(f"2001:db8::{number}")
        self.assertEqual(len(self.texts()), 2)
        self.clock.advance(WINDOW)
        self.assertIn("8 of them of peer 2001:db8::/64", self.texts()[0])

    def test_next_minute(self) -> None:
        """Then everybody is heard again."""
        self.knock("192.0.2.7", 3)
        self.clock.advance(WINDOW)
        self.texts()
        self.knock("192.0.2.7")
        self.assertEqual(self.texts(), ["a knock of 192.0.2.7"])

    def test_in_all(self) -> None:
        """However many peers there are, the lines are few, and so is what is remembered."""
        for number in range(10_000):
            self.knock(f"192.0.2.{number}")
        self.assertEqual(len(self.texts()), 10)
        window = self.log._limiter._windows["knock"]
        self.assertLessEqual(len(window.admitted) + len(window.left_out), 21)
        self.clock.advance(WINDOW)
        self.assertEqual(
            self.texts(), ["9990 more lines of knock were left out in the last minute"]
        )

    def test_others(self) -> None:
        """Other events are not held back by that."""
        self.knock("192.0.2.7", 100)
        self.texts()
        self.logger.info("{who} is there", who="somebody")
        self.assertEqual(self.texts(), ["somebody is there"])

    def test_nothing_left_out(self) -> None:
        """Nothing is said, and no timer runs, where nothing was left out."""
        self.knock("192.0.2.7", 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(WINDOW)
        self.assertEqual(len(self.texts()), 2)

    def test_end(self) -> None:
        """At the end of the daemon what was left out is said at once."""
        self.knock("192.0.2.7", 3)
        self.texts()
        self.log.finish()
        self.assertIn("1 more lines of knock", self.texts()[0])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_faults(self) -> None:
        """One defect cannot fill the log with tracebacks, and does not hide another one."""

        def fail() -> None:
            try:
                raise LookupError
            except LookupError:
                self.logger.failure("oh")

        def fail_elsewhere() -> None:
            try:
                raise LookupError
            except LookupError:
                self.logger.failure("oh, another one")

        for _ in range(100):
            fail()
        fail_elsewhere()
        self.assertEqual(self.texts(), ["oh"] * 5 + ["oh, another one"])


class LossTests(LogCase):
    """A place that cannot be written to."""

    def test_lost(self) -> None:
        """What was lost meanwhile is counted and said, before all else."""
        self.sink.fault = OSError(errno.ENOSPC, "No space left on device")
        for _ in range(3):
            self.logger.info("lost")
        self.sink.fault = None
        self.logger.info("found")
        self.logger.info("again")
        self.assertIs(self.sink.lines[0].event, LINES_LOST)
        self.assertEqual(
            self.texts(),
            [
                "3 lines of the log before this one are lost: No space left on device",
                "found",
                "again",
            ],
        )
