"""Tests for `daemonkit.quiet`."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from daemonkit.quiet import Quiet


class QuietTests(SynchronousTestCase):
    """Who repeats themselves is heard once in a while."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.quiet = Quiet(self.clock, window=60.0, size=3)
        self.lines: list[str] = []
        self.log = Logger(observer=lambda event: self.lines.append(formatEvent(event)))

    def warn(self, key: object) -> None:
        self.quiet.warn(self.log, key, "it was {key}", key=key)

    def test_repetition(self) -> None:
        """One line in each window; the next one says how many were left out."""
        for _ in range(5):
            self.warn("a")
        self.clock.advance(60)
        self.warn("a")
        self.assertEqual(self.lines, ["it was a", "it was a (and 4 more like this)"])

    def test_others_are_heard(self) -> None:
        """Somebody else's events are not held back."""
        self.warn("a")
        self.warn("b")
        self.assertEqual(self.lines, ["it was a", "it was b"])

    def test_memory(self) -> None:
        """No more keys are remembered than there is room for."""
        for key in range(100):
            self.warn(key)
        self.assertEqual(len(self.quiet._seen), 3)
