"""Plain answers of the HTTP side: text, for people, and nothing that a browser would run."""

from __future__ import annotations

from typing import ClassVar

from twisted.web import http
from twisted.web.iweb import IRequest
from twisted.web.resource import Resource
from twisted.web.server import Request


def answer(request: Request, code: int, text: str) -> bytes:
    """Set the status and answer the body: one sentence, in plain text."""
    request.setResponseCode(code)
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    return text.encode() + b"\n"


class Page(Resource):
    """What can be read with GET and HEAD, and has nothing below it unless it is put there."""

    methods: ClassVar[tuple[bytes, ...]] = (b"GET", b"HEAD")

    def getChild(self, path: bytes, request: IRequest) -> Resource:
        return NotFound()

    def render(self, request: Request) -> bytes | int:
        body = self._answer(request)
        if request.method == b"HEAD" and isinstance(body, bytes):
            # Twisted would do the same, with a line in the log each time.
            request.setHeader(b"content-length", b"%d" % len(body))
            return b""
        return body

    def _answer(self, request: Request) -> bytes | int:
        if request.method not in self.methods:
            request.setHeader(b"allow", b", ".join(self.methods))
            return answer(request, http.NOT_ALLOWED, "This page cannot do that.")
        return self.show(request)

    def show(self, request: Request) -> bytes | int:
        """Answer the body, or `twisted.web.server.NOT_DONE_YET`."""
        return answer(request, http.NOT_FOUND, "There is nothing here.")


class NotFound(Page):
    """No page at all, whatever is asked of it."""

    def _answer(self, request: Request) -> bytes | int:
        return self.show(request)
