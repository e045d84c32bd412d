"""Tests of bridgewire.tls: certificates that either end refuses."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.internet.ssl import CertificateOptions, TLSVersion

from bridgewire import tls
from bridgewire.certificates import load_identity
from bridgewire.identity import Identity
from bridgewire.steps import Reason, Step, StepFailure
from tests.bridgewire.tls_case import DAY, TlsCase
from tests.support.ca import CertificateAuthority


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
