"""Two ends of a TLS connection in memory, for tests of real handshakes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.test import iosim
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from bridgewire import tls
from bridgewire.certificates import load_identity
from bridgewire.identity import Identity
from bridgewire.steps import Reason, Step, StepFailure
from tests.support.ca import CertificateAuthority

DAY = timedelta(days=1)


@implementer(IHandshakeListener)
class End(Protocol):
    """One end: remembers what it learnt."""

    received = b""
    secured = False
    version: str | None = None
    certificate: Any = None
    reason: Failure | None = None

    def handshakeCompleted(self) -> None:
        self.secured = True
        self.version = tls.version(self.transport)
        self.certificate = tls.peer_certificate(self.transport)
        self.transport.write(b"hello")

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure) -> None:
        self.reason = reason

    def failure(self, side: tls.Side) -> StepFailure:
        assert self.reason is not None, "the connection is still there"
        return tls.failure(self.reason, side)


class PlainText(Protocol):
    """An end that knows no TLS: says something, and if asked closes after what it hears."""

    def __init__(self, say: bytes, hang_up: bool = False) -> None:
        self.say = say
        self.hang_up = hang_up

    def connectionMade(self) -> None:
        if self.say:
            self.transport.write(self.say)

    def dataReceived(self, data: bytes) -> None:
        if self.hang_up:
            self.transport.loseConnection()


class TlsCase(SynchronousTestCase):
    """Certificates, and two ends that shake hands over them."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.ca = CertificateAuthority(Path(self.mktemp()))
        self.authorities = (self.ca.certificate,)
        self.foreign = CertificateAuthority(Path(self.mktemp()), "Foreign CA")
        self.server_identity = load_identity(*self.ca.issue("xmpp1", dns=("xmpp1.example.com",)))
        self.client_identity = load_identity(*self.ca.issue("cb1", dns=("cb1.example.com",)))

    def server(self, identity: Identity | None = None, mode: Any = "required") -> Any:
        return tls.link_server(identity or self.server_identity, self.authorities, mode)

    def client(self, identity: Identity | None = None) -> Any:
        return tls.link_client(identity or self.client_identity, self.authorities)

    def expired(self, ca: CertificateAuthority | None = None) -> Identity:
        ended = datetime.now(UTC) - DAY
        return load_identity(*(ca or self.ca).issue("expired", not_after=ended))

    def early(self) -> Identity:
        return load_identity(*self.ca.issue("early", not_before=datetime.now(UTC) + DAY))

    def connect(self, server: Any, client: Any) -> tuple[Any, Any]:
        """Let the two talk until nothing more happens; each is TLS settings or a Protocol."""
        ends, protocols = [], []
        for is_client, settings in ((False, server), (True, client)):
            if isinstance(settings, Protocol):
                ends.append(settings)
                protocols.append(settings)
                continue
            factory = TLSMemoryBIOFactory(
                settings, is_client, Factory.forProtocol(End), clock=self.clock
            )
            protocol = factory.buildProtocol(None)
            ends.append(protocol.wrappedProtocol)
            protocols.append(protocol)
        pump = iosim.connect(
            protocols[0],
            iosim.FakeTransport(protocols[0], isServer=True),
            protocols[1],
            iosim.FakeTransport(protocols[1], isServer=False),
        )
        for _ in range(20):  # TLS writes are batched to the next turn of the clock
            pump.pump()
            self.clock.advance(0)
        return ends[0], ends[1]

    def check(
        self, failure: StepFailure, step: Step, reason: Reason, text: str, remedy: str
    ) -> None:
        self.assertEqual((failure.step, failure.reason), (step, reason))
        self.assertIn(text, failure.text)
        self.assertIn(remedy, failure.remedy)
