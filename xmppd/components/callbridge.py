"""A component that answers logins: what it offers, and asking it (step 12)."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.words.protocols.jabber.error import StanzaError
from twisted.words.protocols.jabber.xmlstream import toResponse
from twisted.words.xish.domish import Element

from bridgewire.iq import Requests
from bridgewire.login import LoginReply, LoginRequest, Serve
from bridgewire.namespaces import LOGIN
from bridgewire.sasl import WireFault


class CallBridgeLink:
    """The login side of a registered component; one that offers nothing is an ordinary one."""

    def __init__(self, domain: str, host: str, requests: Requests) -> None:
        self.host = host
        self.outstanding = 0
        self._domain = domain
        self._requests = requests
        self._offer = Serve(capacity=0, mechanisms=())

    @property
    def mechanisms(self) -> frozenset[str]:
        """The SASL mechanisms that it offers to answer."""
        return frozenset(self._offer.mechanisms)

    @property
    def capacity(self) -> int:
        """How many logins it takes at once; 0 while it drains."""
        return self._offer.capacity

    @property
    def draining(self) -> bool:
        """True where it served logins and takes no new ones."""
        return bool(self._offer.mechanisms) and self._offer.capacity == 0

    def describe(self) -> str:
        """Answer in words what it offers, for the log."""
        if self.draining:
            return "takes no new logins (draining)"
        return f"answers logins, {self.capacity} at once, by {', '.join(sorted(self.mechanisms))}"

    def take_offer(self, iq: Element) -> Element:
        """Take a ``<serve/>`` and answer its acknowledgement. Raises WireFault for a bad one."""
        self._offer = Serve.from_element(iq.firstChildElement())
        answer: Element = toResponse(iq, "result")
        return answer

    def withdraw(self) -> None:
        """It is gone and offers nothing any more."""
        self._offer = Serve(capacity=0, mechanisms=())

    def ask(self, request: LoginRequest, timeout: float) -> Deferred[LoginReply]:
        """Relay one SASL message; fails with RequestError or WireFault."""
        iq = Element((None, "iq"))
        iq["type"] = "set"
        iq["from"] = self._domain
        iq["to"] = self.host
        iq.addChild(request.to_element())

        def read(result: Element) -> LoginReply:
            reply = LoginReply.from_element(result.firstChildElement())
            if reply.session != request.session:
                raise WireFault("the answer is for another session")
            return reply

        answer: Deferred[Any] = self._requests.request(iq, timeout)
        return answer.addCallback(read)


def is_offer(iq: Element) -> bool:
    """True for an IQ that offers to answer logins."""
    payload = iq.firstChildElement()
    return iq.getAttribute("type") == "set" and payload is not None and payload.uri == LOGIN


def bad_offer(iq: Element) -> Element:
    """Answer the error for an offer that cannot be read."""
    answer: Element = StanzaError("bad-request", type="modify").toResponse(iq)
    return answer
