"""A component that answers logins: what it offers, and asking it (step 12)."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.words.protocols.jabber.error import StanzaError
from twisted.words.protocols.jabber.xmlstream import toResponse
from twisted.words.xish.domish import Element

from bridgewire.iq import Requests, new_request
from bridgewire.login import LoginReply, LoginRequest, Serve
from bridgewire.sasl import WireFault
from bridgewire.session_end import EndSessions, SessionEnded

#: Seconds for the answer to what is only told; then it is forgotten.
TELL_TIMEOUT = 10.0


class CallBridgeLink:
    """The login side of a registered component; one that offers nothing is an ordinary one."""

    def __init__(
        self, requests: Requests, current: Callable[[], CallBridgeLink | None] = lambda: None
    ) -> None:
        """``current`` answers the link that the same Call Bridge has now, if any."""
        self.domain = ""
        self.host = ""
        self.outstanding = 0
        self._requests = requests
        self._current = current
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

    def yields_to(self, successor: str) -> bool:
        """True where it lets the link that shows ``successor`` take its place."""
        said = self._offer.successor
        return bool(said) and hmac.compare_digest(said.encode(), successor.encode())

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
        iq = self._order(request.to_element())

        def read(result: Element) -> LoginReply:
            reply = LoginReply.from_element(result.firstChildElement())
            if reply.session != request.session:
                raise WireFault("the answer is for another session")
            return reply

        answer: Deferred[Any] = self._requests.request(iq, timeout)
        return answer.addCallback(read)

    def read_order(self, iq: Element) -> EndSessions:
        """Read ``<end-sessions/>``. Raises WireFault; StanzaError if it may not give orders."""
        if not self._offer.mechanisms:
            raise StanzaError("forbidden", type="auth")
        return EndSessions.from_element(iq.firstChildElement())

    def tell_ended(self, ended: SessionEnded) -> None:
        """Tell the Call Bridge that a session is over.

        Over the link that it has now, which need not be this one; without a link nobody is told.
        """
        link = self._current()
        if link is not None:
            told = link._requests.request(link._order(ended.to_element()), TELL_TIMEOUT)
            told.addBoth(lambda _: None)  # it has heard it, or there is nothing to be done

    def _order(self, payload: Element) -> Element:
        return new_request("set", self.domain, self.host, payload)
