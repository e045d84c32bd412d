"""Tests of callbridged.links.clocks: comparing a server's clock with ours, again and again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.words.xish.domish import Element

from bridgewire.iq import RequestTimedOut
from bridgewire.namespaces import TIME
from callbridged.events import CLOCKS_DIFFER
from callbridged.links.clocks import PINGS_TO_A_CLOCK, ClockWatch, describe_skew, skew_in_words
from callbridged.links.discovery import Target
from tests.support.logged import written

INTERVAL = 15


class Link:
    """A link whose server has a clock that is wrong by ``skew`` seconds; None: it does not say."""

    component, domain = "cb1.example.com", "example.com"
    target = Target("xmpp1.example.com", 5223)

    def __init__(self) -> None:
        self.skew: float | None = 0.0
        self.asked = 0

    def request(self, iq: Element, timeout: float) -> Deferred[Element]:
        self.asked += 1
        if self.skew is None:
            return fail(RequestTimedOut())
        answer = Element((None, "iq"))
        time = answer.addElement((TIME, "time"))
        now = datetime.now(UTC) + timedelta(seconds=self.skew)
        time.addElement("utc", content=now.isoformat())
        return succeed(answer)


class WatchTests(SynchronousTestCase):
    """One link's clocks."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.link: Any = Link()
        self.watch = ClockWatch(self.clock, self.link, INTERVAL, 5.0)
        self.logged = self.enterContext(written(self.clock))

    def test_agree(self) -> None:
        """Clocks that agree are compared now and then, and nothing is said of them."""
        self.watch.start()
        assert self.watch.skew is not None
        self.assertLess(abs(self.watch.skew), 1)
        self.clock.pump([INTERVAL] * (PINGS_TO_A_CLOCK - 1))
        self.assertEqual(self.link.asked, 1)
        self.clock.advance(INTERVAL)
        self.assertEqual(self.link.asked, 2)
        self.assertEqual(self.logged, [])

    def test_differ(self) -> None:
        """A clock that goes wrong is found, said once, and asked often until it is right."""
        self.watch.start()
        self.link.skew = 120.0
        self.clock.pump([INTERVAL] * PINGS_TO_A_CLOCK)
        self.assertAlmostEqual(self.watch.skew or 0.0, 120, places=0)
        self.clock.pump([INTERVAL] * 3)
        self.assertEqual(self.link.asked, 5)
        self.assertEqual([line.event for line in self.logged], [CLOCKS_DIFFER])
        self.link.skew = 0.0
        self.clock.advance(INTERVAL)
        self.assertAlmostEqual(self.watch.skew or 0.0, 0, places=0)
        self.clock.pump([INTERVAL] * 3)
        self.assertEqual(self.link.asked, 6)

    def test_silent(self) -> None:
        """A server that does not say what time it is is nothing to worry about."""
        self.link.skew = None
        self.watch.start()
        self.assertIsNone(self.watch.skew)
        self.assertEqual(self.logged, [])

    def test_stopped(self) -> None:
        """A link that is gone is asked no more, also where the last answer comes later."""
        self.watch.start()
        self.watch.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        later: Deferred[Element] = Deferred()
        self.link.request = lambda iq, timeout: later
        self.watch.start()
        self.watch.stop()
        later.errback(RequestTimedOut())
        self.assertEqual(self.clock.getDelayedCalls(), [])


class WordsTests(SynchronousTestCase):
    """How it is said."""

    def test_limit(self) -> None:
        """What is within the limit, or not known, is not said."""
        self.assertEqual(skew_in_words("xmpp1", 30.0, 30.0), ())
        self.assertEqual(skew_in_words("xmpp1", None, 30.0), ())
        self.assertEqual(describe_skew("xmpp1", -30.0), "")

    def test_directions(self) -> None:
        """A clock is ahead or behind."""
        self.assertIn("is 31 s ahead of the one", describe_skew("xmpp1", 31.0))
        self.assertIn("is 90 s behind the one", describe_skew("xmpp1", -90.0))
