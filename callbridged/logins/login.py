"""Step 12: answers the SASL exchanges that XMPP servers relay.

An exchange is a session of one link. It has a slot until it ended, its deadline is over, or its
link is gone; no more sessions than `capacity` are open at once.
"""

from __future__ import annotations

import os
from collections.abc import Hashable
from dataclasses import dataclass, field, replace

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.words.xish.domish import Element

from bridgewire.jid import parse_jid
from bridgewire.login import LoginReply, LoginRequest
from bridgewire.sasl import WireFault, sasl_data, sasl_failure, sasl_message
from bridgewire.steps import Reason, Step
from callbridged.attempt import ATTEMPT, Attempt
from callbridged.backends import AccountRefused, BackendUnavailable, IUserBackend
from callbridged.events import BACKEND_UNAVAILABLE, LOGIN_ENDED, LOGIN_SUCCEEDED, NO_ROOM
from callbridged.logins.directory import Directory
from callbridged.logins.guessing import Guess, Guessing, TooManyFailures
from callbridged.logins.guests import ACCOUNT, Guests
from callbridged.logins.login_records import LoginRecords
from callbridged.logins.mechanisms import MECHANISMS
from callbridged.logins.mechanisms.exchange import (
    Answer,
    Challenge,
    Exchange,
    Means,
    SaslFailure,
    Terms,
)
from callbridged.logins.tokens import Tokens
from callbridged.logins.user_certificates import UserCertificates
from callbridged.logins.welcome import Welcome
from daemonkit.logging.context import about
from daemonkit.login_record import MAX_NAME
from daemonkit.units import format_duration
from daemonkit.waits import Waits

#: Seconds for an exchange: what a server may ask for at most, and what it gets unasked.
MAX_SECONDS = 120.0

#: How a session can end with nobody's message the reason, and what a message then gets that was
#: still being worked on.
_CUT_OFF = {
    "aborted": "aborted",
    "link-lost": "aborted",
    "timeout": "temporary-auth-failure",
}


class NoRoom(Exception):
    """As many logins as we take are under way, or we drain: stanza error `resource-constraint`."""


class OutOfOrder(WireFault):
    """A message that does not fit the session; stanza error `unexpected-request`."""

    def __init__(self, text: str) -> None:
        super().__init__(text, "unexpected-request")


@dataclass(eq=False)
class _Session:
    link: Hashable
    server: str
    domain: str
    id: str
    mechanism: str
    exchange: Exchange | None
    welcome: Welcome
    peer: str | None
    guess: Guess | None
    waits: Waits
    ends: float
    timer: IDelayedCall | None = None
    #: The answer that is being worked on.
    working: Deferred[LoginReply] | None = None
    #: Why it ended.
    outcome: str | None = None


@dataclass
class _Link:
    sessions: dict[str, _Session] = field(default_factory=dict)
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
                self._end(session, "aborted")
            return LoginReply(request.session, sasl_failure("aborted"))
        if kind == "auth":
            if session is not None:
                raise OutOfOrder("auth, in a session that is open")
            session = self._begin(request, link, server, domain)
        elif session is None:
            raise OutOfOrder(f"{kind}, in no session that is open")
        elif session.working is not None:
            raise OutOfOrder(f"{kind}, before the answer to the message before")
        return await self._reply(session, request.element)

    def link_lost(self, link: Hashable) -> None:
        """Nobody waits any more for what came over ``link``."""
        if link in self._links:
            for session in list(self._links[link].sessions.values()):
                self._end(session, "link-lost")

    def _session(self, link: Hashable, session: str) -> _Session | None:
        return self._links[link].sessions.get(session) if link in self._links else None

    def _begin(self, request: LoginRequest, link: Hashable, server: str, domain: str) -> _Session:
        name = str(request.element.getAttribute("mechanism", ""))
        means = self._means
        if domain:
            means = replace(means, domain=parse_jid(domain).host)
        if self._open >= self.capacity:
            self.refused += 0 if self.draining else 1
            refusal = NoRoom(f"{self._open} logins are under way, and we take {self.capacity}")
            self.log.warn(NO_ROOM, login=request.session, peer=request.peer, why=str(refusal))
            full = Reason.RESOURCE_LIMIT
            self.records.ended(
                request.session,
                request.peer,
                server,
                name,
                "resource-constraint",
                domain=means.domain,
                reason=full,
            )
            raise refusal
        exchange = guess = None
        if self._guessing is not None:
            guess = self._guessing.begin(request.peer, self._shared)
        if name in self.mechanisms:
            terms = Terms(
                means,
                request.channel_bindings,
                request.offered,
                request.certificate,
                request.token,
                guess,
            )
            exchange = MECHANISMS[name].begin(terms)
        seconds = MAX_SECONDS if request.deadline is None else min(request.deadline, MAX_SECONDS)
        session = _Session(
            link,
            server,
            means.domain,
            request.session,
            name if exchange else "unknown",
            exchange,
            Welcome(means, request.session, request.peer, request.token),
            request.peer,
            guess,
            Waits(self._clock),
            self._clock.seconds() + seconds,
        )
        session.timer = self._clock.callLater(seconds, self._end, session, "timeout")
        self._links.setdefault(link, _Link()).sessions[session.id] = session
        self._open += 1
        return session

    async def _reply(self, session: _Session, element: Element) -> LoginReply:
        session.working = work = Deferred.fromCoroutine(self._step(session, element))
        try:
            reply = await work
        except CancelledError:
            if session.outcome is None:  # not by us, but by whoever asked
                self._end(session, "aborted")
                raise
            return LoginReply(session.id, sasl_failure(_CUT_OFF[session.outcome]))
        finally:
            session.working = None
        if session.outcome in _CUT_OFF:  # whatever the backend made of that
            session.welcome.withdraw(reply)
            return LoginReply(session.id, sasl_failure(_CUT_OFF[session.outcome]))
        return reply

    async def _step(self, session: _Session, element: Element) -> LoginReply:
        """Answer what to say to a message; ends the session unless it goes on."""
        ATTEMPT.set(Attempt(session.peer, session.mechanism, session.ends, session.waits))
        session.waits.turn_to(None)
        about(login=session.id, peer=session.peer)
        why, reason, unlogged = "", None, ""
        if session.guess is not None:
            session.guess.resume()
        try:
            answer = await self._take(session, element)
            if isinstance(answer, Challenge):
                if session.guess is not None:
                    session.guess.hold()
                if session.exchange is not None and session.exchange.username:
                    await session.welcome.begun(session.exchange.username)
                session.waits.turn_to("client")
                return LoginReply(session.id, sasl_message("challenge", answer.data))
            reply = await session.welcome.reply(answer)
        except CancelledError:
            raise
        except SaslFailure as failure:
            condition, why, reason = failure.condition, failure.text, failure.reason
        except AccountRefused as refusal:
            condition, why = refusal.condition, str(refusal)
        except TooManyFailures as refusal:
            condition, why = "temporary-auth-failure", str(refusal)
            reason = Reason.POLICY
        except BackendUnavailable as fault:
            condition, unlogged = "temporary-auth-failure", f"the user backend cannot look: {fault}"
            self.log.warn(BACKEND_UNAVAILABLE, why=str(fault))
        except Exception:  # noqa: BLE001 - logged whole, and the others live on
            condition, unlogged = "temporary-auth-failure", "internal error; the log has it"
            self.log.failure("Error in answering a login")
        else:
            more = "" if reply.username == answer.username else f"as {reply.username}"
            self._end(session, "success", "with a new token" if reply.token else more, reply=reply)
            return reply
        self._end(session, condition, why, reason, unlogged)
        return LoginReply(session.id, sasl_failure(condition, reason=reason))

    async def _take(self, session: _Session, element: Element) -> Answer:
        if session.exchange is None:
            raise SaslFailure("invalid-mechanism")
        try:
            data = sasl_data(element)
        except WireFault as fault:
            raise SaslFailure(fault.condition, str(fault)) from None
        silent = MECHANISMS[session.mechanism].may_be_silent
        if data is None and element.name == "auth" and not silent:
            return Challenge(None)  # RFC 6120 section 6.4.2: the client begins after this
        return await session.exchange.take(data or b"")

    def _end(
        self,
        session: _Session,
        outcome: str,
        why: str = "",
        reason: Reason | None = None,
        unlogged: str = "",
        reply: LoginReply | None = None,
    ) -> None:
        """``why``: more of it, for the log; ``unlogged``: what is there already."""
        if session.outcome is not None:
            return
        session.outcome = outcome
        if session.guess is not None:
            session.guess.ended(outcome)
        if session.timer is not None and session.timer.active():
            session.timer.cancel()
        self._open -= 1
        link = self._links[session.link]
        del link.sessions[session.id]
        if not link.sessions:
            del self._links[session.link]
        known = outcome == "success" and session.mechanism != "ANONYMOUS"
        claimed = session.exchange.username if session.exchange else ""
        seconds, waited = session.waits.total(), session.waits.by_whom()
        self.log.info(
            LOGIN_SUCCEEDED if known else LOGIN_ENDED,
            step=Step.LOGIN,
            login=session.id,
            domain=session.domain,
            user=claimed[:MAX_NAME],
            peer=session.peer or "unknown",
            mechanism=session.mechanism,
            outcome=outcome,
            why=f", {why}" if why else "",
            took=format_duration(seconds),
        )
        self.records.ended(
            session.id,
            session.peer,
            session.server,
            session.mechanism,
            outcome,
            domain=session.domain,
            user=(reply.username if reply else None) or claimed,
            seconds=seconds,
            waited=waited,
            guest=reply is not None and reply.report,
            text=why or unlogged,
            reason=reason,
        )
        if not link.sessions:
            for idle in link.waiting:  # after the answer that this is about was sent
                self._clock.callLater(0, idle.callback, None)
        if session.working is not None and outcome in _CUT_OFF:
            session.working.cancel()
