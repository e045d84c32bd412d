"""Status > General, and what browsers follow of it."""

from __future__ import annotations

import json

from twisted.web import http
from twisted.web.server import NOT_DONE_YET, Request

from callbridged.web.pages.following import Following
from callbridged.web.pages.frame import Frame, SessionPage
from callbridged.web.pages.look import Look
from callbridged.web.pages.plots import draw
from callbridged.web.pages.render import markup
from callbridged.web.sessions import Session
from daemonkit.web.pages import Page, answer


class StatusPage(SessionPage):
    """``/status``"""

    def __init__(self, frame: Frame, look: Look) -> None:
        super().__init__(frame)
        self._look = look

    async def get(self, request: Request, session: Session) -> bytes:
        view, samples = self._look(), self._look.samples()
        sections = self.frame.renderer.sections(view, self.frame.language(request))
        return self.frame.render(
            request,
            "status",
            session,
            page="status",
            at=view.at,
            sections=markup(sections),
            drawn=draw(samples),
            samples=json.dumps(samples),
        )


class LivePage(Page):
    """``/live``: server-sent events for whoever is signed in."""

    def __init__(self, frame: Frame, following: Following) -> None:
        super().__init__()
        self._frame = frame
        self._following = following

    def show(self, request: Request) -> bytes | int:
        session = self._frame.parts.access.session(request)
        if session is None:
            return answer(request, http.UNAUTHORIZED, "Sign in.")
        if request.method == b"HEAD":
            return answer(request, http.OK, "There is something to follow.")
        if not self._following.follow(request, session, self._frame.language(request)):
            return answer(request, http.SERVICE_UNAVAILABLE, "Too many browsers follow.")
        return NOT_DONE_YET
