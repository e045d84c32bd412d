"""Making keys, certificates and requests for them: what a small authority of one's own needs.

Keys are ECDSA P-256. All PEM is bytes; a private key's is a secret, and nothing here writes files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, TypeVar

import idna
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bridgewire.identity import PrivateKey

_Builder = TypeVar("_Builder", x509.CertificateBuilder, x509.CertificateSigningRequestBuilder)

#: Days that an authority's certificate, and one that it issues, are good.
AUTHORITY_DAYS = 3650
DAYS = 397
#: A clock on the other host may be behind ours by so much.
_SLACK = timedelta(hours=1)

#: Which end of a link shows it: XMPP servers are servers, Call Bridges are clients.
Usage = Literal["server", "client"]

#: A Call Bridge also shows it to who opens its web page.
USAGES = {
    "server": (ExtendedKeyUsageOID.SERVER_AUTH,),
    "client": (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH),
}


@dataclass(frozen=True)
class Authority:
    """Who issues: its certificate, and the key that belongs to it."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)

    def issue(
        self, key: PrivateKey, names: Sequence[str], usage: Usage, now: datetime
    ) -> x509.Certificate:
        """Answer a certificate for ``key`` with the DNS names, good from ``now`` (aware)."""
        end = min(now + timedelta(days=DAYS), self.certificate.not_valid_after_utc)
        builder = _add_names(
            x509.CertificateBuilder()
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _SLACK)
            .not_valid_after(end)
            .add_extension(key_usage(authority=False), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            ),
            names,
            usage,
        )
        return builder.sign(self.key, _hash(self.key))


def make_authority(name: str, now: datetime) -> Authority:
    """Answer a new authority called ``name``, good from ``now`` (aware)."""
    key = make_key()
    subject = common_name(name)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SLACK)
        .not_valid_after(now + timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def make_request(key: PrivateKey, names: Sequence[str], usage: Usage) -> bytes:
    """Answer a certificate signing request (PKCS #10) for another authority, in PEM."""
    builder = _add_names(x509.CertificateSigningRequestBuilder(), names, usage)
    return builder.sign(key, _hash(key)).public_bytes(serialization.Encoding.PEM)


def make_key() -> ec.EllipticCurvePrivateKey:
    """Answer a new private key."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: PrivateKey) -> bytes:
    """Answer a private key, which is not encrypted, as PKCS #8."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def certificate_pem(*certificates: x509.Certificate) -> bytes:
    """Answer the certificates one after the other."""
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def common_name(name: str) -> x509.Name:
    """Answer the distinguished name ``CN=name``; X.509 has room for 64 characters of it."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def key_usage(*, authority: bool) -> x509.KeyUsage:
    """Answer what a key is for: signing certificates, or TLS handshakes."""
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def find_issuer(
    chain: Sequence[x509.Certificate], authorities: Sequence[x509.Certificate]
) -> x509.Certificate | None:
    """Answer the one of ``authorities`` that is in the chain, or that issued its last one."""
    for authority in authorities:
        if authority in chain or issued(authority, chain[-1]):
            return authority
    return None


def issued(upper: x509.Certificate, lower: x509.Certificate) -> bool:
    """True where the key of ``upper`` has signed ``lower``."""
    try:
        lower.verify_directly_issued_by(upper)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _add_names(builder: _Builder, names: Sequence[str], usage: Usage) -> _Builder:
    spelt = [idna.encode(name, uts46=True).decode("ascii") for name in names]
    return (
        builder.subject_name(common_name(spelt[-1]))
        .add_extension(x509.SubjectAlternativeName(map(x509.DNSName, spelt)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(USAGES[usage]), critical=False)
    )


def _hash(key: PrivateKey) -> hashes.SHA256 | None:
    """Answer what to sign with; EdDSA has its own."""
    own = isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
    return None if own else hashes.SHA256()
