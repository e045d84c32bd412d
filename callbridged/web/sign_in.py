"""Signing in and out, and telling who asks: what ``callbridged.web.access`` decides, with accounts.

The page's side::

    session = access.session(request)           # None: show the sign-in page
    session = await access.sign_in(request, name, password)    # raises Denied
    access.sign_out(request, form_token)
    access.check_form(request, session, form_token)             # raises Denied

The API's side::

    caller = await access.caller(request)        # raises Denied
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from contextlib import contextmanager

from twisted.web import http
from twisted.web.server import Request

from callbridged.web import access
from callbridged.web.access import CSRF_HEADER, Caller, Denied, peer_of
from callbridged.web.accounts import Accounts, Busy
from callbridged.web.admins_file import MAX_NAME, Account, parse_name
from callbridged.web.audit import Audit
from callbridged.web.basic import Remembered
from callbridged.web.guard import Guard
from callbridged.web.sessions import Session, Sessions

_CHALLENGE = ((b"www-authenticate", b'Basic realm="callbridged", charset="UTF-8"'),)


class Access:
    """Who asks, for the pages and for the API."""

    def __init__(
        self,
        accounts: Accounts,
        sessions: Sessions,
        guard: Guard,
        audit: Audit,
        remembered: Remembered,
    ) -> None:
        self.sessions = sessions
        self._accounts = accounts
        self._guard = guard
        self._audit = audit
        self._remembered = remembered

    async def caller(self, request: Request) -> Caller:
        """Answer who asks this of the API: by Basic authentication, or by the page's cookie.

        Raises:
            Denied: it is nobody, or may not.
        """
        change = access.changes(request)
        if change:
            access.check_site(request)
        authorization = request.getHeader("authorization")
        session = None if authorization is not None else self.session(request)
        if session is None:
            caller = await self._basic(request, authorization or "")
            if change:
                with self._noted(caller):
                    access.check_role(caller)
            return caller
        if change:
            self._check_session(session, request.getHeader(CSRF_HEADER))
        return session.caller

    def session(self, request: Request) -> Session | None:
        """Answer whose page it is, which makes the session last on."""
        self._accounts.look()
        session = self.sessions.find(request)
        return session if session is not None and self.stays(session) else None

    def stays(self, session: Session) -> bool:
        """False where its account is gone, or has another password or role."""
        account = self._accounts.find(session.caller.name)
        return account is not None and account.mark == session.mark

    def check_form(self, request: Request, session: Session, token: str | None) -> None:
        """Call before a form of ours, which had ``token`` in it, changes something.

        A viewer gets no further than this. Raises Denied.
        """
        access.check_site(request)
        self._check_session(session, token)

    async def sign_in(self, request: Request, name: str, password: str) -> Session:
        """Begin a session of the page's. Raises Denied."""
        access.check_site(request)
        account = await self._authenticate(request, name, password)
        caller = Caller(account.name, account.role, peer_of(request))
        self._audit.signed_in(caller, "page")
        return self.sessions.begin(request, account, caller)

    def sign_out(self, request: Request, token: str | None) -> None:
        """End the session, if there is one; ``token`` is that of the form. Raises Denied."""
        access.check_site(request)
        session = self.sessions.find(request)
        if session is not None:
            access.check_token(session.token, token)
            self._audit.signed_out(session.caller)
        self.sessions.end(request)

    def _check_session(self, session: Session, token: str | None) -> None:
        with self._noted(session.caller):
            access.check_token(session.token, token)
            access.check_role(session.caller)

    @contextmanager
    def _noted(self, caller: Caller) -> Iterator[None]:
        """Let the audit log have what somebody who is signed in may not."""
        try:
            yield
        except Denied as denied:
            self._audit.denied(caller, denied.reason)
            raise

    async def _basic(self, request: Request, authorization: str) -> Caller:
        given = parse_basic(authorization)
        if given is None:
            raise _unauthenticated("Sign in with name and password.")
        name, password = given
        peer = peer_of(request)
        account = self._accounts.find(_normal(name))
        if account is None or not self._is_remembered(account, password, peer):
            account = await self._authenticate(request, name, password)
            self._remembered.keep(account, password, peer)
        caller = Caller(account.name, account.role, peer)
        if self._remembered.is_news(caller):
            self._audit.signed_in(caller, "API")
        return caller

    def _is_remembered(self, account: Account, password: str, peer: str) -> bool:
        """Never while somebody guesses there: who does would be told of the right one, too."""
        ready = self._guard.ready(account.name, peer)
        return ready and self._remembered.has(account, password, peer)

    async def _authenticate(self, request: Request, name: str, password: str) -> Account:
        peer = peer_of(request)
        normal = _normal(name)
        shown = "" if self._accounts.find(normal) is None else normal
        attempt = await self._guard.turn(normal or name[:MAX_NAME], peer, shown)
        try:
            account = await self._accounts.check(shown, password)
        except Busy:
            attempt.over()
            raise Denied(
                http.SERVICE_UNAVAILABLE,
                "busy",
                "Too many sign in at once. Try again in a moment.",
                ((b"retry-after", b"2"),),
            ) from None
        except BaseException:
            attempt.over()
            raise
        if account is None:
            self._audit.refused(shown, peer, "wrong name or password")
            if attempt.failed():
                self._audit.refused(shown, peer, "paused")
            raise _unauthenticated("The name or the password is wrong.", "wrong")
        attempt.succeeded()
        return account


def parse_basic(authorization: str) -> tuple[str, str] | None:
    """Answer name and password of the header (RFC 7617, in UTF-8); None where it has none."""
    scheme, _, encoded = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    name, colon, password = text.partition(":")
    return (name, password) if colon else None


def _normal(name: str) -> str:
    """Answer a name in the form of an account's; empty where it cannot be one."""
    try:
        return parse_name(name)
    except ValueError:
        return ""


def _unauthenticated(text: str, reason: str = "unauthenticated") -> Denied:
    return Denied(http.UNAUTHORIZED, reason, text, _CHALLENGE)
