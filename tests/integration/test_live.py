"""Server-sent events over real TLS: what a browser costs that does not read."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import Certificate, optionsForClientTLS
from twisted.internet.task import cooperate
from twisted.trial.unittest import TestCase
from twisted.web.server import NOT_DONE_YET, Request

from bridgewire import tls
from bridgewire.identity import load_identity
from daemonkit.listener import Acceptor, TLSAcceptor
from daemonkit.web.door import CountingDoor
from daemonkit.web.live import Live, LiveStream
from daemonkit.web.pages import Page
from daemonkit.web.site import WebSite
from tests.support.ca import CertificateAuthority

#: Octets of a message, and how many there are: more than sockets hold.
SIZE, MESSAGES = 10_000, 4000


class _Browser(Protocol):
    """Reads when it is told to."""

    transport: Any

    def __init__(self) -> None:
        self.received = b""
        self.wanted = b""
        self.found: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.received = self.received[-SIZE * 3 :] + data
        if self.wanted and self.wanted in self.received and not self.found.called:
            self.found.callback(None)


class _Followed(Page):
    """One stream."""

    def __init__(self, live: Live) -> None:
        super().__init__()
        self._live = live
        self.opened: Deferred[LiveStream] = Deferred()

    def show(self, request: Request) -> int:
        stream = self._live.open(request, "owner")
        assert stream is not None
        self.opened.callback(stream)
        return NOT_DONE_YET


class SlowBrowserTests(TestCase):
    """A page that stands still."""

    def setUp(self) -> None:
        directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, directory)
        self.ca = CertificateAuthority(directory)
        identity = load_identity(*self.ca.issue("web", dns=["localhost"]))
        root, self.page = Page(), _Followed(Live(reactor))
        root.putChild(b"live", self.page)
        site = WebSite(root, reactor, CountingDoor("port", 10, 10))
        context = tls.client_server(identity, alpn=b"http/1.1")
        factory = TLSAcceptor(context, isClient=False, wrappedFactory=Acceptor(site.accept))
        self.port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(self.port.stopListening)

    async def connect(self) -> _Browser:
        endpoint = HostnameEndpoint(reactor, "127.0.0.1", self.port.getHost().port)
        trusted = Certificate.loadPEM(self.ca.certificate_path.read_bytes())
        options = optionsForClientTLS("localhost", trusted)
        browser: _Browser = await connectProtocol(wrapClientTLS(options, endpoint), _Browser())
        self.addCleanup(browser.transport.abortConnection)
        browser.transport.write(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return browser

    async def test_latest(self) -> None:
        """Once what lies between is full nothing is sent; who reads again gets the latest."""
        browser = await self.connect()
        stream = await self.page.opened
        browser.transport.pauseProducing()
        sent = [0]

        def tell() -> Any:
            for number in range(MESSAGES):
                sent[0] += stream.send("state", {"number": number, "rest": "x" * SIZE})
                yield None

        await cooperate(tell()).whenDone()
        self.assertLess(sent[0], MESSAGES * 9 // 10)
        browser.wanted = b'"number": %d,' % (MESSAGES - 1)
        browser.transport.resumeProducing()
        await browser.found
        self.assertTrue(stream.send("state", "the next"))
