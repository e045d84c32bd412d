"""The pages to sign in and to sign out."""

from __future__ import annotations

from twisted.web import http
from twisted.web.server import Request

from callbridged.web.access import Denied
from callbridged.web.pages.frame import HtmlPage, query, read_form, redirect

#: Where one may go on after signing in.
PLACES = ("status", "configuration", "audit")
#: What may be said to who comes here.
_NOTICES = ("expired", "signed-out")
#: What is said about a refusal, by its reason.
_REFUSALS = {"wrong": "refused", "paused": "too-many", "busy": "too-many"}


class SignIn(HtmlPage):
    """``/sign-in``"""

    methods = (b"GET", b"HEAD", b"POST")

    async def answer(self, request: Request) -> bytes:
        if request.method != b"POST":
            notice = query(request, "notice")
            return self._form(request, notice if notice in _NOTICES else "", query(request, "to"))
        form = read_form(request)
        name, to = form.get("name", "").strip(), form.get("to", "")
        try:
            await self.access.sign_in(request, name, form.get("password", ""))
        except Denied as denied:
            if denied.reason not in _REFUSALS:
                raise
            if denied.status == http.UNAUTHORIZED:
                # Told so, browsers would ask for name and password by themselves.
                request.setResponseCode(http.FORBIDDEN)
            else:
                denied.put(request)
            # Without the name: people type passwords there.
            return self._form(request, _REFUSALS[denied.reason], to)
        return redirect(request, f"/{to if to in PLACES else PLACES[0]}")

    def _form(self, request: Request, notice: str, to: str) -> bytes:
        return self.frame.render(
            request,
            "sign_in",
            None,
            page="sign-in",
            notice=notice,
            tone="bad" if notice in _REFUSALS.values() else "calm",
            to=to if to in PLACES else "",
        )


class SignOut(HtmlPage):
    """``/sign-out``, by a button: so no link and no picture on another page can do it."""

    methods = (b"POST",)

    async def answer(self, request: Request) -> bytes:
        self.access.sign_out(request, read_form(request).get("csrf"))
        return redirect(request, "/sign-in", notice="signed-out")
