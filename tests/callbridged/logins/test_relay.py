"""Tests for `callbridged.logins.relay`: what goes between the links and the login service."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.words.xish.domish import Element

from bridgewire.iq import RequestFailed
from bridgewire.login import LoginReply, LoginRequest
from bridgewire.namespaces import LOGIN, SASL
from bridgewire.sasl import sasl_failure
from bridgewire.session_end import SessionEnded
from callbridged.logins.login import NoRoom
from callbridged.logins.relay import Relay


class Link:
    """A registered link that writes down what is sent."""

    component = "cb1.example.com"
    domain = "example.com"
    target = "xmpp1.example.com:5223"
    successor = ""

    def __init__(self) -> None:
        self.sent: list[Element] = []
        self.asked: list[tuple[Element, Deferred[Element]]] = []

    def send(self, element: Element) -> None:
        self.sent.append(element)

    def request(self, iq: Element, timeout: float) -> Deferred[Element]:
        self.asked.append((iq, Deferred()))
        return self.asked[-1][1]


class Service:
    """A login service that says what the test wants."""

    mechanisms = ("SCRAM-SHA-256", "PLAIN")
    draining = False

    def __init__(self) -> None:
        self.requests: list[LoginRequest] = []
        self.domains: list[str] = []
        self.lost: list[Any] = []
        self.trouble: Exception | None = None

    @property
    def capacity(self) -> int:
        return 0 if self.draining else 200

    async def answer(
        self, request: LoginRequest, link: object, server: str, domain: str
    ) -> LoginReply:
        self.requests.append(request)
        self.domains.append(domain)
        if self.trouble:
            raise self.trouble
        return LoginReply(request.session, sasl_failure("not-authorized"))

    def idle(self, link: object) -> Deferred[None]:
        return succeed(None)

    def link_lost(self, link: object) -> None:
        self.lost.append(link)


class GuestsThatEnd:
    """Writes down whose session ended."""

    def __init__(self) -> None:
        self.over: list[tuple[str, str]] = []

    def ended(self, name: str, session: str) -> None:
        self.over.append((name, session))


def login(sender: str = "example.com", kind: str = "set", session: str = "s1") -> Element:
    iq = Element((None, "iq"))
    iq["type"], iq["id"], iq["from"], iq["to"] = kind, "7", sender, "cb1.example.com"
    request = iq.addElement((LOGIN, "login"))
    if session:
        request["session"] = session
    request.addElement((SASL, "auth"))["mechanism"] = "PLAIN"
    return iq


class RelayTests(SynchronousTestCase):
    """What the server of the domain may ask, and what is answered."""

    def setUp(self) -> None:
        self.service = Service()
        self.guests = GuestsThatEnd()
        self.relay = Relay(self.service, self.guests)  # type: ignore[arg-type]
        self.link = Link()
        self.relay.link_registered(self.link)  # type: ignore[arg-type]

    def receive(self, element: Element) -> str:
        """Answer what is sent back, as text."""
        self.link.sent.clear()
        self.relay.link_received(self.link, element)  # type: ignore[arg-type]
        return "".join(one.toXml() for one in self.link.sent)

    def offers(self) -> list[tuple[str, list[str]]]:
        serves = [iq.firstChildElement() for iq, _ in self.link.asked]
        return [(one["capacity"], [str(name) for name in one.elements()]) for one in serves]

    def test_offer(self) -> None:
        """A link that registers is offered what the service can do."""
        self.assertEqual(self.offers(), [("200", ["SCRAM-SHA-256", "PLAIN"])])

    def test_offer_refused(self) -> None:
        """A server that is no xmppd may refuse the offer; the link stays."""
        self.link.asked[0][1].errback(Failure(RequestFailed("service-unavailable")))
        self.assertIn("type='result'", self.receive(login()))

    def test_login(self) -> None:
        """The server's login is answered in its session."""
        answer = self.receive(login())
        self.assertIn("type='result'", answer)
        self.assertIn("session='s1'", answer)
        self.assertIn("<not-authorized/>", answer)
        self.assertEqual(self.service.domains, ["example.com"])

    def test_nobody_else_may_ask(self) -> None:
        """A login from anybody but the server of the domain is forbidden, and not looked at."""
        for sender in ("alice@example.com/phone", "cb2.example.com", "example.com/x", "x"):
            self.assertIn("<forbidden", self.receive(login(sender)))
        self.assertIn("<forbidden", self.receive(login(kind="get")))
        self.assertEqual(self.receive(login(kind="result")), "")
        self.assertEqual(self.service.requests, [])

    def test_bad_login(self) -> None:
        """A login that cannot be read is a bad request."""
        self.assertIn("<bad-request", self.receive(login(session="")))

    def session_ended(self, username: str, sender: str = "example.com") -> Element:
        iq = login(sender)
        iq.children = [SessionEnded("s1", username).to_element()]
        return iq

    def test_session_ended(self) -> None:
        """The server says that a session is over: the guests hear of it, and it is confirmed."""
        answer = self.receive(self.session_ended("guest1"))
        self.assertEqual(self.guests.over, [("guest1", "s1")])
        self.assertIn("type='result'", answer)

    def test_bad_session_ended(self) -> None:
        """One that cannot be read is a bad request, and from anybody else forbidden."""
        self.assertIn("<bad-request", self.receive(self.session_ended("a b")))
        self.assertIn("<forbidden", self.receive(self.session_ended("guest1", "a@example.com")))
        self.assertEqual(self.guests.over, [])

    def test_no_room(self) -> None:
        """A service without room says so, and the server may ask somebody else."""
        self.service.trouble = NoRoom()
        self.assertIn("<resource-constraint", self.receive(login()))

    def test_who_we_are(self) -> None:
        """Anybody may ask what this component is."""
        iq = Element((None, "iq"))
        iq["type"], iq["id"], iq["from"], iq["to"] = "get", "1", "a@example.com", "cb1.example.com"
        iq.addElement(("jabber:iq:version", "query"))
        self.assertIn("<name>callbridged</name>", self.receive(iq))

    def test_drain_and_resume(self) -> None:
        """Draining withdraws the offer on every link, and resuming makes it again."""
        other = Link()
        self.relay.link_registered(other)  # type: ignore[arg-type]
        self.relay.drain(True)
        self.relay.drain(False)
        self.assertEqual([capacity for capacity, _ in self.offers()], ["200", "0", "200"])
        self.assertEqual(len(other.asked), 3)

    def test_draining_one_link(self) -> None:
        """A link that is closed takes no new logins, and the others do."""
        other = Link()
        self.relay.link_registered(other)  # type: ignore[arg-type]
        drained = self.relay.link_draining(self.link)  # type: ignore[arg-type]
        self.assertNoResult(drained)  # a login may be on its way, until the server has heard it
        self.link.asked[-1][1].callback(Element((None, "iq")))
        self.successResultOf(drained)
        self.assertEqual([capacity for capacity, _ in self.offers()], ["200", "0"])
        self.assertEqual(len(other.asked), 1)

    def test_draining_in_vain(self) -> None:
        """A server that does not acknowledge the draining is waited for until it is given up."""
        drained = self.relay.link_draining(self.link)  # type: ignore[arg-type]
        drained.cancel()
        self.failureResultOf(drained, CancelledError)

    def test_successor(self) -> None:
        """The word of a link's successor is in its offers, from when it is announced."""
        self.assertFalse(self.link.asked[0][0].firstChildElement().hasAttribute("successor"))
        self.link.successor = "t0ken"
        announced = self.relay.link_announces(self.link)  # type: ignore[arg-type]
        offer = self.link.asked[1][0].firstChildElement()
        self.assertEqual((offer["successor"], offer["capacity"]), ("t0ken", "200"))
        self.assertNoResult(announced)
        self.link.asked[1][1].errback(Failure(RequestFailed("service-unavailable")))
        self.successResultOf(announced)

    def test_two_links_to_one_server(self) -> None:
        """Of two links to one server, for one domain, the newer is used for what concerns both."""
        newer, other, elsewhere = Link(), Link(), Link()
        elsewhere.domain = "example.org"
        other.target = "xmpp2.example.com:5223"
        for link in (other, elsewhere, newer):
            self.relay.link_registered(link)  # type: ignore[arg-type]
        self.assertEqual(self.relay.links, [newer, other, elsewhere])

    def test_lost(self) -> None:
        """What comes after a link is lost is not looked at."""
        self.relay.link_lost(self.link)  # type: ignore[arg-type]
        self.assertEqual(self.service.lost, [self.link])
        self.assertEqual(self.receive(login()), "")
