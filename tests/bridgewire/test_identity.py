"""Tests of bridgewire.identity: certificates and keys in files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import x25519

from bridgewire.certificates import (
    CertificateFault,
    load_authorities,
    load_identity,
    names,
)
from tests.bridgewire.certificate_case import DAY, HOST, CertificateCase
from tests.support.ca import CertificateAuthority


class LoadIdentityTests(CertificateCase):
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


class LoadAuthoritiesTests(CertificateCase):
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
