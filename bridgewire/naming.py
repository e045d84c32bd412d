"""What a certificate says about itself, in words that are safe to log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

#: id-on-dnsSRV (RFC 4985).
_SRV_NAME = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.7")
#: Days before the end of a certificate that are worth a warning.
EXPIRES_SOON = 30
#: How many names, and how much of each, are shown: a peer may send thousands.
_SHOWN_NAMES = 10
_SHOWN_LENGTH = 100


@dataclass(frozen=True)
class Names:
    """The subject alternative names that can matter here, as the certificate has them.

    ``dns`` and ``srv`` are A-labels (``xn--...``), ``ip`` are literals.
    """

    dns: tuple[str, ...] = ()
    srv: tuple[str, ...] = ()
    ip: tuple[str, ...] = ()

    def __str__(self) -> str:
        """``xmpp1.example.com, example.com, SRV _xmpp-server.example.com``, or ``no names``."""
        every = [*self.dns, *(f"SRV {name}" for name in self.srv), *self.ip]
        shown = [_printable(name) for name in every[:_SHOWN_NAMES]]
        if len(every) > _SHOWN_NAMES:
            shown.append(f"and {len(every) - _SHOWN_NAMES} more")
        return ", ".join(shown) or "no names"


def names(certificate: x509.Certificate) -> Names:
    """The subject alternative names; none if the extension is absent or cannot be read."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError, TypeError):
        return Names()
    san = extension.value
    return Names(
        dns=tuple(san.get_values_for_type(x509.DNSName)),
        srv=tuple(
            name
            for other in san.get_values_for_type(x509.OtherName)
            if other.type_id == _SRV_NAME and (name := _ia5string(other.value))
        ),
        ip=tuple(str(address) for address in san.get_values_for_type(x509.IPAddress)),
    )


def subject(name: x509.Name) -> str:
    """A distinguished name for a log line: ``CN=cb1.example.com``."""
    return _printable(name.rfc4514_string()) or "an empty name"


def describe(certificate: x509.Certificate) -> str:
    """One line for logs and status: subject, names, end of validity, issuer."""
    end = certificate.not_valid_after_utc
    return (
        f"{subject(certificate.subject)}, SAN {names(certificate)}, "
        f"until {end:%Y-%m-%d}, issued by {subject(certificate.issuer)}"
    )


def outside_validity(certificate: x509.Certificate, now: datetime) -> str | None:
    """``expired on ...`` or ``is not valid before ...`` if ``now`` (aware) lies outside."""
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > end:
        return f"expired on {end:%Y-%m-%d %H:%M} UTC"
    if now < start:
        return f"is not valid before {start:%Y-%m-%d %H:%M} UTC"
    return None


def is_for_servers(certificate: x509.Certificate) -> bool:
    """False where its extended key usage (RFC 5280 section 4.2.1.12) is for something else only."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return True
    return bool(
        {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & {*usage}
    )


def first_end(certificates: Iterable[x509.Certificate]) -> datetime:
    """Answer when the first of them ends (aware). At least one has to be there.

    Of several with the same subject, as authorities have when one follows another, the last counts.
    """
    ends: dict[x509.Name, datetime] = {}
    for one in certificates:
        end = one.not_valid_after_utc
        ends[one.subject] = max(end, ends.get(one.subject, end))
    return min(ends.values())


def days_left(certificate: x509.Certificate, now: datetime) -> int:
    """Answer the whole days until the end of its validity; less than 0 after it."""
    return (certificate.not_valid_after_utc - now).days


def _ia5string(der: bytes) -> str | None:
    """The text of a DER IA5String of up to 255 bytes, else None."""
    if len(der) >= 2 and der[0] == 0x16:
        start = 2 if der[1] < 0x80 else 3 if der[1] == 0x81 else len(der)
        content = der[start:]
        if content and content.isascii() and len(content) == der[start - 1]:
            return content.decode("ascii")
    return None


def _printable(text: str) -> str:
    """Bounded and on one line: the text comes from the peer and goes to the log."""
    kept = "".join(letter if letter.isprintable() else "?" for letter in text[:_SHOWN_LENGTH])
    return kept if len(text) <= _SHOWN_LENGTH else f"{kept}..."
