"""Tests of xmppd.web.host_meta: where a browser learns the URL (XEP-0156)."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

from tests.xmppd.web.case import WebCase, make

XRD = "{http://docs.oasis-open.org/ns/xri/xrd-1.0}"


class HostMetaCase(WebCase):
    """Reads the files."""

    def read(self, path: str, **headers: str) -> tuple[dict[str, str], bytes]:
        answer = self.browser().ask(f"/.well-known/{path}", **headers)
        head, _, body = answer.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        self.assertEqual(status, "HTTP/1.1 200 OK")
        return {name.lower(): value for name, value in (one.split(": ", 1) for one in lines)}, body


class HostMetaTests(HostMetaCase):
    """Both files."""

    def test_xrd(self) -> None:
        """As XML, for pages of any origin."""
        headers, body = self.read("host-meta")
        self.assertEqual(headers["content-type"], "application/xrd+xml")
        self.assertEqual(headers["access-control-allow-origin"], "*")
        (link,) = ElementTree.fromstring(body).findall(f"{XRD}Link")
        self.assertEqual(
            link.attrib,
            {
                "rel": "urn:xmpp:alt-connections:websocket",
                "href": "wss://xmpp1.example.com:5443/xmpp-websocket",
            },
        )

    def test_json(self) -> None:
        """As JSON, the same."""
        headers, body = self.read("host-meta.json")
        self.assertEqual(headers["content-type"], "application/json")
        self.assertEqual(headers["access-control-allow-origin"], "*")
        (link,) = json.loads(body)["links"]
        self.assertEqual(link["rel"], "urn:xmpp:alt-connections:websocket")
        self.assertEqual(link["href"], "wss://xmpp1.example.com:5443/xmpp-websocket")

    def test_head(self) -> None:
        """HEAD has the same headers and no body."""
        for path in ("host-meta", "host-meta.json"):
            headers, body = self.read(path)
            answer = self.browser().ask(f"/.well-known/{path}", "HEAD")
            self.assertTrue(answer.endswith(b"\r\n\r\n"))
            self.assertIn(f"content-length: {len(body)}".encode(), answer.lower())
            self.assertIn(headers["content-type"].encode(), answer)


class DomainTests(HostMetaCase):
    """A URL with the domain in it, where several are served."""

    url = "wss://xmpp1.example.com:5443/xmpp-websocket?{domain}"

    def setUp(self) -> None:
        super().setUp()
        first = self.clients.domains["example.com"]
        self.clients.domains = {
            "example.com": first,
            "bücher.example": replace(first, name="bücher.example"),
        }
        self.site = make(self)

    def url_for(self, host: str) -> str:
        _, body = self.read("host-meta.json", host=host)
        href: str = json.loads(body)["links"][0]["href"]
        return href.partition("?")[2]

    def test_ours(self) -> None:
        """The domain that was asked."""
        self.assertEqual(self.url_for("example.com"), "example.com")
        self.assertEqual(self.url_for("xn--bcher-kva.example:443"), "xn--bcher-kva.example")
        self.assertEqual(self.url_for("XN--BCHER-KVA.example."), "xn--bcher-kva.example")

    def test_foreign(self) -> None:
        """The first one, if it is none of ours."""
        for host in ("example.org", "192.0.2.1:5443", "[2001:db8::1]", "<x>", "a:b:c"):
            self.assertEqual(self.url_for(host), "example.com", host)
