"""Tests of daemonkit.logging.recent: what an operator wants to have heard of."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from daemonkit.logging.event import Event, Limit
from daemonkit.logging.limiter import WINDOW
from daemonkit.logging.recent import KEPT, RecentEvent, RecentEvents

_MENDED = Event("mended", "{target} is mended", "Good news.")
_BUSY = Event("busy", "{target} is busy", "No news.")
_KNOCK = Event("knock", "a knock of {peer}", "At the door.", limit=Limit(("peer",), 2, in_all=10))


class RecentTests(SynchronousTestCase):
    """The feed."""

    log = Logger()

    def setUp(self) -> None:
        self.clock = Clock()
        self.recent = RecentEvents(self.clock, [_MENDED])
        self.recent.startService()
        self.addCleanup(self.stop)

    def stop(self) -> None:
        if self.recent.running:
            self.recent.stopService()

    def heard(self) -> list[RecentEvent]:
        return self.recent.feed.last(KEPT, lambda _: True)

    def texts(self) -> list[str]:
        return [one.text for one in self.heard()]

    def test_what_matters(self) -> None:
        """Warnings and errors are kept, and of the others those that are named."""
        self.log.info(_BUSY, target="xmpp1")
        self.log.info(_MENDED, target="xmpp1")
        self.log.warn(_BUSY, target="xmpp2")
        self.log.error(_BUSY, target="xmpp3")
        self.assertEqual([one.level for one in self.heard()], ["info", "warn", "error"])
        self.assertEqual(self.texts(), ["xmpp1 is mended", "xmpp2 is busy", "xmpp3 is busy"])

    def test_record(self) -> None:
        """A record has the time, the event's name and the fields that tell where it stuck; others
        are not there."""
        self.log.warn(
            _BUSY, target="xmpp1", step="tls", reason="timeout", peer="203.0.113.7", user="alice"
        )
        (one,) = self.heard()
        self.assertEqual((one.name, one.text), ("busy", "xmpp1 is busy"))
        self.assertEqual(one.fields, {"step": "tls", "reason": "timeout", "peer": "203.0.113.7"})
        self.assertEqual(
            {**one.as_json(), "time": ""},
            {
                "time": "",
                "level": "warn",
                "event": "busy",
                "message": "xmpp1 is busy",
                "step": "tls",
                "reason": "timeout",
                "peer": "203.0.113.7",
            },
        )
        self.assertRegex(one.as_json()["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$")

    def test_one_line(self) -> None:
        """A peer's words are one line, without what moves a cursor."""
        self.log.warn(_BUSY, target="a\nb\x1b[2J")
        self.assertEqual(self.texts(), ["a\\x0ab\\x1b[2J is busy"])

    def test_limit(self) -> None:
        """Who repeats themselves is heard as often as in the log."""
        for _ in range(5):
            self.log.warn(_KNOCK, peer="192.0.2.7")
        self.assertEqual(len(self.heard()), 2)
        self.clock.advance(WINDOW)
        self.log.warn(_KNOCK, peer="192.0.2.7")
        self.assertEqual(len(self.heard()), 3)

    def test_bounded(self) -> None:
        """The latest are kept."""
        for number in range(KEPT + 10):
            self.log.warn(_BUSY, target=str(number))
        self.assertEqual(len(self.heard()), KEPT)
        self.assertEqual(self.texts()[-1], f"{KEPT + 9} is busy")

    def test_stopped(self) -> None:
        """What has stopped hears nothing, and leaves no timer behind."""
        for _ in range(3):
            self.log.warn(_KNOCK, peer="192.0.2.7")
        self.recent.stopService()
        self.log.warn(_BUSY, target="xmpp1")
        self.assertEqual(len(self.heard()), 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])
