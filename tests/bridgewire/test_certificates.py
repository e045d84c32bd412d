"""Tests of bridgewire.certificates, .identity and .naming."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import x25519
from twisted.trial.unittest import SynchronousTestCase

from bridgewire.certificates import (
    CertificateFault,
    Names,
    Policy,
    check_callbridge_name,
    check_host_name,
    check_server_names,
    check_validity,
    describe,
    load_authorities,
    load_identity,
    names,
)
from bridgewire.steps import Reason, Step, StepFailure
from tests.support.ca import SRV_NAME, CertificateAuthority

DOMAIN = "example.com"
HOST = "xmpp1.example.com"
DAY = timedelta(days=1)


class _Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.ca = CertificateAuthority(self.directory)

    def certificate(
        self,
        *,
        dns: tuple[str, ...] = (),
        srv: tuple[str, ...] = (),
        ip: tuple[str, ...] = (),
        other: tuple[x509.GeneralName, ...] = (),
        common_name: str = "nobody",
        not_before: datetime | None = None,
        not_after: datetime | None = None,
    ) -> x509.Certificate:
        path, _ = self.ca.issue(
            "leaf",
            dns=dns,
            srv=srv,
            ip=ip,
            other=other,
            common_name=common_name,
            not_before=not_before,
            not_after=not_after,
        )
        return x509.load_pem_x509_certificate(path.read_bytes())


class NamesTests(_Case):
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


class ServerNamesTests(_Case):
    """The names that the XMPP server's certificate has to carry."""

    def refused(
        self,
        certificate: x509.Certificate,
        policy: Policy = "domain+host",
        domain: str = DOMAIN,
        host: str = HOST,
    ) -> StepFailure:
        failure = self.assertRaises(
            StepFailure, check_server_names, certificate, domain, host, policy
        )
        self.assertEqual(
            (failure.step, failure.reason), (Step.CERTIFICATE, Reason.CERTIFICATE_NAME_MISMATCH)
        )
        return failure

    def test_both(self) -> None:
        """Domain and host as DNS names are enough, in any case of letters."""
        check_server_names(
            self.certificate(dns=("XMPP1.example.com", "Example.COM")),
            DOMAIN,
            HOST,
            "domain+host",
        )

    def test_final_dot(self) -> None:
        """The dot that ends a target in an SRV record does not matter."""
        check_server_names(self.certificate(dns=(HOST, DOMAIN)), DOMAIN, f"{HOST}.", "domain+host")

    def test_domain_missing(self) -> None:
        """Without the domain the text says so, what was offered, and what to add."""
        failure = self.refused(self.certificate(dns=(HOST,)))
        self.assertEqual(
            failure.text,
            "The XMPP server's certificate lacks the XMPP domain example.com; "
            "it offers xmpp1.example.com.",
        )
        self.assertIn("DNS:example.com and DNS:xmpp1.example.com", failure.remedy)
        self.assertNotIn("verify = domain", failure.remedy)

    def test_host_missing(self) -> None:
        """Without the host the text says so, and names the setting that leaves it out."""
        failure = self.refused(self.certificate(dns=(DOMAIN,)))
        self.assertEqual(
            failure.text,
            "The XMPP server's certificate lacks the server's host name xmpp1.example.com; "
            "it offers example.com.",
        )
        self.assertIn("verify = domain", failure.remedy)

    def test_both_missing(self) -> None:
        """Both missing names are told at once."""
        failure = self.refused(self.certificate(dns=("other.example.org",)))
        self.assertIn("the XMPP domain example.com and the server's host name", failure.text)

    def test_policy_domain(self) -> None:
        """Under verify = domain the host is not looked for, and not asked for."""
        check_server_names(self.certificate(dns=(DOMAIN,)), DOMAIN, HOST, "domain")
        failure = self.refused(self.certificate(dns=(HOST,)), "domain")
        self.assertIn("anew with DNS:example.com as", failure.remedy)

    def test_srv_names(self) -> None:
        """An SRV name of each XMPP service stands for the domain."""
        for service in ("_xmpp-component", "_xmpp-server", "_xmpp-client"):
            check_server_names(
                self.certificate(dns=(HOST,), srv=(f"{service}.{DOMAIN}",)),
                DOMAIN,
                HOST,
                "domain+host",
            )

    def test_srv_name_of_another_service(self) -> None:
        """Other services, other domains and a service for the host do not count."""
        offered = ("_sip.example.com", "_xmpp-server.example.org", f"_xmpp-server.{HOST}")
        failure = self.refused(self.certificate(srv=offered))
        self.assertIn("example.com and the server's host name", failure.text)
        self.assertIn("SRV _sip.example.com", failure.text)

    def test_wildcard(self) -> None:
        """A wildcard stands for one label, and so for the host but not for the domain itself."""
        wildcard = self.certificate(dns=("*.example.com", DOMAIN))
        check_server_names(wildcard, DOMAIN, HOST, "domain+host")
        self.assertIn(
            "the XMPP domain", self.refused(self.certificate(dns=("*.example.com",))).text
        )
        self.refused(wildcard, host="a.b.example.com")
        self.refused(self.certificate(dns=("*.com", HOST)))

    def test_ip_address(self) -> None:
        """A host that is an address literal needs an IP name; its digits as DNS name are none."""
        for literal in ("192.0.2.1", "2001:db8::1", "[2001:0db8::0001]"):
            good = self.certificate(dns=(DOMAIN,), ip=("192.0.2.1", "2001:db8::1"))
            check_server_names(good, DOMAIN, literal, "domain+host")
        failure = self.refused(self.certificate(dns=(DOMAIN, "192.0.2.1")), host="192.0.2.1")
        self.assertIn("IP:192.0.2.1", failure.remedy)
        # Four bytes of text are no packed address.
        self.refused(self.certificate(dns=(DOMAIN,), ip=("1::2",)), host="49.58.58.50")

    def test_no_names_at_all(self) -> None:
        """Without the extension the common name does not stand in."""
        failure = self.refused(self.certificate(common_name=DOMAIN), "domain")
        self.assertIn("offers no names (its subject CN=example.com does not count)", failure.text)

    def test_internationalized(self) -> None:
        """Names of ours in Unicode are looked for as A-labels, and shown as both."""
        certificate = self.certificate(dns=("xn--bcher-kva.example", "xmpp.xn--bcher-kva.example"))
        check_server_names(certificate, "bücher.example", "xmpp.Bücher.example", "domain+host")
        check_server_names(
            certificate, "xn--bcher-kva.example", "xmpp.xn--bcher-kva.example", "domain+host"
        )
        failure = self.refused(certificate, domain="käse.example", host="xmpp.bücher.example")
        self.assertIn("xn--kse-qla.example (käse.example)", failure.text)
        self.assertIn("DNS:xn--kse-qla.example", failure.remedy)

    def test_impossible_names(self) -> None:
        """A name that no certificate could carry is missing, and no error of ours."""
        for domain in ("", "exa mple.com", "a..b", "ä" * 80):
            self.refused(self.certificate(dns=(HOST,)), domain=domain)

    def test_malformed_neighbours(self) -> None:
        """A malformed name, or one of a kind that we do not know, takes no other's worth."""
        certificate = self.certificate(
            dns=("a.*.example.com", "192.0.2.1", DOMAIN, HOST),
            srv=("no-underscore", "_nodot"),
            other=(x509.UniformResourceIdentifier("urn:uuid:1:2"),),
        )
        check_server_names(certificate, DOMAIN, HOST, "domain+host")


class CallbridgeNameTests(_Case):
    """The name that a Call Bridge's certificate has to carry."""

    def test_present(self) -> None:
        """The component's name as DNS name is enough."""
        check_callbridge_name(self.certificate(dns=("cb1.example.com",)), "cb1.example.com")

    def test_other_names(self) -> None:
        """Another Call Bridge's name, the domain, or a wildcard for all of them is refused."""
        for offered in ("cb2.example.com", DOMAIN, "*.example.com"):
            failure = self.assertRaises(
                StepFailure,
                check_callbridge_name,
                self.certificate(dns=(offered,), common_name="cb1.example.com"),
                "cb1.example.com",
            )
            self.assertEqual(failure.reason, Reason.CERTIFICATE_NAME_MISMATCH)
            self.assertEqual(
                failure.text,
                "The Call Bridge's certificate lacks the component name cb1.example.com; "
                f"it offers {offered}.",
            )
            self.assertIn("DNS:cb1.example.com", failure.remedy)


class HostNameTests(_Case):
    """`check_host_name`."""

    def test_present(self) -> None:
        """As it is, by a wildcard, as an address, and with an international name."""
        for certificate, host in (
            (self.certificate(dns=("hook.example.com",)), "hook.example.com"),
            (self.certificate(dns=("*.example.com",)), "hook.example.com"),
            (self.certificate(ip=("2001:db8::1",)), "2001:db8::1"),
            (self.certificate(dns=("xn--bcher-kva.example",)), "bücher.example"),
        ):
            check_host_name(certificate, host, "Its", "correct it")

    def test_other_names(self) -> None:
        """Another name, a common name and a name in the place of an address do not count."""
        for certificate, host in (
            (self.certificate(dns=("example.com",)), "hook.example.com"),
            (self.certificate(common_name="hook.example.com"), "hook.example.com"),
            (self.certificate(dns=("192.0.2.1",)), "192.0.2.1"),
        ):
            failure = self.assertRaises(
                StepFailure, check_host_name, certificate, host, "Its", "correct it"
            )
            self.assertEqual(failure.reason, Reason.CERTIFICATE_NAME_MISMATCH)
            self.assertIn(f"Its certificate lacks the host name {host}", failure.text)
            self.assertTrue(failure.remedy.endswith("or correct it."), failure.remedy)


class ValidityTests(_Case):
    """check_validity."""

    def test_within_and_outside(self) -> None:
        """Inside its time a certificate passes; before and after, the text has the date."""
        start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
        certificate = self.certificate(not_before=start, not_after=end)
        check_validity(certificate, start)
        check_validity(certificate, end)
        for now, said in (
            (end + DAY, "expired on 2026-02-01 00:00 UTC"),
            (start - DAY, "is not valid before 2026-01-01 00:00 UTC"),
        ):
            failure = self.assertRaises(StepFailure, check_validity, certificate, now)
            self.assertEqual(failure.reason, Reason.CERTIFICATE_EXPIRED)
            self.assertIn(said, failure.text)


class LoadIdentityTests(_Case):
    """Reading a certificate and its key."""

    def faults(self, certificate: Path, key: Path) -> tuple[str, ...]:
        fault = self.assertRaises(CertificateFault, load_identity, certificate, key)
        self.assertEqual(str(fault), "\n".join(fault.faults))
        return fault.faults

    def fault(self, certificate: Path, key: Path) -> str:
        (only,) = self.faults(certificate, key)
        return only

    def test_good(self) -> None:
        """A leaf with its intermediates and its key is taken without a warning."""
        intermediate = self.ca.intermediate()
        identity = load_identity(*intermediate.issue("leaf", dns=(HOST,)))
        self.assertEqual(names(identity.certificate).dns, (HOST,))
        self.assertEqual(identity.intermediates, (intermediate.certificate,))
        self.assertEqual(identity.private_key.public_key(), identity.certificate.public_key())
        self.assertEqual(identity.warnings, ())

    def test_key_in_the_same_file(self) -> None:
        """One file may hold both."""
        certificate, key = self.ca.issue("leaf")
        key.write_bytes(key.read_bytes() + certificate.read_bytes())
        load_identity(key, key)

    def test_repr_has_no_key(self) -> None:
        """The key does not get into a log with its identity."""
        identity = load_identity(*self.ca.issue("leaf"))
        self.assertNotIn("private_key=", repr(identity))
        self.assertNotIn("PRIVATE", repr(identity))

    def test_missing(self) -> None:
        """Two missing files are two faults of one exception."""
        paths = (self.directory / "no.crt", self.directory / "no.key")
        for path, fault in zip(paths, self.faults(*paths), strict=True):
            self.assertTrue(fault.startswith(f"{path}: there is no such file."), fault)

    def test_unreadable(self) -> None:
        """A file that cannot be read is named with the system's reason."""
        certificate, _ = self.ca.issue("leaf")
        self.assertIn("Is a directory", self.fault(certificate, self.directory))

    def test_forbidden(self) -> None:
        """A file that the daemon's user may not read is named, with whom to give access."""
        certificate, key = self.ca.issue("leaf")

        def forbid(path: Path) -> bytes:
            raise PermissionError(13, "Permission denied")

        self.patch(Path, "read_bytes", forbid)
        for fault in self.faults(certificate, key):
            self.assertIn("this user may not read it", fault)

    def test_not_pem(self) -> None:
        """Files that hold no PEM, or the other's PEM, are named with how to convert them."""
        certificate, key = self.ca.issue("leaf")
        der = self.directory / "leaf.der"
        der.write_bytes(self.ca.certificate.public_bytes(serialization.Encoding.DER))
        self.assertIn("no PEM certificate", self.fault(der, key))
        self.assertIn("no PEM private key", self.fault(certificate, der))
        swapped = self.faults(key, certificate)
        self.assertIn("no PEM certificate", swapped[0])
        self.assertIn("no PEM private key", swapped[1])

    def test_damaged(self) -> None:
        """Damaged PEM is a fault, and the key's content is not in the text."""
        certificate, key = self.ca.issue("leaf")
        for path in (certificate, key):
            lines = path.read_text().splitlines()
            path.write_text("\n".join([lines[0], "c2VjcmV0" * 8, lines[-1], ""]))
        first, second = self.faults(certificate, key)
        self.assertIn("damaged", first)
        self.assertIn("damaged", second)
        self.assertNotIn("c2VjcmV0", second)

    def test_encrypted_key(self) -> None:
        """A key with a passphrase is refused with the command that removes it."""
        certificate, key = self.ca.issue("leaf")
        loaded = serialization.load_pem_private_key(key.read_bytes(), None)
        encryption = serialization.BestAvailableEncryption(b"passphrase")
        pem = serialization.Encoding.PEM
        for form in (
            serialization.PrivateFormat.PKCS8,
            serialization.PrivateFormat.TraditionalOpenSSL,
        ):
            key.write_bytes(loaded.private_bytes(pem, form, encryption))
            self.assertIn("is encrypted", self.fault(certificate, key))

    def test_wrong_kind_of_key(self) -> None:
        """A key that cannot sign is refused."""
        certificate, key = self.ca.issue("leaf")
        key.write_bytes(
            x25519.X25519PrivateKey.generate().private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        self.assertIn("Use RSA, ECDSA or EdDSA", self.fault(certificate, key))

    def test_key_of_another(self) -> None:
        """A key that does not belong to the certificate is refused, and both files named."""
        certificate, _ = self.ca.issue("leaf")
        _, key = self.ca.issue("other")
        said = self.fault(certificate, key)
        self.assertIn(f"{key}: this private key does not belong", said)
        self.assertIn(str(certificate), said)

    def test_wrong_order(self) -> None:
        """A leaf that is not first is told apart from a wrong key."""
        certificate, key = self.ca.issue("leaf")
        pem = self.ca.certificate_path.read_bytes() + certificate.read_bytes()
        certificate.write_bytes(pem)
        self.assertIn("is number 2 in the file. Put it first", self.fault(certificate, key))

    def test_out_of_time(self) -> None:
        """Out of its time an identity still loads, and warns: the peer says the rest."""
        now = datetime.now(UTC)
        expired = self.ca.issue("expired", not_after=now - DAY)
        (warning,) = load_identity(*expired).warnings
        self.assertIn("(CN=expired) expired on", warning)
        (warning,) = load_identity(*self.ca.issue("early", not_before=now + DAY)).warnings
        self.assertIn("(CN=early) is not valid before", warning)
        self.assertEqual(load_identity(*expired, now=now - DAY - DAY / 48).warnings, ())

    def test_exposed_key(self) -> None:
        """A key that everybody may read is warned of; the group may, as with Debian's ssl-cert."""
        certificate, key = self.ca.issue("leaf")
        key.chmod(0o640)
        self.assertEqual(load_identity(certificate, key).warnings, ())
        key.chmod(0o644)
        (warning,) = load_identity(certificate, key).warnings
        self.assertIn(f"chmod 640 {key}", warning)


class LoadAuthoritiesTests(_Case):
    """Reading the authorities."""

    def test_several(self) -> None:
        """Every certificate in the file is an authority."""
        other = CertificateAuthority(self.directory, "Other CA")
        path = self.directory / "all.crt"
        path.write_bytes(
            self.ca.certificate_path.read_bytes() + other.certificate_path.read_bytes()
        )
        self.assertEqual(load_authorities(path), (self.ca.certificate, other.certificate))

    def test_faults(self) -> None:
        """A missing, an empty and a damaged file are refused."""
        path = self.directory / "bad.crt"
        for content, said in (
            (None, "no such file"),
            (b"", "no PEM certificate"),
            (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "damaged"),
        ):
            if content is not None:
                path.write_bytes(content)
            fault = self.assertRaises(CertificateFault, load_authorities, path)
            self.assertIn(said, fault.faults[0])
