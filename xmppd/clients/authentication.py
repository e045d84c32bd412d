"""One client's SASL exchanges: relayed to a Call Bridge, answered in the form that it uses."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.words.xish.domish import Element

from bridgewire.jid import JID, InvalidFormat, parse_jid
from bridgewire.login import LoginReply
from bridgewire.namespaces import FAST
from bridgewire.sasl import failure_condition, failure_details, sasl_failure
from bridgewire.steps import Reason, Step, StepFailure
from daemonkit.logging.context import about
from daemonkit.login_record import MAX_NAME, MAX_TEXT, LoginRecord, kind_of
from daemonkit.tasks import detach
from daemonkit.throttle import Refused, Turn
from xmppd.clients.sasl import Inline, Profile, Sasl, Sasl2, SaslFault, failure, read_inline
from xmppd.clients.session import Vouched
from xmppd.events import GUEST_ACCEPTED, LOGIN_ACCEPTED, LOGIN_FAILED
from xmppd.login import Applicant, Login

if TYPE_CHECKING:
    from xmppd.clients.stream import ClientStream

#: The forms of SASL that clients may use.
PROFILES: tuple[Profile, ...] = (Sasl(), Sasl2())
#: Failed logins on one stream, after which it is closed: with a password that was looked at, and of
#: any kind. Some clients try several mechanisms of which they know too little.
MAX_REFUSALS = 3
MAX_FAILURES = 6
_TOO_OFTEN = "too many failed logins"
_NOTHING = Inline()


class Authentication:
    """The exchanges of one stream, one after the other, until one succeeds."""

    log = Logger()

    def __init__(self, stream: ClientStream) -> None:
        self._stream = stream
        self._login: Login | None = None
        self._mechanism = ""
        #: True from the beginning of an exchange until it is recorded.
        self._under_way = False
        #: What went wrong with it, other than that it was refused.
        self._fault: StepFailure | None = None
        #: The exchange that is under way, as `xmppd.failed_logins` counts it, and the wait for it.
        self._turn: Turn | None = None
        self._waiting: Deferred[Turn] | None = None
        self._failures = self._refusals = 0
        self._why_ended = ""
        self.profile = PROFILES[0]
        self.inline = _NOTHING
        #: Who has let the client in, once that is so.
        self.vouched: Vouched | None = None

    def begins(self, element: Element) -> bool:
        """True where ``element`` begins an exchange, in one form or the other."""
        return any((element.uri, element.name) == (one.namespace, one.begin) for one in PROFILES)

    def relay(self, element: Element) -> None:
        """Take a message of the client's; its answer is an input of the stream's table."""
        stream = self._stream
        try:
            if self.begins(element):
                self._begin(element)
            message = self.profile.to_link(element)
        except SaslFault as fault:
            self._report(Reason.PROTOCOL_ERROR, str(fault))
            self._record(fault.condition)
            self.give_up()
            stream.machine.rejected(failure(fault))
            return
        assert self._login is not None  # noqa: S101  the table lets an exchange begin first
        detach(self._relay(self._login, message), self.log, "relaying a login")

    def _begin(self, element: Element) -> None:
        stream = self._stream
        mechanism = str(element.getAttribute("mechanism", ""))
        self._mechanism = mechanism[:MAX_NAME]
        self._under_way, self._fault = True, None
        self.profile = next(one for one in PROFILES if one.namespace == element.uri)
        self.inline = _NOTHING if self.profile.restarts else read_inline(element)
        offer = stream.offer_made
        tokens = () if self.profile.restarts else offer.tokens
        if mechanism not in (*offer.mechanisms, *tokens):
            raise SaslFault("invalid-mechanism", f"{mechanism[:20]!r} was not offered")
        applicant = Applicant(
            peer=stream.peer,
            channel_bindings=stream.bindings,
            offered=offer.mechanisms,
            certificate=stream.certificate if mechanism == "EXTERNAL" else None,
            token=self.inline.token,
        )
        if not self.profile.restarts:
            stream.stream.allow_white_space(False)
        self._login = Login(stream.domain.logins, applicant)

    async def _relay(self, login: Login, message: Element) -> None:
        about(login=login.session)
        try:
            if message.name == "auth":
                await self._wait_for_turn(login)
            elif self._turn is not None:
                self._turn.resume()
            reply = await login.relay(message)
        except Refused as refused:
            self._why_ended = _too_many(refused)
            failed = sasl_failure("temporary-auth-failure", self._why_ended, Reason.POLICY)
            self._stream.machine.rejected(failed)
        except StepFailure as fault:
            self._warn(fault)
            self._stream.machine.rejected(sasl_failure("temporary-auth-failure"))
        else:
            self._answer(reply, login)

    async def _wait_for_turn(self, login: Login) -> None:
        """Before anybody is asked: what is slowed down is slow with the right password, too.

        Raises Refused. The stream's own timeout goes on meanwhile.
        """
        stream = self._stream
        if stream.failed_logins.counts(stream.peer, self._mechanism):
            login.waits.turn_to("pause")
            self._waiting = Deferred.fromCoroutine(stream.failed_logins.turn(stream.peer))
            try:
                self._turn = await self._waiting
            finally:
                self._waiting = None

    def _end_turn(self, condition: str = "") -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            stream = self._stream
            stream.failed_logins.ended(turn, stream.peer, self._mechanism, condition)

    def _answer(self, reply: LoginReply, login: Login) -> None:
        machine = self._stream.machine
        if reply.element.name == "challenge":
            if self._turn is not None:
                self._turn.hold()
            machine.challenged(self.profile.from_link(reply.element))
        elif reply.element.name == "success":
            try:
                self._accept(reply, login)
            except InvalidFormat:
                text = f"a Call Bridge let in {reply.username!r:.100}, which is no username"
                self._report(Reason.PROTOCOL_ERROR, text)
                machine.rejected(sasl_failure("temporary-auth-failure"))
        else:
            if failure_condition(reply.element) == "temporary-auth-failure":
                host = login.answered_by.host if login.answered_by else "a Call Bridge"
                text = f"{host} could not look the user up; its log says why."
                failure = StepFailure(Step.LOGIN, Reason.LINK_LOST, text)
                login.remember(failure)
                self._warn(failure)
            machine.rejected(reply.element)

    def _accept(self, reply: LoginReply, login: Login) -> None:
        stream = self._stream
        assert login.answered_by is not None  # noqa: S101  it was let in by somebody
        vouched = Vouched(
            login.answered_by,
            login.session,
            reply.username or "",
            login.mechanism,
            reply.lifetime,
            reply.report,
        )
        try:
            jid = self._own_address(vouched.username)
        except InvalidFormat:
            vouched.ended()
            raise
        claimed = stream.claimed
        if claimed is not None and reply.lifetime is None and claimed.userhost() != jid.userhost():
            vouched.ended()
            text = f"{jid.full()} logged in on a stream from {claimed.userhost()!r:.100}"
            self._report(Reason.PROTOCOL_ERROR, text)
            stream.machine.rejected(sasl_failure("invalid-authzid"))
            return
        self.vouched = vouched
        stream.jid = jid
        self.log.info(
            GUEST_ACCEPTED if login.mechanism == "ANONYMOUS" else LOGIN_ACCEPTED,
            step=Step.LOGIN,
            login=login.session,
            who=jid.full(),
            user=jid.user,
            domain=stream.domain.name,
            peer=stream.peer,
            mechanism=login.mechanism,
            callbridge=login.answered_by.host,
        )
        if self.profile.restarts:
            stream.machine.accepted(reply.element)
        else:
            stream.machine.accepted_inline(reply)

    def success(self, reply: LoginReply, identifier: str) -> Element:
        """Answer SASL2's ``<success/>``, with the token that the Call Bridge made."""
        answer = Sasl2.success(reply.element, identifier)
        if reply.token is not None:
            token = answer.addElement((FAST, "token"))
            token["token"] = reply.token.secret
            token["expiry"] = reply.token.expiry
        return answer

    def rejected(self, element: Element) -> tuple[Element, str]:
        """The exchange has failed: answer what to say, and why the stream ends, if it does."""
        condition = failure_condition(element)
        self._record(condition, *failure_details(element))
        self._login = None
        self._end_turn(condition)
        self._failures += 1
        self._refusals += condition == "not-authorized"
        self._stream.stream.allow_white_space(True)
        if self._failures >= MAX_FAILURES or self._refusals >= MAX_REFUSALS:
            self._why_ended = self._why_ended or _TOO_OFTEN
        return self.profile.from_link(element), self._why_ended

    def nothing_to_abort(self, element: Element) -> Element:
        """Answer an ``<abort/>`` that comes when the exchange is over already."""
        profile = next(one for one in PROFILES if one.namespace == element.uri)
        return profile.from_link(sasl_failure("aborted"))

    def done(self) -> None:
        """The exchange has succeeded, and the client is told."""
        self._record("success")
        self._login = None
        self._end_turn()
        self._stream.stream.allow_white_space(True)

    def settled(self) -> None:
        """There is a session: who vouches for it is its own now, and nothing is left to settle."""
        self.vouched = None
        self.inline = _NOTHING

    def give_up(self) -> None:
        """The client has left the exchange, or the stream before it had a session."""
        self._record("aborted", text="the stream ended before the login")
        if self._waiting is not None:
            self._waiting.cancel()
        self._end_turn()
        if self._login is not None:
            self._login.give_up()
            self._login = None
        if self.vouched is not None:
            self.vouched.ended()
            self.vouched = None

    def _record(self, outcome: str, reason: str = "", text: str = "") -> None:
        """Let operators see how the exchange has ended, if one is under way."""
        if not self._under_way:
            return
        self._under_way = False
        stream, login, fault, vouched = self._stream, self._login, self._fault, self.vouched
        if fault is not None:
            reason, text = reason or fault.reason, fault.text
        if vouched is not None:
            user = vouched.username
        else:
            user = (stream.claimed.user or "") if stream.claimed is not None else ""
        stream.login_records.add(
            LoginRecord(
                ended=datetime.now(UTC),
                login=login.session if login else "",
                user=user[:MAX_NAME],
                domain=stream.domain.name,
                mechanism=self._mechanism,
                peer=stream.peer,
                asked=tuple(login.asked) if login else (),
                outcome=outcome,
                seconds=login.waits.total() if login else 0.0,
                kind=kind_of(
                    self._mechanism, guest=vouched is not None and vouched.lifetime is not None
                ),
                step=str(fault.step) if fault else str(Step.LOGIN) if reason else "",
                reason=str(reason),
                text=text[:MAX_TEXT],
                waited=login.waits.by_whom() if login else {},
                link=login.link if login else None,
            )
        )

    def _own_address(self, username: str) -> JID:
        if not username or "@" in username or "/" in username:
            raise InvalidFormat("no localpart")
        return parse_jid(f"{username}@{self._stream.domain.name}")

    def _report(self, reason: Reason, text: str) -> None:
        self._warn(StepFailure(Step.LOGIN, reason, text))

    def _warn(self, fault: StepFailure) -> None:
        self._fault = fault
        login = self._login.session if self._login is not None else ""
        self._stream.report(LOGIN_FAILED, fault, login=login)


def _too_many(refused: Refused) -> str:
    """Answer a sentence for the person who logs in."""
    seconds = math.ceil(refused.seconds)
    time = f"{seconds} seconds" if seconds < 120 else f"{math.ceil(seconds / 60)} minutes"
    return f"too many logins from your network have failed, try again in {time}"
