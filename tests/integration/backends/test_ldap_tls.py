"""Directories whose certificates are wrong, or that want to see one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.integration.backends.directories import DirectoryCase, DirectorySite
from tests.support.ca import CertificateAuthority

UNAVAILABLE = "temporary-auth-failure"


class TlsCase(DirectoryCase):
    """A site that is asked over StartTLS and over ldaps://."""

    def begin(self, more: str = "") -> None:
        self.site = DirectorySite(more=more)
        self.addCleanup(self.site.close)
        self.site.begin(self.ways())
        self.slapd.add_user("bob", "builder")

    def ways(self) -> dict[str, dict[str, object]]:
        """How it is asked."""
        return {
            "start": self.slapd.settings(),
            "tls": self.slapd.settings(url=self.slapd.tls_url),
        }

    def told(self, name: str, pattern: str) -> None:
        """The log has said this of the way that is called so."""
        self.said(f"ldap:{name}[: ]((?! ldap:[a-z]).)*{pattern}")

    def refused(self, pattern: str) -> None:
        """Nobody could look, over neither way, and each has its line."""
        self.assert_refused(self.log_in("bob", "builder"), UNAVAILABLE)
        self.assert_in(self.log_in("alice", "wonderland"), "alice")
        self.told("start", pattern)
        self.told("tls", pattern)


class CertificateTests(TlsCase):
    """What the directory shows."""

    def test_faults(self) -> None:
        """An expired certificate, a foreign one, and one of another host are each told as such.

        So are they after a restart with another certificate, and a good one lets users in again.
        """
        self.begin()
        self.assert_in(self.log_in("bob", "builder"), "bob")
        ca, foreign = self.site.ca, CertificateAuthority(self.site.directory / "f", "Foreign CA")
        ended = datetime.now(UTC) - timedelta(days=1)
        good = self.slapd.certificate
        for certificate, pattern in (
            (
                ca.issue("expired", ip=["127.0.0.1"], not_after=ended),
                "certificate-expired: The directory ldaps?://.* certificate expired on",
            ),
            (
                foreign.issue("foreign", ip=["127.0.0.1"]),
                "certificate-untrusted: .* that is not trusted here, CN=Foreign CA",
            ),
            (
                ca.issue("other", dns=["other.example.com"], common_name="127.0.0.1"),
                "certificate-name-mismatch: .* lacks the host name 127.0.0.1; it offers other.ex",
            ),
        ):
            self.slapd.stop()
            self.slapd.use_certificate(certificate)
            self.slapd.start()
            self.refused(pattern)
        self.slapd.stop()
        self.slapd.use_certificate(good)
        self.slapd.start()
        self.assert_in(self.log_in("bob", "builder"), "bob")
        self.assertNotIn("builder", self.site.bridges[0].process.text())


class HostNameTests(TlsCase):
    """A directory that is called by its name."""

    def ways(self) -> dict[str, dict[str, object]]:
        port, tls_port = self.slapd.port, self.slapd.tls_port
        return {"named": self.slapd.settings(url=f"ldap://localhost:{port}")} | {
            "named-tls": self.slapd.settings(
                url=f"ldaps://LocalHost:{tls_port}", filter="(sn={username})"
            )
        }

    def test_host_name(self) -> None:
        """A host's name is looked for in the certificate as well as an address."""
        self.begin()
        self.slapd.add_user("carol", "x", uid="carol", sn="caroline")
        self.assert_in(self.log_in("bob", "builder"), "bob")
        self.assert_in(self.log_in("caroline", "x"), "carol")


class ClientCertificateTests(TlsCase):
    """What the directory wants to see."""

    def ways(self) -> dict[str, dict[str, object]]:
        certificate, key = self.site.ca.issue("bridge-as-client", server=False)
        shown = {"certificate": certificate, "private_key": key}
        slapd = self.slapd
        return {
            **super().ways(),
            "shown": slapd.settings(**shown),
            "shown-tls": slapd.settings(url=slapd.tls_url, **shown),
        }

    def test_wanted(self) -> None:
        """A directory that wants a certificate gets one, and who has none is told so."""
        self.begin(more="TLSVerifyClient demand")
        self.assert_in(self.log_in("bob", "builder"), "bob")
        self.assert_refused(self.log_in("bob", "x"), UNAVAILABLE)
        for name in ("start", "tls"):
            self.told(name, f"want a client's certificate ..ldap {name}")
        for name in ("shown", "shown-tls"):
            self.assertNotRegex(self.site.bridges[0].process.text(), f"ldap:{name}[: ]")
