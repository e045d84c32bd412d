"""One login under way: its messages, its deadline, and how it ends (step 12)."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.words.xish.domish import Element

from bridgewire.login import LoginReply, LoginRequest
from bridgewire.sasl import WireFault, sasl_data, sasl_failure, sasl_message
from bridgewire.steps import Reason, Step
from callbridged.attempt import ATTEMPT, Attempt
from callbridged.backends import AccountRefused, BackendUnavailable
from callbridged.events import BACKEND_UNAVAILABLE, LOGIN_ENDED, LOGIN_SUCCEEDED
from callbridged.logins.guessing import Guess, TooManyFailures
from callbridged.logins.login_records import LoginRecords
from callbridged.logins.mechanisms.exchange import (
    Answer,
    Challenge,
    Exchange,
    Means,
    Mechanism,
    SaslFailure,
    Terms,
)
from callbridged.logins.welcome import Welcome
from daemonkit.logging.context import about
from daemonkit.login_record import MAX_NAME
from daemonkit.tasks import cancel
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


class Session:
    """A SASL exchange that ``server`` relays, from its first message on."""

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        request: LoginRequest,
        server: str,
        means: Means,
        mechanism: Mechanism | None,
        guess: Guess | None,
        records: LoginRecords,
        over: Callable[[], None],
    ) -> None:
        """``mechanism`` None: none that is served. ``guess`` None: failures do not count.

        ``over`` is called once, as soon as the session has ended.
        """
        self._id = request.session
        self._peer = request.peer
        self._server = server
        self._domain = means.domain
        self._mechanism = mechanism
        self._guess = guess
        self._records = records
        self._over = over
        self._exchange: Exchange | None = None
        if mechanism is not None:
            terms = Terms(
                means,
                request.channel_bindings,
                request.offered,
                request.certificate,
                request.token,
                guess,
            )
            self._exchange = mechanism.begin(terms)
        self._welcome = Welcome(means, request.session, request.peer, request.token)
        self._waits = Waits(clock)
        seconds = MAX_SECONDS if request.deadline is None else min(request.deadline, MAX_SECONDS)
        self._ends = clock.seconds() + seconds
        self._timer = clock.callLater(seconds, self.end, "timeout")
        #: The answer that is being worked on.
        self._working: Deferred[LoginReply] | None = None
        #: Why it ended.
        self._outcome: str | None = None

    @property
    def busy(self) -> bool:
        """True while the answer to a message is being worked on."""
        return self._working is not None

    @property
    def _mechanism_name(self) -> str:
        return "unknown" if self._mechanism is None else self._mechanism.name

    async def answer(self, element: Element) -> LoginReply:
        """Answer the client's next message; the session has ended unless that is a challenge."""
        self._working = work = Deferred.fromCoroutine(self._step(element))
        try:
            reply = await work
        except CancelledError:
            if self._outcome is None:  # not by us, but by whoever asked
                self.end("aborted")
                raise
            return LoginReply(self._id, sasl_failure(_CUT_OFF[self._outcome]))
        finally:
            self._working = None
        if self._outcome in _CUT_OFF:  # whatever the backend made of that
            self._welcome.withdraw(reply)
            return LoginReply(self._id, sasl_failure(_CUT_OFF[self._outcome]))
        return reply

    async def _step(self, element: Element) -> LoginReply:
        ATTEMPT.set(Attempt(self._peer, self._mechanism_name, self._ends, self._waits))
        self._waits.turn_to(None)
        about(login=self._id, peer=self._peer)
        why, reason, unlogged = "", None, ""
        if self._guess is not None:
            self._guess.resume()
        try:
            answer = await self._take(element)
            if isinstance(answer, Challenge):
                if self._guess is not None:
                    self._guess.hold()
                if self._exchange is not None and self._exchange.username:
                    await self._welcome.begun(self._exchange.username)
                self._waits.turn_to("client")
                return LoginReply(self._id, sasl_message("challenge", answer.data))
            reply = await self._welcome.reply(answer)
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
            self.end("success", "with a new token" if reply.token else more, reply=reply)
            return reply
        self.end(condition, why, reason, unlogged)
        return LoginReply(self._id, sasl_failure(condition, reason=reason))

    async def _take(self, element: Element) -> Answer:
        if self._exchange is None or self._mechanism is None:
            raise SaslFailure("invalid-mechanism")
        try:
            data = sasl_data(element)
        except WireFault as fault:
            raise SaslFailure(fault.condition, str(fault)) from None
        if data is None and element.name == "auth" and not self._mechanism.may_be_silent:
            return Challenge(None)  # RFC 6120 section 6.4.2: the client begins after this
        return await self._exchange.take(data or b"")

    def end(
        self,
        outcome: str,
        why: str = "",
        reason: Reason | None = None,
        unlogged: str = "",
        reply: LoginReply | None = None,
    ) -> None:
        """End it, unless it has ended.

        ``why``: more of it, for the log; ``unlogged``: what is there already.
        """
        if self._outcome is not None:
            return
        self._outcome = outcome
        if self._guess is not None:
            self._guess.ended(outcome)
        cancel(self._timer)
        self._over()
        mechanism = self._mechanism_name
        known = outcome == "success" and mechanism != "ANONYMOUS"
        claimed = self._exchange.username if self._exchange else ""
        seconds, waited = self._waits.total(), self._waits.by_whom()
        self.log.info(
            LOGIN_SUCCEEDED if known else LOGIN_ENDED,
            step=Step.LOGIN,
            login=self._id,
            domain=self._domain,
            user=claimed[:MAX_NAME],
            peer=self._peer or "unknown",
            mechanism=mechanism,
            outcome=outcome,
            why=f", {why}" if why else "",
            took=format_duration(seconds),
        )
        self._records.ended(
            self._id,
            self._peer,
            self._server,
            mechanism,
            outcome,
            domain=self._domain,
            user=(reply.username if reply else None) or claimed,
            seconds=seconds,
            waited=waited,
            guest=reply is not None and reply.report,
            text=why or unlogged,
            reason=reason,
        )
        if self._working is not None and outcome in _CUT_OFF:
            self._working.cancel()
