"""Tests for `daemonkit.pulse`."""

from __future__ import annotations

import os

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from daemonkit import pulse
from daemonkit.pulse import INTERVAL, Pulse


class PulseTests(SynchronousTestCase):
    """Over a clock, with what is sent kept."""

    def setUp(self) -> None:
        self.sent: list[str] = []
        self.patch(pulse, "notify", lambda *texts: self.sent.extend(texts))
        self.patch(os, "environ", dict(os.environ))
        for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
            os.environ.pop(name, None)
        self.clock = Clock()
        self.line = "no link"
        self.pulse = Pulse(self.clock, self.status)

    def status(self) -> str:
        if not self.line:
            raise ZeroDivisionError
        return self.line

    def sent_now(self) -> list[str]:
        sent, self.sent[:] = list(self.sent), []
        return sent

    def test_status(self) -> None:
        """The line is sent when it has changed, and not else."""
        self.pulse.startService()
        self.assertEqual(self.sent_now(), ["STATUS=no link"])
        self.clock.advance(INTERVAL)
        self.assertEqual(self.sent_now(), [])
        self.line = "one link"
        self.clock.advance(INTERVAL)
        self.assertEqual(self.sent_now(), ["STATUS=one link"])
        self.pulse.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_watchdog(self) -> None:
        """It is fed twice in the time that systemd allows, also if nobody can say how it goes."""
        os.environ["WATCHDOG_USEC"] = "4000000"
        self.pulse.startService()
        self.sent_now()
        self.line = ""
        self.clock.pump([1.0] * 8)
        self.assertEqual(self.sent_now(), ["WATCHDOG=1"] * 4)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 4)
