"""Certificates that have run out, or are about to: those in our files, and those that servers show.

A certificate is about to run out when `AlarmSettings.certificate_days` are left and two thirds of
its time are over: who renews often begins late.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from bridgewire.naming import subject
from bridgewire.steps import Reason, Step
from callbridged.alarms.alarm import Condition, Kind, Severity
from daemonkit.units import counted

#: Of the time for which a certificate is good, the part that has to be over.
_PART = 2 / 3


@dataclass(frozen=True)
class CertificateFile:
    """Certificates that are in use, as they were read from ``path``.

    ``what`` says whose they are: ``This Call Bridge's certificate``; ``authorities``: they are
    those that others are held against. ``remedy``: what to do, a whole sentence.
    """

    path: str
    what: str
    certificates: tuple[x509.Certificate, ...]
    remedy: str
    authorities: bool = False


@dataclass(frozen=True)
class Lifetime:
    """When a certificate is good; aware times."""

    begin: datetime
    end: datetime

    def trouble(self, now: datetime, days: int) -> tuple[Severity, str] | None:
        """Answer what is wrong with it at ``now``, as the end of a sentence; None if nothing."""
        if now > self.end:
            return Severity.CRITICAL, f"expired on {self.end:%Y-%m-%d %H:%M} UTC"
        if now < self.begin:
            return Severity.CRITICAL, f"is not valid before {self.begin:%Y-%m-%d %H:%M} UTC"
        left = (self.end - now).days
        if left >= days or now < self.begin + (self.end - self.begin) * _PART:
            return None
        in_days = f"in {counted(left, 'day')}" if left else "within a day"
        return Severity.WARNING, f"expires {in_days}, on {self.end:%Y-%m-%d %H:%M} UTC"


def of_files(files: Iterable[CertificateFile], now: datetime, days: int) -> Iterator[Condition]:
    """Answer one condition at most for each file, about its certificate that ends first."""
    for file in files:
        for certificate in sorted(_that_count(file), key=lambda one: one.not_valid_after_utc):
            trouble = lifetime(certificate).trouble(now, days)
            if trouble is None:
                continue
            severity, said = trouble
            whose = subject(certificate.subject)
            text = f"{file.what} ({file.path}, {whose}) {said}."
            yield condition(file.path, severity, text, file.remedy)
            break


def lifetime(certificate: x509.Certificate) -> Lifetime:
    """Answer when it is good."""
    return Lifetime(certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def condition(
    of: str,
    severity: Severity,
    text: str,
    remedy: str,
    reason: Reason = Reason.CERTIFICATE_EXPIRED,
    step: Step = Step.CERTIFICATE,
) -> Condition:
    """Answer what is wrong with the certificate ``of`` a file or a server."""
    return Condition(Kind.CERTIFICATE, of, severity, text, remedy, step, reason)


def _that_count(file: CertificateFile) -> Sequence[x509.Certificate]:
    """All of a chain; of authorities with one name, which follow each other, the last."""
    if not file.authorities:
        return file.certificates
    last: dict[x509.Name, x509.Certificate] = {}
    for one in file.certificates:
        known = last.get(one.subject)
        if known is None or one.not_valid_after_utc > known.not_valid_after_utc:
            last[one.subject] = one
    return list(last.values())
