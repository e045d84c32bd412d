"""Step 12: answers the SASL exchanges that XMPP servers relay.

Each is a session of one link, and has a slot until it has ended; no more of them than `capacity`
are open at once.
"""

from __future__ import annotations

import os
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from functools import partial

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from bridgewire.jid import parse_jid
from bridgewire.login import LoginReply, LoginRequest
from bridgewire.sasl import WireFault, sasl_failure
from bridgewire.steps import Reason
from callbridged.backends import IUserBackend
from callbridged.events import NO_ROOM
from callbridged.logins.directory import Directory
from callbridged.logins.guessing import Guessing
from callbridged.logins.guests import ACCOUNT, Guests
from callbridged.logins.login_records import LoginRecords
from callbridged.logins.mechanisms import MECHANISMS
from callbridged.logins.mechanisms.exchange import Means
from callbridged.logins.session import Session
from callbridged.logins.tokens import Tokens
from callbridged.logins.user_certificates import UserCertificates


class NoRoom(Exception):
    """As many logins as we take are under way, or we drain: stanza error `resource-constraint`."""


class OutOfOrder(WireFault):
    """A message that does not fit the session; stanza error `unexpected-request`."""

    def __init__(self, text: str) -> None:
        super().__init__(text, "unexpected-request")


@dataclass
class _Link:
    sessions: dict[str, Session] = field(default_factory=dict)
    waiting: list[Deferred[None]] = field(default_factory=list)


class LoginService:
    """Answers relayed logins out of a backend.

    A link is anything hashable that the caller tells the links apart by.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        backend: IUserBackend,
        domain: str,
        capacity: int = 200,
        decoy_key: bytes | None = None,
        certificates: UserCertificates | None = None,
        guests: Guests | None = None,
        tokens: Tokens | None = None,
        guessing: Guessing | None = None,
    ) -> None:
        """``capacity``: logins at once, over all links. ``guessing`` None: failures do not count.

        ``certificates`` None: no EXTERNAL. ``guests`` None: nobody without an account. ``tokens``
        None: no FAST.

        ``decoy_key``: for backends that have none of their own; None: one for this process.
        """
        #: True: no new logins. Those under way go on.
        self.draining = False
        #: How many were refused since so many were under way.
        self.refused = 0
        self._clock = clock
        self._backend = backend
        self._decoy_key = decoy_key or os.urandom(32)
        self._domain = parse_jid(domain).host
        self.records = LoginRecords()
        self._capacity = capacity
        self.reconfigure(certificates, guests, tokens, guessing)
        self._links: dict[Hashable, _Link] = {}
        self._open = 0

    def reconfigure(
        self,
        certificates: UserCertificates | None,
        guests: Guests | None,
        tokens: Tokens | None,
        guessing: Guessing | None,
    ) -> None:
        """Begin logins with these from now on; those under way go on with what they began with."""
        users = Directory(self._backend, self._decoy_key, guests)
        self._means = Means(users, self._domain, certificates, guests, tokens)
        self._guessing = guessing
        # The guests' access code is everybody's: failures must not keep all guests out.
        self._shared = frozenset({ACCOUNT} if guests is not None else ())

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """What is answered now, the best first."""
        return tuple(name for name, one in MECHANISMS.items() if one.served(self._means))

    @property
    def capacity(self) -> int:
        """What to offer to servers: logins at once, 0 while draining."""
        return 0 if self.draining else self._capacity

    def outstanding(self, link: Hashable | None = None) -> int:
        """Answer how many logins are under way, over all links or one."""
        if link is None:
            return self._open
        return len(self._links[link].sessions) if link in self._links else 0

    def idle(self, link: Hashable) -> Deferred[None]:
        """Answer when no login is under way over ``link``, also where one only ran out of time."""
        if not self.outstanding(link):
            return succeed(None)
        waiting = self._links[link].waiting
        idle: Deferred[None] = Deferred()
        waiting.append(idle)
        return idle

    async def answer(
        self, request: LoginRequest, link: Hashable, server: str = "", domain: str = ""
    ) -> LoginReply:
        """Answer a client's message that came over ``link``, from ``server``.

        ``domain``: which the link is for; empty: the one that this service was made with. Whatever
        the client does wrong, and the backend, is a reply with ``failure``.

        Raises:
            NoRoom: no new login can be taken.
            OutOfOrder: the server did something wrong; a session that is open stays as it is.
        """
        came_at = self._clock.seconds()
        reply = await self._answer(request, link, server, domain)
        return replace(reply, took=max(0.0, self._clock.seconds() - came_at))

    async def _answer(
        self, request: LoginRequest, link: Hashable, server: str, domain: str
    ) -> LoginReply:
        session = self._session(link, request.session)
        kind = request.element.name
        if kind == "abort":
            if session is not None:
                session.end("aborted")
            return LoginReply(request.session, sasl_failure("aborted"))
        if kind == "auth":
            if session is not None:
                raise OutOfOrder("auth, in a session that is open")
            session = self._begin(request, link, server, domain)
        elif session is None:
            raise OutOfOrder(f"{kind}, in no session that is open")
        elif session.busy:
            raise OutOfOrder(f"{kind}, before the answer to the message before")
        return await session.answer(request.element)

    def link_lost(self, link: Hashable) -> None:
        """Nobody waits any more for what came over ``link``."""
        if link in self._links:
            for session in list(self._links[link].sessions.values()):
                session.end("link-lost")

    def _session(self, link: Hashable, session: str) -> Session | None:
        return self._links[link].sessions.get(session) if link in self._links else None

    def _begin(self, request: LoginRequest, link: Hashable, server: str, domain: str) -> Session:
        name = str(request.element.getAttribute("mechanism", ""))
        means = self._means
        if domain:
            means = replace(means, domain=parse_jid(domain).host)
        if self._open >= self.capacity:
            self.refused += 0 if self.draining else 1
            refusal = NoRoom(f"{self._open} logins are under way, and we take {self.capacity}")
            self.log.warn(NO_ROOM, login=request.session, peer=request.peer, why=str(refusal))
            self.records.ended(
                request.session,
                request.peer,
                server,
                name,
                "resource-constraint",
                domain=means.domain,
                reason=Reason.RESOURCE_LIMIT,
            )
            raise refusal
        guess = None
        if self._guessing is not None:
            guess = self._guessing.begin(request.peer, self._shared)
        session = Session(
            self._clock,
            request,
            server,
            means,
            MECHANISMS[name] if name in self.mechanisms else None,
            guess,
            self.records,
            partial(self._over, link, request.session),
        )
        self._links.setdefault(link, _Link()).sessions[request.session] = session
        self._open += 1
        return session

    def _over(self, link: Hashable, session: str) -> None:
        of_link = self._links[link]
        del of_link.sessions[session]
        self._open -= 1
        if not of_link.sessions:
            del self._links[link]
            for idle in of_link.waiting:  # after the answer that this is about was sent
                self._clock.callLater(0, idle.callback, None)
