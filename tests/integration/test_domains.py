"""Two domains on one xmppd: two authorities, two Call Bridges, two users who are both alice."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any

from cryptography import x509
from slixmpp.exceptions import IqError
from twisted.trial import unittest

from tests.support import people
from tests.support.ca import CertificateAuthority
from tests.support.rawstream import (
    RawStream,
    client_header,
    component_digest,
    component_header,
    plain,
)
from tests.support.shared import shared_site
from tests.support.site import CallBridge, Site, XmppServer, making

COM, ORG = "example.com", "example.org"
PASSWORDS = {COM: "wonderland", ORG: "looking-glass"}
SECRET = "secret-by-hand"
LOGIN = "urn:x-callbridge:login:1"


class TwoDomains(Site):
    """example.com as any site has it; example.org, of other people, on the same server."""

    org_ca: CertificateAuthority
    org_bridge: CallBridge

    @classmethod
    def started(cls) -> TwoDomains:
        with making(cls()) as site:
            site.make()
            site.start()
        return site

    def make(self) -> None:
        self.org_ca = CertificateAuthority(self.directory / "org-ca", "Org CA")
        certificate, key = self.org_ca.issue("org", dns=[ORG], ip=["127.0.0.2"])
        further = {
            "certificate": certificate,
            "private_key": key,
            "client_ca": self.org_ca.certificate_path,
        }
        server = self.server(settings={f"domain {ORG}": further})
        users_ca = {"user_ca": self.org_ca.certificate_path}  # that both serve EXTERNAL
        self.enrol(self.bridge(settings={"tls": users_ca}))
        self.user("alice", PASSWORDS[COM])
        self.user("bob", PASSWORDS[COM])
        users = self.directory / "org-users"
        users.touch(mode=0o600)
        self.org_bridge = self.bridge(
            "orgbridge",
            certificate_names=[f"orgbridge.{ORG}"],
            settings={
                "callbridge": {
                    "domain": ORG,
                    "server_address": f"{server.address}:{server.component_port}",
                },
                "tls": {"xmpp_ca": self.org_ca.certificate_path, **users_ca},
                "users": {"backend": f"file:{users}"},
            },
        )
        secret = self.org_bridge.secret_file.read_text()
        server.command("callbridge", "add-secret", "orgbridge", "--domain", ORG, typed=secret)
        self.org_bridge.command("user", "add", "alice", typed=PASSWORDS[ORG] + "\n")
        for domain in (COM, ORG):
            server.command("callbridge", "add-secret", "hand", "--domain", domain, typed=SECRET)

    def authority(self, domain: str) -> Path:
        return (self.ca if domain == COM else self.org_ca).certificate_path


class DomainTests(unittest.SynchronousTestCase):
    """What users and Call Bridges of the two see."""

    site: TwoDomains

    def setUp(self) -> None:
        site = shared_site(type(self), TwoDomains.started)
        assert isinstance(site, TwoDomains)
        self.site = site

    @property
    def server(self) -> XmppServer:
        return self.site.servers[0]

    def log_in(
        self, domain: str, password: str | None = None, user: str = "alice", **more: Any
    ) -> people.Login:
        """Log in by slixmpp, which looks for ``domain`` in the certificate."""
        return asyncio.run(
            people.log_in(
                self.server.address,
                self.server.client_port,
                f"{user}@{domain}/test",
                PASSWORDS[domain] if password is None else password,
                self.site.authority(domain),
                **more,
            )
        )

    def starttls(self, to: str) -> RawStream:
        stream = RawStream(self.server.address, self.server.client_port)
        self.addCleanup(stream.close)
        stream.send(client_header(to))
        stream.read_until("</stream:features>")
        stream.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        stream.read_until("<proceed[^>]*/>")
        return stream

    def component(self, domain: str) -> RawStream:
        """Register as ``hand.<domain>``, by hand."""
        stream = RawStream(self.server.address, self.server.component_port)
        self.addCleanup(stream.close)
        certificate = self.site.ca.issue(f"hand-{domain}", dns=[f"hand.{domain}"])
        stream.secure(self.site.authority(domain), domain, certificate)
        stream.send(component_header(f"hand.{domain}"))
        digest = component_digest(stream.read_until("<stream:stream[^>]*>"), SECRET)
        stream.send(f"<handshake>{digest}</handshake>")
        stream.read_until("<handshake[^>]*/>")
        return stream

    def ask(self, stream: RawStream, domain: str, to: str, payload: str) -> bytes:
        stream.send(f"<iq type='set' id='x' from='hand.{domain}' to='{to}'>{payload}</iq>")
        return stream.read_until("<iq[^>]* id='x'[^>]*(/>|.*</iq>)")

    def test_logins(self) -> None:
        """The same name is two users, each with the certificate, the password and the Call Bridge
        of their domain."""
        for domain in (COM, ORG):
            for mechanism in ("SCRAM-SHA-256", "PLAIN"):
                login = self.log_in(domain, mechanism=mechanism)
                self.assertEqual(login.jid, f"alice@{domain}/test", self.server.explain())
        for user, bridge in ((f"alice@{COM}", f"cb1.{COM}"), (f"alice@{ORG}", f"orgbridge.{ORG}")):
            self.server.process.wait_for(f"{user}[^ ]* from .* answered by {bridge}")
        self.assertNotRegex(self.server.process.text(), f"alice@{ORG}.* answered by cb1")

    def test_not_at_the_other_domain(self) -> None:
        """Nobody logs in to one domain with what is good for the other."""
        for domain, password, user in (
            (ORG, PASSWORDS[COM], "alice"),
            (COM, PASSWORDS[ORG], "alice"),
            (ORG, PASSWORDS[COM], "bob"),
        ):
            login = self.log_in(domain, password, user)
            self.assertEqual((login.jid, login.failures), (None, ["not-authorized"]))

    def test_certificate_without_sni(self) -> None:
        """A client that names no server in TLS gets the certificate of its stream's domain."""
        for domain in (COM, ORG):
            der = self.starttls(domain).secure(self.site.authority(domain), None)
            names = x509.load_der_x509_certificate(der).extensions
            self.assertIn(
                domain,
                names.get_extension_for_class(
                    x509.SubjectAlternativeName
                ).value.get_values_for_type(x509.DNSName),
            )

    def test_header_after_tls(self) -> None:
        """After TLS the stream may be for the other domain, but for none that is not served."""
        for to, answer in ((COM, "</stream:features>"), ("example.net", "<host-unknown")):
            stream = self.starttls(ORG)
            stream.secure(self.site.authority(ORG), ORG)
            stream.send(client_header(to))
            stream.read_until(answer)

    def test_client_certificate(self) -> None:
        """Only where a domain has a client_ca is a client asked for its certificate, which then
        must be good."""
        good = self.site.org_ca.issue("alice", server=False)
        bad = self.site.ca.issue("mallory", server=False)
        for domain, certificate, welcome in (
            (ORG, good, True),
            (ORG, None, True),
            (ORG, bad, False),
            (COM, bad, True),
        ):
            stream = self.starttls(domain)
            try:
                stream.secure(self.site.authority(domain), domain, certificate)
            except ssl.SSLError:  # TLS 1.2: the client hears it at once
                self.assertFalse(welcome)
                continue
            stream.send(client_header(domain))
            if welcome:
                stream.read_until("</stream:features>")
            else:
                self.assertEqual(stream.read_to_end(), b"")

    def test_certificate_counts_at_its_domain(self) -> None:
        """A certificate that one domain has verified is nothing to log in with at the other."""
        good = self.site.org_ca.issue("alice", server=False)
        for to, offered in ((ORG, True), (COM, False)):
            stream = self.starttls(ORG)
            stream.secure(self.site.authority(ORG), ORG, good)
            stream.send(client_header(to))
            features = stream.read_until("</stream:features>")
            self.assertEqual(b"<mechanism>EXTERNAL</mechanism>" in features, offered, features)

    def test_no_way_across(self) -> None:
        """A user reaches neither the users nor the Call Bridges of the other domain."""
        conditions: list[str] = []

        async def ask(client: Any) -> None:
            for to in (f"alice@{ORG}/test", f"orgbridge.{ORG}", ORG):
                try:
                    await client["xep_0199"].send_ping(to, timeout=10)
                except IqError as error:
                    conditions.append(error.condition)

        self.log_in(COM, then=ask)
        self.assertEqual(conditions, ["remote-server-not-found"] * 3)

    def test_offer_to_the_other_domain(self) -> None:
        """A Call Bridge of one domain cannot offer to answer the logins of the other."""
        stream = self.component(ORG)
        offer = f"<serve xmlns='{LOGIN}' capacity='9'><mechanism>PLAIN</mechanism></serve>"
        self.assertIn(b"remote-server-not-found", self.ask(stream, ORG, COM, offer))
        entry = self.server.callbridge("hand")
        links = [one for one in self.server.status()["callbridges"] if one["name"] == "hand"]
        self.assertEqual([one["domain"] for one in links], [COM, ORG], entry)
        self.assertEqual([one["mechanisms"] for one in links], [[], []])
        stream.send(f"<message from='orgbridge.{ORG}' to='alice@{ORG}'/>")
        self.assertEqual(stream.stream_error(), "invalid-from")

    def test_name_of_the_other_domain(self) -> None:
        """A certificate of one domain's Call Bridge is no good for the other domain."""
        stream = RawStream(self.server.address, self.server.component_port)
        self.addCleanup(stream.close)
        certificate = self.site.ca.issue("hand-org", dns=[f"hand.{ORG}"])
        stream.secure(self.site.authority(COM), COM, certificate)
        stream.send(component_header(f"hand.{COM}"))
        self.assertEqual(stream.stream_error(), "not-authorized")

    def in_a_session(self, domain: str, act: Any) -> tuple[Any, str]:
        """Do ``act`` while alice is logged in; answer its result, and how her stream ended."""
        seen: list[Any] = []
        ended: list[str] = []

        async def watch(client: Any) -> None:
            over = asyncio.get_running_loop().create_future()

            def note(error: Any) -> None:
                ended.append(error["condition"])
                if not over.done():
                    over.set_result(None)

            client.add_event_handler("stream_error", note)
            seen.append(await asyncio.to_thread(act))
            await over

        login = self.log_in(domain, then=watch)
        self.assertEqual(len(ended), 1, f"{login} {self.server.explain()}")
        return seen[0], ended[0]

    def test_kick(self) -> None:
        """An operator sees a session, and ends it; the other domain's alice is not meant."""

        def act() -> dict[str, Any]:
            listed = json.loads(self.server.command("--json", "sessions").stdout)
            self.server.command("kick", f"alice@{COM}", check=False)
            kicked = self.server.command("kick", f"alice@{ORG}", "--reason", "see you", "--json")
            return {"listed": listed, **json.loads(kicked.stdout)}

        result, condition = self.in_a_session(ORG, act)
        self.assertEqual((result["ended"], condition), (1, "policy-violation"))
        (session,) = result["listed"]["sessions"]
        self.assertEqual(session["jid"], f"alice@{ORG}/test")
        self.assertEqual(session["callbridge"], f"orgbridge.{ORG}")
        self.assertEqual(session["mechanism"], "SCRAM-SHA-256")
        again = self.server.command("kick", f"alice@{ORG}", check=False)
        self.assertEqual(again.returncode, 1)

    def test_callbridge_ends_sessions(self) -> None:
        """A Call Bridge ends the sessions of a user of its domain."""
        stream = self.component(COM)
        serve = f"<serve xmlns='{LOGIN}' capacity='0'><mechanism>PLAIN</mechanism></serve>"
        order = f"<end-sessions xmlns='{LOGIN}' username='alice' reason='account closed'/>"
        self.assertIn(b"<forbidden", self.ask(stream, COM, COM, order))
        self.assertIn(b"type='result'", self.ask(stream, COM, COM, serve))

        answer, condition = self.in_a_session(COM, lambda: self.ask(stream, COM, COM, order))
        self.assertIn(b"count='1'", answer)
        self.assertEqual(condition, "not-authorized")
        self.assertIn(b"count='0'", self.ask(stream, COM, COM, order))
        self.server.process.wait_for(
            r"step 12 \(login\): hand\.example\.com ended 1 session of alice@example\.com: acc"
        )

    def test_status(self) -> None:
        """Status and list name the domain of each Call Bridge."""
        status = self.server.status()
        self.assertEqual([one["domain"] for one in status["domains"]], [COM, ORG])
        listed = self.server.command("callbridge", "list").stdout
        self.assertRegex(listed, r"(?m)^cb1 +example\.com +registered$")
        self.assertRegex(listed, r"(?m)^orgbridge +example\.org +registered$")

    def test_login_by_hand(self) -> None:
        """PLAIN over a stream to example.org asks example.org's Call Bridge, not the other; who is
        in cannot go on at the other domain."""
        stream = self.starttls(ORG)
        stream.secure(self.site.authority(ORG), ORG)
        stream.send(client_header(ORG))
        stream.read_until("</stream:features>")
        stream.send(plain("alice", PASSWORDS[COM]))
        stream.read_until("<not-authorized")
        stream.send(plain("alice", PASSWORDS[ORG]))
        stream.read_until("<success")
        stream.send(client_header(COM))
        self.assertEqual(stream.stream_error(), "host-unknown")
