"""Administrators of a real daemon: signed in or not, with real TLS, argon2 and files."""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import urlencode

from twisted.trial.unittest import SynchronousTestCase

from tests.support.https import Answer, Https
from tests.support.processes import free_port
from tests.support.rawstream import RawStream
from tests.support.shared import shared_site
from tests.support.site import Site, making, small_site
from tests.support.waiting import wait_until

NAME = "cb1.example.com"
#: Names and passwords.
ALICE, VERA = ("alice", "a quiet password"), ("vera", "only looking 1")
CONFIGURATION = "/api/v1/system/configuration/xmpp"
STATUS = "/api/v1/system/status"
_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')


class AdminTests(SynchronousTestCase):
    """A Call Bridge with a web page; alice is an admin, vera a viewer."""

    port: int

    def setUp(self) -> None:
        self.site = shared_site(type(self), self.make)
        self.bridge = self.site.bridges[0]
        self.https = Https("127.0.0.1", self.port, self.site.ca.certificate_path, NAME)

    @classmethod
    def make(cls) -> Site:
        cls.port = free_port()
        listen = f"tcp:{cls.port}"
        with making(
            small_site(bridge={"admin": {"listen": listen, "users_file": "admins"}})
        ) as site:
            for (name, password), role in ((ALICE, "admin"), (VERA, "viewer")):
                arguments = ("admin", "add", name, "--role", role)
                site.bridges[0].command(*arguments, typed=f"{password}\n")
            site.start()
        return site

    def post(self, path: str, fields: dict[str, str], **headers: str | None) -> Answer:
        """Send a form."""
        headers["content_type"] = "application/x-www-form-urlencoded"
        return self.https.ask("POST", path, urlencode(fields), **headers)

    def sign_in(self, login: tuple[str, str] = ALICE) -> str:
        """The header Cookie of a new session."""
        answer = self.post("/sign-in", {"name": login[0], "password": login[1]})
        self.assertEqual(answer.status, 303, answer.text)
        cookie = answer.headers["set-cookie"]
        for attribute in ("__Host-", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict"):
            self.assertIn(attribute, cookie)
        return str(cookie).partition(";")[0]

    def token(self, cookie: str) -> str:
        """The CSRF token in the forms of this session."""
        answer = self.https.ask("GET", "/status", cookie=cookie)
        found = _TOKEN.search(answer.text)
        assert found is not None, f"{answer.status} {answer.text}"
        return found[1]

    def is_signed_in(self, cookie: str) -> bool:
        """False where the status page sends us to sign in."""
        answer = self.https.ask("GET", "/status", cookie=cookie)
        self.assertIn(answer.status, (200, 303))
        return answer.status == 200

    def audit(self) -> list[dict[str, str]]:
        """The entries that callbridgectl shows."""
        entries: list[dict[str, str]] = json.loads(self.bridge.command("--json", "audit").stdout)
        return entries

    # Signed in on the page

    def test_in_and_out(self) -> None:
        """With the cookie the pages are there, without it, or after signing out, they are not."""
        cookie = self.sign_in()
        self.assertTrue(self.is_signed_in(cookie))
        self.assertFalse(self.is_signed_in("a=b"))
        token = self.token(cookie)
        self.assertEqual(self.post("/sign-out", {}, cookie=cookie).status, 403)
        self.assertEqual(self.post("/sign-out", {"csrf": token}, cookie=cookie).status, 303)
        self.assertFalse(self.is_signed_in(cookie))
        actions = [one["action"] for one in self.audit() if one["who"] == "alice"]
        self.assertEqual(actions[-2:], ["signed-in", "signed-out"])

    def test_token(self) -> None:
        """Without the session's token neither a form nor the API changes anything."""
        cookie = self.sign_in()
        before = self.https.ask("GET", CONFIGURATION, login=ALICE).body
        fields = {"name": "cb9", "domain": "example.net"}
        for token in ("", self.token(self.sign_in())):
            answer = self.post("/configuration", {**fields, "csrf": token}, cookie=cookie)
            self.assertEqual(answer.status, 403)
            answer = self.https.ask(
                "PUT",
                CONFIGURATION,
                "uniqueName=cb9",
                cookie=cookie,
                x_csrf_token=token,
                content_type="application/x-www-form-urlencoded",
            )
            self.assertEqual(answer.status, 403)
        self.assertEqual(self.https.ask("GET", CONFIGURATION, cookie=cookie).body, before)

    def test_foreign_page(self) -> None:
        """What another site's page sends is refused, whatever comes with it."""
        cookie = self.sign_in()
        token = self.token(cookie)
        for more in ({"sec_fetch_site": "cross-site"}, {"origin": "https://evil.example"}):
            answer = self.post("/sign-out", {"csrf": token}, cookie=cookie, **more)
            self.assertEqual(answer.status, 403)
            answer = self.https.ask("PUT", CONFIGURATION, "domain=x", login=ALICE, **more)
            self.assertEqual(answer.status, 403)
        self.assertTrue(self.is_signed_in(cookie))

    def test_removed(self) -> None:
        """Who is removed, or gets another role or password, is out, wherever that was."""
        login = ("carol", "a carol password")
        self.bridge.command("admin", "add", login[0], typed=f"{login[1]}\n")
        for change, then in ((["role", "carol", "viewer"], 200), (["del", "carol"], 401)):
            cookie = self.sign_in(login)
            self.assertEqual(self.https.ask("GET", STATUS, login=login).status, 200)
            following = self.https.connect()
            self.addCleanup(following.close)
            following.send(self.https.head("GET", "/live", cookie=cookie))
            following.read_until("event: ")
            self.bridge.command("admin", *change)
            following.read_to_end()
            self.assertFalse(self.is_signed_in(cookie))
            self.assertEqual(self.https.ask("GET", STATUS, login=login).status, then)
        values = [one["values"] for one in self.audit() if one["who"] == "root"]
        self.assertIn({"carol": "role"}, values)
        self.assertIn({"carol": "removed"}, values)

    def test_restart(self) -> None:
        """A session does not outlive the daemon."""
        cookie = self.sign_in()
        self.bridge.stop()
        self.bridge.start()
        self.assertFalse(self.is_signed_in(cookie))

    # Names, passwords, roles

    def test_viewer(self) -> None:
        """A viewer reads, and changes nothing: not by the API, and not by the page."""
        before = self.https.ask("GET", CONFIGURATION, login=VERA)
        self.assertEqual(before.status, 200)
        form = "application/x-www-form-urlencoded"
        answer = self.https.ask(
            "PUT", CONFIGURATION, "domain=example.net", login=VERA, content_type=form
        )
        self.assertEqual(answer.status, 403)
        self.assertIn("callbridgectl admin role vera admin", answer.text)
        cookie = self.sign_in(VERA)
        fields = {"csrf": self.token(cookie), "domain": "example.net"}
        self.assertEqual(self.post("/configuration", fields, cookie=cookie).status, 403)
        self.assertEqual(self.https.ask("GET", CONFIGURATION, login=VERA).body, before.body)

    def test_wrong(self) -> None:
        """A wrong name and a wrong password are answered alike, and neither gets anywhere."""
        since = self.bridge.process.mark()
        answers = [
            self.https.ask("GET", STATUS, login=login)
            for login in ((ALICE[0], "marker-password"), ("marker-name", ALICE[1]))
        ]
        self.assertEqual([answer.status for answer in answers], [401, 401])
        self.assertEqual(answers[0].body, answers[1].body)
        self.assertIn('Basic realm="callbridged"', answers[0].headers["www-authenticate"])
        self.bridge.process.wait_for("failed sign-in of alice from 127.0.0.1", since)
        self.bridge.process.wait_for("failed sign-in of an unknown name", since)
        shown = self.https.ask("GET", "/audit", cookie=self.sign_in()).text
        self.assertIn("wrong name or password", shown)
        said = self.bridge.process.text(since) + json.dumps(self.audit()) + shown
        self.assertNotIn("marker", said)

    def test_guessing(self) -> None:
        """Who guesses is refused after some failures, and the account's owner is not."""
        self.assertEqual(self.https.ask("GET", STATUS, login=ALICE).status, 200)

        def guess(password: str) -> Answer:
            given = base64.b64encode(f"{ALICE[0]}:{password}".encode()).decode()
            head = self.https.head("GET", STATUS, authorization=f"Basic {given}")
            return self.https.say(head.encode(), source="127.0.0.99")

        answers = [guess("wrong password")]
        while answers[-1].status != 429 and len(answers) < 30:
            answers.append(guess("wrong password"))
        self.assertEqual(answers[-1].status, 429)
        self.assertGreater(int(answers[-1].headers["retry-after"]), 0)
        self.assertEqual(guess(ALICE[1]).status, 429)
        self.assertEqual(self.https.ask("GET", STATUS, login=ALICE).status, 200)

    def test_methods(self) -> None:
        """What a page cannot do is answered with what it can."""
        cookie = self.sign_in()
        for path in ("/status", "/sign-in", "/sign-out", "/live"):
            answer = self.https.ask("DELETE", path, cookie=cookie)
            self.assertEqual(answer.status, 405)
            self.assertRegex(answer.headers["allow"], "GET|POST")
        answer = self.https.ask("DELETE", STATUS, login=ALICE)
        self.assertEqual((answer.status, answer.headers["allow"]), (405, "HEAD, GET"))

    def test_headers(self) -> None:
        """Every answer has the headers that keep others out, whatever it is an answer to."""
        for path in ("/", "/nothing", "/sign-in", "/api", STATUS, "/static/nothing"):
            headers = self.https.ask("GET", path).headers
            self.assertIn("default-src 'none'", headers["content-security-policy"])
            self.assertIn("frame-ancestors 'none'", headers["content-security-policy"])
            self.assertNotIn("unsafe-inline", headers["content-security-policy"])
            self.assertIn("max-age=", headers["strict-transport-security"])
            self.assertEqual(headers["x-content-type-options"], "nosniff")
            self.assertEqual(headers["referrer-policy"], "same-origin")
            self.assertEqual(headers["cross-origin-opener-policy"], "same-origin")
            self.assertEqual(headers["cross-origin-resource-policy"], "same-origin")
            self.assertEqual(headers["cache-control"], "no-store")
            self.assertNotIn("server", headers)

    def test_commands(self) -> None:
        """The commands say what they did, in JSON too, and what is in the way, with a remedy."""
        command = self.bridge.command
        done = command("--json", "admin", "add", "Dora", "--role", "viewer", typed="dora's own 1\n")
        self.assertEqual(json.loads(done.stdout), {"admin": "dora", "role": "viewer"})
        done = command("admin", "add", "dora", typed="a password\n", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("callbridgectl admin passwd dora", done.stderr)
        done = command("admin", "passwd", "dora", typed="short\n", check=False)
        self.assertIn("8 to 1024 characters", done.stderr)
        self.assertRegex(command("admin", "list").stdout, r"(?m)^dora +viewer$")
        command("admin", "del", "dora")
        self.assertRegex(command("audit").stdout, r"(?m)^time +who +from +action +what$")
        path = self.bridge.directory / "admins"
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertNotIn(ALICE[1], path.read_text())
        before = path.read_text()
        path.write_text(f"{before}broken\n")
        done = command("admin", "list", check=False)
        self.assertIn("line 3: this is not NAME:ROLE:HASH", done.stderr)
        path.write_text(before)

    # What a reload changes

    def shown(self) -> bytes:
        """The certificate that a new connection gets, in DER."""
        stream = RawStream("127.0.0.1", self.port)
        self.addCleanup(stream.close)
        return stream.secure(self.site.ca.certificate_path, NAME)

    def test_certificate(self) -> None:
        """A new connection gets the new certificate; who is connected and signed in stays so."""
        cookie = self.sign_in()
        following = self.https.connect()
        self.addCleanup(following.close)
        following.send(self.https.head("GET", "/live", cookie=cookie))
        following.read_until("event: ")
        before = self.shown()
        self.site.ca.issue("cb1", dns=[NAME])
        self.assertIn("[tls] certificate", self.bridge.command("reload").stdout)
        self.assertNotEqual(self.shown(), before)
        self.assertTrue(self.is_signed_in(cookie))
        following.read_until("event: ")

    def test_accounts(self) -> None:
        """Another users_file counts at once, and what it says when it changes, too."""
        cookie = self.sign_in()
        ini = self.bridge.ini.read_text()
        self.bridge.ini.write_text(ini.replace("users_file = admins", "users_file = others"))
        self.bridge.command("admin", "add", "otto", typed="otto's password\n")
        self.assertIn("[admin] users_file", self.bridge.command("reload").stdout)
        self.assertFalse(self.is_signed_in(cookie))
        self.assertEqual(self.https.ask("GET", STATUS, login=ALICE).status, 401)
        otto = ("otto", "otto's password")
        self.assertEqual(self.https.ask("GET", STATUS, login=otto).status, 200)
        (self.bridge.directory / "others").unlink()
        wait_until(
            "nobody gets in", lambda: self.https.ask("GET", STATUS, login=otto).status == 401
        )
        self.bridge.process.wait_for("nobody can sign in on the web page")
        self.bridge.ini.write_text(ini)
        self.bridge.command("reload")
        self.assertEqual(self.https.ask("GET", STATUS, login=ALICE).status, 200)
