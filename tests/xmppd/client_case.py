"""Clients that connect in memory, and Call Bridges that are functions, for the tests of clients."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.words.xish.domish import Element

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
