"""Tests of daemonkit.web.live: pages that follow, and what those cost that do not read."""

from __future__ import annotations

import json

from twisted.web import http
from twisted.web.server import NOT_DONE_YET, Request

from daemonkit.web.live import HEARTBEAT, PATIENCE, Live, LiveStream
from daemonkit.web.pages import Page, answer
from tests.daemonkit.web.case import SiteCase
from tests.support.http import HttpClient

ASK = "GET /live?{} HTTP/1.1\r\nHost: x\r\n\r\n"


class _Followed(Page):
    """A page whose streams belong to who stands in the query."""

    def __init__(self, live: Live) -> None:
        super().__init__()
        self._live = live
        self.streams: list[LiveStream] = []
        self.gone = 0

    def show(self, request: Request) -> bytes | int:
        stream = self._live.open(request, request.uri, self._count)
        if stream is None:
            return answer(request, http.SERVICE_UNAVAILABLE, "Too many.")
        self.streams.append(stream)
        return NOT_DONE_YET

    def _count(self) -> None:
        self.gone += 1


class LiveCase(SiteCase):
    """At most three streams, two of one owner."""

    def setUp(self) -> None:
        super().setUp()
        self.live = Live(self.clock, most=3, each=2)
        self.page = _Followed(self.live)
        self.root.putChild(b"live", self.page)

    def follow(self, owner: str = "a") -> HttpClient:
        client = self.client(f"192.0.2.{len(self.door.places)}")
        self.assertIn(b" 200 ", client.type(ASK.format(owner)))
        return client


def told(client: HttpClient) -> list[str]:
    """What came since the last time, each message in one line; of a chunk, only what is in it."""
    text = client.read().decode()
    messages = [one for one in text.split("\n\n") if "event:" in one]
    return [" ".join(one.partition("event: ")[2].split("\n")) for one in messages]


class SendTests(LiveCase):
    """What goes to a browser that reads."""

    def test_headers(self) -> None:
        """It is an event stream, kept by nobody, and says when to ask again."""
        client = self.client()
        text = client.type(ASK.format("")).lower()
        for expected in (b"text/event-stream", b"no-store", b"retry: 3000\n\n"):
            self.assertIn(expected, text)

    def test_messages(self) -> None:
        """An event, and its data in one line of JSON."""
        client = self.follow()
        (stream,) = self.page.streams
        said = {"text": "a\nb\r\N{LINE SEPARATOR}日本"}
        self.assertTrue(stream.send("status", said))
        (line,) = told(client)
        event, _, data = line.partition(" data: ")
        self.assertEqual((event, json.loads(data)), ("status", said))

    def test_heartbeat(self) -> None:
        """After some silence there is a comment, again and again."""
        client = self.follow()
        for _ in range(3):
            self.clock.advance(HEARTBEAT - 1)
            self.assertEqual(client.read(), b"")
            self.clock.advance(1)
            self.assertIn(b":\n\n", client.read())

    def test_close(self) -> None:
        """From our side it ends like any answer, and nothing more is sent."""
        client = self.follow()
        (stream,) = self.page.streams
        stream.close()
        self.assertTrue(client.read().endswith(b"0\r\n\r\n"))
        self.assertFalse(stream.send("status", 1))
        stream.close()
        self.assertEqual((client.read(), self.page.gone), (b"", 1))
        self.assertIn(b"echo:", client.ask("/echo"))


class SlowTests(LiveCase):
    """A browser that does not read."""

    def setUp(self) -> None:
        super().setUp()
        self.browser = self.follow()
        (self.stream,) = self.page.streams
        self.browser.transport.producer.pauseProducing()

    def test_latest(self) -> None:
        """Nothing is written for it; when it reads again it gets the latest of each event."""
        for number in range(1000):
            self.assertFalse(self.stream.send("status", number))
        self.stream.send("login", "alice")
        self.clock.advance(HEARTBEAT * 2)
        self.assertEqual(self.browser.read(), b"")
        self.browser.transport.producer.resumeProducing()
        self.assertEqual(told(self.browser), ["status data: 999", 'login data: "alice"'])
        self.assertTrue(self.stream.send("status", 1000))
        self.assertEqual(told(self.browser), ["status data: 1000"])

    def test_data_that_cannot_be_json(self) -> None:
        """What waits is not even looked at, so that it costs no more than its name."""
        self.stream.send("status", object())
        self.stream.send("status", 1)
        self.browser.transport.producer.resumeProducing()
        self.assertEqual(told(self.browser), ["status data: 1"])

    def test_gives_up(self) -> None:
        """For too long, and its place is another one's."""
        self.clock.advance(PATIENCE - 1)
        self.browser.transport.producer.pauseProducing()
        self.assertFalse(self.browser.transport.aborted)
        self.clock.advance(1)
        self.assertTrue(self.browser.transport.aborted)
        self.browser.lose()
        self.assertEqual((len(self.live), self.page.gone), (0, 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class PlacesTests(LiveCase):
    """How many there may be."""

    def test_limits(self) -> None:
        """So many of one owner, so many in all; those that end make room, however they do."""
        first, second = self.follow("a"), self.follow("a")
        self.assertIn(b" 503 ", self.client("192.0.2.100").type(ASK.format("a")))
        third = self.follow("b")
        first.lose()
        self.page.streams[1].close()
        self.assertEqual(len(self.live), 1)
        second.lose()
        third.lose()
        self.assertEqual((len(self.live), self.page.gone), (0, 3))

    def test_gone_meanwhile(self) -> None:
        """A browser that has gone before its stream begins takes no place."""
        requests: list[Request] = []

        def wait(request: Request) -> int:
            requests.append(request)
            return NOT_DONE_YET

        self.patch(self.page, "show", wait)
        client = self.client()
        client.type(ASK.format("a"))
        client.lose()
        self.assertIsNone(self.live.open(requests[0], "a"))
        self.assertEqual(len(self.live), 0)

    def test_in_all(self) -> None:
        """Where all are taken, one that has none yet gets none."""
        for owner in ("a", "b", "c"):
            self.follow(owner)
        self.assertIn(b" 503 ", self.client("192.0.2.100").type(ASK.format("d")))
