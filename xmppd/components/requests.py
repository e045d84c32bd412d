"""What a Call Bridge asks of the server, in IQs: to be asked about logins, and to end sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.logger import Logger
from twisted.words.protocols.jabber.error import StanzaError
from twisted.words.protocols.jabber.xmlstream import toResponse
from twisted.words.xish.domish import Element

from bridgewire.namespaces import LOGIN
from bridgewire.sasl import WireFault
from bridgewire.steps import Reason, Step, StepFailure
from daemonkit.terminal import printable
from xmppd.components.callbridge import CallBridgeLink
from xmppd.ending import describe
from xmppd.events import COMPONENT_OFFER, SESSIONS_ENDED_FOR

if TYPE_CHECKING:
    from xmppd.components.connected import Components


class CallBridgeRequests:
    """Those of one component."""

    log = Logger()

    def __init__(
        self,
        components: Components,
        callbridge: CallBridgeLink,
        send: Callable[[Element], None],
        report: Callable[[StepFailure], None],
    ) -> None:
        """``send`` takes the answers; ``report`` hears of requests that are refused."""
        self._all = components
        self._callbridge = callbridge
        self._send = send
        self._report = report

    def take(self, iq: Element) -> bool:
        """Answer a get or set for the server; False where it is none of these requests."""
        payload = iq.firstChildElement()
        if iq.getAttribute("type") != "set" or payload is None or payload.uri != LOGIN:
            return False
        if payload.name == "end-sessions":
            self._end_sessions(iq)
        else:
            self._take_offer(iq)
        return True

    def _take_offer(self, iq: Element) -> None:
        callbridge = self._callbridge
        try:
            answer = callbridge.take_offer(iq)
        except WireFault as fault:
            self._refuse(iq, Reason.PROTOCOL_ERROR, f"bad offer: {fault}", _bad_request())
            return
        self._send(answer)
        self.log.info(
            COMPONENT_OFFER,
            step=Step.LOGIN,
            callbridge=callbridge.host,
            answers=callbridge.describe(),
        )
        self._all.changed(callbridge.domain, callbridge)

    def _end_sessions(self, iq: Element) -> None:
        callbridge = self._callbridge
        try:
            order = callbridge.read_order(iq)
        except WireFault as fault:
            self._refuse(iq, Reason.PROTOCOL_ERROR, f"bad order: {fault}", _bad_request())
            return
        except StanzaError as error:
            text = "it wants to end sessions, and answers no logins"
            self._refuse(iq, Reason.POLICY, text, error)
            return
        count = self._all.end_sessions(callbridge.domain, order)
        answer = toResponse(iq, "result")
        answer.addElement((LOGIN, "end-sessions"))["count"] = str(count)
        self._send(answer)
        user = f"{order.username}@{callbridge.domain}"
        if order.resource is not None:
            user += f"/{printable(order.resource)}"
        self.log.info(
            SESSIONS_ENDED_FOR,
            step=Step.LOGIN,
            callbridge=callbridge.host,
            user=order.username,
            domain=callbridge.domain,
            what=describe(count, user, order.reason),
        )

    def _refuse(self, iq: Element, reason: Reason, text: str, error: StanzaError) -> None:
        self._report(StepFailure(Step.LOGIN, reason, text))
        self._send(error.toResponse(iq))


def _bad_request() -> StanzaError:
    return StanzaError("bad-request", type="modify")
