"""Ways to log in through xmppd and callbridged: channel binding, tokens, certificates, guests."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
from pathlib import Path
from typing import Any

from cryptography import x509
from scramp import ScramClient
from twisted.trial import unittest

from tests.support import people
from tests.support.ca import CertificateAuthority
from tests.support.rawstream import RawStream
from tests.support.shared import shared_site
from tests.support.site import Site, making
from tests.support.waiting import wait_until

CODE = "open sesame"
AGENT = "d4565fa7-4d72-4749-b3d3-740edbf87770"
FAST = "urn:xmpp:fast:0"
XMPP_ADDRESS = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.5")


def encode(data: str | bytes) -> str:
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


class GuestSite(Site):
    """One xmppd and one Call Bridge, with guests and an authority for users' certificates."""

    def __init__(self) -> None:
        super().__init__()
        self.users_ca = CertificateAuthority(self.directory / "users-ca", "Users CA")


def make_site() -> GuestSite:
    """Started, with the user alice."""
    with making(GuestSite()) as site:
        users = site.users_ca.certificate_path
        site.server(settings={"tls": {"client_ca": users}})
        guest = {"enabled": "yes", "access_code": CODE}
        site.enrol(site.bridge(settings={"tls": {"user_ca": users}, "guest": guest}))
        site.user("alice", "wonderland")
        site.start()
    return site


class WaysInTests(unittest.SynchronousTestCase):
    """A client by hand, with SASL2."""

    def setUp(self) -> None:
        self.site = shared_site(type(self), make_site)
        self.bridge = self.site.bridges[0]
        self.certificate = b""

    def connect(self, shown: tuple[Path, Path] | None = None) -> RawStream:
        """A stream over TLS whose features are still to be read."""
        server = self.site.servers[0]
        stream = RawStream(server.address, server.client_port)
        self.addCleanup(stream.close)
        self.certificate = stream.start_tls(self.site.ca.certificate_path, self.site.domain, shown)
        return stream

    def authenticate(self, stream: RawStream, mechanism: str, data: bytes, more: str = "") -> str:
        """Answer the ``<challenge/>``, ``<success/>`` or ``<failure/>``."""
        stream.read_until("</stream:features>")
        stream.send(
            f"<authenticate xmlns='urn:xmpp:sasl:2' mechanism='{mechanism}'>"
            f"<initial-response>{encode(data) or '='}</initial-response>"
            f"<user-agent id='{AGENT}'/><bind xmlns='urn:xmpp:bind:0'/>{more}</authenticate>"
        )
        return stream.read_until("</(success|failure|challenge)>").decode()

    def ctl(self, *arguments: str) -> str:
        """What the command prints."""
        return str(self.bridge.command(*arguments).stdout)

    def log_in(self, mechanism: str, data: bytes, more: str = "") -> str:
        return self.authenticate(self.connect(), mechanism, data, more)

    def get_token(self, mechanism: str) -> str:
        wanted = f"<request-token xmlns='{FAST}' mechanism='{mechanism}'/>"
        answer = self.log_in("PLAIN", b"\0alice\0wonderland", wanted)
        found = re.search(r"<token\b[^>]*\btoken='([^']+)'", answer)
        assert found, answer + self.bridge.explain()
        return found[1]

    def use_token(self, token: str, mechanism: str, more: str = "") -> str:
        stream = self.connect()
        bound = hashlib.sha256(self.certificate).digest() if mechanism.endswith("ENDP") else b""
        proof = hmac.digest(token.encode(), b"Initiator" + bound, "sha256")
        fast = f"<fast xmlns='{FAST}'{more}/>"
        answer = self.authenticate(stream, mechanism, b"alice\0" + proof, fast)
        if "<success" in answer:
            response = hmac.digest(token.encode(), b"Responder" + bound, "sha256")
            self.assertIn(encode(response), answer)
        return answer

    def test_token(self) -> None:
        """A token lets its user in, with and without channel binding, until it is used up."""
        for mechanism in ("HT-SHA-256-NONE", "HT-SHA-256-ENDP"):
            token = self.get_token(mechanism)
            self.assertIn("alice@example.com/", self.use_token(token, mechanism))
            self.assertIn("<success", self.use_token(token, mechanism, " invalidate='true'"))
            self.assertIn("<not-authorized", self.use_token(token, mechanism))

    def test_token_and_password(self) -> None:
        """Another password ends the token; a restart does not."""
        token = self.get_token("HT-SHA-256-NONE")
        self.bridge.stop()
        self.bridge.start()
        self.site.servers[0].wait_serving(self.bridge.name)
        self.assertIn("<success", self.use_token(token, "HT-SHA-256-NONE"))
        self.bridge.command("user", "passwd", "alice", typed="wonderland\n")
        answer = self.use_token(token, "HT-SHA-256-NONE")
        self.assertIn("<credentials-expired", answer, self.bridge.explain())

    def test_scram_plus(self) -> None:
        """Each SCRAM mechanism binds to the server's certificate."""
        for scheme in ("SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"):
            stream = self.connect()
            data = hashlib.sha256(self.certificate).digest()
            client = ScramClient(
                [f"{scheme}-PLUS"], "alice", "wonderland", ("tls-server-end-point", data)
            )
            first = client.get_client_first().encode()
            challenge = self.authenticate(stream, client.mechanism_name, first)
            text = re.search(r">([^<]+)</challenge", challenge)
            assert text, challenge + self.bridge.explain()
            server_first = base64.b64decode(text[1]).decode()
            self.assertIn(",h=", server_first)
            client.set_server_first(server_first)
            final = encode(client.get_client_final())
            stream.send(f"<response xmlns='urn:xmpp:sasl:2'>{final}</response>")
            success = stream.read_until("</(success|failure)>").decode()
            said = re.search(r"<additional-data>([^<]+)<", success)
            assert said, success + self.bridge.explain()
            client.set_server_final(base64.b64decode(said[1]).decode())

    def test_certificate(self) -> None:
        """A certificate of the users' authority with alice's address lets alice in."""
        self.assertNotIn(b"EXTERNAL", self.connect().read_until("</stream:features>"))
        shown = self.certificate_of_alice()
        for authzid in (b"", b"alice@example.com"):
            answer = self.authenticate(self.connect(shown), "EXTERNAL", authzid)
            self.assertIn("alice@example.com/", answer, self.bridge.explain())
        answer = self.authenticate(self.connect(shown), "EXTERNAL", b"bob@example.com")
        self.assertIn("<invalid-authzid", answer)

    def certificate_of_alice(self) -> tuple[Path, Path]:
        octets = b"alice@example.com"
        name = x509.OtherName(XMPP_ADDRESS, bytes([0x0C, len(octets)]) + octets)
        assert isinstance(self.site, GuestSite)
        return self.site.users_ca.issue("alice", other=[name])

    def test_foreign(self) -> None:
        """slixmpp gets in with a certificate, and as a guest with the access code."""
        shown = self.certificate_of_alice()
        login = self.slixmpp("alice", "", "EXTERNAL", certificate=shown)
        self.assertRegex(login.jid or "", r"^alice@example\.com/", repr(login))
        login = self.slixmpp("guest", CODE, "SCRAM-SHA-256")
        self.assertRegex(login.jid or "", r"^guest[0-9]+@example\.com/", repr(login))

    def slixmpp(self, user: str, password: str, mechanism: str, **more: Any) -> people.Login:
        server = self.site.servers[0]
        authority = self.site.ca.certificate_path
        where = (server.address, server.client_port, f"{user}@example.com", password, authority)
        return asyncio.run(people.log_in(*where, mechanism, **more))

    def test_guest(self) -> None:
        """A guest with the code gets a name, is listed while there, and gone afterwards."""
        stream = self.connect()
        answer = self.authenticate(stream, "PLAIN", f"\0guest\0{CODE}".encode())
        found = re.search(r"(guest[0-9]{10})@example.com/", answer)
        assert found, answer + self.bridge.explain()
        self.assertIn(found[1], self.ctl("guests"))
        stream.close()
        wait_until("the guest is gone", lambda: found[1] not in self.ctl("guests"))
        self.assertIn("<not-authorized", self.log_in("PLAIN", b"\0guest\0x"))

    def test_kick(self) -> None:
        """kick ends a user's sessions, whatever they came in by, and says how many."""
        streams = [self.connect() for _ in range(2)]
        self.authenticate(streams[0], "PLAIN", f"\0guest\0{CODE}".encode())
        answer = self.authenticate(streams[1], "PLAIN", f"\0guest\0{CODE}".encode())
        found = re.search(r"(guest[0-9]{10})@", answer)
        assert found, answer
        said = self.ctl("kick", found[1], "--reason", "The meeting is over.")
        self.assertIn("Sessions ended: 1, at 1 XMPP server.", said)
        self.assertIn(b"The meeting is over.", streams[1].read_to_end())
        self.assertIn("ended: 0", self.ctl("kick", found[1]))

    def test_user_removed(self) -> None:
        """A user who is removed is thrown out, and the token is worth nothing."""
        self.site.user("bob", "builder")
        stream = self.connect()
        wanted = f"<request-token xmlns='{FAST}' mechanism='HT-SHA-256-NONE'/>"
        answer = self.authenticate(stream, "PLAIN", b"\0bob\0builder", wanted)
        found = re.search(r"\btoken='([^']+)'", answer)
        assert found, answer + self.bridge.explain()
        said = self.ctl("user", "del", "bob")
        self.assertIn("bob may not log in any more.\nSessions ended: 1, at 1 XMPP server.", said)
        self.assertIn(b"This account has been removed.", stream.read_to_end())
        proof = hmac.digest(found[1].encode(), b"Initiator", "sha256")
        answer = self.log_in("HT-SHA-256-NONE", b"bob\0" + proof, f"<fast xmlns='{FAST}'/>")
        self.assertIn("<not-authorized", answer)
