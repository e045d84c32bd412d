"""What scripts do with the API: move links, try settings, see alarms, keep users."""

from __future__ import annotations

import socket
import subprocess
import threading
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.api.case import (
    ACCOUNTS,
    DIAGNOSTICS,
    JSON,
    USERS,
    XMPP,
    ApiSite,
    Reply,
    started,
)
from tests.integration.test_reload import Client
from tests.support.shared import shared_site
from tests.support.waiting import wait_until

#: A setting of the site that makes an alarm come soon.
SOON = {"alarms": {"raise_after": "1s"}}


def two_servers() -> ApiSite:
    return started(servers=2)


class ScriptCase(SynchronousTestCase):
    """Two XMPP servers; the Call Bridge has links to both, as SRV records say."""

    def setUp(self) -> None:
        site = shared_site(ScriptCase, two_servers)
        assert isinstance(site, ApiSite)
        self.site, self.bridge = site, site.callbridge
        self.addCleanup(self.put_back)

    def put_back(self) -> None:
        secret = self.bridge.secret_file.read_text().strip()
        body = {"serverAddressOverride": "", "sharedSecret": secret}
        reply = self.site.ask(XMPP, "PUT", body)
        self.assertEqual(reply.status, 200, reply.body)
        self.wait_for_targets(1, 2)

    def curl(self, *arguments: str) -> str:
        """As in scripts for CMS: account and certificate on the command line, XML back."""
        done = subprocess.run(
            [
                *("curl", "-sS", "-u", f"carol:{ACCOUNTS['carol']}"),
                *("--cacert", self.site.ca.certificate_path),
                *("-w", "%{http_code}"),
                *arguments,
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout

    def url(self, path: str) -> str:
        return f"https://127.0.0.1:{self.site.port}{path}"

    def targets(self) -> set[str]:
        return {link["target"] for link in self.bridge.registered()}

    def wait_for_targets(self, *servers: int) -> None:
        """Until links to these servers, and no others, are registered."""
        wanted = {self.address(number) for number in servers}
        wait_until(
            f"links to {wanted}",
            lambda: self.targets() == wanted and not self.bridge.status()["former"],
            explain=self.bridge.explain,
        )

    def address(self, number: int) -> str:
        server = self.site.servers[number - 1]
        return f"{server.fqdn}:{server.component_port}"


class MovingTests(ScriptCase):
    """/system/configuration/xmpp, with links that are up."""

    def test_script_of_cms(self) -> None:
        """A script that was made for CMS moves the link, and after a restart it is there still."""
        body = f"serverAddressOverride={self.address(2)}"
        self.assertEqual(self.curl("-X", "PUT", "-d", body, self.url(XMPP)), "200")
        self.wait_for_targets(2)
        self.assertEqual(self.site.ask(XMPP).xml.findtext("serverAddressOverride"), self.address(2))
        self.bridge.stop()
        self.bridge.start()
        self.wait_for_targets(2)
        said = self.curl("-d", "serverAddressOverride=", "-X", "POST", self.url(XMPP))
        self.assertEqual(said, "200")
        self.wait_for_targets(1, 2)

    def test_wrong_secret(self) -> None:
        """With a secret that no server knows the links that are up go on, and it is said why."""
        before = self.targets()
        reply = self.site.ask(XMPP, "PUT", {"sharedSecret": "marker-secret-77"})
        self.assertEqual((reply.status, reply.body), (200, b""))
        self.bridge.process.wait_for("authentication-failure")
        self.assertEqual(self.targets(), before)
        status = self.site.ask("/api/v1/system/status", accept=JSON).json
        self.assertEqual(status["authenticationService"], "registered")
        self.assertNotIn("marker-secret-77", self.bridge.process.text())
        self.assertNotIn(b"marker-secret-77", self.site.ask(XMPP).body)

    def test_two_administrators(self) -> None:
        """Who saves what somebody else has changed meanwhile hears of it, and changes nothing."""
        tag = self.site.ask(XMPP).headers["etag"]
        first = self.site.ask(XMPP, "PUT", {"serverAddressOverride": self.address(1)}, if_match=tag)
        self.assertEqual(first.status, 200)
        second = self.site.ask(
            XMPP, "PUT", {"serverAddressOverride": self.address(2)}, user="dave", if_match=tag
        )
        self.assertEqual((second.status, second.reasons), (412, [("preconditionFailed",)]))
        now = self.site.ask(XMPP)
        self.assertEqual(now.xml.findtext("serverAddressOverride"), self.address(1))
        self.assertEqual(now.headers["etag"], first.headers["etag"])
        self.wait_for_targets(1)

    def test_at_the_same_time(self) -> None:
        """Of many who change one version at the same time, one does."""
        tag = self.site.ask(XMPP).headers["etag"]
        replies: list[Reply] = []

        def change(number: int) -> None:
            body = {"serverAddressOverride": f"xmpp1.example.com:{number}"}
            replies.append(self.site.ask(XMPP, "PUT", body, if_match=tag))

        threads = [threading.Thread(target=change, args=[number]) for number in range(1, 6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(reply.status for reply in replies), [200, 412, 412, 412, 412])


class DiagnosticsTests(ScriptCase):
    """/system/diagnostics/xmpp."""

    def steps(self, reply: Reply) -> list[tuple[str, str | None]]:
        """The last step towards each server, with the reason if it failed."""
        self.assertEqual(reply.status, 200)
        last = [target["steps"][-1] for target in reply.json["targets"]]
        return [(step["step"], step.get("reason")) for step in last]

    def test_in_use(self) -> None:
        """What is in use is well at both servers, and links that are up are left alone."""
        before = [link["since"] for link in self.bridge.registered()]
        reply = self.site.ask(DIAGNOSTICS, accept=JSON)
        self.assertEqual(self.steps(reply), [("registered", None)] * 2)
        self.assertIs(reply.json["ok"], True)
        self.assertEqual([link["since"] for link in self.bridge.registered()], before)

    def test_candidates(self) -> None:
        """Settings are tried without being used: each fault has its step."""
        tag = self.site.ask(XMPP).headers["etag"]
        for body, step in (
            ({"sharedSecret": "wrong"}, ("register", "authentication-failure")),
            ({"serverAddressOverride": "xmpp9.example.com"}, ("address", "dns-failure")),
            ({"uniqueName": "cb9"}, ("register", "host-unknown")),
        ):
            reply = self.site.ask(DIAGNOSTICS, "POST", body, accept=JSON)
            self.assertEqual(self.steps(reply)[0], step, body)
            self.assertIs(reply.json["ok"], False)
        reply = self.site.ask(DIAGNOSTICS, "POST", {"domain": "example.org"}, accept=JSON)
        self.assertEqual(reply.json["steps"][-1]["reason"], "no-such-service")
        self.assertEqual(self.site.ask(XMPP).headers["etag"], tag)

    def test_one_at_a_time(self) -> None:
        """While a check waits for a server that says nothing, a second one is told to wait."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = f"127.0.0.1:{silent.getsockname()[1]}"
            body = {"serverAddressOverride": address}
            replies: list[Reply] = []
            waiting = threading.Thread(
                target=lambda: replies.append(self.site.ask(DIAGNOSTICS, "POST", body, accept=JSON))
            )
            waiting.start()
            connection, _ = silent.accept()  # it is under way
            second = self.site.ask(DIAGNOSTICS)
            self.assertEqual((second.status, second.reasons), (503, [("serviceUnavailable",)]))
            self.assertGreater(int(second.headers["retry-after"]), 0)
            connection.close()
            waiting.join()
        self.assertEqual(self.steps(replies[0])[0][0], "tls")
        self.assertEqual(self.site.ask(DIAGNOSTICS).status, 200)


class UserTests(ScriptCase):
    """/users, and those who log in."""

    def test_whole_life(self) -> None:
        """A user of the API's can log in at once, with the new password after a change, and is
        disconnected with the account."""
        created = self.site.ask(USERS, "POST", {"username": "Bob", "password": "builder"})
        self.assertEqual((created.status, created.headers["location"]), (200, f"{USERS}/bob"))
        self.assertEqual(Client(self.site, "bob", "builder").result(), "success")
        changed = self.site.ask(f"{USERS}/bob", "PUT", {"password": "fixer"})
        self.assertEqual((changed.status, changed.body), (200, b""))
        self.assertNotEqual(Client(self.site, "bob", "builder").result(), "success")
        bob = Client(self.site, "bob", "fixer").bind()
        self.assertEqual(self.site.ask(f"{USERS}/bob", "DELETE").status, 200)
        bob.stream.read_until("</stream:stream>")
        self.assertNotEqual(Client(self.site, "bob", "fixer").result(), "success")
        audit = self.bridge.command("audit").stdout
        self.assertIn("/users/bob", audit)
        self.assertNotIn("fixer", audit)

    def test_pages(self) -> None:
        """A long list comes in parts, which together are the list."""
        names = [f"u{number}" for number in range(5)]
        for name in names:
            body = {"username": name, "password": "x"}
            self.assertEqual(self.site.ask(USERS, "POST", body, content_type=JSON).status, 200)
            self.addCleanup(self.site.ask, f"{USERS}/{name}", "DELETE")
        found: list[Any] = []
        for offset in (0, 2, 4):
            page = self.site.ask(f"{USERS}?filter=u&offset={offset}&limit=2", accept=JSON).json
            self.assertEqual(page["total"], 5)
            found += [user["id"] for user in page["users"]]
        self.assertEqual(found, names)


class AlarmTests(SynchronousTestCase):
    """/system/alarms."""

    def test_alarm(self) -> None:
        """A link that goes down is an alarm of a type that CMS has, until it is back."""
        site = started(settings=SOON)
        self.addCleanup(site.close)
        self.assertEqual(site.ask("/api/v1/system/alarms").xml.get("total"), "0")
        site.servers[0].stop()
        alarm = wait_until("the alarm", lambda: site.ask("/api/v1/system/alarms").xml.find("alarm"))
        self.assertEqual(alarm.findtext("type"), "xmppRegistrationFailure")
        self.assertEqual(alarm.findtext("failureReason"), "connectFailure")
        self.assertTrue(alarm.get("id"))
