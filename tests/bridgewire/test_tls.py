"""Tests of bridgewire.tls and .tls_failures: real handshakes, over transports in memory."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet import defer, error
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions, TLSVersion
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.test import iosim
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from bridgewire import tls
from bridgewire.certificates import CertificateFault, load_identity
from bridgewire.identity import Identity
from bridgewire.steps import Reason, Step, StepFailure
from bridgewire.tls_handshake import MAX_HANDSHAKE, ServerConnection
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


class WebServerTests(TlsCase):
    """Certificates of pages."""

    def test_usage(self) -> None:
        """One that browsers would refuse is warned of; one without a usage is good for all."""
        for server, client, warned in ((True, True, 0), (False, False, 0), (False, True, 1)):
            issued = self.ca.issue("page", dns=["cb1.example.com"], server=server, client=client)
            shown = tls.web_server(*issued)
            assert shown is not None
            warnings = shown.identity.warnings
            self.assertEqual(len(warnings), warned)
            self.assertEqual("lacks serverAuth" in " ".join(warnings), bool(warned))


class HandshakeTests(TlsCase):
    """Handshakes that succeed."""

    def test_mutual(self) -> None:
        """Both ends see TLS 1.3 and the other's certificate, and talk."""
        server, client = self.connect(self.server(), self.client())
        self.assertEqual((server.version, client.version), ("TLSv1.3", "TLSv1.3"))
        self.assertEqual(server.certificate, self.client_identity.certificate)
        self.assertEqual(client.certificate, self.server_identity.certificate)
        self.assertEqual((server.received, client.received), (b"hello", b"hello"))

    def test_tls12(self) -> None:
        """TLS 1.2 is still spoken, with forward secrecy."""
        old = CertificateOptions(lowerMaximumSecurityTo=TLSVersion.TLSv1_2)
        server, client = self.connect(tls.client_server(self.server_identity), old)
        self.assertEqual((server.version, client.received), ("TLSv1.2", b"hello"))
        self.assertTrue(
            server.transport.getHandle().get_cipher_name().startswith("ECDHE-ECDSA-AES")
        )

    def test_tls11_is_refused(self) -> None:
        """TLS 1.1 is a TLS failure at both ends."""
        old = CertificateOptions(
            insecurelyLowerMinimumTo=TLSVersion.TLSv1_0, lowerMaximumSecurityTo=TLSVersion.TLSv1_1
        )
        server, _ = self.connect(tls.client_server(self.server_identity), old)
        self.assertFalse(server.secured)
        self.check(
            server.failure(tls.CLIENT_PORT),
            Step.TLS,
            Reason.TLS_FAILURE,
            "The TLS handshake with the client failed",
            "TLS 1.2 or newer",
        )

    def test_intermediates(self) -> None:
        """Both ends send their intermediates, so that the root alone is enough to trust."""
        server_ca, client_ca = self.ca.intermediate("Server CA"), self.ca.intermediate("Client CA")
        server, client = self.connect(
            self.server(load_identity(*server_ca.issue("s"))),
            self.client(load_identity(*client_ca.issue("c"))),
        )
        self.assertEqual((server.received, client.received), (b"hello", b"hello"))

    def test_intermediate_as_authority(self) -> None:
        """An intermediate in the file of authorities is enough, its root need not be there."""
        issuer = self.ca.intermediate()
        self.authorities = (issuer.certificate,)
        server, client = self.connect(
            self.server(load_identity(*issuer.issue("s"))),
            self.client(load_identity(*issuer.issue("c", chain=False))),
        )
        self.assertEqual((server.received, client.received), (b"hello", b"hello"))

    def test_optional(self) -> None:
        """Where a certificate is optional, none is none, and a good one is seen."""
        server, client = self.connect(self.server(mode="optional"), CertificateOptions())
        self.assertEqual((server.certificate, client.received), (None, b"hello"))
        server, _ = self.connect(self.server(mode="optional"), self.client())
        self.assertEqual(server.certificate, self.client_identity.certificate)

    def test_none(self) -> None:
        """Where no certificate is asked for, a client's is neither seen nor judged."""
        foreign = load_identity(*self.foreign.issue("cb1"))
        server, client = self.connect(self.server(mode="none"), self.client(foreign))
        self.assertEqual((server.certificate, client.received), (None, b"hello"))

    def test_authorities_are_announced(self) -> None:
        """A server tells whom it trusts, so that a client with several certificates can choose."""
        _, client = self.connect(self.server(), self.client())
        announced = client.transport.getHandle().get_client_ca_list()
        self.assertEqual([name.CN for name in announced], ["Test CA"])

    def test_server_name(self) -> None:
        """The server's name is sent as SNI, as A-label and without a final dot."""
        for name, sent in (
            ("xmpp1.example.com.", b"xmpp1.example.com"),
            ("xmpp.bücher.example", b"xmpp.xn--bcher-kva.example"),
            (None, None),
        ):
            settings = tls.link_client(self.client_identity, self.authorities, name)
            server, _ = self.connect(self.server(), settings)
            self.assertEqual(server.transport.getHandle().get_servername(), sent)

    def test_no_resumption(self) -> None:
        """No session is kept, on either end, that could skip the certificates."""
        _, client = self.connect(self.server(), self.client())
        self.assertEqual(client.transport.getHandle().get_context().get_session_cache_mode(), 0)
        server, _ = self.connect(self.server(), self.client())
        self.assertEqual(server.transport.getHandle().get_context().get_session_cache_mode(), 0)

    def test_shared_context(self) -> None:
        """The connections of one creator share their context."""
        settings = self.server()
        contexts = {
            self.connect(settings, self.client())[0].transport.getHandle().get_context()
            for _ in range(2)
        }
        self.assertEqual(len(contexts), 1)

    def test_identity_that_openssl_refuses(self) -> None:
        """A key and a certificate of two makings are a fault at start, not at every handshake."""
        wrong = Identity(
            self.server_identity.certificate,
            (),
            self.client_identity.private_key,
            Path("x.crt"),
            Path("x.key"),
        )
        fault = self.assertRaises(CertificateFault, tls.client_server, wrong)
        self.assertIn("x.crt: OpenSSL does not take this certificate", str(fault))

    def test_without_tls(self) -> None:
        """A transport without TLS has no version and no certificate."""
        transport = iosim.FakeTransport(Protocol(), isServer=False)
        self.assertIs(tls.version(transport), None)
        self.assertIs(tls.peer_certificate(transport), None)
        self.assertIs(tls.version(None), None)


class ServerCertificateTests(TlsCase):
    """The server's certificate refused by the Call Bridge, as both tell it."""

    def refused(self, identity: Identity) -> tuple[StepFailure, StepFailure]:
        server, client = self.connect(self.server(identity), self.client())
        self.assertFalse(client.secured)
        self.assertFalse(server.secured)
        return server.failure(tls.XMPPD), client.failure(tls.CALLBRIDGE)

    def test_expired(self) -> None:
        """An expired certificate is certificate-expired at both ends, with the date and file."""
        server, client = self.refused(self.expired())
        certificate_file = "[tls] certificate in xmppd.ini"
        self.check(
            client,
            Step.CERTIFICATE,
            Reason.CERTIFICATE_EXPIRED,
            "The XMPP server's certificate expired on ",
            certificate_file,
        )
        self.check(
            server,
            Step.CERTIFICATE,
            Reason.CERTIFICATE_EXPIRED,
            "The Call Bridge refused the XMPP server's certificate as expired.",
            certificate_file,
        )

    def test_expired_intermediate(self) -> None:
        """An expired issuer is told apart from an expired certificate."""
        issuer = self.ca.intermediate(not_after=datetime.now(UTC) - DAY)
        _, client = self.refused(load_identity(*issuer.issue("xmpp1")))
        self.check(
            client,
            Step.CERTIFICATE,
            Reason.CERTIFICATE_EXPIRED,
            "An issuer's certificate in the chain of the XMPP server's certificate expired on ",
            "[tls] certificate in xmppd.ini or the file of [tls] xmpp_ca in callbridged.ini",
        )

    def test_not_yet_valid(self) -> None:
        """A certificate from the future is certificate-expired too, and a clock is suspected."""
        server, client = self.refused(self.early())
        self.check(
            client,
            Step.CERTIFICATE,
            Reason.CERTIFICATE_EXPIRED,
            "The XMPP server's certificate is not valid before ",
            "correct this machine's clock",
        )
        # TLS has no alert of its own for this.
        self.check(
            server,
            Step.CERTIFICATE,
            Reason.CERTIFICATE_UNTRUSTED,
            "bad certificate",
            "not valid yet",
        )

    def test_foreign_authority(self) -> None:
        """An unknown issuer is named, with the two files where it could be mended."""
        server, client = self.refused(load_identity(*self.foreign.issue("xmpp1")))
        self.check(
            client,
            Step.CERTIFICATE,
            Reason.CERTIFICATE_UNTRUSTED,
            "The XMPP server's certificate comes from an issuer that is not trusted here, "
            "CN=Foreign CA",
            "[tls] xmpp_ca in callbridged.ini",
        )
        self.check(
            server,
            Step.CERTIFICATE,
            Reason.CERTIFICATE_UNTRUSTED,
            "The Call Bridge does not trust the issuer of the XMPP server's certificate.",
            "[tls] xmpp_ca in callbridged.ini",
        )

    def test_foreign_and_expired(self) -> None:
        """Whether a stranger's certificate is in its time does not matter: it is untrusted."""
        _, client = self.refused(self.expired(self.foreign))
        self.assertEqual(client.reason, Reason.CERTIFICATE_UNTRUSTED)

    def test_missing_intermediate(self) -> None:
        """A chain with a gap is untrusted, and the text names who is missing and where."""
        issuer = self.ca.intermediate()
        _, client = self.refused(load_identity(*issuer.issue("xmpp1", chain=False)))
        self.check(
            client,
            Step.CERTIFICATE,
            Reason.CERTIFICATE_UNTRUSTED,
            "CN=Test Intermediate CA",
            "If CN=Test Intermediate CA is an intermediate, append its certificate to the file "
            "of [tls] certificate in xmppd.ini",
        )

    def test_same_name_other_key(self) -> None:
        """An authority that only has the name of ours is not ours."""
        impostor = CertificateAuthority(Path(self.mktemp()))
        _, client = self.refused(load_identity(*impostor.issue("xmpp1")))
        self.assertEqual(client.reason, Reason.CERTIFICATE_UNTRUSTED)

    def test_wrong_usage(self) -> None:
        """A certificate for clients only is untrusted as a server's."""
        server, client = self.refused(load_identity(*self.ca.issue("xmpp1", server=False)))
        self.check(
            client,
            Step.CERTIFICATE,
            Reason.CERTIFICATE_UNTRUSTED,
            "not meant for this use",
            "serverAuth",
        )
        self.assertEqual(server.reason, Reason.CERTIFICATE_UNTRUSTED)

    def test_next_connection(self) -> None:
        """A refusal leaves nothing behind: the next connection of the same settings succeeds."""
        settings = self.client()
        _, client = self.connect(self.server(self.expired()), settings)
        self.assertEqual(client.failure(tls.CALLBRIDGE).reason, Reason.CERTIFICATE_EXPIRED)
        _, client = self.connect(self.server(), settings)
        self.assertEqual((client.received, client.reason), (b"hello", None))


class ClientCertificateTests(TlsCase):
    """The Call Bridge's certificate refused by the server, as both tell it.

    In TLS 1.3 the client has finished its handshake, and written, before the alert comes.
    """

    def refused(self, client: Any, mode: str = "required") -> tuple[StepFailure, StepFailure]:
        server, client = self.connect(self.server(mode=mode), client)
        self.assertFalse(server.secured)
        self.assertEqual((server.received, client.received), (b"", b""))
        return server.failure(tls.XMPPD), client.failure(tls.CALLBRIDGE)

    def test_none(self) -> None:
        """No certificate where one is required is certificate-required at both ends."""
        server, client = self.refused(CertificateOptions())
        certificate_file = "[tls] certificate in callbridged.ini"
        self.check(
            server,
            Step.CERTIFICATE,
            Reason.CERTIFICATE_REQUIRED,
            "The Call Bridge presented no certificate",
            certificate_file,
        )
        self.assertIn("callbridge_certificate = optional", server.remedy)
        self.check(
            client,
            Step.CERTIFICATE,
            Reason.CERTIFICATE_REQUIRED,
            "The XMPP server requires a certificate",
            certificate_file,
        )

    def test_none_tls12(self) -> None:
        """TLS 1.2 has no such alert: the server knows, the client is told of the possibility."""
        old = CertificateOptions(lowerMaximumSecurityTo=TLSVersion.TLSv1_2)
        server, client = self.refused(old)
        self.assertEqual(server.reason, Reason.CERTIFICATE_REQUIRED)
        self.check(
            client,
            Step.TLS,
            Reason.TLS_FAILURE,
            "handshake failure",
            "how a missing certificate is refused",
        )

    def test_expired(self) -> None:
        """An expired certificate is certificate-expired at both ends, optional or not."""
        for mode in ("required", "optional"):
            server, client = self.refused(self.client(self.expired()), mode)
            certificate_file = "[tls] certificate in callbridged.ini"
            self.check(
                server,
                Step.CERTIFICATE,
                Reason.CERTIFICATE_EXPIRED,
                "The Call Bridge's certificate expired on ",
                certificate_file,
            )
            self.check(
                client,
                Step.CERTIFICATE,
                Reason.CERTIFICATE_EXPIRED,
                "The XMPP server refused the Call Bridge's certificate as expired.",
                certificate_file,
            )

    def test_foreign_authority(self) -> None:
        """A foreign certificate is certificate-untrusted at both ends, optional or not."""
        foreign = load_identity(*self.foreign.issue("cb1"))
        for mode in ("required", "optional"):
            server, client = self.refused(self.client(foreign), mode)
            self.check(
                server,
                Step.CERTIFICATE,
                Reason.CERTIFICATE_UNTRUSTED,
                "not trusted here, CN=Foreign CA",
                "[tls] callbridge_ca in xmppd.ini",
            )
            self.check(
                client,
                Step.CERTIFICATE,
                Reason.CERTIFICATE_UNTRUSTED,
                "The XMPP server does not trust the issuer of the Call Bridge's certificate.",
                "[tls] callbridge_ca in xmppd.ini",
            )

    def test_wrong_usage(self) -> None:
        """A certificate for servers only is untrusted as a client's."""
        identity = load_identity(*self.ca.issue("cb1", client=False))
        server, client = self.refused(self.client(identity))
        self.check(
            server,
            Step.CERTIFICATE,
            Reason.CERTIFICATE_UNTRUSTED,
            "not meant for this use",
            "clientAuth",
        )
        self.check(
            client,
            Step.CERTIFICATE,
            Reason.CERTIFICATE_UNTRUSTED,
            "unsupported certificate",
            "clientAuth",
        )


class NoTlsTests(TlsCase):
    """Peers that speak no TLS, or stop."""

    def test_plain_text_server(self) -> None:
        """A server that speaks something else is a TLS failure, and the port is suspected."""
        for said in (
            b"<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept'>",
            b"220 mail.example.com ESMTP\r\n",
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            bytes(100),
        ):
            _, client = self.connect(PlainText(said), self.client())
            self.check(
                client.failure(tls.CALLBRIDGE),
                Step.TLS,
                Reason.TLS_FAILURE,
                "The XMPP server does not speak TLS on this port",
                "(5223)",
            )

    def test_plain_text_client(self) -> None:
        """A client that speaks something else is told of in the server's words."""
        for said in (
            b"<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept'>",
            b"GET / HTTP/1.1\r\n\r\n",
            b"\xff" * 100,
        ):
            server, _ = self.connect(self.server(), PlainText(said))
            self.check(
                server.failure(tls.XMPPD),
                Step.TLS,
                Reason.TLS_FAILURE,
                "The Call Bridge does not speak TLS on this port",
                "TLS from the first byte",
            )

    def test_hang_up(self) -> None:
        """A peer that closes in the middle of the handshake is a lost link at step tls."""
        _, client = self.connect(PlainText(b"", hang_up=True), self.client())
        self.check(
            client.failure(tls.CALLBRIDGE),
            Step.TLS,
            Reason.LINK_LOST,
            "The XMPP server closed the connection during the TLS handshake.",
            "The log of the XMPP server",
        )

    def test_broken_handshake(self) -> None:
        """A record that is no handshake is a TLS failure."""
        server, _ = self.connect(self.server(), PlainText(b"\x16\x03\x01\x00\x05hello"))
        self.check(
            server.failure(tls.XMPPD),
            Step.TLS,
            Reason.TLS_FAILURE,
            "The TLS handshake with the Call Bridge failed",
            "TLS 1.2 or newer",
        )

    def test_endless_handshake(self) -> None:
        """A handshake is given up when it has become too long, before it is there as a whole."""
        hello = b"\x01" + (130_000).to_bytes(3, "big") + b"\x03\x03" + bytes(20_000)
        records = [hello[at : at + 8000] for at in range(0, len(hello), 8000)]
        said = b"".join(b"\x16\x03\x01" + len(one).to_bytes(2, "big") + one for one in records)
        server, _ = self.connect(self.server(), PlainText(said[: MAX_HANDSHAKE - 1]))
        self.assertIsNone(server.reason)
        for sent in (said[:MAX_HANDSHAKE], said):
            server, _ = self.connect(self.server(), PlainText(sent))
            self.check(
                server.failure(tls.XMPPD),
                Step.TLS,
                Reason.TLS_FAILURE,
                "(handshake too long)",
                "",
            )

    def test_much_at_once(self) -> None:
        """What comes in one piece with the end of the handshake is not part of it."""
        context = self.server().context
        ours = ServerConnection(context)
        ours.set_accept_state()
        theirs = SSL.Connection(self.client().context)
        theirs.set_connect_state()
        for _ in range(3):
            for one, other in ((theirs, ours), (ours, theirs)):
                try:
                    one.do_handshake()
                except SSL.WantReadError:
                    pass
                else:
                    if one is theirs:
                        theirs.send(b"x" * 2 * MAX_HANDSHAKE)
                with contextlib.suppress(SSL.WantReadError):
                    other.bio_write(one.bio_read(1_000_000))
        ours.do_handshake()
        received = b""
        while len(received) < 2 * MAX_HANDSHAKE:
            received += ours.recv(100_000)
        self.assertEqual(received, b"x" * 2 * MAX_HANDSHAKE)


class FailureTests(SynchronousTestCase):
    """Reasons that need no handshake to be made."""

    def test_connection_reasons(self) -> None:
        """Every way of losing a connection is a lost link at step tls."""
        for reason in (
            error.ConnectionDone(),
            error.ConnectionLost(),
            error.ConnectionAborted(),
            SSL.SysCallError(-1, "Unexpected EOF"),
            SSL.ZeroReturnError(),
            SSL.Error(),
            SSL.Error([]),
        ):
            failure = tls.failure(Failure(reason))
            self.assertEqual((failure.step, failure.reason), (Step.TLS, Reason.LINK_LOST), reason)

    def test_timeouts(self) -> None:
        """A handshake that took too long is a timeout at step tls."""
        for reason in (TimeoutError(), defer.TimeoutError(), error.TimeoutError()):
            failure = tls.failure(Failure(reason))
            self.assertEqual((failure.step, failure.reason), (Step.TLS, Reason.TIMEOUT))

    def test_step_failure(self) -> None:
        """What is a StepFailure already stays what it is."""
        known = StepFailure(Step.CERTIFICATE, Reason.CERTIFICATE_NAME_MISMATCH, "text")
        self.assertIs(tls.failure(Failure(known)), known)

    def test_anything_else(self) -> None:
        """An exception that nobody foresaw is a TLS failure that names it."""
        failure = tls.failure(Failure(RuntimeError("odd")))
        self.assertEqual((failure.step, failure.reason), (Step.TLS, Reason.TLS_FAILURE))
        self.assertIn("RuntimeError: odd", failure.text)

    def test_old_alert_names(self) -> None:
        """OpenSSL 1.1 to 3 call the same alerts by other names."""
        for said, reason in (
            ("sslv3 alert certificate expired", Reason.CERTIFICATE_EXPIRED),
            ("ssl/tls alert certificate expired", Reason.CERTIFICATE_EXPIRED),
            ("sslv3 alert bad certificate", Reason.CERTIFICATE_UNTRUSTED),
            ("sslv3 alert certificate unknown", Reason.CERTIFICATE_UNTRUSTED),
            ("ssl/tls alert certificate revoked", Reason.CERTIFICATE_UNTRUSTED),
            ("tlsv1 alert unknown ca", Reason.CERTIFICATE_UNTRUSTED),
            ("tlsv13 alert certificate required", Reason.CERTIFICATE_REQUIRED),
            ("sslv3 alert handshake failure", Reason.TLS_FAILURE),
        ):
            failure = tls.failure(Failure(SSL.Error([("SSL routines", "ssl3_read_bytes", said)])))
            self.assertEqual(failure.reason, reason, said)
