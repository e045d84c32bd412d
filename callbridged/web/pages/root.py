"""The tree of pages: what is at which path, for `callbridged.web.site`."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from twisted.web.iweb import IRequest
from twisted.web.resource import Resource
from twisted.web.server import Request

from callbridged.web.pages.audit_page import AuditPage
from callbridged.web.pages.configuration_page import ConfigurationPage
from callbridged.web.pages.following import Following
from callbridged.web.pages.frame import Frame, Nowhere, redirect
from callbridged.web.pages.look import Look
from callbridged.web.pages.render import Renderer
from callbridged.web.pages.sign_in import SignIn, SignOut
from callbridged.web.pages.status_page import LivePage, StatusPage
from daemonkit.web.files import folder
from daemonkit.web.live import Live
from daemonkit.web.pages import Page

if TYPE_CHECKING:
    from callbridged.web.site import Parts

#: Browsers that follow at once, and tabs of one session: browsers have six connections to a host.
MAX_STREAMS = 50
STREAMS_OF_SESSION = 4


class _Root(Page):
    """``/`` leads to the status, and what is not there is said in a page."""

    def __init__(self, frame: Frame) -> None:
        super().__init__()
        self._nowhere = Nowhere(frame)

    def getChild(self, path: bytes, request: IRequest) -> Resource:
        return self._nowhere if path else self

    def show(self, request: Request) -> bytes:
        return redirect(request, "/status")


def make_pages(parts: Parts) -> Page:
    """Answer ``/``, and what is below it."""
    renderer, look = Renderer(), Look(parts)
    frame = Frame(parts, renderer)
    live = Live(parts.reactor, MAX_STREAMS, STREAMS_OF_SESSION)
    following = Following(parts.reactor, live, renderer, look, look.samples)
    root = _Root(frame)
    root.putChild(b"sign-in", SignIn(frame))
    root.putChild(b"sign-out", SignOut(frame))
    root.putChild(b"status", StatusPage(frame, look))
    root.putChild(b"configuration", ConfigurationPage(frame, look))
    root.putChild(b"audit", AuditPage(frame))
    root.putChild(b"live", LivePage(frame, following))
    root.putChild(b"static", folder(files("callbridged.web.pages") / "static"))
    return root
