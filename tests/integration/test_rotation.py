"""A Call Bridge's secret is rotated while people log in all the time, and none of them notices."""

from __future__ import annotations

import json
import threading
from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.test_reload import Client
from tests.support.shared import shared_site
from tests.support.site import Site, XmppServer, making
from tests.support.waiting import wait_until


class LoggingIn(threading.Thread):
    """Somebody who logs in at one server, again and again, until ``stop``."""

    def __init__(self, site: Site, server: XmppServer) -> None:
        super().__init__()
        self.results: Counter[str] = Counter()
        self._site = site
        self._server = server
        self._over = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._over.is_set():
            try:
                client = Client(self._site, server=self._server)
                result = client.result()
                client.stream.close()
            except Exception as error:  # noqa: BLE001 - it is what the test looks at
                result = repr(error)
            self.results[result] += 1

    def stop(self) -> None:
        self._over.set()
        self.join()


def started_site() -> Site:
    """Two XMPP servers, and a Call Bridge that tries again soon where it is refused."""
    with making(Site()) as site:
        for number in (1, 2):
            site.server(f"xmpp{number}", f"127.0.0.{number + 1}")
        site.enrol(site.bridge(settings={"link": {"retry_initial": "200ms", "retry_max": "2s"}}))
        site.user("alice", "wonderland")
        site.start()
    return site


class RotationCase(SynchronousTestCase):
    """The same site for all tests, and logins at each server all the time."""

    def setUp(self) -> None:
        self.site = shared_site(RotationCase, started_site)
        (self.bridge,) = self.site.bridges
        self.first, self.second = self.site.servers
        self.session = Client(self.site).bind()
        self.addCleanup(self.session.stream.close)
        self.people = [LoggingIn(self.site, one) for one in self.site.servers]
        for one in self.people:
            self.addCleanup(one.stop)

    def wait_for_logins(self, count: int = 5) -> None:
        """Until everybody has logged in that many times from now."""
        least = [one.results.total() + count for one in self.people]
        wait_until(
            "people log in",
            lambda: all(
                one.results.total() >= n for one, n in zip(self.people, least, strict=True)
            ),
        )

    def assert_nobody_noticed(self) -> None:
        """All logins succeeded, and the session is there."""
        for one in self.people:
            one.stop()
        results = sum((one.results for one in self.people), Counter[str]())
        self.assertEqual(set(results), {"success"}, results)
        self.session.ping()

    def rotate(self, server: XmppServer, secret: str = "") -> str:
        """Begin a rotation as an operator does; the new secret."""
        if secret:
            server.command("callbridge", "rotate", "cb1", "--secret-stdin", typed=secret)
            return secret
        answer = server.command("--json", "callbridge", "rotate", "cb1").stdout
        return str(json.loads(answer)["secret"])

    def reload(self, secret: str) -> None:
        self.bridge.secret_file.write_text(secret + "\n")
        self.bridge.command("reload")

    def rotating(self, server: XmppServer) -> bool:
        entry = server.callbridge("cb1")
        return entry is not None and entry["rotation"] is not None

    def secrets_in_use(self) -> list[str]:
        return [link["secret_in_use"] for link in self.bridge.links()]

    def wait_rotated(self) -> None:
        """Until each link uses the new secret, the old one is forgotten, and old links are gone."""
        wait_until(
            "all links use the new secret",
            lambda: (
                self.secrets_in_use() == ["current"] * 2
                and not any(map(self.rotating, self.site.servers))
                and all(link["newer"] is None for link in self.bridge.links())
            ),
            explain=self.bridge.explain,
        )


class RotationTests(RotationCase):
    """From one secret to the next."""

    def test_twice(self) -> None:
        """Two rotations in a row: no login fails, no session ends, no old secret is left."""
        secrets = [self.bridge.secret_file.read_text().strip()]
        for _ in range(2):
            self.wait_for_logins()
            secrets.append(self.rotate(self.first))
            self.rotate(self.second, secrets[-1])
            for server in self.site.servers:
                entry = server.callbridge("cb1")
                assert entry is not None
                self.assertEqual(entry["secret_in_use"], "current")
                self.assertIs(entry["rotation"]["long"], False)
                self.assertIn("a rotation goes on", server.command("callbridge", "list").stdout)
            self.wait_for_logins()
            self.reload(secrets[-1])
            self.wait_rotated()
            self.wait_for_logins()
        self.assert_nobody_noticed()
        for server in self.site.servers:
            listed = json.loads(
                server.command("--json", "callbridge", "list", "--show-secrets").stdout
            )
            self.assertEqual([one["secret"] for one in listed], secrets[-1:])
            content = b"".join(one.read_bytes() for one in server.directory.glob("registry*"))
            for secret in secrets[:-1]:
                self.assertNotIn(secret.encode(), content)
        for daemon in (*self.site.servers, self.bridge):
            for secret in secrets:
                self.assertNotIn(secret, daemon.process.text())

    def test_server_that_was_forgotten(self) -> None:
        """A server that was not told goes on with the old secret until it is."""
        new = self.rotate(self.first)
        since = self.bridge.process.mark()
        self.reload(new)
        self.bridge.process.wait_for("the newer link failed", since)
        wait_until(
            "one link uses the new secret",
            lambda: sorted(self.secrets_in_use()) == ["current", "former"],
            explain=self.bridge.explain,
        )
        self.assertIn("with the former secret", self.bridge.command("status").stdout)
        (link,) = (one for one in self.bridge.links() if one["secret_in_use"] == "former")
        self.assertEqual(link["state"], "registered")
        self.assertEqual(link["last_error"]["reason"], "authentication-failure")
        self.assertIn(self.second.fqdn, link["target"])
        self.wait_for_logins()
        self.rotate(self.second, new)
        self.wait_rotated()
        self.assert_nobody_noticed()

    def test_wrong_paste(self) -> None:
        """A secret that no server knows changes nothing, and taking it back neither."""
        old = self.bridge.secret_file.read_text().strip()
        since = [link["since"] for link in self.bridge.links()]
        self.reload("not the secret")
        wait_until(
            "both links say what is wrong",
            lambda: all(link["last_error"] for link in self.bridge.links()),
            explain=self.bridge.explain,
        )
        self.assertEqual(self.secrets_in_use(), ["former"] * 2)
        self.wait_for_logins()
        self.reload(old)
        self.wait_rotated()
        self.assertEqual([link["since"] for link in self.bridge.links()], since)
        self.assertEqual([link["last_error"] for link in self.bridge.links()], [None] * 2)
        self.assert_nobody_noticed()

    def test_reconnected(self) -> None:
        """Links that an operator renews show the certificate that was loaded last."""
        self.site.ca.issue("cb1", dns=["cb1.example.com"], common_name="renewed")
        self.bridge.command("reload")
        self.wait_for_logins()
        said = str(self.bridge.command("reconnect").stdout)
        self.assertEqual(said.count("there is a newer link"), 2, said)
        self.wait_for_logins()
        for server in self.site.servers:
            entry = server.callbridge("cb1")
            assert entry is not None
            self.assertIn("renewed", entry["certificate"])
        self.assert_nobody_noticed()
