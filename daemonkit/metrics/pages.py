"""What can be asked of a daemon from outside: its metrics, and whether it lives and is of use."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry
from twisted.internet.interfaces import IReactorTime
from twisted.web import http
from twisted.web.server import Request

from daemonkit.metrics.exposition import expose
from daemonkit.web.door import CountingDoor
from daemonkit.web.pages import Page, answer
from daemonkit.web.site import WebSite

#: Answers why the daemon is of no use now, a sentence for each reason; none: it is.
NotReady = Callable[[], Sequence[str]]


#: Connections at once, and from one address. A scraper has one.
MAX_CONNECTIONS = 20
MAX_PER_ADDRESS = 10


def make_site(reactor: IReactorTime, registry: CollectorRegistry, not_ready: NotReady) -> WebSite:
    """Answer what ``[metrics] listen`` listens for."""
    door = CountingDoor("metrics port", MAX_CONNECTIONS, MAX_PER_ADDRESS)
    return WebSite(make_root(registry, not_ready), reactor, door)


def make_root(registry: CollectorRegistry, not_ready: NotReady) -> Page:
    """Answer the pages: ``/metrics``, ``/healthz``, ``/readyz``."""
    root = Page()
    root.putChild(b"metrics", Metrics(registry))
    root.putChild(b"healthz", Health())
    root.putChild(b"readyz", Readiness(not_ready))
    return root


class Metrics(Page):
    """All series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__()
        self._registry = registry

    def show(self, request: Request) -> bytes:
        accept = ",".join(request.requestHeaders.getRawHeaders("accept") or ())
        encodings = ",".join(request.requestHeaders.getRawHeaders("accept-encoding") or ())
        found = expose(self._registry, accept, encodings)
        request.setHeader(b"content-type", found.content_type.encode())
        request.setHeader(b"cache-control", b"no-store")
        request.setHeader(b"vary", b"accept, accept-encoding")
        if found.encoding:
            request.setHeader(b"content-encoding", found.encoding.encode())
        return found.body


class Health(Page):
    """The reactor answers: else nobody would read this."""

    def show(self, request: Request) -> bytes:
        request.setHeader(b"cache-control", b"no-store")
        return answer(request, http.OK, "It lives.")


class Readiness(Page):
    """It is of use, or why not."""

    def __init__(self, not_ready: NotReady) -> None:
        super().__init__()
        self._not_ready = not_ready

    def show(self, request: Request) -> bytes:
        request.setHeader(b"cache-control", b"no-store")
        reasons = self._not_ready()
        if reasons:
            return answer(request, http.SERVICE_UNAVAILABLE, "\n".join(reasons))
        return answer(request, http.OK, "Ready.")
