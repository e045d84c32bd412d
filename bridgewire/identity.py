"""Reading certificates and keys from PEM files, with every fault named.

A fault is something that no TLS handshake could succeed with. What only makes peers refuse us
(an expired certificate), or is careless (a key that everybody may read), is a warning: the daemon
starts, says so, and the peers' own checks give the step and the reason.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from bridgewire.naming import outside_validity, subject

PrivateKey = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
)
_T = TypeVar("_T")


class CertificateFault(Exception):
    """Files that cannot be used; ``faults`` has one sentence or two for each, with its remedy."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Identity:
    """A certificate, what completes its chain, and its key: what one end shows to the other.

    ``warnings`` are whole sentences, with remedies, for the log and for ``check``.
    """

    certificate: x509.Certificate
    intermediates: tuple[x509.Certificate, ...]
    private_key: PrivateKey = field(repr=False, compare=False)  # it belongs to the certificate
    certificate_path: Path
    private_key_path: Path
    warnings: tuple[str, ...] = field(default=(), compare=False)

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """All that is shown, the leaf first."""
        return (self.certificate, *self.intermediates)


def load_identity(certificate: Path, private_key: Path, *, now: datetime | None = None) -> Identity:
    """Read a certificate (leaf first, then intermediates) and its private key, both PEM.

    ``now`` (aware) is the time that the validity is held against, by default the system's.
    Raises CertificateFault with every fault of both files.
    """
    faults: list[str] = []
    chain = _collect(faults, _read_certificates, certificate)
    key = _collect(faults, load_key, private_key)
    if chain and key:
        mismatch = _mismatch(certificate, private_key, chain, key)
        if mismatch:
            faults.append(mismatch)
    if faults or not chain or not key:
        raise CertificateFault(faults)
    warnings = [*_validity(certificate, chain, now or datetime.now(UTC)), *_exposure(private_key)]
    return Identity(
        chain[0], tuple(chain[1:]), key, certificate, private_key, warnings=tuple(warnings)
    )


def load_authorities(path: Path) -> tuple[x509.Certificate, ...]:
    """Read the certificates in ``path`` (PEM): those who may issue the peers' certificates.

    An intermediate alone is enough, the root need not be there. Raises CertificateFault.
    """
    faults: list[str] = []
    certificates = _collect(faults, _read_certificates, path)
    if certificates is None:
        raise CertificateFault(faults)
    return tuple(certificates)


def _collect(faults: list[str], read: Callable[[Path], _T], path: Path) -> _T | None:
    try:
        return read(path)
    except CertificateFault as fault:
        faults.extend(fault.faults)
        return None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise CertificateFault(
            [f"{path}: there is no such file. Put it there, or correct its name under [tls]."]
        ) from None
    except PermissionError:
        raise CertificateFault(
            [
                f"{path}: this user may not read it. Give the daemon's user or group access to "
                "the file and to the directories above it."
            ]
        ) from None
    except OSError as error:
        raise CertificateFault([f"{path}: it cannot be read: {error.strerror}."]) from None


def _read_certificates(path: Path) -> list[x509.Certificate]:
    pem = _read(path)
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        raise CertificateFault(
            [
                f"{path}: there is no PEM certificate in it. Convert a DER file with "
                f"'openssl x509 -inform der -in FILE -out {path}'."
            ]
        )
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise CertificateFault(
            [f"{path}: a certificate in it is damaged ({error}). Copy it anew from its issuer."]
        ) from None


def load_key(path: Path) -> PrivateKey:
    """Read a private key (PEM). Raises CertificateFault."""
    pem = _read(path)
    if b"PRIVATE KEY-----" not in pem:
        raise CertificateFault(
            [
                f"{path}: there is no PEM private key in it. Convert a DER file with "
                f"'openssl pkey -inform der -in FILE -out {path}'."
            ]
        )
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError:
        raise CertificateFault(
            [
                f"{path}: the private key is encrypted, and nobody is there to type the "
                f"passphrase. Remove it with 'openssl pkey -in {path} -out NEW'."
            ]
        ) from None
    except ValueError:
        # The message of the library could quote the file, and the file is a secret.
        raise CertificateFault(
            [f"{path}: the private key in it is damaged. Copy it anew, or make a new one."]
        ) from None
    except UnsupportedAlgorithm:
        raise CertificateFault(
            [f"{path}: this kind of private key is not supported. Use RSA, ECDSA or EdDSA."]
        ) from None
    if not isinstance(key, PrivateKey):
        raise CertificateFault(
            [f"{path}: this kind of private key is not for TLS. Use RSA, ECDSA or EdDSA."]
        )
    return key


def _mismatch(
    certificate_path: Path, key_path: Path, chain: list[x509.Certificate], key: PrivateKey
) -> str | None:
    """What is wrong if the key is not the first certificate's."""
    ours = [place for place, one in enumerate(chain) if one.public_key() == key.public_key()]
    if 0 in ours:
        return None
    if ours:
        return (
            f"{certificate_path}: the certificate of the key {key_path} is number {ours[0] + 1} "
            "in the file. Put it first, and the intermediates after it."
        )
    return (
        f"{key_path}: this private key does not belong to the certificate {certificate_path}. "
        "Install the certificate and the key that were made together."
    )


def _validity(path: Path, chain: list[x509.Certificate], now: datetime) -> list[str]:
    return [
        f"{path}: certificate {place} in it ({subject(certificate.subject)}) {problem}. "
        "Renew it and reload the daemon, or correct this machine's clock."
        for place, certificate in enumerate(chain, start=1)
        if (problem := outside_validity(certificate, now))
    ]


def _exposure(path: Path) -> list[str]:
    if path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP):
        return [f"{path}: others than its owner may read or change the key: chmod 640 {path}"]
    return []
