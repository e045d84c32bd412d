"""Where to connect, for clients that know only the domain: host-meta files (XEP-0156, RFC 6415)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

from twisted.web.server import Request

from daemonkit.hosts import parse_name
from daemonkit.web.pages import Page
from xmppd.web.urls import asked_name

RELATION = "urn:xmpp:alt-connections:websocket"
_XRD = "http://docs.oasis-open.org/ns/xri/xrd-1.0"


class HostMeta(Page):
    """Both forms of it: as XRD, and as JSON.

    ``url`` is announced, with the domain of the request in the place of ``{domain}``: the one in
    the Host header, if it is among ``domains``, else the first.
    """

    def __init__(self, url: str, domains: Sequence[str], *, as_json: bool) -> None:
        super().__init__()
        self._url = url
        self._domains = [parse_name(domain) for domain in domains]
        self._as_json = as_json

    def show(self, request: Request) -> bytes:
        # Pages of every site may read it: it is how their scripts find us.
        request.setHeader(b"access-control-allow-origin", b"*")
        asked = asked_name(request)
        domain = asked if asked in self._domains else self._domains[0]
        url = self._url.replace("{domain}", domain)
        if self._as_json:
            request.setHeader(b"content-type", b"application/json")
            return json.dumps({"links": [{"rel": RELATION, "href": url}]}).encode() + b"\n"
        request.setHeader(b"content-type", b"application/xrd+xml")
        return (
            "<?xml version='1.0' encoding='utf-8'?>\n"
            f"<XRD xmlns='{_XRD}'>\n"
            f"  <Link rel='{RELATION}' href={quoteattr(url)}/>\n"
            "</XRD>\n"
        ).encode()
