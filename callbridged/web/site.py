"""What is served at ``[admin] listen``: the API and the pages, and the headers of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.resource import IResource
from twisted.web.server import Request as TwistedRequest

from bridgewire import tls
from callbridged.alarms.service import Alarms
from callbridged.bridge import Bridge
from callbridged.check.checks import Checks
from callbridged.events import ADMIN_TLS_FAILED
from callbridged.settings import Settings
from callbridged.status import Status
from callbridged.web.api import make_api
from callbridged.web.audit import Audit
from callbridged.web.pages.root import make_pages
from callbridged.web.sign_in import Access
from daemonkit.logging.recent import RecentEvents
from daemonkit.web.channel import Limits, Request
from daemonkit.web.door import CountingDoor
from daemonkit.web.pages import NotFound, answer
from daemonkit.web.site import WebSite

#: Connections at once, and those from one address: ten browsers behind one have six each.
MAX_CONNECTIONS = 200
MAX_PER_ADDRESS = 100
LIMITS = Limits(request_timeout=20.0, body=64 * 1024)

log = Logger()

#: What a page of ours may do: load what is ours and nothing else, no script or style that stands in
#: a document, be framed by nobody, tell nobody where its user comes from, and be kept by no cache.
#: Browsers that were here by https do not come back by http.
HEADERS = {
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; script-src 'self'; style-src 'self'; "
    b"img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    b"frame-ancestors 'none'",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=()",
    b"referrer-policy": b"same-origin",
    b"strict-transport-security": b"max-age=31536000",
}


@dataclass(frozen=True)
class Parts:
    """What pages and API stand on. ``settings`` are those that they change."""

    reactor: Any
    bridge: Bridge
    settings: Settings
    alarms: Alarms
    recent: RecentEvents
    status: Status
    checks: Checks
    access: Access
    audit: Audit


class AdminRequest(Request):
    """A request whose answer has `HEADERS`, where its page sets no others."""

    def render(self, resrc: IResource) -> None:
        for name, value in HEADERS.items():
            self.setHeader(name, value)
        if len(self.requestHeaders.getRawHeaders(b"host") or ()) != 1:  # RFC 9112 section 3.2
            resrc = _NoHost()
        super().render(resrc)


class _NoHost(NotFound):
    def show(self, request: TwistedRequest) -> bytes:
        return answer(request, http.BAD_REQUEST, "A request has one header Host.")


class AdminSite(WebSite):
    """Without a check that the Host header names us: with TLS, browsers hold the name against our
    certificate, so that nobody's DNS makes us a part of their site (DNS rebinding)."""

    requestFactory = AdminRequest


def make_site(reactor: Any, parts: Parts) -> AdminSite:
    """Answer what to listen for: the API at ``/api``, and the pages."""
    root: Any = make_pages(parts)
    root.putChild(b"api", make_api(parts))
    door = CountingDoor("port of the web page", MAX_CONNECTIONS, MAX_PER_ADDRESS)
    return AdminSite(root, reactor, door, LIMITS, _tls_failed)


def _tls_failed(host: str, reason: Failure) -> None:
    failure = tls.failure(reason, tls.ADMIN_PORT)
    log.warn(ADMIN_TLS_FAILED, peer=host, **failure.log_fields())
