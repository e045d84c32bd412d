"""Certificates made to measure, for the tests of what is read in them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from tests.support.ca import CertificateAuthority

DOMAIN = "example.com"
HOST = "xmpp1.example.com"
DAY = timedelta(days=1)


class CertificateCase(SynchronousTestCase):
    """An authority, and certificates by it."""

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
