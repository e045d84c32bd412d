"""SCRAM with keys out of a directory (RFC 5803), and users' certificates and tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Any

from cryptography import x509
from scramp import ScramClient

from callbridged.scram_keys import SCHEMES, ScramKeys
from callbridged.scram_text import format_keys
from tests.integration.backends.directories import DirectoryCase, DirectorySite
from tests.support.rawstream import RawStream
from tests.support.shared import shared_site
from tests.support.site import making

XMPP_ADDRESS = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.5")
DISABLED, WRONG = "account-disabled", "not-authorized"
AGENT = "d4565fa7-4d72-4749-b3d3-740edbf87770"
FAST = "urn:xmpp:fast:0"


def keys(password: str) -> tuple[str, ...]:
    """The values of authPassword, for all mechanisms."""
    return tuple(format_keys(one, ScramKeys.derive(one, password)) for one in SCHEMES)


def make_site() -> DirectorySite:
    """Started. Users have keys, and a password that is another, to tell which was looked at."""
    with making(DirectorySite()) as site:
        settings = site.slapd.settings(
            mechanisms="PLAIN, " + ", ".join(SCHEMES), scram_attribute="authPassword"
        )
        site.begin({"keys": settings}, timeout="5s")
        site.slapd.add_user("bob", "plain", authPassword=keys("builder"))
    return site


class KeysCase(DirectoryCase):
    """One site for all of them."""

    def setUp(self) -> None:
        site = shared_site(KeysCase, make_site)
        assert isinstance(site, DirectorySite)
        self.site = site

    def stream(self) -> tuple[RawStream, bytes]:
        """A stream whose features are read, and the server's certificate."""
        server = self.site.servers[0]
        stream = RawStream(server.address, server.client_port)
        self.addCleanup(stream.close)
        shown = stream.start_tls(self.site.ca.certificate_path, self.site.domain)
        stream.read_until("</stream:features>")
        return stream, shown

    def authenticate(self, stream: RawStream, mechanism: str, data: bytes, more: str = "") -> str:
        """Begin an exchange of SASL2, and answer what comes."""
        stream.send(
            f"<authenticate xmlns='urn:xmpp:sasl:2' mechanism='{mechanism}'>"
            f"<initial-response>{base64.b64encode(data).decode()}</initial-response>"
            f"<user-agent id='{AGENT}'/><bind xmlns='urn:xmpp:bind:0'/>{more}</authenticate>"
        )
        return stream.read_until("</(success|failure|challenge)>").decode()


class ScramTests(KeysCase):
    """The password does not leave the client."""

    def test_scram(self) -> None:
        """Each mechanism lets the user in by the right key alone, and PLAIN by a bind."""
        for mechanism in SCHEMES:
            self.assert_in(self.log_in("bob", "builder", mechanism=mechanism), "bob")
            for name, password in (("bob", "plain"), ("nobody", "builder")):
                self.assert_refused(self.log_in(name, password, mechanism=mechanism), WRONG)
        self.assert_in(self.log_in("bob", "plain"), "bob")
        self.assert_refused(self.log_in("bob", "builder"), WRONG)

    def test_plus(self) -> None:
        """A login is bound to its TLS connection."""
        stream, shown = self.stream()
        binding = ("tls-server-end-point", hashlib.sha256(shown).digest())
        client = ScramClient(["SCRAM-SHA-256-PLUS"], "bob", "builder", binding)
        first = client.get_client_first().encode()
        challenge = self.authenticate(stream, "SCRAM-SHA-256-PLUS", first)
        client.set_server_first(self.inside(challenge, "challenge"))
        final = base64.b64encode(client.get_client_final().encode()).decode()
        stream.send(f"<response xmlns='urn:xmpp:sasl:2'>{final}</response>")
        success = stream.read_until("</(success|failure)>").decode()
        client.set_server_final(self.inside(success, "additional-data"))

    def inside(self, answer: str, name: str) -> str:
        found = re.search(rf"<{name}[^>]*>([^<]+)<", answer)
        assert found, answer + self.site.bridges[0].explain()
        return base64.b64decode(found[1]).decode()

    def test_disabled(self) -> None:
        """Who is disabled hears it after the right proof alone."""
        self.slapd.add_user("off", "x", authPassword=keys("builder"), nsAccountLock="TRUE")
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-1"):
            self.assert_refused(self.log_in("off", "builder", mechanism=mechanism), DISABLED)
            self.assert_refused(self.log_in("off", "x", mechanism=mechanism), WRONG)

    def test_broken(self) -> None:
        """Keys that are broken are no wrong password, and the log shows none of them."""
        damaged = keys("builder")[0][:-8]
        self.slapd.add_user("broken", "x", authPassword=damaged)
        login = self.log_in("broken", "builder", mechanism="SCRAM-SHA-256")
        self.assert_refused(login, "temporary-auth-failure")
        self.said("ldap:keys: the attribute authPassword of uid=broken,.* its value for SCRAM")
        self.assertNotIn(damaged[-20:], self.site.bridges[0].process.text())


class AccountTests(KeysCase):
    """Who is a user, without a password."""

    def certificate_of(self, name: str) -> Any:
        octets = f"{name}@example.com".encode()
        other = x509.OtherName(XMPP_ADDRESS, bytes([0x0C, len(octets)]) + octets)
        return self.site.users_ca.issue(name, other=[other])

    def test_certificate(self) -> None:
        """A user's certificate counts while the directory has the user, and not as disabled."""
        dn = self.slapd.add_user("carol", "x")
        shown = self.certificate_of("carol")

        def log_in() -> Any:
            return self.log_in("carol", "", mechanism="EXTERNAL", certificate=shown)

        self.assert_in(log_in(), "carol")
        self.slapd.modify(dn, "nsAccountLock", "TRUE")
        self.assert_refused(log_in(), WRONG)
        self.slapd.modify(dn, "nsAccountLock")
        self.assert_in(log_in(), "carol")
        self.slapd.delete(dn)
        self.assert_refused(log_in(), WRONG)

    def test_token(self) -> None:
        """A token ends with the password."""
        dn = self.slapd.add_user("dave", "x", authPassword=keys("x"))
        wanted = f"<request-token xmlns='{FAST}' mechanism='HT-SHA-256-NONE'/>"
        answer = self.authenticate(self.stream()[0], "PLAIN", b"\0dave\0x", wanted)
        found = re.search(r"\btoken='([^']+)'", answer)
        assert found, answer + self.site.bridges[0].explain()
        proof = b"dave\0" + hmac.digest(found[1].encode(), b"Initiator", "sha256")

        def log_in() -> str:
            stream, _ = self.stream()
            return self.authenticate(stream, "HT-SHA-256-NONE", proof, f"<fast xmlns='{FAST}'/>")

        self.assertIn("dave@example.com/", log_in())
        self.slapd.modify(dn, "pwdChangedTime", "20990101000000Z")
        self.assertIn("<credentials-expired", log_in())
