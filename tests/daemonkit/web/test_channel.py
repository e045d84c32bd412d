"""Tests of daemonkit.web.channel, .door and .pages: what an HTTP connection may cost."""

from __future__ import annotations

from OpenSSL import SSL
from twisted.python.failure import Failure

from daemonkit.logging.events import CONNECTIONS_FULL
from daemonkit.web.channel import Limits
from tests.daemonkit.web.case import SiteCase
from tests.support.logged import written

REQUEST = "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"
FORM = "application/x-www-form-urlencoded"


class BodyTests(SiteCase):
    """Requests with bodies."""

    def test_read(self) -> None:
        """A body of up to the limit reaches its page, however it is cut."""
        client = self.client()
        for body in ("", "x", "x" * 100):
            answer = client.type(f"POST /echo HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n")
            answer += b"".join(map(client.type, body))
            self.assertTrue(answer.endswith(b"echo:" + body.encode()), answer)

    def test_form(self) -> None:
        """A form is left to its page, which knows its limits."""
        answer = self.client().ask(
            "/echo", "POST", "a=1&a=2", content_length="7", content_type=FORM
        )
        self.assertTrue(answer.endswith(b"echo:a=1&a=2"), answer)

    def test_too_long(self) -> None:
        """A longer one gets 413 before a byte of it is read, and is the connection's last."""
        for length in ("101", "9" * 30, "9" * 5000):
            client = self.client()
            answer = client.type(f"POST /echo HTTP/1.1\r\nContent-Length: {length}\r\nX: y\r\n\r\n")
            self.assertEqual(answer.count(b"HTTP/1.1 "), 1)
            self.assertIn(b" 413 ", answer)
            self.assertTrue(answer.endswith(b"\r\n\r\nA body has at most 100 bytes.\n"), answer)
            self.assertTrue(client.hung_up)
            self.assertEqual(client.type(REQUEST), b"")
            client.lose()

    def test_unknown_length(self) -> None:
        """One that does not say how long it is gets 411."""
        client = self.client()
        answer = client.ask("/echo", "POST", "1\r\nx\r\n", transfer_encoding="chunked")
        self.assertIn(b" 411 ", answer)
        self.assertTrue(client.hung_up)

    def test_slow(self) -> None:
        """The time is for the whole request: a byte now and then does not keep it going."""
        client = self.client()
        client.type("POST /echo HTTP/1.1\r\nContent-Length: 50\r\n\r\n")
        for _ in range(9):
            client.type("x")
            self.clock.advance(1.0)
        self.assertFalse(client.hung_up)
        self.clock.advance(1.0)
        self.assertTrue(client.transport.aborted)


class HeaderTests(SiteCase):
    """Request lines and headers."""

    def test_flood(self) -> None:
        """Too many headers, too long ones, and a request line without an end are cut off."""
        for text, status in (
            ("".join(f"X-{number}: x\r\n" for number in range(100)), b" 400 "),
            ("".join(f"X-{number}: {'x' * 1000}\r\n" for number in range(10)), b" 400 "),
            (f"X: {'x' * 9000}", b" 431 "),
        ):
            client = self.client()
            answer = client.type(f"GET /echo HTTP/1.1\r\n{text}\r\n\r\n")
            self.assertIn(status, answer)
            self.assertTrue(client.hung_up)
            self.assertEqual(client.type(REQUEST), b"")
            client.lose()
        self.assertIn(b" 431 ", self.client().type("GET /" + "x" * 9000))

    def test_slow(self) -> None:
        """Headers that come one letter at a time have no more time than others."""
        client = self.client()
        for letter in REQUEST[:10]:
            client.type(letter)
            self.clock.advance(1.0)
        self.assertTrue(client.transport.aborted)

    def test_any_letters(self) -> None:
        """A value that is no UTF-8 is ISO-8859-1, and reaches its page as text."""
        page = self.root.children[b"echo"]
        self.patch(page, "show", lambda request: repr(request.getHeader("x")).encode())
        client = self.client()
        for value, expected in (
            (b"\xff\xe9", "'\xff\xe9'"),
            ("日本".encode(), "'日本'"),
            (b"\xc3\xa9", "'\xe9'"),
        ):
            answer = client.type(b"GET /echo HTTP/1.1\r\nX: " + value + b"\r\n\r\n")
            self.assertTrue(answer.endswith(b"\r\n\r\n" + expected.encode()), answer)
        self.assertIn(b" 400 ", client.type(b"GET /echo HTTP/1.1\r\nX\xff: x\r\n\r\n"))

    def test_malformed(self) -> None:
        """What is no HTTP gets 400."""
        for text in ("nonsense\r\n\r\n", "GET /echo HTTP/1.1\r\nno colon\r\n\r\n"):
            client = self.client()
            self.assertIn(b" 400 ", client.type(text))
            client.lose()


class MethodTests(SiteCase):
    """What a page can do."""

    def test_others(self) -> None:
        """Other methods get 405 and are told which ones there are."""
        client = self.client()
        for method in ("PUT", "DELETE", "OPTIONS", "WHATEVER"):
            answer = client.ask("/echo", method).lower()
            self.assertIn(b" 405 ", answer)
            self.assertIn(b"allow: get, head, post\r\n", answer)
            self.assertIn(b"content-type: text/plain", answer)

    def test_head(self) -> None:
        """HEAD has the headers of GET, and no body."""
        answer = self.client().ask("/echo", "HEAD")
        self.assertIn(b"content-length: 5\r\n", answer.lower())
        self.assertTrue(answer.endswith(b"\r\n\r\n"))

    def test_no_banner(self) -> None:
        """No answer says which software makes it, and none is taken for something else."""
        for path in ("/", "/echo", "/nothing"):
            answer = self.client().ask(path).lower()
            self.assertNotIn(b"twisted", answer)
            self.assertIn(b"x-content-type-options: nosniff\r\n", answer)
            self.door.dismiss("192.0.2.7")


class ConnectionTests(SiteCase):
    """Connections and their places."""

    def test_one_at_a_time(self) -> None:
        """Who asks again before the answer has the first one, and no connection any more."""
        client = self.client()
        self.assertEqual(client.type(REQUEST * 50).count(b"HTTP/1.1 200"), 1)
        self.assertTrue(client.hung_up)

    def test_idle(self) -> None:
        """Between requests a connection has as long as for a request."""
        client = self.client()
        client.type(REQUEST)
        self.clock.advance(9.0)
        self.assertIn(b"echo:", client.type(REQUEST))
        self.clock.advance(9.0)
        self.assertFalse(client.transport.aborted)
        self.clock.advance(1.0)
        self.assertTrue(client.transport.aborted)

    def test_places(self) -> None:
        """So many connections from one address, and so many in all; those that end make room."""
        lines = self.enterContext(written(self.clock))
        clients = [self.client(), self.client()]
        self.assertIsNone(self.site.accept("192.0.2.7"))
        clients += [self.client("192.0.2.8"), self.client("2001:db8::1")]
        self.assertIsNone(self.site.accept("192.0.2.9"))
        said = [line.text for line in lines if line.event is CONNECTIONS_FULL]
        self.assertIn("from 192.0.2.7 to the test port", said[0])
        self.assertEqual(len(said), 2)
        for client in clients:
            client.lose()
        self.assertEqual(len(self.door.places), 0)

    def test_tls_failure(self) -> None:
        """A connection that ends for TLS is told of, with its address."""
        client = self.client()
        client.wrapper.connectionLost(Failure(SSL.Error([])))
        self.assertEqual([host for host, _ in self.tls_failures], ["192.0.2.7"])
        self.client().lose()
        self.assertEqual(len(self.tls_failures), 1)


class LifetimeTests(SiteCase):
    """Connections that may not last."""

    limits = Limits(lifetime=25.0)

    def test_ends(self) -> None:
        """One request after the other does not keep a connection for longer."""
        client = self.client()
        for _ in range(3):
            self.clock.advance(8.0)
            self.assertIn(b"echo:", client.type(REQUEST))
        self.assertFalse(client.transport.aborted)
        self.clock.advance(1.0)
        self.assertTrue(client.transport.aborted)
