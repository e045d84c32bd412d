"""One login (step 12): which Call Bridges are asked, the deadline, the second try. No I/O.

A login is one SASL exchange. Its first message may be asked of one Call Bridge after the other,
for as long as none has answered it: the client has not noticed anything yet. Once a challenge went
to the client the exchange belongs to the Call Bridge that made it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.words.xish.domish import Element

from bridgewire.iq import RequestError, RequestFailed, RequestTimedOut, StreamLost
from bridgewire.login import LoginReply, LoginRequest, TokenRequest
from bridgewire.namespaces import SASL
from bridgewire.sasl import WireFault, failure_condition
from bridgewire.steps import Reason, Step, StepFailure
from daemonkit.tasks import cancel
from daemonkit.waits import Waits
from xmppd.logins import CallBridge, Logins
from xmppd.troubles import Trouble


@dataclass(frozen=True)
class Applicant:
    """What is known of a client that logs in, for the Call Bridge (see `LoginRequest`)."""

    peer: str
    channel_bindings: Mapping[str, bytes] = field(default_factory=dict)
    offered: tuple[str, ...] = ()
    certificate: bytes | None = None
    token: TokenRequest | None = None


class Login:
    """One client's SASL exchange."""

    def __init__(self, logins: Logins, applicant: Applicant) -> None:
        self._logins = logins
        self._applicant = applicant
        self.session = secrets.token_hex(16)
        self._ends_at = logins.clock.seconds() + logins.deadline
        self._timer: IDelayedCall | None = None
        self._bridge: CallBridge | None = None
        self._working: Deferred[LoginReply] | None = None
        self._timed_out = False
        #: Who answered last, and by which SASL mechanism the client logs in.
        self.answered_by: CallBridge | None = None
        self.mechanism = ""
        #: The hosts of all that were asked, and who was waited for.
        self.asked: list[str] = []
        self.waits = Waits(logins.clock)
        #: Seconds on the link, both ways, out of those for Call Bridges; None: nobody has said.
        self.link: float | None = None

    async def relay(self, message: Element) -> LoginReply:
        """Relay a client's message (``auth``, ``response`` or ``abort``) and answer the reply.

        Raises:
            StepFailure: nobody answered in time; the client is told `temporary-auth-failure`.
            CancelledError: `give_up` was called.
        """
        try:
            return await self._relay(message)
        except StepFailure as failure:
            self.remember(failure)
            raise

    async def _relay(self, message: Element) -> LoginReply:
        if self._timer is None and not self._timed_out:
            self._begin()
            step = self._first(message)
        else:
            step = self._next(message)
        self._working = Deferred.fromCoroutine(step)
        try:
            reply = await self._working
        except CancelledError:
            if self._timed_out:
                raise _failed(Reason.TIMEOUT, "no answer within the deadline") from None
            raise
        except StepFailure:
            self._end()
            raise
        finally:
            self._working = None
        if reply.element.name == "challenge":
            self.waits.turn_to("client")
        else:
            self._end()
        return reply

    def remember(self, failure: StepFailure) -> None:
        """Nobody could answer it: let the status say why."""
        self._logins.unanswered.add(Trouble.now(failure, self._applicant.peer))

    def give_up(self) -> None:
        """The client went away, or took too long: tell the Call Bridge, if one is at work."""
        if self._bridge is not None:
            self._abort(self._bridge)
        self._end()
        if self._working is not None:
            self._working.cancel()

    def _begin(self) -> None:
        logins = self._logins
        if logins.waiting >= logins.max_waiting:
            logins.refused += 1
            raise _failed(Reason.RESOURCE_LIMIT, f"{logins.waiting} logins are waiting already")
        logins.waiting += 1
        self._timer = logins.clock.callLater(logins.deadline, self._time_out)

    def _time_out(self) -> None:
        self._timed_out = True
        self.give_up()

    def _end(self) -> None:
        bridge, self._bridge = self._bridge, None
        timer, self._timer = self._timer, None
        self.waits.turn_to(None)
        if timer is not None:
            self._logins.waiting -= 1
            cancel(timer)
        if bridge is not None:
            self._logins.release(bridge)

    async def _first(self, auth: Element) -> LoginReply:
        logins = self._logins
        mechanism = self.mechanism = str(auth.getAttribute("mechanism", ""))
        tried: list[CallBridge] = []
        problem: StepFailure | None = None
        refusal: LoginReply | None = None
        self.waits.turn_to("room")
        while (bridge := await logins.choose(mechanism, tried)) is not None:
            tried.append(bridge)
            self.asked.append(bridge.host)
            self.waits.turn_to("callbridge")
            logins.assign(bridge)
            self._bridge = bridge
            # With somebody else to ask, one that hangs gets half of the time only.
            share = 0.5 if logins.serving(mechanism, tried) else 1.0
            try:
                reply = await self._ask(bridge, auth, self._left() * share)
                self.answered_by = bridge
                if not _others_may_know(mechanism, reply):
                    return reply
                if refusal is None or _cannot_look(reply):
                    refusal = reply
                self._bridge = None
                logins.release(bridge)
            except (RequestError, WireFault) as error:
                problem = _unanswered(bridge, "did not answer", error)
                if not isinstance(error, StreamLost | RequestFailed):
                    self._abort(bridge)
                self._bridge = None
                logins.release(bridge)
            self.waits.turn_to("room")
        if refusal is not None:
            return refusal
        if problem is not None:
            raise problem
        raise StepFailure(
            Step.READY,
            Reason.LINK_LOST,
            f"no Call Bridge that takes logins by {mechanism[:20]!r} is connected.",
            "`xmppctl status` shows which are; the log of callbridged says why one is not.",
        )

    async def _next(self, message: Element) -> LoginReply:
        bridge = self._bridge
        if bridge is None:
            raise _failed(Reason.TIMEOUT, "the client took longer than the deadline")
        self.waits.turn_to("callbridge")
        try:
            return await self._ask(bridge, message, self._left())
        except (RequestError, WireFault) as error:
            raise _unanswered(bridge, "went away in mid-exchange", error) from None

    async def _ask(self, bridge: CallBridge, message: Element, seconds: float) -> LoginReply:
        asked_at = self._logins.clock.seconds()
        reply = await bridge.ask(self._request(message), seconds)
        if reply.took is not None:  # clocks do not matter: both are durations
            took = self._logins.clock.seconds() - asked_at
            self.link = (self.link or 0.0) + max(0.0, took - reply.took)
        return reply

    def _abort(self, bridge: CallBridge) -> None:
        """Tell a Call Bridge that nobody waits for its answer any more; its own is of no use."""
        abort = self._request(Element((SASL, "abort")))
        bridge.ask(abort, self._logins.deadline).addBoth(lambda _: None)

    def _request(self, message: Element) -> LoginRequest:
        applicant = self._applicant
        request = LoginRequest(
            session=self.session,
            element=message,
            peer=applicant.peer,
            deadline=round(max(0.1, self._left()), 1),
        )
        if message.name != "auth":
            return request
        return replace(
            request,
            channel_bindings=applicant.channel_bindings,
            offered=applicant.offered,
            certificate=applicant.certificate,
            token=applicant.token,
        )

    def _left(self) -> float:
        # The deadline may have passed with its timer still to come, in a reactor that is busy.
        return max(0.0, self._ends_at - self._logins.clock.seconds())


def _cannot_look(reply: LoginReply) -> bool:
    """True where a Call Bridge has no answer: its user directory is down, say."""
    failed = reply.element.name == "failure"
    return failed and failure_condition(reply.element) == "temporary-auth-failure"


def _others_may_know(mechanism: str, reply: LoginReply) -> bool:
    """True where a failure says nothing about other Call Bridges: they are asked, too.

    FAST's mechanisms (XEP-0484) have one message, and only their issuer knows a token.
    """
    return _cannot_look(reply) or (reply.element.name == "failure" and mechanism.startswith("HT-"))


def _unanswered(bridge: CallBridge, how: str, error: Exception) -> StepFailure:
    if isinstance(error, RequestTimedOut):
        return _failed(Reason.TIMEOUT, f"no answer within the deadline from {bridge.host}")
    return _failed(Reason.LINK_LOST, f"{bridge.host} {how}: {str(error) or type(error).__name__}")


_REMEDIES = {
    Reason.TIMEOUT: "[login] deadline in xmppd.ini is how long all of a login may take.",
    Reason.LINK_LOST: "On the Call Bridge's host, the log of callbridged may say why.",
    Reason.RESOURCE_LIMIT: "Is a Call Bridge slow? xmppctl status shows how many logins each has; "
    "[login] max_waiting in xmppd.ini is the limit.",
}


def _failed(reason: Reason, text: str) -> StepFailure:
    return StepFailure(Step.LOGIN, reason, f"{text}.", _REMEDIES[reason])
