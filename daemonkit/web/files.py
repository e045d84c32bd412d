"""Files that browsers run: from memory, with headers that let nobody else's content in."""

from __future__ import annotations

from hashlib import sha256
from importlib.resources.abc import Traversable

from twisted.web import http
from twisted.web.server import NOT_DONE_YET, Request

from daemonkit.web.pages import Page

#: Content types, by what stands behind the last dot of a name. Other files are not served.
TYPES = {
    "css": b"text/css; charset=utf-8",
    "html": b"text/html; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "svg": b"image/svg+xml",
    "txt": b"text/plain; charset=utf-8",
}

#: A page of ours loads what is ours and nothing else, is framed by nobody, and tells nobody where
#: its user comes from. Browsers keep it, and ask each time whether it is still the same.
_HEADERS = {
    b"cache-control": b"no-cache",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=()",
    b"referrer-policy": b"no-referrer",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "{connect}base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def send(request: Request, body: bytes, kind: str, *, connect: str = "") -> bytes | int:
    """Answer ``body``, of a ``kind`` from `TYPES`; nothing where the browser has it already.

    ``connect``: where its scripts may connect to, origins with spaces between.
    """
    policy = _POLICY.format(connect=f"connect-src {connect}; " if connect else "")
    request.setHeader(b"content-security-policy", policy.encode())
    request.setHeader(b"content-type", TYPES[kind])
    for name, value in _HEADERS.items():
        request.setHeader(name, value)
    tag = sha256(body).hexdigest()[:32]
    if request.setETag(f'"{tag}"'.encode()) is http.CACHED:
        request.finish()  # without a Content-Length, which would be that of the body
        return NOT_DONE_YET
    return body


class File(Page):
    """One file that is the same for everybody."""

    def __init__(self, body: bytes, kind: str) -> None:
        super().__init__()
        self._body = body
        self._kind = kind

    def show(self, request: Request) -> bytes | int:
        return send(request, self._body, self._kind)


def folder(source: Traversable) -> Page:
    """Answer the files in ``source``, and in the folders below it, by their names.

    Documents are not among them: those have settings to be filled in.
    """
    page = Page()
    for entry in source.iterdir():
        kind = entry.name.rpartition(".")[2]
        if entry.is_dir():
            page.putChild(entry.name.encode(), folder(entry))
        elif kind in TYPES and kind != "html":
            page.putChild(entry.name.encode(), File(entry.read_bytes(), kind))
    return page
