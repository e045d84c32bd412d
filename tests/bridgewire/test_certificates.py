"""Tests of bridgewire.certificates: whose a certificate is, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509

from bridgewire.certificates import (
    Policy,
    check_callbridge_name,
    check_host_name,
    check_server_names,
    check_validity,
)
from bridgewire.steps import Reason, Step, StepFailure
from tests.bridgewire.certificate_case import DAY, DOMAIN, HOST, CertificateCase


class ServerNamesTests(CertificateCase):
    """The names that the XMPP server's certificate has to carry."""

    def refused(
        self,
        certificate: x509.Certificate,
        policy: Policy = "domain+host",
        domain: str = DOMAIN,
        host: str = HOST,
    ) -> StepFailure:
        failure = self.assertRaises(
            StepFailure, check_server_names, certificate, domain, host, policy
        )
        self.assertEqual(
            (failure.step, failure.reason), (Step.CERTIFICATE, Reason.CERTIFICATE_NAME_MISMATCH)
        )
        return failure

    def test_both(self) -> None:
        """Domain and host as DNS names are enough, in any case of letters."""
        check_server_names(
            self.certificate(dns=("XMPP1.example.com", "Example.COM")),
            DOMAIN,
            HOST,
            "domain+host",
        )

    def test_final_dot(self) -> None:
        """The dot that ends a target in an SRV record does not matter."""
        check_server_names(self.certificate(dns=(HOST, DOMAIN)), DOMAIN, f"{HOST}.", "domain+host")

    def test_domain_missing(self) -> None:
        """Without the domain the text says so, what was offered, and what to add."""
        failure = self.refused(self.certificate(dns=(HOST,)))
        self.assertEqual(
            failure.text,
            "The XMPP server's certificate lacks the XMPP domain example.com; "
            "it offers xmpp1.example.com.",
        )
        self.assertIn("DNS:example.com and DNS:xmpp1.example.com", failure.remedy)
        self.assertNotIn("verify = domain", failure.remedy)

    def test_host_missing(self) -> None:
        """Without the host the text says so, and names the setting that leaves it out."""
        failure = self.refused(self.certificate(dns=(DOMAIN,)))
        self.assertEqual(
            failure.text,
            "The XMPP server's certificate lacks the server's host name xmpp1.example.com; "
            "it offers example.com.",
        )
        self.assertIn("verify = domain", failure.remedy)

    def test_both_missing(self) -> None:
        """Both missing names are told at once."""
        failure = self.refused(self.certificate(dns=("other.example.org",)))
        self.assertIn("the XMPP domain example.com and the server's host name", failure.text)

    def test_policy_domain(self) -> None:
        """Under verify = domain the host is not looked for, and not asked for."""
        check_server_names(self.certificate(dns=(DOMAIN,)), DOMAIN, HOST, "domain")
        failure = self.refused(self.certificate(dns=(HOST,)), "domain")
        self.assertIn("anew with DNS:example.com as", failure.remedy)

    def test_srv_names(self) -> None:
        """An SRV name of each XMPP service stands for the domain."""
        for service in ("_xmpp-component", "_xmpp-server", "_xmpp-client"):
            check_server_names(
                self.certificate(dns=(HOST,), srv=(f"{service}.{DOMAIN}",)),
                DOMAIN,
                HOST,
                "domain+host",
            )

    def test_srv_name_of_another_service(self) -> None:
        """Other services, other domains and a service for the host do not count."""
        offered = ("_sip.example.com", "_xmpp-server.example.org", f"_xmpp-server.{HOST}")
        failure = self.refused(self.certificate(srv=offered))
        self.assertIn("example.com and the server's host name", failure.text)
        self.assertIn("SRV _sip.example.com", failure.text)

    def test_wildcard(self) -> None:
        """A wildcard stands for one label, and so for the host but not for the domain itself."""
        wildcard = self.certificate(dns=("*.example.com", DOMAIN))
        check_server_names(wildcard, DOMAIN, HOST, "domain+host")
        self.assertIn(
            "the XMPP domain", self.refused(self.certificate(dns=("*.example.com",))).text
        )
        self.refused(wildcard, host="a.b.example.com")
        self.refused(self.certificate(dns=("*.com", HOST)))

    def test_ip_address(self) -> None:
        """A host that is an address literal needs an IP name; its digits as DNS name are none."""
        for literal in ("192.0.2.1", "2001:db8::1", "[2001:0db8::0001]"):
            good = self.certificate(dns=(DOMAIN,), ip=("192.0.2.1", "2001:db8::1"))
            check_server_names(good, DOMAIN, literal, "domain+host")
        failure = self.refused(self.certificate(dns=(DOMAIN, "192.0.2.1")), host="192.0.2.1")
        self.assertIn("IP:192.0.2.1", failure.remedy)
        # Four bytes of text are no packed address.
        self.refused(self.certificate(dns=(DOMAIN,), ip=("1::2",)), host="49.58.58.50")

    def test_no_names_at_all(self) -> None:
        """Without the extension the common name does not stand in."""
        failure = self.refused(self.certificate(common_name=DOMAIN), "domain")
        self.assertIn("offers no names (its subject CN=example.com does not count)", failure.text)

    def test_internationalized(self) -> None:
        """Names of ours in Unicode are looked for as A-labels, and shown as both."""
        certificate = self.certificate(dns=("xn--bcher-kva.example", "xmpp.xn--bcher-kva.example"))
        check_server_names(certificate, "bücher.example", "xmpp.Bücher.example", "domain+host")
        check_server_names(
            certificate, "xn--bcher-kva.example", "xmpp.xn--bcher-kva.example", "domain+host"
        )
        failure = self.refused(certificate, domain="käse.example", host="xmpp.bücher.example")
        self.assertIn("xn--kse-qla.example (käse.example)", failure.text)
        self.assertIn("DNS:xn--kse-qla.example", failure.remedy)

    def test_impossible_names(self) -> None:
        """A name that no certificate could carry is missing, and no error of ours."""
        for domain in ("", "exa mple.com", "a..b", "ä" * 80):
            self.refused(self.certificate(dns=(HOST,)), domain=domain)

    def test_malformed_neighbours(self) -> None:
        """A malformed name, or one of a kind that we do not know, takes no other's worth."""
        certificate = self.certificate(
            dns=("a.*.example.com", "192.0.2.1", DOMAIN, HOST),
            srv=("no-underscore", "_nodot"),
            other=(x509.UniformResourceIdentifier("urn:uuid:1:2"),),
        )
        check_server_names(certificate, DOMAIN, HOST, "domain+host")


class CallbridgeNameTests(CertificateCase):
    """The name that a Call Bridge's certificate has to carry."""

    def test_present(self) -> None:
        """The component's name as DNS name is enough."""
        check_callbridge_name(self.certificate(dns=("cb1.example.com",)), "cb1.example.com")

    def test_other_names(self) -> None:
        """Another Call Bridge's name, the domain, or a wildcard for all of them is refused."""
        for offered in ("cb2.example.com", DOMAIN, "*.example.com"):
            failure = self.assertRaises(
                StepFailure,
                check_callbridge_name,
                self.certificate(dns=(offered,), common_name="cb1.example.com"),
                "cb1.example.com",
            )
            self.assertEqual(failure.reason, Reason.CERTIFICATE_NAME_MISMATCH)
            self.assertEqual(
                failure.text,
                "The Call Bridge's certificate lacks the component name cb1.example.com; "
                f"it offers {offered}.",
            )
            self.assertIn("DNS:cb1.example.com", failure.remedy)


class HostNameTests(CertificateCase):
    """`check_host_name`."""

    def test_present(self) -> None:
        """As it is, by a wildcard, as an address, and with an international name."""
        for certificate, host in (
            (self.certificate(dns=("hook.example.com",)), "hook.example.com"),
            (self.certificate(dns=("*.example.com",)), "hook.example.com"),
            (self.certificate(ip=("2001:db8::1",)), "2001:db8::1"),
            (self.certificate(dns=("xn--bcher-kva.example",)), "bücher.example"),
        ):
            check_host_name(certificate, host, "Its", "correct it")

    def test_other_names(self) -> None:
        """Another name, a common name and a name in the place of an address do not count."""
        for certificate, host in (
            (self.certificate(dns=("example.com",)), "hook.example.com"),
            (self.certificate(common_name="hook.example.com"), "hook.example.com"),
            (self.certificate(dns=("192.0.2.1",)), "192.0.2.1"),
        ):
            failure = self.assertRaises(
                StepFailure, check_host_name, certificate, host, "Its", "correct it"
            )
            self.assertEqual(failure.reason, Reason.CERTIFICATE_NAME_MISMATCH)
            self.assertIn(f"Its certificate lacks the host name {host}", failure.text)
            self.assertTrue(failure.remedy.endswith("or correct it."), failure.remedy)


class ValidityTests(CertificateCase):
    """check_validity."""

    def test_within_and_outside(self) -> None:
        """Inside its time a certificate passes; before and after, the text has the date."""
        start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
        certificate = self.certificate(not_before=start, not_after=end)
        check_validity(certificate, start)
        check_validity(certificate, end)
        for now, said in (
            (end + DAY, "expired on 2026-02-01 00:00 UTC"),
            (start - DAY, "is not valid before 2026-01-01 00:00 UTC"),
        ):
            failure = self.assertRaises(StepFailure, check_validity, certificate, now)
            self.assertEqual(failure.reason, Reason.CERTIFICATE_EXPIRED)
            self.assertIn(said, failure.text)
