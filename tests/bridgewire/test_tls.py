"""Tests of bridgewire.tls: real handshakes that go well."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.protocol import Protocol
from twisted.internet.ssl import CertificateOptions, TLSVersion
from twisted.test import iosim

from bridgewire import tls
from bridgewire.certificates import CertificateFault, load_identity
from bridgewire.identity import Identity
from bridgewire.steps import Reason, Step
from tests.bridgewire.tls_case import TlsCase


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
