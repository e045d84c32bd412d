"""Tests of callbridged.alarms.certificates: files whose certificates end."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from callbridged.alarms.alarm import Condition, Kind, Severity
from callbridged.alarms.certificates import CertificateFile, of_files
from tests.support.ca import CertificateAuthority

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


class FileTests(SynchronousTestCase):
    """Files in use, two weeks before."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="alarms-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.authority = CertificateAuthority(self.directory)

    def issue(self, begin: timedelta, end: timedelta, name: str = "cb1") -> x509.Certificate:
        path, _ = self.authority.issue(
            name, not_before=NOW + begin, not_after=NOW + end, dns=["cb1.example.com"]
        )
        return x509.load_pem_x509_certificate(path.read_bytes())

    def wrong(
        self, *certificates: x509.Certificate, authorities: bool = False, days: int = 14
    ) -> Sequence[Condition]:
        file = CertificateFile("/tls/x.crt", "Ours", certificates, "Renew it.", authorities)
        return list(of_files([file], NOW, days))

    def test_good(self) -> None:
        """One that is good for long is nothing, and a file without any neither."""
        self.assertEqual(self.wrong(self.issue(-80 * DAY, 30 * DAY)), [])
        self.assertEqual(self.wrong(), [])

    def test_soon(self) -> None:
        """One that ends soon says when, of which file."""
        (one,) = self.wrong(self.issue(-80 * DAY, 13 * DAY + DAY / 2))
        self.assertEqual((one.kind, one.subject), (Kind.CERTIFICATE, "/tls/x.crt"))
        self.assertIs(one.severity, Severity.WARNING)
        end = NOW + 13 * DAY + DAY / 2
        self.assertEqual(
            one.text,
            f"Ours (/tls/x.crt, CN=cb1) expires in 13 days, on {end:%Y-%m-%d %H:%M} UTC.",
        )
        self.assertEqual(one.remedy, "Renew it.")

    def test_last_day(self) -> None:
        """On the last day it does not say 0 days."""
        (one,) = self.wrong(self.issue(-80 * DAY, DAY / 2))
        self.assertIn("expires within a day", one.text)

    def test_days(self) -> None:
        """How many days is a setting."""
        certificate = self.issue(-80 * DAY, 13 * DAY)
        self.assertEqual(self.wrong(certificate, days=13), [])
        self.assertEqual(len(self.wrong(certificate, days=14)), 1)

    def test_short_life(self) -> None:
        """One that is made for a few days is nothing before two thirds of these are over."""
        self.assertEqual(self.wrong(self.issue(-3 * DAY, 3 * DAY)), [])
        self.assertEqual(len(self.wrong(self.issue(-4 * DAY, 2 * DAY))), 1)

    def test_over(self) -> None:
        """One that has ended, and one that has not begun, are good for nothing."""
        (over,) = self.wrong(self.issue(-80 * DAY, -DAY))
        self.assertIs(over.severity, Severity.CRITICAL)
        self.assertIn("expired on ", over.text)
        (early,) = self.wrong(self.issue(DAY, 80 * DAY))
        self.assertIs(early.severity, Severity.CRITICAL)
        self.assertIn("is not valid before ", early.text)

    def test_chain(self) -> None:
        """Of a chain, the one that ends first makes it."""
        good = self.issue(-80 * DAY, 80 * DAY)
        soon, sooner = (self.issue(-80 * DAY, days * DAY, f"{days}") for days in (9, 7))
        (one,) = self.wrong(good, soon, sooner)
        self.assertIn("CN=7)", one.text)

    def test_authorities(self) -> None:
        """Of authorities with one name the last counts, and each name for itself."""
        former, latter = (self.issue(-80 * DAY, end * DAY, "CA") for end in (-3, 80))
        other = self.issue(-80 * DAY, 5 * DAY, "Other CA")
        for order in ((former, latter), (latter, former)):
            self.assertEqual(self.wrong(*order, authorities=True), [])
        (one,) = self.wrong(former, latter, other, authorities=True)
        self.assertIn("CN=Other CA", one.text)
        self.assertEqual(len(self.wrong(former, authorities=True)), 1)
