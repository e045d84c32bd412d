"""Tests for `bridgewire.iq` and `bridgewire.keepalive`."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.words.protocols.jabber.error import StanzaError
from twisted.words.protocols.jabber.xmlstream import toResponse
from twisted.words.xish.domish import Element

from bridgewire.iq import RequestFailed, Requests, RequestTimedOut, StreamLost, ping
from bridgewire.keepalive import Keepalive


class RequestsTests(SynchronousTestCase):
    """Requests and who may answer them."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.sent: list[Element] = []
        self.requests = Requests(self.clock, self.sent.append)

    def ask(self) -> Deferred[Element]:
        return self.requests.request(ping("a.example", "b.example"), 5.0)

    def test_result(self) -> None:
        """The result from the address that was asked is the answer."""
        asked = self.ask()
        result = toResponse(self.sent[0], "result")
        self.assertTrue(self.requests.answer(result))
        self.assertIs(self.successResultOf(asked), result)
        self.assertFalse(self.requests.answer(result))

    def test_only_who_was_asked(self) -> None:
        """An answer with the right id from somebody else is none."""
        asked = self.ask()
        forged = toResponse(self.sent[0], "result")
        forged["from"] = "c.example"
        self.assertFalse(self.requests.answer(forged))
        self.assertNoResult(asked)

    def test_ids_are_unguessable(self) -> None:
        """Ids are long and never come again."""
        for _ in range(50):
            self.ask().addErrback(lambda _: None)
        ids = {iq["id"] for iq in self.sent}
        self.assertEqual(len(ids), 50)
        self.assertGreaterEqual(min(map(len, ids)), 16)

    def test_error(self) -> None:
        """A stanza error fails the request with its condition."""
        asked = self.ask()
        self.requests.answer(StanzaError("service-unavailable").toResponse(self.sent[0]))
        failure = self.failureResultOf(asked, RequestFailed)
        self.assertEqual(failure.value.condition, "service-unavailable")

    def test_asked_too_late(self) -> None:
        """On a stream that is gone a request fails at once, and nothing is left to wait for."""
        self.requests.lost()
        self.failureResultOf(self.ask(), StreamLost)
        self.assertEqual((self.sent, self.clock.getDelayedCalls()), ([], []))

    def test_timeout(self) -> None:
        """Without an answer it fails when its time is over, and is forgotten."""
        asked = self.ask()
        self.clock.advance(5)
        self.failureResultOf(asked, RequestTimedOut)
        self.assertEqual(len(self.requests), 0)

    def test_lost(self) -> None:
        """A lost stream fails everything that is pending, and leaves no timer."""
        asked = [self.ask(), self.ask()]
        self.requests.lost()
        for one in asked:
            self.failureResultOf(one, StreamLost)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancel(self) -> None:
        """A cancelled request is forgotten."""
        asked = self.ask()
        asked.addErrback(lambda _: None)
        asked.cancel()
        self.assertEqual(len(self.requests), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class KeepaliveTests(SynchronousTestCase):
    """When a peer is asked, and when it is given up."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.sent: list[Element] = []
        self.died: list[float] = []
        self.requests = Requests(self.clock, self.sent.append)
        self.keepalive = Keepalive(
            self.clock,
            15.0,
            lambda: self.requests.request(ping("a.example", "b.example"), 5.0),
            lambda: self.died.append(self.clock.seconds()),
        )
        self.keepalive.start()

    def test_silence(self) -> None:
        """A silent peer is given up after interval and timeout."""
        self.clock.pump([1.0] * 19)
        self.assertEqual((len(self.sent), self.died), (1, []))
        self.clock.advance(1)
        self.assertEqual(self.died, [20.0])

    def test_answers(self) -> None:
        """A peer that answers is asked again after the interval, for ever."""
        for asked in range(1, 6):
            self.clock.advance(15)
            self.assertEqual(len(self.sent), asked)
            self.requests.answer(toResponse(self.sent[-1], "result"))
        self.assertEqual(self.died, [])

    def test_error_is_a_sign_of_life(self) -> None:
        """A peer that does not know pings is alive all the same."""
        self.clock.advance(15)
        self.requests.answer(StanzaError("service-unavailable").toResponse(self.sent[-1]))
        self.clock.advance(14)
        self.assertEqual(self.died, [])

    def test_traffic(self) -> None:
        """Traffic puts the ping off."""
        for _ in range(10):
            self.clock.advance(10)
            self.keepalive.heard()
        self.assertEqual(self.sent, [])

    def test_traffic_during_a_ping(self) -> None:
        """A peer that talks but is slow to answer the ping is not given up, but asked again."""
        self.clock.advance(15)
        self.clock.advance(2)
        self.keepalive.heard()
        self.clock.advance(3)
        self.assertEqual(self.died, [])
        self.clock.advance(12)
        self.assertEqual(len(self.sent), 2)
        self.clock.advance(5)
        self.assertEqual(self.died, [37.0])

    def test_stop(self) -> None:
        """Stopped, it asks nobody and leaves no timer behind."""
        self.keepalive.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
