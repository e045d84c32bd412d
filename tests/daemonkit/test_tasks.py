"""Tests of daemonkit.tasks."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from daemonkit.tasks import detach


class DetachTests(SynchronousTestCase):
    """Work that nobody waits for."""

    log = Logger()

    def test_coroutine_runs(self) -> None:
        """A coroutine begins at once."""
        seen: list[int] = []

        async def work() -> None:
            seen.append(1)

        self.successResultOf(detach(work(), self.log, "working"))
        self.assertEqual(seen, [1])

    def test_failure_is_logged(self) -> None:
        """A failure is logged with its traceback, and goes no further."""

        async def work() -> None:
            raise ZeroDivisionError

        self.successResultOf(detach(work(), self.log, "working"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_cancelling_is_no_failure(self) -> None:
        """What was cancelled ends without a word."""
        detached = detach(Deferred(), self.log, "working")
        detached.cancel()
        self.assertIs(self.successResultOf(detached), None)
        self.assertEqual(self.flushLoggedErrors(), [])
