"""Tests for `callbridged.logins.mechanisms.external` and `callbridged.logins.user_certificates`."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from bridgewire.sasl import sasl_data, sasl_message
from callbridged.logins.login import LoginService
from callbridged.logins.user_certificates import XMPP_ADDRESS, CertificateRefused, UserCertificates
from tests.callbridged.accounts import Accounts
from tests.callbridged.login_case import LoginCase
from tests.callbridged.people import MemoryBackend, auth
from tests.support.ca import CertificateAuthority


def address(text: str) -> x509.OtherName:
    """An XMPP address as DER UTF8String."""
    octets = text.encode()
    length = bytes([len(octets)]) if len(octets) < 128 else b"\x82" + len(octets).to_bytes(2, "big")
    return x509.OtherName(XMPP_ADDRESS, b"\x0c" + length + octets)


class CertificateCase(LoginCase):
    """A service that knows who may issue users' certificates."""

    def setUp(self) -> None:
        self.ca = CertificateAuthority(Path(self.mktemp()).absolute(), "User CA")
        self.authorities = (self.ca.certificate,)
        super().setUp()

    def make_service(self, **more: Any) -> LoginService:
        self.backend = Accounts()
        certificates = UserCertificates(self.authorities)
        return super().make_service(certificates=certificates, **more)

    def show(self, *addresses: str, ca: CertificateAuthority | None = None, **more: Any) -> None:
        """Let the client show a certificate with these XMPP addresses."""
        names = [address(one) for one in addresses]
        path, _ = (ca or self.ca).issue("someone", other=names, **more)
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        self.said["certificate"] = certificate.public_bytes(Encoding.DER)

    def external(self, authzid: str = "") -> str | None:
        return self.ask(auth("EXTERNAL", authzid)).username

    def refusal(self, authzid: str = "") -> tuple[str, str]:
        """The condition, and what the log says."""
        condition = self.refused(auth("EXTERNAL", authzid))
        self.assertEqual(self.flushLoggedErrors(), [])
        return condition, self.lines()[-1]


class Rules(CertificateCase):
    """XEP-0178: whom a certificate lets in."""

    def test_one_address(self) -> None:
        """A certificate with one address lets that user in, with or without being asked."""
        self.show("Alice@example.com")
        for authzid in ("", "alice@example.com", "ALICE@EXAMPLE.COM"):
            self.assertEqual(self.external(authzid), "alice")

    def test_no_initial_response(self) -> None:
        """A client that says nothing at first is asked, and answers with nothing."""
        self.show("alice@example.com")
        challenge = self.ask(auth("EXTERNAL", None))
        self.assertIsNone(sasl_data(challenge.element))
        self.assertEqual(self.ask(sasl_message("response", b"")).username, "alice")

    def test_several_addresses(self) -> None:
        """With several users in it, the client has to say which; others do not count."""
        self.show("alice@example.com", "zoë@example.com", "bob@example.com", "x@example.net")
        self.assertEqual(self.external("zoë@example.com"), "zoë")
        for authzid in ("", "bob@example.com", "x@example.net", "o=b@example.com"):
            self.assertEqual(self.refusal(authzid)[0], "invalid-authzid", authzid)
        self.show("alice@example.com", "bob@example.com", "alice@example.net")
        self.assertEqual(self.external(), "alice")

    def test_somebody_else(self) -> None:
        """Nobody acts as somebody who is not in the certificate, nor as a resource."""
        self.show("alice@example.com")
        for authzid in ("zoë@example.com", "alice", "alice@example.com/x", "@", "example.com", " "):
            self.assertEqual(self.refusal(authzid)[0], "invalid-authzid", authzid)

    def test_no_user(self) -> None:
        """A certificate of somebody who is no user lets nobody in; the log says who it was."""
        self.show("bob@example.com")
        condition, line = self.refusal()
        self.assertEqual(condition, "not-authorized")
        self.assertIn("the certificate is for 'bob', who is no user", line)

    def test_no_address(self) -> None:
        """Without an XMPP address of this domain nobody is let in, and the log has the remedy."""
        for addresses in ((), ("alice@example.net",), ("example.com",), ("alice@example.com/x",)):
            self.show(*addresses)
            condition, line = self.refusal()
            self.assertEqual(condition, "not-authorized")
            self.assertIn("otherName 1.3.6.1.5.5.7.8.5;UTF8:NAME@example.com", line)

    def test_malformed(self) -> None:
        """What cannot be an authorization identity is malformed."""
        self.show("alice@example.com")
        for data in (b"\xff", b"alice@example.com\0", b"x" * 3072):
            condition = self.refused(auth("EXTERNAL", data))
            self.assertEqual(condition, "malformed-request")

    def test_long_address(self) -> None:
        """A user name may be as long as it likes, and is not a user's then."""
        self.show("a" * 300 + "@example.com")
        self.assertEqual(self.refusal()[0], "not-authorized")


class Certificates(CertificateCase):
    """Which certificates are good."""

    def test_none(self) -> None:
        """A client without a certificate is not authorized."""
        condition, line = self.refusal()
        self.assertEqual(condition, "not-authorized")
        self.assertIn("the client has shown no certificate", line)

    def test_out_of_time(self) -> None:
        """An expired certificate, and one that is not valid yet, are refused in words."""
        now = datetime.now(UTC)
        for times, words in (
            ({"not_after": now - timedelta(days=1)}, "has expired. Issue another one"),
            ({"not_before": now + timedelta(days=1)}, "is not valid yet"),
        ):
            self.show("alice@example.com", **times)
            condition, line = self.refusal()
            self.assertEqual(condition, "not-authorized")
            self.assertIn(words, line)

    def test_other_authority(self) -> None:
        """A certificate of another authority is refused, also of one with the same name."""
        other = CertificateAuthority(Path(self.mktemp()).absolute(), "User CA")
        self.show("alice@example.com", ca=other)
        condition, line = self.refusal()
        self.assertEqual(condition, "not-authorized")
        self.assertIn("does not lead to [tls] user_ca", line)
        self.assertIn("Put its issuer into that file", line)

    def test_not_an_authority(self) -> None:
        """A user cannot issue certificates for others."""
        self.show("alice@example.com")
        alice = CertificateAuthority(Path(self.mktemp()).absolute(), "someone")
        self.show("zoë@example.com", ca=alice)
        self.assertEqual(self.refusal()[0], "not-authorized")

    def test_intermediate(self) -> None:
        """An intermediate authority in the file is enough; one that is not there is missed."""
        between = self.ca.intermediate()
        self.show("alice@example.com", ca=between)
        self.assertEqual(self.refusal()[0], "not-authorized")
        self.authorities = (between.certificate,)
        self.service = self.make_service()
        self.assertEqual(self.external(), "alice")

    def test_usage(self) -> None:
        """A server's certificate is not a user's."""
        self.show("alice@example.com", client=False)
        condition, line = self.refusal()
        self.assertEqual(condition, "not-authorized")
        self.assertIn("clientAuth among its extended key usages", line)
        self.show("alice@example.com", client=False, server=False)
        self.assertEqual(self.external(), "alice")

    def test_too_many(self) -> None:
        """A certificate for a crowd is refused before anybody is looked up."""
        self.show(*(f"user{number}@example.com" for number in range(17)))
        self.assertIn("more than 16 XMPP addresses", self.refusal()[1])
        self.assertEqual(self.backend.asked, [])

    def test_broken_address(self) -> None:
        """Addresses that are not UTF8String do not count."""
        for octets in (b"\x16\x05alice", b"\x0c\x06alice", b"\x0c\x80", b"\x0c\x02\xff\xff"):
            name = x509.OtherName(XMPP_ADDRESS, octets)
            with contextlib.suppress(ValueError):  # cryptography writes no such DER
                path, _ = self.ca.issue("someone", other=[name])
                certificate = x509.load_pem_x509_certificate(path.read_bytes())
                self.said["certificate"] = certificate.public_bytes(Encoding.DER)
            self.assertEqual(self.refusal()[0], "not-authorized")

    @given(st.binary(max_size=300), st.integers(0, 2000), st.integers(0, 255))
    def test_any_octets(self, octets: bytes, place: int, octet: int) -> None:
        """Whatever the certificate is, it is refused or it is read, and nothing else happens."""
        self.show("alice@example.com")
        changed = bytearray(self.said["certificate"])
        changed[place % len(changed)] = octet
        for der in (octets, bytes(changed)):
            try:
                UserCertificates(self.authorities).addresses(der)
            except CertificateRefused as refused:
                self.assertNotIn("\n", str(refused))


class Offer(CertificateCase):
    """Where EXTERNAL is answered."""

    def test_offered(self) -> None:
        """It is answered where users' certificates have an authority, and accounts are known."""
        self.assertEqual(self.service.mechanisms[0], "EXTERNAL")
        without = LoginService(self.clock, self.backend, "example.com")
        self.assertNotIn("EXTERNAL", without.mechanisms)
        certificates = UserCertificates(self.authorities)
        unknowing = LoginService(
            self.clock, MemoryBackend(), "example.com", certificates=certificates
        )
        self.assertNotIn("EXTERNAL", unknowing.mechanisms)
