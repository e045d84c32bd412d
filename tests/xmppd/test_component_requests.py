"""Tests for `xmppd.components.requests` and `.callbridge`: what both ends ask of each other."""

from __future__ import annotations

from bridgewire.session_end import EndSessions, SessionEnded
from tests.support.memory import Peer
from tests.xmppd.component_case import ComponentCase
from xmppd.components.callbridge import TELL_TIMEOUT


class RequestTests(ComponentCase):
    """Offers, ended sessions, and who is told."""

    def test_offer(self) -> None:
        """An offer to answer logins is acknowledged; a bad one is not, and changes nothing."""
        peer = self.registered()
        serve = (
            "<iq type='set' id='1' from='cb1.example.com' to='example.com'>"
            "<serve xmlns='urn:x-callbridge:login:1' capacity='{}'>"
            "<mechanism>PLAIN</mechanism></serve></iq>"
        )
        self.assertIn("type='result'", peer.type(serve.format(20)))
        bridge = self.components.registered["cb1.example.com"].callbridge
        self.assertEqual((bridge.capacity, bridge.mechanisms), (20, frozenset({"PLAIN"})))
        self.assertIn("bad-request", peer.type(serve.format("many")))
        self.assertEqual(bridge.capacity, 20)
        peer.type(serve.format(0))
        self.assertTrue(bridge.draining)

    def order(self, peer: Peer, attributes: str, to: str = "example.com") -> str:
        return peer.type(
            f"<iq type='set' id='7' from='cb1.example.com' to='{to}'>"
            f"<end-sessions xmlns='urn:x-callbridge:login:1' {attributes}/></iq>"
        )

    def test_end_sessions(self) -> None:
        """A Call Bridge ends sessions of its own domain, and is told how many they were."""
        peer = self.serving()
        answer = self.order(peer, "username='alice' reason='account closed'")
        self.assertIn("type='result'", answer)
        self.assertIn("id='7'", answer)
        self.assertIn("count='2'", answer)
        self.order(peer, "username='alice' resource='phone'")
        self.assertEqual(
            self.ended,
            [
                ("example.com", EndSessions("alice", None, "account closed")),
                ("example.com", EndSessions("alice", "phone")),
            ],
        )

    def test_end_sessions_elsewhere(self) -> None:
        """An order to another domain is none: it is routed, and bounces there."""
        self.order(self.serving(), "username='alice'", "example.org")
        self.assertEqual(self.ended, [])
        self.assertEqual([one["to"] for one in self.routed], ["example.org"])

    def test_end_sessions_of_a_draining_callbridge(self) -> None:
        """One that takes no new logins may still end the sessions that it let in."""
        peer = self.serving()
        peer.type(
            "<iq type='set' id='2' from='cb1.example.com' to='example.com'>"
            "<serve xmlns='urn:x-callbridge:login:1' capacity='0'>"
            "<mechanism>PLAIN</mechanism></serve></iq>"
        )
        self.assertIn("count='2'", self.order(peer, "username='alice'"))

    def test_end_sessions_forbidden(self) -> None:
        """A component that answers no logins ends no sessions."""
        self.assertIn("<forbidden", self.order(self.registered(), "username='alice'"))
        self.assertEqual(self.ended, [])

    def test_end_sessions_unreadable(self) -> None:
        """An order that cannot be read ends nothing, and the link stays."""
        peer = self.serving()
        self.assertIn("<bad-request", self.order(peer, "username=''"))
        self.assertEqual(self.ended, [])
        self.assertFalse(peer.hung_up)

    def test_session_ended(self) -> None:
        """A Call Bridge is told that a session is over, and its answer is not waited for long."""
        peer = self.serving()
        peer.read()
        bridge = self.components.registered["cb1.example.com"].callbridge
        bridge.tell_ended(SessionEnded("4f0c", "guest1"))
        told = peer.read()
        for words in ("type='set'", "to='cb1.example.com'", "session='4f0c'", "username='guest1'"):
            self.assertIn(words, told)
        self.clock.advance(TELL_TIMEOUT)
        self.assertFalse(peer.hung_up)

    def test_session_ended_after_reconnection(self) -> None:
        """Where the Call Bridge has come back since the login, its new link tells it."""
        older = self.serving()
        bridge = self.components.registered["cb1.example.com"].callbridge
        older.lose()
        bridge.tell_ended(SessionEnded("4f0c", "guest1"))  # nobody is there: it is forgotten
        newer = self.registered()
        newer.read()
        bridge.tell_ended(SessionEnded("4f0d", "guest2"))
        self.assertIn("session='4f0d'", newer.read())
