"""A small certificate authority for the tests, the benchmarks and the demo. Not for production.

It writes PEM files, because that is what both daemons read: certificates leaf first and then the
intermediates, private keys with mode 0600. Keys are ECDSA P-256, which is quick to make.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from bridgewire import issuing
from bridgewire.issuing import certificate_pem, key_pem, key_usage, make_key

#: id-on-dnsSRV, the OtherName that carries an SRV-ID (RFC 4985).
SRV_NAME = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.7")


class CertificateAuthority:
    """Issues certificates into one directory, which is made if it is not there.

    With ``parent`` it is an intermediate: its own certificate is signed by the parent, and the
    certificates that it issues are written with the chain up to, but without, the root.
    """

    def __init__(
        self,
        directory: Path,
        name: str = "Test CA",
        *,
        parent: CertificateAuthority | None = None,
        not_after: datetime | None = None,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.parent = parent
        self._key = make_key()
        self._name = issuing.common_name(name)
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(parent._name if parent else self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            # Long before now, so that expired certificates lie within the authority's own time.
            .not_valid_before(now - timedelta(days=3650))
            .not_valid_after(not_after or now + timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(key_usage(authority=True), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
            )
        )
        signer = parent or self
        self.certificate = signer._sign(builder)
        file_name = name.lower().replace(" ", "-")
        #: The authority's own certificate: what ``callbridge_ca`` and ``xmpp_ca`` name.
        self.certificate_path = directory / f"{file_name}.crt"
        self.certificate_path.write_bytes(certificate_pem(self.certificate))

    def intermediate(
        self, name: str = "Test Intermediate CA", *, not_after: datetime | None = None
    ) -> CertificateAuthority:
        """An authority below this one, writing into the same directory."""
        return CertificateAuthority(self.directory, name, parent=self, not_after=not_after)

    def issue(
        self,
        file_name: str,
        *,
        dns: Iterable[str] = (),
        srv: Iterable[str] = (),
        ip: Iterable[str] = (),
        other: Iterable[x509.GeneralName] = (),
        common_name: str | None = None,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        client: bool = True,
        server: bool = True,
        chain: bool = True,
    ) -> tuple[Path, Path]:
        """Make a key and a certificate; return the paths of certificate and key.

        The subject alternative names are ``dns`` and ``srv`` (``_xmpp-component.example.com``) as
        A-labels, ``ip`` as literals, and ``other`` as they are; with none of them the certificate
        has no such extension. The subject is ``common_name``, by default ``file_name``. The times
        must be aware; the default is from an hour ago for thirty days. ``client`` and ``server``
        choose the extended key usages, and ``chain=False`` leaves the intermediates out.
        """
        key = make_key()
        now = datetime.now(UTC)
        not_after = not_after or now + timedelta(days=30)
        not_before = not_before or min(now, not_after) - timedelta(hours=1)
        builder = (
            x509.CertificateBuilder()
            .subject_name(issuing.common_name(common_name or file_name))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before)
            .not_valid_after(not_after)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(key_usage(authority=False), critical=True)
        )
        names: list[x509.GeneralName] = [
            *(x509.DNSName(name) for name in dns),
            *(x509.OtherName(SRV_NAME, _ia5string(name)) for name in srv),
            *(x509.IPAddress(ip_address(literal)) for literal in ip),
            *other,
        ]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        usages = [
            *([ExtendedKeyUsageOID.CLIENT_AUTH] if client else []),
            *([ExtendedKeyUsageOID.SERVER_AUTH] if server else []),
        ]
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        certificate_path = self.directory / f"{file_name}.crt"
        key_path = self.directory / f"{file_name}.key"
        certificates = [self._sign(builder), *(self._chain() if chain else [])]
        certificate_path.write_bytes(certificate_pem(*certificates))
        _write_key(key_path, key)
        return certificate_path, key_path

    def _chain(self) -> list[x509.Certificate]:
        """This authority's certificate and its parents', without the root."""
        return [self.certificate, *self.parent._chain()] if self.parent else []

    def _sign(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(identifier, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _ia5string(text: str) -> bytes:
    """DER: tag 22, the length, the ASCII bytes."""
    content = text.encode("ascii")
    if len(content) > 127:
        raise ValueError("only names of up to 127 bytes are written")
    return bytes([0x16, len(content)]) + content


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key_pem(key))
