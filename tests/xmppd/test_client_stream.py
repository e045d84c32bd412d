"""Tests for a client's stream: `xmppd.clients`, with logins relayed to a fake."""

from __future__ import annotations

import re

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.words.xish.domish import Element

from bridgewire.iq import RequestFailed, StreamLost
from bridgewire.login import LoginReply, LoginRequest
from bridgewire.namespaces import CLIENT, SASL
from bridgewire.sasl import sasl_failure
from bridgewire.session_end import SessionEnded
from daemonkit.places import Places
from tests.support.memory import Peer
from xmppd.clients.connected import Clients
from xmppd.domain import Domain
from xmppd.failed_logins import FailedLogins
from xmppd.logins import Logins
from xmppd.router import Router
from xmppd.sessions import Sessions

AUTH = f"<auth xmlns='{SASL}' mechanism='PLAIN'>AGFsaWNlAHNlY3JldA==</auth>"
BIND = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>{}</bind></iq>"
HERE = "192.0.2.7"


class Bridge:
    """A Call Bridge that answers when the test says so."""

    def __init__(self, name: str, *mechanisms: str, capacity: int = 10) -> None:
        self.host = f"{name}.example.com"
        self.mechanisms = frozenset(mechanisms or ("PLAIN",))
        self.capacity = capacity
        self.outstanding = 0
        self.ended: list[SessionEnded] = []
        self.asked: list[tuple[LoginRequest, Deferred[LoginReply]]] = []

    def ask(self, request: LoginRequest, timeout: float) -> Deferred[LoginReply]:
        self.asked.append((request, Deferred()))
        return self.asked[-1][1]

    def tell_ended(self, ended: SessionEnded) -> None:
        self.ended.append(ended)

    def reply(self, name: str, username: str | None = None) -> None:
        """Answer what was asked last."""
        request, waiting = self.asked[-1]
        element = sasl_failure("not-authorized") if name == "failure" else Element((SASL, name))
        waiting.callback(LoginReply(request.session, element, username))

    def fail(self, error: Exception) -> None:
        self.asked[-1][1].errback(Failure(error))


def connect(clients: Clients, host: str = HERE) -> Peer:
    """A client from ``host``."""
    stream = clients.accept(host)
    assert stream is not None
    return Peer(stream, CLIENT)


def secured(clients: Clients, host: str = HERE) -> Peer:
    """One with TLS."""
    peer = connect(clients, host)
    peer.open("example.com", version="1.0")
    peer.type("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    peer.stream.handshakeCompleted()
    return peer


class ClientCase(SynchronousTestCase):
    """A server with one Call Bridge, and clients for it."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.logins = Logins(self.clock, deadline=10.0, max_waiting=100)
        self.sessions = Sessions()
        self.router = Router("example.com", self.sessions, lambda name: None, lambda name: False)
        self.bridge = Bridge("cb1")
        self.logins.update(self.bridge)
        self.clients = Clients(
            clock=self.clock,
            domains={"example.com": Domain("example.com", self.logins)},
            login_timeout=30.0,
            sessions=self.sessions,
            route=self.router.route,
            tls_context=lambda domain: "context",
            failed_logins=self.failed_logins(),
            resumption_timeout=300.0,
            unauthenticated=Places(400, 100),
        )

    def failed_logins(self) -> FailedLogins:
        return FailedLogins(self.clock)

    def connect(self) -> Peer:
        return connect(self.clients)

    def secured(self, host: str = HERE) -> Peer:
        return secured(self.clients, host)

    def offered(self, host: str = HERE) -> Peer:
        peer = self.secured(host)
        peer.open("example.com", version="1.0")
        return peer

    def bound(self, user: str = "alice", resource: str = "phone") -> Peer:
        peer = self.offered()
        peer.type(AUTH)
        self.bridge.reply("success", user)
        peer.open("example.com", version="1.0")
        shown = f"<resource>{resource}</resource>" if resource else ""
        self.answer = peer.type(BIND.format(shown))
        return peer

    def assert_ended(self, peer: Peer, answer: str, condition: str) -> None:
        self.assertIn(f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'", answer)
        self.assertTrue(peer.hung_up)


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
