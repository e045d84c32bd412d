"""Tests of xmppd.web.upgrade and xmppd.web.channel: who gets a WebSocket, and who does not."""

from __future__ import annotations

from daemonkit.web.channel import Limits
from tests.support.logged import written
from tests.support.websocket import UPGRADE, texts
from tests.xmppd.web.case import PROXY, WebCase
from xmppd.events import ORIGIN_REFUSED

REQUEST_TIMEOUT = Limits().request_timeout


class HandshakeTests(WebCase):
    """RFC 6455 section 4.2, and RFC 7395 section 3.1."""

    def test_good(self) -> None:
        """The example of RFC 6455 is answered as there, with the subprotocol, and no extensions."""
        answer = self.browser().upgrade(sec_websocket_extensions="permessage-deflate")
        self.assertTrue(answer.startswith(b"HTTP/1.1 101 "), answer)
        lower = answer.lower()
        self.assertIn(b"sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=", lower)
        self.assertIn(b"sec-websocket-protocol: xmpp\r\n", lower)
        self.assertNotIn(b"extensions", lower)
        self.assertNotIn(b"server:", lower)

    def test_subprotocol(self) -> None:
        """Without the subprotocol xmpp, also among others, the answer is 400 and a sentence."""
        for wanted in (None, "chat", "XMPP"):
            answer = self.browser().upgrade(sec_websocket_protocol=wanted)
            self.assertIn(b" 400 ", answer)
            self.assertIn(b"The WebSocket subprotocol spoken here is xmpp", answer)
        self.assertIn(b" 101 ", self.browser().upgrade(sec_websocket_protocol="chat, xmpp"))

    def test_version(self) -> None:
        """Another version is told which one is spoken."""
        answer = self.browser().upgrade(sec_websocket_version="8")
        self.assertIn(b" 426 ", answer)
        self.assertIn(b"sec-websocket-version: 13", answer.lower())

    def test_no_handshake(self) -> None:
        """What is no handshake gets 400 and a sentence, in plain text."""
        for changes in (
            {name.replace("-", "_").lower(): None}
            for name in UPGRADE
            if name != "Sec-WebSocket-Protocol"
        ):
            answer = self.browser().upgrade(**changes)
            self.assertIn(b" 400 ", answer, changes)
            self.assertIn(b"text/plain", answer)
            self.assertIn(b"This is no WebSocket handshake.", answer)
        for changes in (
            {"connection": "close"},
            {"upgrade": "h2c"},
            {"sec_websocket_protocol": "\xe9"},
        ):
            self.assertIn(b" 400 ", self.browser().upgrade(**changes), changes)

    def test_http_1_0(self) -> None:
        """An HTTP/1.0 request is refused: a proxy that speaks it loses the upgrade."""
        fields = "".join(f"{name}: {value}\r\n" for name, value in UPGRADE.items())
        answer = self.browser().type(f"GET /xmpp-websocket HTTP/1.0\r\n{fields}\r\n")
        self.assertIn(b" 400 ", answer)

    def test_other_methods(self) -> None:
        """Nothing but GET."""
        browser = self.browser()
        for method in ("HEAD", "POST", "PUT", "OPTIONS", "WHATEVER"):
            self.assertIn(b" 405 ", browser.ask("/xmpp-websocket", method), method)

    def test_frames_in_one_piece(self) -> None:
        """Frames that come in one piece with the handshake are not lost."""
        browser = self.browser()
        fields = "".join(f"{name}: {value}\r\n" for name, value in UPGRADE.items())
        request = f"GET /xmpp-websocket HTTP/1.1\r\n{fields}\r\n".encode()
        ping = b"\x89\x80\0\0\0\0"
        self.assertTrue(browser.type(request + ping).endswith(b"\r\n\r\n\x8a\x00"))


class OriginTests(WebCase):
    """Whose pages may log in."""

    def test_own(self) -> None:
        """Where nothing is set: pages of the domain and of this host, and who is no browser."""
        for origin in (
            None,
            "https://example.com",
            "https://xmpp1.example.com",
            "https://xmpp1.example.com:443",
        ):
            self.assertIn(b" 101 ", self.browser().upgrade(origin=origin), origin)

    def test_no_text(self) -> None:
        """An origin that is no text is nobody's."""
        fields = "".join(f"{name}: {value}\r\n" for name, value in UPGRADE.items())
        asked = f"GET /xmpp-websocket HTTP/1.1\r\n{fields}Origin: ".encode()
        self.assertIn(b" 403 ", self.browser().type(asked + b"\xff\r\n\r\n"))

    def test_foreign(self) -> None:
        """Other pages get 403, and the log says once what to do."""
        lines = self.enterContext(written(self.clock))
        for origin in (
            "https://evil.example",
            "http://example.com",
            "https://example.com:444",
            "https://example.com.evil.example",
            "null",
            "https://example.com/",
        ):
            self.assertIn(b" 403 ", self.browser().upgrade(origin=origin), origin)
        said = [line.text for line in lines if line.event is ORIGIN_REFUSED]
        self.assertEqual(len(said), 1)
        self.assertIn("pages of https://evil.example may not log in here", said[0])
        self.assertEqual(self.clients.open, set())


class ConfiguredOriginTests(WebCase):
    """``websocket_origins`` with one origin."""

    origins = ("https://meet.example.com",)

    def test_only_these(self) -> None:
        """They take the place of the default."""
        self.assertIn(b" 101 ", self.browser().upgrade(origin="https://meet.example.com"))
        self.assertIn(b" 403 ", self.browser().upgrade(origin="https://example.com"))


class AnyOriginTests(WebCase):
    """``websocket_origins = *``."""

    origins = ("*",)

    def test_all(self) -> None:
        """Everybody's pages, even those that have no origin."""
        for origin in ("https://evil.example", "null"):
            self.assertIn(b" 101 ", self.browser().upgrade(origin=origin))


class ProxyTests(WebCase):
    """X-Forwarded-For, from trusted proxies only."""

    def peer(self, host: str, forwarded: str | None) -> tuple[str, bool]:
        browser = self.browser(host)
        self.assertIn(b" 101 ", browser.upgrade(x_forwarded_for=forwarded))
        (stream,) = self.clients.open
        found = stream.peer, stream.stream.end_to_end_tls
        browser.lose()
        return found

    def test_trusted(self) -> None:
        """The rightmost address that is no proxy's is the client's; TLS ended on the way."""
        self.assertEqual(self.peer(PROXY, "203.0.113.9"), ("203.0.113.9", False))
        self.assertEqual(
            self.peer(PROXY, "10.0.0.1, 203.0.113.9, 198.51.100.2"), ("203.0.113.9", False)
        )
        self.assertEqual(self.peer(PROXY, "::ffff:203.0.113.9"), ("203.0.113.9", False))

    def test_untrusted(self) -> None:
        """Nobody else is believed."""
        self.assertEqual(self.peer("192.0.2.7", "203.0.113.9"), ("192.0.2.7", True))

    def test_unusable(self) -> None:
        """A trusted proxy that names nobody is counted itself, and TLS is still its own."""
        for forwarded in (None, "unknown", "203.0.113.9, garbage", "198.51.100.2"):
            self.assertEqual(self.peer(PROXY, forwarded), (PROXY, False))

    def test_counted(self) -> None:
        """The client takes the place, not its proxy; and gives it back."""
        browser = self.browser(PROXY)
        browser.upgrade(x_forwarded_for="203.0.113.9")
        self.assertEqual(dict(self.clients.unauthenticated._count), {"203.0.113.9": 1})
        browser.lose()
        self.assertEqual(self.places, 0)

    def test_full(self) -> None:
        """A client whose address has no place left gets 503, though its proxy had one."""
        for _ in range(100):
            self.clients.admit("203.0.113.9")
        browser = self.browser(PROXY)
        self.assertIn(b" 503 ", browser.upgrade(x_forwarded_for="203.0.113.9"))
        browser.lose()
        self.assertEqual(self.places, 100)


class BoundsTests(WebCase):
    """What an HTTP connection may cost."""

    def test_places(self) -> None:
        """A connection counts from the first moment, until it is gone or logged in."""
        browser = self.browser()
        self.assertEqual(self.places, 1)
        browser.upgrade()
        self.assertEqual(self.places, 1)
        browser.lose()
        self.assertEqual(self.places, 0)
        self.browser().lose()
        self.assertEqual(self.places, 0)
        browser = self.logged_in()
        self.assertEqual(self.places, 0)
        browser.lose()
        self.assertEqual(self.places, 0)

    def test_too_many(self) -> None:
        """Where all places are taken, nothing is said."""
        for _ in range(100):
            self.clients.admit("192.0.2.7")
        self.assertIsNone(self.site.accept("192.0.2.7"))

    def test_timeout(self) -> None:
        """A request has to be complete in time, however its bytes are spread."""
        browser = self.browser()
        for byte in b"GET / HTT":
            browser.type(bytes([byte]))
            self.clock.advance(1.0)
        self.assertFalse(browser.hung_up)
        self.clock.advance(REQUEST_TIMEOUT - 9)
        self.assertTrue(browser.transport.aborted)

    def test_timeout_between_requests(self) -> None:
        """A connection that asked once does not stay for ever."""
        browser = self.browser()
        browser.ask("/")
        self.clock.advance(REQUEST_TIMEOUT)
        self.assertTrue(browser.transport.aborted)

    def test_login_timeout(self) -> None:
        """One request after the other does not keep a place for longer than a login may take."""
        browser = self.browser()
        for _ in range(3):
            self.assertIn(b" 404 ", browser.ask("/"))
            self.clock.advance(REQUEST_TIMEOUT - 0.1)
        browser.ask("/")
        self.assertFalse(browser.transport.aborted)
        self.clock.advance(0.3)
        self.assertTrue(browser.transport.aborted)

    def test_login_timeout_with_upgrade(self) -> None:
        """The time before the upgrade counts for the login."""
        browser = self.browser()
        self.clock.advance(9.0)
        browser.upgrade()
        browser.open()
        self.clock.advance(20.5)
        self.assertFalse(browser.hung_up)
        self.clock.advance(0.5)
        self.assertIn("connection-timeout", texts(browser.hear())[0])

    def test_timeout_ends_with_upgrade(self) -> None:
        """A WebSocket has time to log in."""
        browser = self.opened()
        self.clock.advance(REQUEST_TIMEOUT + 1)
        self.assertFalse(browser.hung_up)

    def test_body(self) -> None:
        """A body over 4 KiB, or of unknown length, is not read."""
        browser = self.browser()
        answer = browser.ask("/", "POST", "x" * 9000, content_length="9000")
        self.assertIn(b"413", answer)
        self.assertTrue(browser.hung_up)
        self.assertEqual(browser.type("GET / HTTP/1.1\r\n\r\n"), b"")
        browser = self.browser()
        chunked = browser.ask("/", "POST", "5\r\nxxxxx\r\n", transfer_encoding="chunked")
        self.assertIn(b"411", chunked)
        self.assertTrue(browser.hung_up)
        small = self.browser().ask("/xmpp-websocket", "POST", "xx", content_length="2")
        self.assertIn(b" 405 ", small)

    def test_headers(self) -> None:
        """Headers over 8 KiB, or too many of them, end the connection."""
        for headers in (
            "".join(f"X-{number}: x\r\n" for number in range(100)),
            "".join(f"X-{number}: {'x' * 1000}\r\n" for number in range(10)),
            f"X: {'x' * 9000}",
        ):
            browser = self.browser()
            answer = browser.type(f"GET / HTTP/1.1\r\n{headers}\r\n")
            self.assertNotIn(b" 200 ", answer)
            self.assertTrue(browser.hung_up)

    def test_one_request_at_a_time(self) -> None:
        """Who asks again before the answer has the first one, and no connection any more."""
        request = "GET /.well-known/host-meta HTTP/1.1\r\n{}\r\n"
        for first in (request.format(""), request.format("Content-Length: 2\r\n") + "xx"):
            browser = self.browser()
            answer = browser.type(first + 1000 * request.format(""))
            self.assertEqual(answer.count(b"HTTP/1.1 200 OK"), 1)
            self.assertTrue(browser.hung_up)
            self.assertEqual(browser.type(request.format("")), b"")
            browser.lose()
        self.assertEqual(self.places, 0)

    def test_plain_errors(self) -> None:
        """What is not there gets 404 and what cannot be done 405, in plain text, with no banner."""
        browser = self.browser()
        for path in ("/", "/nothing", "/.well-known", "/.well-known/acme", "/xmpp-websocket/x"):
            answer = browser.ask(path)
            self.assertIn(b" 404 ", answer, path)
            self.assertIn(b"text/plain", answer)
            self.assertNotIn(b"server:", answer.lower())
            self.assertNotIn(b"<", answer)
        answer = browser.ask("/.well-known/host-meta", "DELETE")
        self.assertIn(b" 405 ", answer)
        self.assertIn(b"allow: get, head", answer.lower())
        self.assertNotIn(b"twisted", answer.lower())
