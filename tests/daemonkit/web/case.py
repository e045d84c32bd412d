"""A site in memory, with a page that answers what it is sent, and clients for it."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Request

from daemonkit.web.channel import Limits
from daemonkit.web.door import CountingDoor
from daemonkit.web.pages import Page
from daemonkit.web.site import WebSite
from tests.support.http import HttpClient


class Echo(Page):
    """Answers the body."""

    methods = (b"GET", b"HEAD", b"POST")

    def show(self, request: Request) -> bytes:
        body: bytes = request.content.read()  # type: ignore[union-attr]
        return b"echo:" + body


class SiteCase(SynchronousTestCase):
    """``/echo`` on a `WebSite` with ``limits``, for four connections, two of one address."""

    limits = Limits(request_timeout=10.0, body=100)

    def setUp(self) -> None:
        self.clock = Clock()
        self.root = Page()
        self.root.putChild(b"echo", Echo())
        self.door = CountingDoor("test port", 4, 2)
        self.tls_failures: list[tuple[str, Failure]] = []
        self.site = WebSite(
            self.root,
            self.clock,
            self.door,
            self.limits,
            lambda host, reason: self.tls_failures.append((host, reason)),
        )

    def client(self, host: str = "192.0.2.7") -> HttpClient:
        channel = self.site.accept(host)
        assert channel is not None
        return HttpClient(channel)
