"""Tests for a client's stream: `xmppd.clients.stream`."""

from __future__ import annotations

from twisted.logger import capturedLogs, formatEvent

from bridgewire.namespaces import SASL
from daemonkit.places import Places
from tests.xmppd.client_case import AUTH, BIND, ClientCase


class ClientTests(ClientCase):
    """What a client sees."""

    def test_starttls_first(self) -> None:
        """Without TLS nothing is offered but STARTTLS, and it is required."""
        answer = self.connect().open("example.com", version="1.0")
        self.assertIn("<required/>", answer)
        self.assertNotIn("mechanism", answer)

    def test_login_without_tls(self) -> None:
        """A login, or a stanza, without TLS ends the stream."""
        for text in (AUTH, BIND.format(""), "<message to='a@example.com'/>"):
            peer = self.connect()
            peer.open("example.com", version="1.0")
            self.assert_ended(peer, peer.type(text), "not-authorized")
        self.assertEqual(self.bridge.asked, [])

    def test_injection_before_tls(self) -> None:
        """What comes in one packet with <starttls/> is not carried over into the TLS stream."""
        peer = self.connect()
        peer.open("example.com", version="1.0")
        answer = peer.type("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" + AUTH)
        self.assert_ended(peer, answer, "policy-violation")
        self.assertEqual(self.bridge.asked, [])

    def test_header_faults(self) -> None:
        """A header for another domain, none, another version or protocol ends the stream."""
        for to, version, condition in (
            ("example.net", "1.0", "host-unknown"),
            (None, "1.0", "improper-addressing"),
            ("example.com", "0.9", "unsupported-version"),
        ):
            peer = self.connect()
            self.assert_ended(peer, peer.open(to, version=version), condition)
        peer = self.connect()
        peer.namespace = "jabber:server"
        self.assert_ended(peer, peer.open("example.com", version="1.0"), "invalid-namespace")

    def test_login(self) -> None:
        """The right order leads to a session with the resource that was asked for."""
        self.bound()
        self.assertIn("<jid>alice@example.com/phone</jid>", self.answer)
        self.assertEqual(len(self.sessions), 1)
        self.assertEqual((self.bridge.outstanding, self.logins.waiting), (0, 0))

    def test_server_makes_resource(self) -> None:
        """Without a wish, or with an impossible one, the server makes the resource up."""
        for wish in ("", "x" * 2000, "\u00ad"):
            self.bound(resource=wish)
            self.assertRegex(self.answer, "<jid>alice@example.com/[0-9a-f]{16}</jid>")

    def test_wrong_password(self) -> None:
        """A refusal is passed on, and the client may try again, three times in all."""
        peer = self.offered()
        for attempt in range(3):
            peer.type(AUTH)
            self.bridge.reply("failure")
            answer = peer.read()
            self.assertIn("<not-authorized/>", answer)
            self.assertEqual(peer.hung_up, attempt == 2)

    def test_other_failures(self) -> None:
        """Failures that no password was looked at for may be six: some clients try around."""
        peer = self.offered()
        for attempt in range(6):
            answer = peer.type(AUTH.replace("PLAIN", "X-NONE"))
            self.assertIn("<invalid-mechanism/>", answer)
            self.assertEqual(peer.hung_up, attempt == 5)

    def test_challenge(self) -> None:
        """A challenge goes to the client and its response to the same Call Bridge."""
        peer = self.offered()
        peer.type(AUTH)
        self.bridge.reply("challenge")
        self.assertIn("<challenge", peer.read())
        peer.type(f"<response xmlns='{SASL}'>AA==</response>")
        first, second = (request for request, _ in self.bridge.asked)
        self.assertEqual(first.session, second.session)
        self.bridge.reply("success", "alice")
        self.assertIn("<success", peer.read())

    def test_no_call_bridge(self) -> None:
        """With no Call Bridge the login may be tried again later, and is still offered."""
        self.bridge.mechanisms = frozenset()
        self.logins.update(self.bridge)
        peer = self.secured()
        self.assertIn(">PLAIN<", peer.open("example.com", version="1.0"))
        self.assertIn("<temporary-auth-failure/>", peer.type(AUTH))

    def test_bad_username_from_call_bridge(self) -> None:
        """A Call Bridge that lets in what is no localpart gets nobody in."""
        for name in ("a@b", "a/b", "", " "):
            peer = self.offered()
            peer.type(AUTH)
            self.bridge.reply("success", name)
            self.assertIn("<temporary-auth-failure/>", peer.read())

    def test_gone_in_mid_login(self) -> None:
        """When the client goes away, the Call Bridge is told and the login is over."""
        peer = self.offered()
        peer.type(AUTH)
        peer.lose()
        self.assertEqual(self.bridge.asked[-1][0].element.name, "abort")
        self.assertEqual((self.bridge.outstanding, self.logins.waiting), (0, 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_second_authentication(self) -> None:
        """After login another authentication ends the stream."""
        peer = self.bound()
        self.assert_ended(peer, peer.type(AUTH), "not-authorized")
        self.assertEqual(len(self.sessions), 0)

    def test_login_timeout(self) -> None:
        """A client that does not log in in time is told so."""
        peer = self.offered()
        self.clock.advance(30)
        self.assert_ended(peer, peer.read(), "connection-timeout")

    def test_no_timeout_after_login(self) -> None:
        """A session stays."""
        peer = self.bound()
        self.clock.advance(3600)
        self.assertFalse(peer.hung_up)

    def test_resource_conflict(self) -> None:
        """A second stream with the same resource takes it over; the first one is told."""
        first, second = self.bound(), self.bound()
        self.assert_ended(first, first.read(), "conflict")
        self.assertFalse(second.hung_up)
        self.assertEqual(len(self.sessions), 1)

    def test_message_between_sessions(self) -> None:
        """A message to a full JID arrives with its true sender; another sender is not believed."""
        alice, bob = self.bound("alice"), self.bound("bob")
        alice.type("<message to='bob@example.com/phone'><body>hi</body></message>")
        self.assertEqual(
            bob.read(),
            "<message to='bob@example.com/phone' from='alice@example.com/phone'>"
            "<body>hi</body></message>",
        )
        answer = alice.type("<message from='bob@example.com/phone' to='bob@example.com'/>")
        self.assert_ended(alice, answer, "invalid-from")

    def test_bare_jid(self) -> None:
        """A message to a bare JID goes to the available resources, or comes back."""
        alice, bob = self.bound("alice"), self.bound("bob")
        self.assertIn("service-unavailable", alice.type("<message to='bob@example.com'/>"))
        self.assertIn("from='bob@example.com/phone'", bob.type("<presence/>"))
        alice.type("<message to='bob@example.com'/>")
        self.assertIn("<message", bob.read())
        bob.type("<presence type='unavailable'/>")
        self.assertIn("service-unavailable", alice.type("<message to='bob@example.com'/>"))

    def test_bad_iq(self) -> None:
        """An IQ without id, of no known type or without content is a bad request."""
        peer = self.bound()
        for iq in ("<iq type='get'/>", "<iq id='1' type='x'/>", "<iq id='1' type='get'/>"):
            self.assertIn("bad-request", peer.type(iq))

    def test_unknown_destinations(self) -> None:
        """Nobody's and malformed addresses get an error, and no error gets an error."""
        peer = self.bound()
        for to, condition in (
            ("x.example.com", "remote-server-not-found"),
            ("example.net", "remote-server-not-found"),
            ("@", "jid-malformed"),
            ("bob@example.com/x", "service-unavailable"),
        ):
            answer = peer.type(f"<iq type='get' id='1' to='{to}'><q xmlns='urn:q'/></iq>")
            self.assertIn(condition, answer, to)
        answer = peer.type("<iq type='error' id='1' to='example.net'><q xmlns='urn:q'/></iq>")
        self.assertEqual(answer, "")

    def test_unknown_element(self) -> None:
        """What is no stanza ends the stream."""
        peer = self.bound()
        self.assert_ended(peer, peer.type("<x xmlns='urn:x'/>"), "unsupported-stanza-type")

    def test_logout(self) -> None:
        """Closing the stream ends the session and is answered."""
        peer = self.bound()
        self.assertEqual(peer.type("</stream:stream>"), "</stream:stream>")
        self.assertEqual(len(self.sessions), 0)

    def test_too_many(self) -> None:
        """Connections that do not log in are limited; a session, or one that went, is none."""
        for _ in range(99):
            self.connect()
        peer = self.bound()
        self.connect().lose()
        self.connect()
        self.assertIsNone(self.clients.accept("192.0.2.7"))
        peer.lose()
        self.assertIsNone(self.clients.accept("192.0.2.7"))
        self.assertIsNotNone(self.clients.accept("192.0.2.8"))

    def test_too_many_in_all(self) -> None:
        """Sessions are connections, too, until they are gone; the log says which setting it is."""
        self.clients.connections = Places(5, 2)
        peer = self.bound()
        self.bound(resource="other")
        with capturedLogs() as events:
            self.assertIsNone(self.clients.accept("192.0.2.7"))
        self.assertIn("max_connections_per_address", formatEvent(events[0]))
        self.assertIsNotNone(self.clients.accept("192.0.2.8"))
        self.assertEqual(len(self.clients.unauthenticated), 1)
        peer.lose()
        self.assertEqual(len(self.clients.connections), 2)
        self.assertIsNotNone(self.clients.accept("192.0.2.7"))

    def test_shutdown(self) -> None:
        """When the server stops, each client is told."""
        peer = self.bound()
        self.clients.close()
        self.assert_ended(peer, peer.read(), "system-shutdown")
