"""Tests of bridgewire.naming."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509

from bridgewire.certificates import (
    Names,
    describe,
    names,
)
from tests.bridgewire.certificate_case import DOMAIN, HOST, CertificateCase
from tests.support.ca import SRV_NAME


class NamesTests(CertificateCase):
    """What a certificate offers."""

    def test_every_kind(self) -> None:
        """DNS names, SRV names and IP addresses are told apart and keep their order."""
        certificate = self.certificate(
            dns=(HOST, DOMAIN), srv=("_xmpp-server.example.com",), ip=("192.0.2.1", "2001:db8::1")
        )
        self.assertEqual(
            names(certificate),
            Names(
                dns=(HOST, DOMAIN),
                srv=("_xmpp-server.example.com",),
                ip=("192.0.2.1", "2001:db8::1"),
            ),
        )

    def test_none(self) -> None:
        """A certificate without the extension offers no names, whatever its subject is."""
        self.assertEqual(names(self.certificate(common_name=DOMAIN)), Names())

    def test_foreign_other_names(self) -> None:
        """Other names than SRV names, and SRV names that are not one IA5String, are left out."""
        wrong = [
            x509.OtherName(x509.ObjectIdentifier("1.3.6.1.5.5.7.8.5"), b"\x0c\x01a"),
            x509.OtherName(SRV_NAME, b"\x0c\x02_a"),
            x509.OtherName(SRV_NAME, b"\x16\x00"),
        ]
        self.assertEqual(names(self.certificate(other=tuple(wrong))), Names())

    def test_long_srv(self) -> None:
        """An SRV name whose length takes a second byte is read."""
        name = "_xmpp-server." + ".".join(["a" * 40] * 4)
        der = bytes([0x16, 0x81, len(name)]) + name.encode()
        self.assertEqual(
            names(self.certificate(other=(x509.OtherName(SRV_NAME, der),))).srv, (name,)
        )

    def test_describe(self) -> None:
        """The description has subject, names, end and issuer."""
        certificate = self.certificate(
            dns=(HOST, DOMAIN),
            srv=("_xmpp-client.example.com",),
            common_name=HOST,
            not_after=datetime(2027, 1, 1, tzinfo=UTC),
        )
        self.assertEqual(
            describe(certificate),
            "CN=xmpp1.example.com, SAN xmpp1.example.com, example.com, "
            "SRV _xmpp-client.example.com, until 2027-01-01, issued by CN=Test CA",
        )

    def test_describe_is_bounded(self) -> None:
        """A peer cannot fill the log, or forge lines in it, with the names in its certificate."""
        certificate = self.certificate(
            dns=tuple(f"h{number}.example.com" for number in range(1000)),
            common_name="x\nlink up",
        )
        said = describe(certificate)
        self.assertNotIn("\n", said)
        self.assertIn("and 990 more", said)
        self.assertLess(len(said), 500)
