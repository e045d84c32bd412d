"""Tests of bridgewire.issuing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.verification import PolicyBuilder, Store
from twisted.trial.unittest import SynchronousTestCase

from bridgewire.certificates import check_callbridge_name, check_server_names, names
from bridgewire.issuing import (
    AUTHORITY_DAYS,
    DAYS,
    find_issuer,
    make_authority,
    make_key,
    make_request,
)

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)


class IssuingTests(SynchronousTestCase):
    """One authority."""

    def setUp(self) -> None:
        self.authority = make_authority("example.com Call Bridge CA", NOW)

    def test_server(self) -> None:
        """A server's certificate has its names, and verifies as a server's by another library."""
        names = ("example.com", "xmpp1.example.com")
        certificate = self.authority.issue(make_key(), names, "server", NOW)
        check_server_names(certificate, "example.com", "xmpp1.example.com", "domain+host")
        store = Store([self.authority.certificate])
        verifier = PolicyBuilder().store(store).time(NOW + timedelta(days=DAYS - 1))
        for name in names:
            verifier.build_server_verifier(x509.DNSName(name)).verify(certificate, [])

    def test_callbridge(self) -> None:
        """A Call Bridge's certificate has its name, and is good for a client and for a web page."""
        certificate = self.authority.issue(make_key(), ["cb1.example.com"], "client", NOW)
        check_callbridge_name(certificate, "cb1.example.com")
        builder = PolicyBuilder().store(Store([self.authority.certificate])).time(NOW)
        found = builder.build_client_verifier().verify(certificate, [])
        self.assertEqual(found.subjects, [x509.DNSName("cb1.example.com")])
        builder.build_server_verifier(x509.DNSName("cb1.example.com")).verify(certificate, [])

    def test_other_letters(self) -> None:
        """Names with other letters are A-labels, and a long one does not fit the common name."""
        domain = "bücher." + "a" * 60 + ".example"
        certificate = self.authority.issue(make_key(), [domain], "server", NOW)
        self.assertEqual(names(certificate).dns, (f"xn--bcher-kva.{'a' * 60}.example",))

    def test_times(self) -> None:
        """All begin before now, and none outlives its authority."""
        certificate = self.authority.certificate
        self.assertEqual(certificate.not_valid_after_utc, NOW + timedelta(days=AUTHORITY_DAYS))
        late = NOW + timedelta(days=AUTHORITY_DAYS - 1)
        issued = self.authority.issue(make_key(), ["cb1.example.com"], "client", late)
        self.assertEqual(issued.not_valid_after_utc, certificate.not_valid_after_utc)
        self.assertLess(issued.not_valid_before_utc, late)

    def test_request(self) -> None:
        """A request has the names, for keys of any kind."""
        for key in (make_key(), ed25519.Ed25519PrivateKey.generate()):
            request = x509.load_pem_x509_csr(make_request(key, ["cb1.example.com"], "client"))
            self.assertTrue(request.is_signature_valid)
            found = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
            self.assertEqual(found.value.get_values_for_type(x509.DNSName), ["cb1.example.com"])

    def test_issuer(self) -> None:
        """Who issued a chain is found among several, also behind a namesake."""
        certificate = self.authority.issue(make_key(), ["cb1.example.com"], "client", NOW)
        namesake = make_authority("example.com Call Bridge CA", NOW).certificate
        other, own = make_authority("other", NOW).certificate, self.authority.certificate
        self.assertIs(find_issuer([certificate], [other, namesake, own]), own)
        self.assertIs(find_issuer([certificate], [other, namesake]), None)
        self.assertIs(find_issuer([certificate, own], [other, own]), own)
