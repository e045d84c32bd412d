"""Users' certificates: are they good, and which XMPP addresses are in them (RFC 6120, 13.7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import crypto

from bridgewire.naming import subject

#: id-on-xmppAddr (RFC 6120 section 13.7.1.4).
XMPP_ADDRESS = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.5")
#: Addresses in one certificate; the backend is asked for each.
MAX_ADDRESSES = 16

_UTF8_STRING = 0x0C
_EXPIRED = {9: "is not valid yet", 10: "has expired"}  # X509_V_ERR_* of OpenSSL
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, crypto.Error)


class CertificateRefused(Exception):
    """A certificate lets nobody in; the text says why, with the remedy, for the log."""


class UserCertificates:
    """Certificates that are issued by one of ``authorities``.

    A client's intermediates are not there when its certificate is looked at, so those belong to the
    authorities as well; a root is not needed then.
    """

    def __init__(self, authorities: Sequence[x509.Certificate]) -> None:
        self.authorities = tuple(authorities)
        self._store = crypto.X509Store()
        self._store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
        for authority in authorities:
            self._store.add_cert(crypto.X509.from_cryptography(authority))

    def addresses(self, der: bytes) -> tuple[str, ...]:
        """Answer the XMPP addresses in a certificate, as they stand there.

        Whoever shows it has proved its key: that is TLS's part.

        Raises:
            CertificateRefused: it is not one of ours, not for clients, or out of its time.
        """
        try:
            certificate = x509.load_der_x509_certificate(der)
            whose = f"the certificate of {subject(certificate.subject)}"
            self._verify(crypto.X509.from_cryptography(certificate), whose)
            _check_usage(certificate, whose)
            return _addresses(certificate, whose)
        except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType, *_UNREADABLE):
            raise CertificateRefused("the certificate cannot be read. Issue another one") from None

    def _verify(self, certificate: crypto.X509, whose: str) -> None:
        try:
            crypto.X509StoreContext(self._store, certificate).verify_certificate()
        except crypto.X509StoreContextError as error:
            code, text = error.errors[0], error.errors[2]
            if code in _EXPIRED:
                raise CertificateRefused(f"{whose} {_EXPIRED[code]}. Issue another one") from None
            raise CertificateRefused(
                f"{whose} does not lead to [tls] user_ca ({text}). Put its issuer into that file, "
                "intermediates too, if it is to be trusted"
            ) from None


def _check_usage(certificate: x509.Certificate, whose: str) -> None:
    """RFC 5280 sections 4.2.1.3 and 4.2.1.12: an extension that is absent allows everything."""
    usages = _extension(certificate, x509.ExtendedKeyUsage)
    allowed = {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    if usages is not None and not allowed & set(usages):
        raise CertificateRefused(
            f"{whose} is not for clients. Issue it anew with clientAuth among its extended key "
            "usages, or with none of these"
        )
    usage = _extension(certificate, x509.KeyUsage)
    if usage is not None and not (usage.digital_signature or usage.key_agreement):
        raise CertificateRefused(
            f"{whose} is not for logins. Issue it anew with digitalSignature among its key usages"
        )


def _addresses(certificate: x509.Certificate, whose: str) -> tuple[str, ...]:
    names = _extension(certificate, x509.SubjectAlternativeName)
    others = names.get_values_for_type(x509.OtherName) if names is not None else []
    found = [_utf8_string(one.value) for one in others if one.type_id == XMPP_ADDRESS]
    if len(found) > MAX_ADDRESSES:
        raise CertificateRefused(f"{whose} has more than {MAX_ADDRESSES} XMPP addresses")
    return tuple(dict.fromkeys(address for address in found if address))


def _extension(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> Any:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _utf8_string(der: bytes) -> str:
    """The text of a DER UTF8String, empty where it is none."""
    if len(der) < 2 or der[0] != _UTF8_STRING:
        return ""
    start = 2 if der[1] < 0x80 else 2 + (der[1] & 0x7F)
    length = der[1] if start == 2 else int.from_bytes(der[2:start], "big")
    if start > 4 or len(der) != start + length:
        return ""
    try:
        return der[start:].decode("utf-8")
    except UnicodeDecodeError:
        return ""
