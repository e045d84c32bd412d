"""Tests of xmppd.web.sign_in and xmppd.web.files: the page, its headers, who may log in by it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

from twisted.logger import globalLogPublisher

from tests.xmppd.web.case import WebCase, make

#: All that the page loads; what is missing in the wheel would be missing here.
LOADED = {
    "page/icon.svg": "image/svg+xml",
    "page/main.js": "text/javascript; charset=utf-8",
    "page/messages/ja.js": "text/javascript; charset=utf-8",
    "page/style.css": "text/css; charset=utf-8",
    "page/vendor/strophe.LICENSE.txt": "text/plain; charset=utf-8",
    "page/vendor/strophe.umd.min.js": "text/javascript; charset=utf-8",
}


class _Body(HTMLParser):
    """What the browser finds in the attributes of <body>."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "body":
            self.settings = json.loads(dict(attrs)["data-settings"] or "")


class PageCase(WebCase):
    """Reads the page."""

    page = True

    def read(
        self, path: str = "/", method: str = "GET", **headers: str
    ) -> tuple[str, dict[str, str], str]:
        answer = self.browser().ask(path, method, **headers).decode()
        head, _, body = answer.partition("\r\n\r\n")
        status, *lines = head.split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines)
        return status, {name.lower(): value for name, value in fields.items()}, body

    def settings(self, **headers: str) -> Any:
        parser = _Body()
        parser.feed(self.read(**headers)[2])
        return parser.settings


class OffTests(WebCase):
    """Without ``sign_in_page``."""

    def test_nothing_there(self) -> None:
        """There is no page, nor anything that it would load."""
        for path in ("/", "/page", "/page/", *(f"/{path}" for path in LOADED)):
            self.assertIn(b" 404 ", self.browser().ask(path), path)

    def test_origins(self) -> None:
        """No origin is let in that was not before."""
        for origin in ("https://xmpp1.example.com:5443", "https://example.com:5443"):
            self.assertIn(b" 403 ", self.browser().upgrade(origin=origin), origin)


class OnTests(PageCase):
    """The page, and what it loads."""

    def test_page(self) -> None:
        """It says in an attribute where to connect, and for which domain."""
        status, headers, _ = self.read()
        self.assertEqual(status, "HTTP/1.1 200 OK")
        self.assertEqual(headers["content-type"], "text/html; charset=utf-8")
        url = "wss://xmpp1.example.com:5443/xmpp-websocket"
        self.assertEqual(self.settings(), {"domains": [{"name": "example.com", "websocket": url}]})

    def test_policy(self) -> None:
        """Nothing but its own files, and its own WebSocket; no frames, no forms, no inline code."""
        _, headers, body = self.read()
        self.assertEqual(
            headers["content-security-policy"],
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            "connect-src wss://xmpp1.example.com:5443; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'",
        )
        self.assertNotIn("<style", body)
        self.assertNotIn(" style=", body)
        self.assertNotRegex(body, r"<script(?![^>]* src=)|\son\w+=|javascript:")

    def test_headers(self) -> None:
        """Every file is held to the same: no guessed types, no referrer, asked for each time."""
        for path in ("", *LOADED):
            _, headers, _ = self.read(f"/{path}")
            self.assertEqual(headers["x-content-type-options"], "nosniff", path)
            self.assertEqual(headers["referrer-policy"], "no-referrer", path)
            self.assertEqual(headers["cross-origin-opener-policy"], "same-origin", path)
            self.assertEqual(headers["cross-origin-resource-policy"], "same-origin", path)
            self.assertEqual(headers["cache-control"], "no-cache", path)
            self.assertIn(
                "default-src 'none'; script-src 'self';", headers["content-security-policy"]
            )
            self.assertNotIn("server", headers)

    def test_types(self) -> None:
        """Each file has its content type, and a length."""
        for path, kind in LOADED.items():
            status, headers, body = self.read(f"/{path}")
            self.assertIn(" 200 ", status, path)
            self.assertEqual(headers["content-type"], kind)
            self.assertEqual(headers["content-length"], str(len(body.encode())))

    def test_not_served(self) -> None:
        """Nothing else is, wherever one looks for it."""
        for path in (
            "page", "page/", "page/index.html", "page/nothing.js", "page/main.js/x",
            "page/messages", "page/vendor/manifest.json", "page/../sign_in.py",
            "page/%2e%2e/sign_in.py", "page//etc/passwd", "index.html",
        ):  # fmt: skip
            self.assertIn(" 404 ", self.read(f"/{path}")[0], path)

    def test_head(self) -> None:
        """HEAD has the headers of GET, no body, and leaves nothing in the log."""
        said: list[Any] = []
        globalLogPublisher.addObserver(said.append)
        self.addCleanup(globalLogPublisher.removeObserver, said.append)
        for path in ("/", "/page/main.js", "/nothing"):
            (_, get, _), (_, head, body) = self.read(path), self.read(path, "HEAD")
            self.assertEqual((head | {"date": ""}, body), (get | {"date": ""}, ""), path)
        self.assertEqual(said, [])

    def test_methods(self) -> None:
        """Nobody can send anything there."""
        for path in ("/", "/page/main.js"):
            status, headers, _ = self.read(path, "POST")
            self.assertIn(" 405 ", status)
            self.assertEqual(headers["allow"], "GET, HEAD")

    def test_unchanged(self) -> None:
        """A browser that has the file is told so, and gets what it has not."""
        for path in ("/", "/page/style.css"):
            _, headers, _ = self.read(path)
            for method in ("GET", "HEAD"):
                status, again, body = self.read(path, method, if_none_match=headers["etag"])
                self.assertEqual(status, "HTTP/1.1 304 Not Modified")
                self.assertEqual(body, "")
                self.assertNotIn("content-length", again)
                self.assertEqual(again["etag"], headers["etag"])
                self.assertEqual(
                    again["content-security-policy"], headers["content-security-policy"]
                )
            self.assertIn(" 200 ", self.read(path, if_none_match='"other"')[0])

    def test_connection_is_kept(self) -> None:
        """All that it loads may come over one connection."""
        browser = self.browser()
        for path in ("", *LOADED):
            self.assertIn(b" 200 ", browser.ask(f"/{path}"))
        self.assertFalse(browser.hung_up)

    def test_origins(self) -> None:
        """Its own origins are let in, with the port, and no others."""
        for origin in (
            "https://xmpp1.example.com:5443",
            "https://example.com:5443",
            "https://example.com",
        ):
            self.assertIn(b" 101 ", self.browser().upgrade(origin=origin), origin)
        for origin in (
            "http://example.com:5443",
            "https://example.com:5444",
            "https://www.example.com:5443",
            "https://evil.example:5443",
        ):
            self.assertIn(b" 403 ", self.browser().upgrade(origin=origin, host=origin[8:]), origin)


class ConfiguredTests(PageCase):
    """Behind a reverse proxy, with other origins allowed."""

    url = "wss://meet.example.org/xmpp?a=1&b='2;"
    origins = ("https://app.example.com",)

    def setUp(self) -> None:
        self.url = self.url.replace("'", "%27")
        super().setUp()

    def test_escaped(self) -> None:
        """What a URL has in it stays in the attribute, and its path out of the policy."""
        _, headers, body = self.read()
        self.assertIn("a=1&amp;b=", body)
        self.assertEqual(self.settings()["domains"][0]["websocket"], self.url)
        self.assertIn("connect-src wss://meet.example.org; ", headers["content-security-policy"])

    def test_origins(self) -> None:
        """The page is let in where browsers are told to go, and where it is; and who is named."""
        for origin in (
            "https://meet.example.org",
            "https://app.example.com",
            "https://xmpp1.example.com:5443",
        ):
            self.assertIn(b" 101 ", self.browser().upgrade(origin=origin), origin)
        self.assertIn(b" 403 ", self.browser().upgrade(origin="https://example.com"))


class DomainTests(PageCase):
    """Where several are served, one of them with letters that DNS does not have."""

    url = "wss://{domain}:5443/xmpp-websocket"

    def setUp(self) -> None:
        super().setUp()
        first = self.clients.domains["example.com"]
        self.clients.domains = {
            "example.com": first,
            "bücher.example": replace(first, name="bücher.example"),
        }
        self.site = make(self)

    def names(self, host: str) -> Sequence[str]:
        return [one["name"] for one in self.settings(host=host)["domains"]]

    def test_asked_for(self) -> None:
        """The one whose host name was asked for is the one to sign in to."""
        self.assertEqual(self.names("example.com:5443"), ["example.com"])
        self.assertEqual(self.names("xn--bcher-kva.example"), ["bücher.example"])
        (domain,) = self.settings(host="xn--bcher-kva.example")["domains"]
        self.assertEqual(domain["websocket"], "wss://xn--bcher-kva.example:5443/xmpp-websocket")

    def test_choice(self) -> None:
        """Any other name leaves the choice."""
        for host in ("xmpp1.example.com:5443", "192.0.2.1", "'\"><script>"):
            self.assertEqual(self.names(host), ["example.com", "bücher.example"])
        self.assertIn(
            "connect-src wss://example.com:5443 wss://xn--bcher-kva.example:5443; ",
            self.read(host="192.0.2.1")[1]["content-security-policy"],
        )

    def test_origins(self) -> None:
        """The page of each of them may log in."""
        for origin in ("https://example.com:5443", "https://xn--bcher-kva.example:5443"):
            self.assertIn(b" 101 ", self.browser().upgrade(origin=origin), origin)
