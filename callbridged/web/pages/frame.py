"""What all pages have in common: HTML, its language and colours, forms, redirections, refusals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from twisted.logger import Logger
from twisted.web import http
from twisted.web.server import NOT_DONE_YET, Request

from callbridged.web.access import Denied
from callbridged.web.api.bodies import FORM, parse_form
from callbridged.web.api.failures import ApiFailure
from callbridged.web.pages.language import LANGUAGES, Language, language, preferred
from callbridged.web.pages.render import Renderer
from callbridged.web.sessions import COOKIE, Session
from daemonkit.tasks import detach
from daemonkit.web.pages import Page

if TYPE_CHECKING:
    from callbridged.web.site import Parts

THEMES = ("auto", "light", "dark")
#: What a reader may choose by a link, which is kept in a cookie, and which values it has.
_CHOICES = {"language": LANGUAGES, "theme": THEMES}
_COOKIE = "__Host-{}={}; Path=/; Max-Age=31536000; Secure; HttpOnly; SameSite=Lax"

#: What is said about a refusal, by its reason.
_SENTENCES = {"viewer": "error.forbidden", "csrf": "error.token", "cross-site": "error.token"}


class Frame:
    """Renders pages for whoever asks."""

    def __init__(self, parts: Parts, renderer: Renderer) -> None:
        self.parts = parts
        self.renderer = renderer

    def language(self, request: Request) -> Language:
        """Answer the one that the reader has chosen, or that the browser asks for."""
        chosen = _chosen(request, "language")
        return language(chosen or preferred(request.getHeader("accept-language") or ""))

    def render(
        self, request: Request, template: str, session: Session | None, **values: object
    ) -> bytes:
        """Answer the document for this reader."""
        callbridge = self.parts.bridge.config.callbridge
        request.setHeader("content-type", "text/html; charset=utf-8")
        request.setHeader("vary", "Accept-Language, Cookie")
        return self.renderer.page(
            template,
            self.language(request),
            datetime.now(UTC),
            callbridge=callbridge.name,
            domain=callbridge.domain,
            caller=None if session is None else session.caller,
            token="" if session is None else session.token,
            languages=[language(tag) for tag in LANGUAGES],
            themes=THEMES,
            theme=_chosen(request, "theme") or THEMES[0],
            **values,
        )


class HtmlPage(Page, ABC):
    """One page; what it answers may take its time."""

    log = Logger()

    def __init__(self, frame: Frame) -> None:
        super().__init__()
        self.frame = frame
        self.access = frame.parts.access

    def show(self, request: Request) -> int:
        detach(self._finish(request), self.log, "answering with a page")
        return NOT_DONE_YET

    @abstractmethod
    async def answer(self, request: Request) -> bytes:
        """Answer the body. Raises Denied, and ApiFailure for a form that cannot be read."""

    async def _finish(self, request: Request) -> None:
        gone: list[object] = []
        request.notifyFinish().addErrback(gone.append)
        try:
            body = b"" if choose(request) else await self.answer(request)
        except Denied as denied:
            body = self._refuse(request, denied.status, _SENTENCES[denied.reason])
        except ApiFailure as failure:
            fault = " ".join(one.message for one in failure.reasons)
            body = self._refuse(request, http.BAD_REQUEST, "error.form", fault=fault)
        except Exception:  # noqa: BLE001 - logged whole; the daemon goes on
            self.log.failure("Error in answering with a page")
            body = b"An internal error. The log of callbridged has its traceback.\n"
            request.setResponseCode(http.INTERNAL_SERVER_ERROR)
            request.setHeader("content-type", "text/plain; charset=utf-8")
        if not gone:
            request.setHeader("content-length", b"%d" % len(body))
            request.write(body)  # Twisted sends none of it for HEAD
            request.finish()

    def _refuse(self, request: Request, code: int, key: str, **values: object) -> bytes:
        """Answer a page that says why it was not done, by the text of ``key``."""
        request.setResponseCode(code)
        sentence = self.frame.language(request).text(key, **values)
        session = self.access.session(request)
        return self.frame.render(request, "error", session, page="error", sentence=sentence)


class SessionPage(HtmlPage):
    """A page for whoever is signed in; the others are sent to sign in."""

    async def answer(self, request: Request) -> bytes:
        session = self.access.session(request)
        if session is None:
            to = request.path.decode("ascii", "replace").strip("/")
            had_one = COOKIE.encode() in request.received_cookies
            return redirect(request, "/sign-in", to=to, notice="expired" if had_one else "")
        return await self.serve(request, session)

    async def serve(self, request: Request, session: Session) -> bytes:
        """Answer the body, by whichever method it is asked for."""
        return await self.get(request, session)

    @abstractmethod
    async def get(self, request: Request, session: Session) -> bytes:
        """Answer the body of the page."""


class FormPage(SessionPage):
    """A page with a form, which comes back to it."""

    methods = (b"GET", b"HEAD", b"POST")

    async def serve(self, request: Request, session: Session) -> bytes:
        if request.method != b"POST":
            return await self.get(request, session)
        form = read_form(request)
        self.access.check_form(request, session, form.get("csrf"))
        return await self.post(request, session, form)

    @abstractmethod
    async def post(self, request: Request, session: Session, form: Mapping[str, str]) -> bytes:
        """Do what a form says, whose token is right and whose sender may change things."""


class Nowhere(HtmlPage):
    """No page at all."""

    methods = (b"GET", b"HEAD", b"POST")

    async def answer(self, request: Request) -> bytes:
        return self._refuse(request, http.NOT_FOUND, "error.not-found")


def read_form(request: Request) -> dict[str, str]:
    """Answer the fields of a form that was sent. Raises ApiFailure."""
    kind = (request.getHeader("content-type") or "").replace(" ", "").lower()
    good = kind in (FORM, f"{FORM};charset=utf-8")
    return parse_form(request.content.read() if good and request.content else b"")


def redirect(request: Request, path: str, **query: str) -> bytes:
    """Let the browser go to ``path``, by GET."""
    request.setResponseCode(http.SEE_OTHER)
    asked = {key: value for key, value in query.items() if value}
    request.setHeader("location", f"{path}?{urlencode(asked)}" if asked else path)
    return b""


def query(request: Request, name: str) -> str:
    """Answer what stands in the URL for ``name``; empty where it does not, or twice."""
    values: Any = (request.args or {}).get(name.encode(), [])
    return values[0].decode("ascii", "replace") if len(values) == 1 else ""


def choose(request: Request) -> bool:
    """Keep the language and the colours that a link asks for, and go to the page without it.

    False where the link asks for none.
    """
    chosen = {name: query(request, name) for name in _CHOICES}
    for name, value in chosen.items():
        if value in _CHOICES[name]:
            request.cookies.append(_COOKIE.format(name, value).encode())
    if not any(chosen.values()) or request.method == b"POST":
        return False
    redirect(request, request.path.decode("ascii", "replace"))
    return True


def _chosen(request: Request, name: str) -> str:
    value = request.received_cookies.get(f"__Host-{name}".encode(), b"").decode("ascii", "replace")
    return value if value in _CHOICES[name] else ""
