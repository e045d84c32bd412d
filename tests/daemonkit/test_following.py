"""Tests of daemonkit.following: an answer on the control socket that goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.internet.protocol import ServerFactory
from twisted.internet.testing import MemoryReactor, StringTransport
from twisted.trial.unittest import SynchronousTestCase

from daemonkit.control import MAX_FOLLOWERS, MAX_REQUEST, ControlService
from daemonkit.feed import Feed
from daemonkit.following import Following


class FollowingTests(SynchronousTestCase):
    """A daemon with a feed of numbers, of which the even ones are wanted."""

    def setUp(self) -> None:
        self.feed: Feed[int] = Feed(200)
        self.reactor = MemoryReactor()
        path = Path(self.mktemp())
        self.service = ControlService(self.reactor, path, {"numbers": self.numbers})
        self.service.startService()

    def numbers(self, arguments: dict[str, Any]) -> object:
        return Following("so far", self.feed, lambda one: None if one % 2 else {"number": one})

    def follow(self) -> tuple[Any, StringTransport]:
        factory = self.reactor.unixServers[-1][1]
        assert isinstance(factory, ServerFactory)
        protocol: Any = factory.buildProtocol(None)
        transport = StringTransport()
        protocol.makeConnection(transport)
        protocol.dataReceived(b'{"command": "numbers"}\n')
        return protocol, transport

    def lines(self, transport: StringTransport) -> list[Any]:
        lines = [json.loads(line) for line in transport.value().splitlines()]
        transport.clear()
        return lines

    def test_records(self) -> None:
        """The answer comes first, and then each record that is wanted, when it is there."""
        self.feed.add(0)
        _, transport = self.follow()
        self.assertEqual(self.lines(transport), [{"ok": True, "result": "so far"}])
        self.feed.add(1)
        self.assertEqual(self.lines(transport), [])
        self.feed.add(2)
        self.assertEqual(self.lines(transport), [{"record": {"number": 2}}])
        self.assertFalse(transport.disconnecting)

    def test_slow(self) -> None:
        """For one that does not read nothing is kept or done; it is told how many it missed."""
        _, transport = self.follow()
        self.lines(transport)
        assert transport.producer is not None
        transport.producer.pauseProducing()
        for number in range(1, 301):
            self.feed.add(number)
        self.assertEqual(transport.value(), b"")
        transport.producer.resumeProducing()
        missed, *records = self.lines(transport)
        self.assertEqual(missed, {"missed": 100})
        self.assertEqual(records, [{"record": {"number": number}} for number in range(102, 301, 2)])

    def test_full_again(self) -> None:
        """Who comes back to many records gets no more of them at once than the transport takes."""
        _, transport = self.follow()
        producer: Any = transport.producer
        producer.pauseProducing()
        for number in range(200):
            self.feed.add(number)
        self.lines(transport)
        write = transport.write

        def full(data: bytes) -> None:
            write(data)
            producer.pauseProducing()

        self.patch(transport, "write", full)
        producer.resumeProducing()
        self.assertEqual(len(self.lines(transport)), 50)
        producer.resumeProducing()
        self.assertEqual(len(self.lines(transport)), 50)

    def test_gone(self) -> None:
        """One that hangs up is forgotten."""
        protocol, transport = self.follow()
        protocol.connectionLost()
        self.feed.add(2)
        self.assertEqual((self.feed.readers, len(self.service.followers)), (0, 0))
        self.assertEqual(len(self.lines(transport)), 1)

    def test_limit(self) -> None:
        """Only so many may follow; when one goes there is room for another."""
        protocols = [self.follow()[0] for _ in range(MAX_FOLLOWERS)]
        _, refused = self.follow()
        self.assertIn(str(MAX_FOLLOWERS), self.lines(refused)[0]["error"])
        self.assertTrue(refused.disconnecting)
        self.assertEqual(self.feed.readers, MAX_FOLLOWERS)
        protocols[0].connectionLost()
        _, transport = self.follow()
        self.assertTrue(self.lines(transport)[0]["ok"])

    def test_stop(self) -> None:
        """A daemon that stops hangs up."""
        _, transport = self.follow()
        self.service.stopService()
        self.assertTrue(transport.disconnecting)
        self.assertIsNone(transport.producer)
        self.assertEqual(self.feed.readers, 0)

    def test_talkative(self) -> None:
        """One that sends more than its request is not listened to, and not for ever."""
        protocol, transport = self.follow()
        protocol.dataReceived(b"{}\n")
        self.assertFalse(transport.disconnecting)
        protocol.dataReceived(b"x" * (MAX_REQUEST + 10))
        self.assertTrue(transport.disconnecting)
        self.assertEqual(len(self.lines(transport)), 1)
