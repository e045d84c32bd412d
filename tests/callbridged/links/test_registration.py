"""Tests of callbridged.links.registration: what a server's words become, in memory."""

from __future__ import annotations

import re
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.words.xish.domish import Element

from bridgewire.handshake import component_digest
from bridgewire.namespaces import COMPONENT
from bridgewire.steps import Reason, Step, StepFailure
from callbridged.links.discovery import Target
from callbridged.links.link_interface import ActiveLink, LinkDelegate, LinkSettings
from callbridged.links.registration import Registration
from tests.callbridged.links.test_link import Recorder
from tests.support.memory import Peer

SERVER_ERRORS = "urn:ietf:params:xml:ns:xmpp-streams"


class Delegate:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.links: list[ActiveLink] = []
        self.received: list[Element] = []
        self.draining: list[Deferred[None]] = []
        self.announced: list[str] = []
        self.answered: list[float] = []
        self.failures: list[StepFailure] = []

    def link_answered(self, link: ActiveLink, seconds: float) -> None:
        self.answered.append(seconds)

    def link_failed(self, target: Target | None, failure: StepFailure) -> None:
        self.failures.append(failure)

    def link_registered(self, link: ActiveLink) -> Deferred[None]:
        self.links.append(link)
        return succeed(None)

    def link_announces(self, link: ActiveLink) -> Deferred[None]:
        self.announced.append(link.successor)
        return succeed(None)

    def link_received(self, link: ActiveLink, element: Element) -> None:
        self.received.append(element)

    def link_draining(self, link: ActiveLink) -> Deferred[None]:
        self.draining.append(Deferred())
        return self.draining[-1]

    def link_lost(self, link: ActiveLink) -> None:
        self.links.remove(link)


class Faulty(Delegate):
    """Has a bug in everything."""

    def link_registered(self, link: ActiveLink) -> Deferred[None]:
        raise ZeroDivisionError

    link_announces = link_draining = link_registered

    def link_lost(self, link: ActiveLink) -> None:
        raise ZeroDivisionError


def settings() -> LinkSettings:
    no_tls: Any = None  # these tests make none
    return LinkSettings("cb1", "example.com", "s3cret", tls=no_tls)


class RegistrationTests(SynchronousTestCase):
    """One connection, after its TLS handshake."""

    delegate: Delegate

    def setUp(self) -> None:
        self.begin(Delegate())

    def begin(self, delegate: Delegate) -> None:
        self.clock = Clock()
        self.inputs = Recorder()
        self.delegate = delegate
        self.steps: list[tuple[Step, str, float]] = []
        machine: Any = self.inputs
        using: LinkDelegate = delegate
        self.registration = Registration(
            self.clock,
            settings(),
            Target("xmpp1.example.com", 5223),
            machine,
            using,
            lambda step, text, seconds: self.steps.append((step, text, seconds)),
        )
        self.server = Peer(self.registration.stream, COMPONENT)
        self.registration.tls = "TLSv1.3"

    def register(self) -> None:
        """Go the usual way."""
        self.registration.open()
        self.server.open(None, id="abc")
        self.server.type("<handshake/>")
        self.registration.activate()
        self.inputs.take()

    def failure(self) -> StepFailure:
        """The one failure that was told."""
        ((name, failure),) = self.inputs.take()
        self.assertEqual(name, "failed")
        assert isinstance(failure, StepFailure)
        return failure

    def test_connected(self) -> None:
        """The connection's address is reported and kept for status."""
        self.assertEqual(self.inputs.take(), ["connected"])
        self.assertEqual(self.registration.address, "192.0.2.7:40000")
        self.assertEqual(self.steps[0][0], Step.CONNECT)

    def test_handshake(self) -> None:
        """The header names the component; the digest of the server's id and the secret follows."""
        self.inputs.take()
        self.registration.open()
        header = self.server.read()
        self.assertIn("to='cb1.example.com'", header)
        self.assertIn("xmlns='jabber:component:accept'", header)
        self.clock.advance(0.002)
        said = self.server.open(None, id="abc")
        self.assertEqual(said, f"<handshake>{component_digest('abc', 's3cret')}</handshake>")
        self.assertEqual(self.inputs.take(), [])
        self.server.type("<handshake/>")
        self.assertEqual(self.inputs.take(), ["accepted"])
        self.assertEqual([step for step, _, _ in self.steps[1:]], [Step.REGISTER, Step.REGISTERED])
        self.assertIn("cb1.example.com", self.steps[1][1])
        self.assertAlmostEqual(self.steps[1][2], 0.002)

    def test_secret_is_hidden(self) -> None:
        """The secret is in no representation of the settings."""
        self.assertNotIn("s3cret", repr(settings()))

    def test_refused(self) -> None:
        """A stream error is told as the failure that it means, at the step it came at."""
        self.inputs.take()
        self.registration.open()
        self.server.open(None, id="abc")
        self.server.type(f"<stream:error><not-authorized xmlns='{SERVER_ERRORS}'/></stream:error>")
        failure = self.failure()
        self.assertEqual(failure.step, Step.REGISTER)
        self.assertEqual(failure.reason, Reason.AUTHENTICATION_FAILURE)

    def test_refused_at_the_header(self) -> None:
        """A header without an id may only be followed by an error; nothing is sent to it."""
        self.inputs.take()
        self.registration.open()
        self.server.read()
        self.assertEqual(self.server.open(None), "")
        self.server.type(f"<stream:error><host-unknown xmlns='{SERVER_ERRORS}'/></stream:error>")
        self.assertEqual(self.failure().reason, Reason.HOST_UNKNOWN)

    def test_no_id(self) -> None:
        """A server without a stream id that goes on as if there were one is not XEP-0114."""
        self.inputs.take()
        self.registration.open()
        self.server.open(None)
        self.server.type("<handshake/>")
        self.assertEqual(self.failure().reason, Reason.PROTOCOL_ERROR)
        self.assertTrue(self.server.hung_up)

    def test_other_protocol(self) -> None:
        """A stream for clients, a stanza before the handshake, and no XML are protocol errors."""
        for namespace, text in (
            ("jabber:client", ""),
            (COMPONENT, "<iq/>"),
            (COMPONENT, "</nonsense>"),
        ):
            self.begin(Delegate())
            self.inputs.take()
            self.server.namespace = namespace
            self.registration.open()
            self.server.open(None, id="abc")
            if text:
                self.server.type(text)
            failure = self.failure()
            self.assertEqual(failure.step, Step.REGISTER)
            self.assertEqual(failure.reason, Reason.PROTOCOL_ERROR)

    def test_active(self) -> None:
        """A registered link is handed over, and a first ping shows that it works."""
        self.register()
        self.assertEqual(self.delegate.links, [self.registration])
        ping = self.server.read()
        self.assertIn("urn:xmpp:ping", ping)
        self.clock.advance(0.001)
        self.server.type(f"<iq type='result' id='{_id(ping)}' from='example.com'/>")
        self.assertEqual(self.steps[-1][0], Step.ACTIVE)
        self.assertAlmostEqual(self.steps[-1][2], 0.001)

    def test_no_pings_known(self) -> None:
        """A server that knows no pings and says so is alive."""
        self.register()
        ping = self.server.read()
        self.server.type(f"<iq type='error' id='{_id(ping)}' from='example.com'/>")
        self.assertEqual(self.steps[-1][0], Step.ACTIVE)

    def test_answers_pings(self) -> None:
        """A ping is answered at once, by the link itself."""
        self.register()
        self.server.read()
        answer = self.server.type(
            "<iq type='get' id='7' from='example.com'><ping xmlns='urn:xmpp:ping'/></iq>"
        )
        for part in ("type='result'", "id='7'", "to='example.com'", "from='cb1.example.com'"):
            self.assertIn(part, answer)
        self.assertEqual(self.delegate.received, [])

    def test_stanzas(self) -> None:
        """Other stanzas go to whoever uses the link."""
        self.register()
        self.server.type("<iq type='set' id='8' from='example.com'><login xmlns='x'/></iq>")
        self.assertEqual([stanza["id"] for stanza in self.delegate.received], ["8"])

    def test_silence(self) -> None:
        """A silent server is given up within interval and timeout, and cut off."""
        self.register()
        self.clock.advance(5)
        self.assertEqual(self.inputs.take(), [], "the first ping alone proves nothing")
        self.clock.pump([1] * 14)
        self.assertEqual(self.inputs.take(), [])
        self.clock.advance(1)
        failure = self.failure()
        self.assertEqual((failure.step, failure.reason), (Step.ACTIVE, Reason.TIMEOUT))
        self.assertTrue(self.server.transport.aborted)

    def test_withdrawn(self) -> None:
        """A link that is withdrawn is lost to its users, and what they asked fails."""
        self.register()
        iq = Element((None, "iq"))
        iq["to"], iq["type"] = "example.com", "get"
        asked = self.registration.request(iq, 60)
        self.registration.withdraw()
        self.assertEqual(self.delegate.links, [])
        self.failureResultOf(asked)
        self.clock.advance(60)
        self.assertEqual(self.inputs.take(), [])

    def test_closed(self) -> None:
        """The server's footer is told, and so is the end of the connection."""
        self.register()
        self.server.type("</stream:stream>")
        self.assertEqual(self.inputs.take(), ["closed"])
        self.server.lose()
        self.assertEqual(self.inputs.take(), [("lost", None)])

    def test_lost_in_tls(self) -> None:
        """A connection lost before TLS is up says why."""
        self.registration.tls = None
        self.inputs.take()
        self.server.lose()
        ((name, why),) = self.inputs.take()
        self.assertEqual((name, why.step), ("lost", Step.TLS))

    def test_faulty_user(self) -> None:
        """A bug in whoever uses the link is logged, and the link lives on."""
        self.begin(Faulty())
        self.register()
        self.assertEqual(self.successResultOf(self.registration.drain()), None)
        self.registration.withdraw()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 3)
        self.assertFalse(self.server.hung_up)


def _id(stanza: str) -> str:
    found = re.search(r" id='(\w+)'", stanza)
    assert found, stanza
    return found[1]
