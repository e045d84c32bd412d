"""Tests for logins of clients where there are several Call Bridges."""

from __future__ import annotations

import re

from bridgewire.iq import RequestFailed, StreamLost
from bridgewire.login import LoginReply
from bridgewire.namespaces import SASL
from bridgewire.sasl import sasl_failure
from tests.xmppd.client_case import AUTH, Bridge, ClientCase


class FailoverTests(ClientCase):
    """Which Call Bridge answers."""

    def setUp(self) -> None:
        super().setUp()
        self.other = Bridge("cb2")
        self.logins.update(self.other)

    def bridges_in_order(self) -> tuple[Bridge, Bridge]:
        """Answer the one that was asked, and the other one."""
        if self.bridge.asked:
            return self.bridge, self.other
        return self.other, self.bridge

    def test_second_try(self) -> None:
        """A link that dies before its first answer is replaced, and the client does not notice."""
        for error in (StreamLost(), RequestFailed("resource-constraint")):
            self.bridge.asked, self.other.asked = [], []
            peer = self.offered()
            peer.type(AUTH)
            first, second = self.bridges_in_order()
            first.fail(error)
            self.assertEqual(peer.read(), "")
            second.reply("success", "alice")
            self.assertIn("<success", peer.read())
        self.assertEqual((self.bridge.outstanding, self.other.outstanding), (0, 0))

    def test_no_second_try_after_challenge(self) -> None:
        """Once a challenge went out, a lost link fails the login, for now."""
        peer = self.offered()
        peer.type(AUTH)
        first, second = self.bridges_in_order()
        first.reply("challenge")
        peer.type(f"<response xmlns='{SASL}'>AA==</response>")
        first.fail(StreamLost())
        self.assertIn("<temporary-auth-failure/>", peer.read())
        self.assertEqual(second.asked, [])

    def test_nobody_left(self) -> None:
        """When both fail, the login fails, for now."""
        peer = self.offered()
        peer.type(AUTH)
        self.bridges_in_order()[0].fail(StreamLost())
        first, second = self.bridge, self.other
        (first if len(first.asked) and not first.asked[-1][1].called else second).fail(StreamLost())
        self.assertIn("<temporary-auth-failure/>", peer.read())

    def test_fewest_outstanding(self) -> None:
        """Logins are spread: the Call Bridge with the fewest under way is asked."""
        for _ in range(6):
            self.offered().type(AUTH)
        self.assertEqual((self.bridge.outstanding, self.other.outstanding), (3, 3))
        for request in self.bridge.asked[:2]:
            request[1].callback(LoginReply("x", sasl_failure("not-authorized")))
        self.offered().type(AUTH)
        self.assertEqual((self.bridge.outstanding, self.other.outstanding), (2, 3))

    def test_full(self) -> None:
        """When all are full, a login waits for its turn, until the deadline."""
        self.bridge.capacity = self.other.capacity = 1
        first, second, third, fourth = (self.offered() for _ in range(4))
        for peer in (first, second, third):
            peer.type(AUTH)
        self.assertEqual((len(self.bridge.asked), len(self.other.asked)), (1, 1))
        self.bridge.reply("success", "alice")
        self.assertEqual((len(self.bridge.asked), len(self.other.asked)), (2, 1))
        self.bridge.reply("success", "alice")
        self.assertIn("<success", third.read())
        self.bridge.capacity = 0
        fourth.type(AUTH)
        self.clock.advance(10)
        self.assertIn("<temporary-auth-failure/>", fourth.read())

    def test_deadline(self) -> None:
        """Without an answer the login fails when the deadline passes, and is given up."""
        peer = self.offered()
        peer.type(AUTH)
        self.clock.advance(10)
        self.assertIn("<temporary-auth-failure/>", peer.read())
        self.assertEqual(self.logins.waiting, 0)

    def test_slow_client(self) -> None:
        """A client that takes longer than the deadline over its response has to begin again."""
        peer = self.offered()
        peer.type(AUTH)
        bridge, _ = self.bridges_in_order()
        bridge.reply("challenge")
        self.clock.advance(10)
        self.assertEqual((bridge.outstanding, self.logins.waiting), (0, 0))
        peer.read()
        answer = peer.type(f"<response xmlns='{SASL}'>AA==</response>")
        self.assertIn("<temporary-auth-failure/>", answer)

    def test_max_waiting(self) -> None:
        """Beyond max_waiting a login fails at once."""
        self.logins.max_waiting = 2
        peers = [self.offered() for _ in range(3)]
        self.assertEqual([bool(peer.type(AUTH)) for peer in peers], [False, False, True])

    def test_mechanism_is_served_by_one(self) -> None:
        """Only who serves the mechanism is asked, and clients see what all serve together."""
        self.other.mechanisms = frozenset({"SCRAM-SHA-256"})
        self.logins.update(self.other)
        peer = self.secured()
        answer = peer.open("example.com", version="1.0")
        found = re.findall("<mechanism>([^<]+)", answer.partition("<authentication")[0])
        self.assertEqual(found, ["SCRAM-SHA-256", "PLAIN"])
        peer.type(AUTH.replace("PLAIN", "SCRAM-SHA-256"))
        self.assertEqual((len(self.bridge.asked), len(self.other.asked)), (0, 1))
