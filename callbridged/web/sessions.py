"""Who is signed in on the web page: by a cookie that says nothing, and ends with the account.

The cookie is for this host alone (``__Host-``), for https alone, for no script, and not sent with
what other sites begin (RFC 6265bis). What it says is known here only by its hash.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from twisted.internet.interfaces import IReactorTime
from twisted.web.server import Request

from callbridged.web.access import Caller, peer_of
from callbridged.web.admins_file import Account
from daemonkit.web.live import Live, LiveStream

COOKIE = "__Host-callbridged"
_ATTRIBUTES = "; Path=/; Secure; HttpOnly; SameSite=Strict"

#: Sessions at once, and those of one account; the oldest ends for a new one.
MAX_SESSIONS = 200
MAX_PER_ACCOUNT = 20


@dataclass(eq=False)
class Session:
    """One. ``token`` has to come back with each form, and with each request of a script's that
    changes something. Times are the clock's.
    """

    caller: Caller
    mark: bytes = field(repr=False)
    since: float
    used: float
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    #: What follows on its behalf, and ends with it.
    streams: set[LiveStream] = field(default_factory=set, repr=False)


class Sessions:
    """All of them. They are gone when the daemon ends."""

    def __init__(self, clock: IReactorTime, idle: float, lifetime: float) -> None:
        """As `set_lifetime`."""
        self._clock = clock
        self._sessions: dict[bytes, Session] = {}
        self.set_lifetime(idle, lifetime)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._sessions)

    def set_lifetime(self, idle: float, lifetime: float) -> None:
        """A session ends ``idle`` seconds after its last request, and ``lifetime`` after its first.

        This counts for those that there are, too. A viewer's page that follows is not idle.
        """
        self._idle = idle
        self._lifetime = lifetime

    def begin(self, request: Request, account: Account, caller: Caller) -> Session:
        """Let ``account`` be signed in, and give the browser the cookie."""
        self._end(_key(_cookie(request)))  # of whoever was signed in there before
        self._make_room(account.name)
        now = self._clock.seconds()
        session = Session(caller, account.mark, now, now)
        secret = secrets.token_urlsafe(32)
        self._sessions[_key(secret)] = session
        request.cookies.append(f"{COOKIE}={secret}{_ATTRIBUTES}".encode())
        return session

    def find(self, request: Request) -> Session | None:
        """Answer whose request it is, which makes the session last on; None where it has none.

        What is done from now on is done from where this request comes from.
        """
        session = self._sessions.get(_key(_cookie(request)))
        if session is None or self._is_over(session):
            return None
        session.used = self._clock.seconds()
        session.caller = replace(session.caller, peer=peer_of(request))
        return session

    def end(self, request: Request) -> None:
        """End the session of this request, if it has one, and take the cookie back."""
        cookie = _cookie(request)
        if cookie:
            request.cookies.append(f"{COOKIE}=; Max-Age=0{_ATTRIBUTES}".encode())
            self._end(_key(cookie))

    def sweep(self, stays: Callable[[Session], bool]) -> None:
        """End those whose time is over, and those that may not stay."""
        for key, session in tuple(self._sessions.items()):
            if self._is_over(session) or not stays(session):
                self._end(key)

    def _is_over(self, session: Session) -> bool:
        now = self._clock.seconds()
        # A screen on the wall asks for nothing, and can do no harm.
        is_watching = bool(session.streams) and not session.caller.may_change
        is_idle = now >= session.used + self._idle and not is_watching
        return is_idle or now >= session.since + self._lifetime

    def _make_room(self, name: str) -> None:
        own = [key for key, one in self._sessions.items() if one.caller.name == name]
        if len(own) >= MAX_PER_ACCOUNT:
            self._end(own[0])
        elif len(self._sessions) >= MAX_SESSIONS:
            self._end(next(iter(self._sessions)))

    def _end(self, key: bytes) -> None:
        session = self._sessions.pop(key, None)
        for stream in tuple(session.streams) if session else ():
            stream.close()


def open_stream(
    live: Live, request: Request, session: Session, gone: Callable[[], None] = lambda: None
) -> LiveStream | None:
    """As `Live.open`; the stream ends with the session."""

    def ended() -> None:
        if stream is not None:
            session.streams.discard(stream)
        gone()

    stream: LiveStream | None = None
    stream = live.open(request, session, ended)
    if stream is not None:
        session.streams.add(stream)
    return stream


def _cookie(request: Request) -> str:
    return (request.received_cookies.get(COOKIE.encode()) or b"").decode("ascii", "replace")


def _key(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
