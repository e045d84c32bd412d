"""Whatever is said to the port of the web page: it is refused precisely, and costs little."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import urlencode

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.test_rotation import LoggingIn
from tests.support.browser import Browser, fields
from tests.support.https import Answer, Https
from tests.support.markers import Evidence
from tests.support.processes import free_port
from tests.support.rawstream import RawStream
from tests.support.shared import shared_site
from tests.support.site import Site, making, small_site
from tests.support.waiting import wait_until

ADDRESS, NAME = "127.0.0.4", "cb1.example.com"
ANNA = ("anna", "a quiet password")
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
#: MiB that the daemon may grow by in a test, and lines that it may log.
GROWTH, LINES = 40, 40
_HOST = f"Host: {NAME}\r\n"
_CLOSE = f"{_HOST}Connection: close\r\n"


class AdminCase(SynchronousTestCase):
    """A Call Bridge with a web page, which answers logins all the time: nobody is held up."""

    port: int

    def setUp(self) -> None:
        self.site = shared_site(type(self), self.make)
        self.bridge = self.site.bridges[0]
        self.process = self.bridge.process
        self.https = Https(ADDRESS, self.port, self.site.ca.certificate_path, NAME)
        self.before, self.since = self.memory(), self.process.mark()
        logins = LoggingIn(self.site, self.site.servers[0])
        self.addCleanup(self.look_back, logins)

    @classmethod
    def make(cls) -> Site:
        cls.port = free_port(ADDRESS)
        listen = f"tcp:{cls.port}:interface={ADDRESS}"
        with making(
            small_site(bridge={"admin": {"listen": listen, "users_file": "admins"}})
        ) as site:
            bridge = site.bridges[0]
            bridge.command("admin", "add", ANNA[0], typed=f"{ANNA[1]}\n")
            site.start()
        return site

    def memory(self) -> float:
        """MiB that the daemon has."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def look_back(self, logins: LoggingIn) -> None:
        """All logged in, the daemon is no larger, its log is short, and it has no fault."""
        logins.stop()
        self.assertEqual(set(logins.results), {"success"})
        self.assertLess(self.memory() - self.before, GROWTH)
        said = self.process.text(self.since)
        others = [line for line in said.splitlines() if "[login-succeeded]" not in line]
        self.assertLess(len(others), LINES, "\n".join(others))
        self.assertNotIn("Traceback", said)


class HeadTests(AdminCase):
    """Requests whose head is wrong, whatever they are for."""

    def status(self, said: str) -> int:
        return self.https.say(said.encode("latin-1")).status

    def refused(self, cases: dict[str, int], pattern: str) -> None:
        """Each is put into the pattern, and answered with its status."""
        answers = {case: self.status(pattern.replace("@", case, 1)) for case in cases}
        self.assertEqual(answers, cases)

    def test_lines(self) -> None:
        """Request lines that make no sense get 400, and what is not there gets 404."""
        self.refused(
            {
                "GET / HTTP/9.9": 400,
                "PRI * HTTP/2.0": 400,
                "GET HTTP/1.1": 400,
                "GET / / HTTP/1.1": 400,
                "G,T / HTTP/1.1": 400,
                "GET /\0 HTTP/1.1": 400,
                "\x16\x03\x01\x01": 400,
                f"GET /{'x' * 9000} HTTP/1.1": 431,
                "GET /static/../../../etc/passwd HTTP/1.1": 404,
                "GET /static/%2e%2e/%2e%2e/__init__.py HTTP/1.1": 404,
                "GET /%00 HTTP/1.1": 404,
                "GET /%ff%fe HTTP/1.1": 404,
                "GET /a%0d%0aSet-Cookie:x HTTP/1.1": 404,
                "CONNECT xmpp1.example.com:5223 HTTP/1.1": 405,
            },
            f"@\r\n{_CLOSE}\r\n",
        )

    def test_headers(self) -> None:
        """Headers that can be misread are refused, and so are too many, and too long ones."""
        self.refused(
            {
                "nonsense": 400,
                "X : a space before the colon": 400,
                "X: a\0b": 400,
                "X: a\rSet-Cookie: b": 400,
                "Host: another.example.com": 400,
                "\r\n".join(f"X{number}: x" for number in range(100)): 400,
                f"X: {'x' * 9000}": 431,
                "\r\n".join(f"X{number}: {'x' * 1000}" for number in range(20)): 400,
            },
            f"GET / HTTP/1.1\r\n{_CLOSE}@\r\n\r\n",
        )
        self.assertEqual(self.status("GET / HTTP/1.1\r\nConnection: close\r\n\r\n"), 400)

    def test_lengths(self) -> None:
        """A body has one length, in digits, and not too many of them."""
        self.refused(
            {
                "Content-Length: many": 400,
                "Content-Length: -1": 400,
                "Content-Length: +5": 400,
                "Content-Length: 5, 5": 400,
                "Content-Length: 0x5": 400,
                "Content-Length: 5\r\nContent-Length: 6": 400,
                "Content-Length: 5\r\nContent-Length: 5": 400,
                "Content-Length: 10000000000": 413,
                f"Content-Length: {'9' * 5000}": 413,
                "Transfer-Encoding: chunked": 411,
                "Transfer-Encoding: gzip": 400,
                "Transfer-Encoding: chunked\r\nContent-Length: 5": 400,
                "Content-Length: 5\r\nTransfer-Encoding: chunked": 400,
            },
            f"PUT /api/v1/users HTTP/1.1\r\n{_CLOSE}@\r\n\r\nabcde",
        )

    def test_bodies(self) -> None:
        """What is longer than it may be, or than it says, is not read."""
        body = b"x" * 10_000_000
        for length in (len(body), 5):
            answer = self.https.ask("POST", "/sign-in", body, content_length=str(length))
            # Who goes on talking may have lost the answer when the connection ends.
            self.assertIn(answer.status, (0, 403, 413))

    def test_pipelines(self) -> None:
        """Of requests that follow each other without waiting, the first is answered."""
        one = f"GET /nothing HTTP/1.1\r\n{_HOST}\r\n"
        for number in (2, 50_000):
            raw = self.https.say((one * number).encode()).raw
            self.assertEqual(raw.count(b"HTTP/1.1 404"), 1)

    def test_no_tls(self) -> None:
        """Without TLS there is no answer, and the log says once who it was."""
        for _ in range(50):
            stream = RawStream(ADDRESS, self.port, source="127.0.0.7")
            stream.send(f"GET / HTTP/1.1\r\n{_CLOSE}\r\n")
            self.assertNotIn(b"HTTP/1.1 2", stream.read_to_end())
            stream.close()
        self.assertLessEqual(self.process.text(self.since).count("127.0.0.7"), 2)


class PageTests(AdminCase):
    """Forms and cookies that no page of ours has made. Nothing of them is half done."""

    def setUp(self) -> None:
        super().setUp()
        self.browser = Browser(self.https, Evidence())
        self.assertEqual(self.browser.sign_in(*ANNA).status, 303)
        form = fields(self.browser.ask("GET", "/configuration").text)
        self.form = {**form, "domain": "example.net", "action": "save"}
        del self.form["at_once"]

    def post(self, body: str, kind: str | None = FORM) -> Answer:
        return self.browser.ask("POST", "/configuration", body, content_type=kind)

    def test_forms(self) -> None:
        """Each is refused with a status that fits, and says which field is wrong."""
        good = urlencode(self.form)
        reset = urlencode({**self.form, "action": "reset"})
        without = urlencode({name: text for name, text in self.form.items() if name != "csrf"})
        for body, status, named in (
            (without, 403, ""),
            (good.replace("csrf=", "csrf=x"), 403, ""),
            (good.replace("csrf=", "csrf=%C3%A9"), 403, ""),
            (f"{good}&domain=example.org", 400, "domain"),
            (f"{good}&csrf=x", 400, "csrf"),
            (good.replace("example.net", "%ff%fe"), 400, "domain"),
            (f"{good}&what=%zz", 400, "what"),
            (good.replace("example.net", "example%00.net"), 400, 'id="domain-fault"'),
            (good.replace("example.net", "example.net%0aname=x"), 400, 'id="domain-fault"'),
            (good.replace("example.net", "x" * 60_000), 400, 'id="domain-fault"'),
            (good.replace("&name=cb1", "&name=a.b"), 400, 'id="name-fault"'),
            (good.replace("&version=", "&version=x"), 409, "example.com"),
            (reset.replace("&version=", "&version=x"), 409, "have changed meanwhile"),
            ("&".join(f"field{number}=1" for number in range(5000)), 400, ""),
            ("", 403, ""),
        ):
            answer = self.post(body)
            self.assertEqual(answer.status, status, (body[:300], answer.text))
            self.assertIn(named, answer.text)
        for kind in (
            JSON,
            "text/plain",
            "multipart/form-data; boundary=x",
            f"{FORM}; charset=utf-16",
        ):
            self.assertEqual(self.post(good, kind).status, 403, kind)
        self.assertEqual(self.bridge.status()["domain"], "example.com")

    def test_methods(self) -> None:
        """A page that cannot do something says what it can, and HEAD has no body."""
        for path in ("/status", "/configuration", "/audit", "/live", "/sign-in", "/static/live.js"):
            for method in ("PUT", "DELETE", "TRACE", "PATCH", "OPTIONS", "NONSENSE"):
                answer = self.browser.ask(method, path)
                self.assertEqual(answer.status, 405, (method, path))
                self.assertIn("GET", answer.headers["allow"])
            self.assertEqual(self.browser.ask("HEAD", path).body, b"")

    def test_other_sites(self) -> None:
        """What another site has a browser send is refused."""
        body = urlencode(self.form)
        for origin in ("https://evil.example.com", "null", f"http://{NAME}:{self.port}"):
            answer = self.browser.ask("POST", "/configuration", body, origin=origin)
            self.assertEqual(answer.status, 403, origin)
        self.assertEqual(self.bridge.status()["domain"], "example.com")

    def test_ended_sessions(self) -> None:
        """A session that has ended does nothing more: one is sent to sign in, and events end."""
        cookies = dict(self.browser.cookies)
        self.assertEqual(self.browser.send("/sign-out", {}).status, 303)
        for cookie in (*cookies.values(), "x", "x" * 6000, "\xff", ""):
            self.browser.cookies = dict.fromkeys(cookies, cookie)
            for method, path in (("GET", "/status"), ("POST", "/configuration")):
                body = urlencode(self.form) if method == "POST" else ""
                answer = self.browser.ask(method, path, body)
                self.assertEqual(answer.status, 303, answer.text)
                self.assertIn("/sign-in", answer.headers["location"])
            self.assertEqual(self.browser.ask("GET", "/live").status, 401)
            self.assertEqual(self.browser.ask("GET", "/api/v1/users").status, 401)
        self.assertEqual(self.bridge.status()["domain"], "example.com")


class CrowdTests(AdminCase):
    """Connections that are slow, or many."""

    def test_slow(self) -> None:
        """However slow somebody is, and at whatever, it ends; others are served meanwhile."""
        head = f"POST /sign-in HTTP/1.1\r\n{_HOST}"
        silent = RawStream(ADDRESS, self.port)
        hello = RawStream(ADDRESS, self.port)
        hello.send(b"\x16\x03\x01\x10\x00\x01\x00\x20\x00\x03\x03" + bytes(100))
        slow = [silent, hello]
        for said in ("", "P", head, f"{head}Content-Length: 50\r\n\r\nname="):
            stream = self.https.connect()
            stream.send(said)
            slow.append(stream)
        dripping = self.https.connect()
        slow.append(dripping)
        for stream in slow:
            self.addCleanup(stream.close)

        def over() -> bool:
            dripping.send("P")
            return all(stream.has_ended() for stream in slow)

        def probe() -> bool:
            self.assertIn(self.https.ask("GET", "/nothing").status, (401, 404))
            return over()

        wait_until("all have been hung up on", probe, 40.0)

    def test_many(self) -> None:
        """One address gets so many places; others are served, and files stay open for them."""
        held = []
        for _ in range(2000):
            held.append(socket.create_connection((ADDRESS, self.port), 5, ("127.0.0.7", 0)))
        for one in held:
            self.addCleanup(one.close)
        self.assertLess(len(list(Path(f"/proc/{self.process.pid}/fd").iterdir())), 200)
        head = self.https.head("GET", "/nothing").encode()
        self.assertIn(self.https.say(head, source="127.0.0.8").status, (401, 404))

    def test_unread(self) -> None:
        """Who asks and does not read the answers costs no more than others."""
        asking = f"GET /nothing HTTP/1.1\r\n{_HOST}\r\n" * 1000
        for _ in range(50):
            stream = self.https.connect()
            self.addCleanup(stream.close)
            stream.send(asking)
