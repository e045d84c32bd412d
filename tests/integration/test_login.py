"""A foreign client logs in through xmppd and callbridged."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from twisted.trial import unittest

from tests.support import people
from tests.support.rawstream import RawStream, client_header, plain
from tests.support.shared import shared_site
from tests.support.site import Site, started_small_site

PASSWORD = "wonderland"


class LoginTests(unittest.SynchronousTestCase):
    """One xmppd, one Call Bridge, slixmpp as the client."""

    def setUp(self) -> None:
        self.site = shared_site(type(self), started_small_site)

    def log_in(self, password: str = PASSWORD, user: str = "alice", **more: Any) -> people.Login:
        server = self.site.servers[0]
        jid = f"{user}@{self.site.domain}/test"
        return asyncio.run(
            people.log_in(
                server.address,
                server.client_port,
                jid,
                password,
                self.site.ca.certificate_path,
                **more,
            )
        )

    def explain(self, login: people.Login) -> str:
        daemons = [*self.site.servers, *self.site.bridges]
        return "\n".join([repr(login), *(daemon.explain() for daemon in daemons)])

    def assert_logged_in(self, login: people.Login, mechanism: str) -> None:
        self.assertTrue(login.ok, self.explain(login))
        self.assertEqual(login.mechanism, mechanism)
        self.assertEqual((login.jid or "").split("/")[0], "alice@example.com")
        self.assertIn(login.tls, ("TLSv1.2", "TLSv1.3"))

    def test_scram(self) -> None:
        """A user logs in with SCRAM-SHA-256 over STARTTLS."""
        self.assert_logged_in(self.log_in(), "SCRAM-SHA-256")

    def test_plain(self) -> None:
        """A user logs in with PLAIN over STARTTLS."""
        self.assert_logged_in(self.log_in(mechanism="PLAIN"), "PLAIN")

    def test_own_choice(self) -> None:
        """A client that is not told a mechanism gets in with the strongest one it knows."""
        login = self.log_in(mechanism=None)
        self.assertTrue(login.ok, self.explain(login))
        self.assertTrue((login.mechanism or "").startswith("SCRAM-SHA-512"), login.mechanism)

    def test_wrong_password(self) -> None:
        """A wrong password is refused as such, whatever the mechanism."""
        for mechanism in ("PLAIN", "SCRAM-SHA-256"):
            login = self.log_in("looking-glass", mechanism=mechanism)
            self.assertFalse(login.ok)
            self.assertEqual(login.failures, ["not-authorized"], self.explain(login))

    def test_unknown_user(self) -> None:
        """A user who does not exist is told the same as one with a wrong password."""
        for mechanism in ("PLAIN", "SCRAM-SHA-256"):
            login = self.log_in(user="nobody", mechanism=mechanism)
            self.assertEqual(login.failures, ["not-authorized"], self.explain(login))

    def test_server_answers(self) -> None:
        """A session can ask the server for its identity, ping it, and ask its version."""
        answers: dict[str, Any] = {}

        async def ask(client: Any) -> None:
            domain = self.site.domain
            answers["disco"] = await client["xep_0030"].get_info(jid=domain)
            answers["ping"] = await client["xep_0199"].ping(domain, timeout=10)
            answers["version"] = await client["xep_0092"].get_version(domain)

        login = self.log_in(then=ask)
        self.assertEqual(set(answers), {"disco", "ping", "version"}, self.explain(login))
        info = answers["disco"]["disco_info"]
        self.assertIn(("server", "im"), {(one[0], one[1]) for one in info["identities"]})
        self.assertIn("urn:xmpp:ping", info["features"])
        self.assertTrue(answers["version"]["software_version"]["name"])

    def test_component_answers(self) -> None:
        """A session's ping to the Call Bridge is routed there and back."""
        took: list[float] = []

        async def ask(client: Any) -> None:
            took.append(await client["xep_0199"].ping("cb1.example.com", timeout=10))

        login = self.log_in(then=ask)
        self.assertEqual(len(took), 1, self.explain(login))

    def test_session_is_counted(self) -> None:
        """``status`` counts a bound session while it is there."""
        server = self.site.servers[0]
        counted: list[int] = []

        async def look(_client: Any) -> None:
            counted.append((await asyncio.to_thread(server.status))["sessions"])

        login = self.log_in(then=look)
        self.assertEqual(counted, [1], self.explain(login))

    def test_password_never_logged(self) -> None:
        """Neither daemon writes a password, a SASL message or a secret into its log."""
        password = "a-password-to-look-for"
        self.log_in(password, mechanism="PLAIN")
        self.log_in(PASSWORD, mechanism="PLAIN")
        payload = re.search(r">(.+)<", plain("alice", password))
        assert payload
        for daemon in (*self.site.servers, *self.site.bridges):
            for secret in (password, PASSWORD, "secret-of-cb1", payload[1]):
                self.assertNotIn(secret, daemon.process.text(), daemon.name)

    def test_starttls_required(self) -> None:
        """Before TLS only STARTTLS is offered, and a login without it is refused."""
        server = self.site.servers[0]
        stream = RawStream(server.address, server.client_port)
        self.addCleanup(stream.close)
        stream.send(client_header())
        features = stream.read_until("</stream:features>")
        self.assertIn(b"<required/>", features)
        self.assertNotIn(b"PLAIN", features)
        stream.send(plain("alice", PASSWORD))
        answer = stream.read_to_end()
        self.assertNotIn(b"<success", answer)


class NoCallBridgeTests(unittest.SynchronousTestCase):
    """An xmppd that no Call Bridge is connected to."""

    def test_temporary_failure(self) -> None:
        """Step 1: without a Call Bridge a login never fails as a wrong password."""
        site = Site()
        self.addCleanup(site.close)
        server = site.server()
        server.start()
        login = asyncio.run(
            people.log_in(
                server.address,
                server.client_port,
                "alice@example.com",
                PASSWORD,
                site.ca.certificate_path,
                mechanism="PLAIN",
            )
        )
        self.assertFalse(login.ok)
        self.assertNotIn("not-authorized", login.failures, server.explain())

        stream = RawStream(server.address, server.client_port)
        self.addCleanup(stream.close)
        stream.start_tls(site.ca.certificate_path, site.domain)
        stream.read_until("</stream:features>|<stream:features[^>]*/>")
        stream.send(plain("alice", PASSWORD))
        self.assertIn(b"<temporary-auth-failure", stream.read_until("</failure>"))
