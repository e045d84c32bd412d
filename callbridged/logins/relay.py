"""Carries logins between the links and the login service, and answers for this component.

What a link's peer may ask: the server of the domain relays logins, anybody may ask who we are.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.words.protocols.jabber.error import StanzaError
from twisted.words.protocols.jabber.xmlstream import toResponse
from twisted.words.xish.domish import Element

from bridgewire.iq import StreamLost, new_request
from bridgewire.login import LoginRequest, Serve
from bridgewire.namespaces import LOGIN
from bridgewire.queries import Queries
from bridgewire.sasl import WireFault
from bridgewire.session_end import SessionEnded
from bridgewire.steps import Step, StepFailure
from callbridged.events import BAD_LOGIN, OFFER_REFUSED, OFFER_TAKEN
from callbridged.links.discovery import Target
from callbridged.links.link_counts import LinkCounts
from callbridged.links.link_interface import ActiveLink
from callbridged.logins.guests import Guests
from callbridged.logins.login import LoginService, NoRoom
from daemonkit.logging.context import about
from daemonkit.tasks import detach

#: Seconds that a server may take to acknowledge our offer; it answers at once or never.
OFFER_TIMEOUT = 30.0


class Relay:
    """The links' delegate (`callbridged.links.link_interface.LinkDelegate`)."""

    log = Logger()

    def __init__(self, logins: LoginService, guests: Guests | None = None) -> None:
        self._logins = logins
        #: Whose sessions may end; None: there never were any.
        self.guests = guests
        self.counts = LinkCounts()
        self._queries: dict[ActiveLink, Queries] = {}
        self._draining: set[ActiveLink] = set()

    def link_registered(self, link: ActiveLink) -> Deferred[None]:
        """Offer to answer logins; fires once the server has taken or refused the offer."""
        self.counts.registered(link.target)
        self._queries[link] = Queries(link, "callbridged", "component", "generic")
        return self._offer(link)

    def link_announces(self, link: ActiveLink) -> Deferred[None]:
        """Say which link may take the place of this one; fires as an offer does."""
        return self._offer(link)

    def link_received(self, link: ActiveLink, element: Element) -> None:
        """Answer what came."""
        if element.name != "iq" or link not in self._queries:
            return
        payload = element.firstChildElement()
        if payload is None or payload.uri != LOGIN:
            self._queries[link].deliver(element)
        elif element.getAttribute("from") != link.domain or element.getAttribute("type") != "set":
            if element.getAttribute("type") in ("get", "set"):  # nobody else may ask
                link.send(StanzaError("forbidden").toResponse(element))
        elif payload.name == "session-ended":
            self._session_ended(link, element, payload)
        else:
            detach(self._answer(link, element, payload), self.log, "answering a login")

    def link_answered(self, link: ActiveLink, seconds: float) -> None:
        """Let it be known how long the way to the server is."""
        self.counts.round_trip(seconds)

    def link_failed(self, target: Target | None, failure: StepFailure) -> None:
        """Count it."""
        self.counts.failed(failure)

    def link_draining(self, link: ActiveLink) -> Deferred[None]:
        """Withdraw the offer; fires once no login is under way over ``link``.

        What the server sent before it knew that has come when it acknowledges it.
        """
        self._draining.add(link)
        return self._offer(link).addCallback(lambda _: self._logins.idle(link))

    def link_lost(self, link: ActiveLink) -> None:
        """Forget the link and the logins that came over it."""
        self._draining.discard(link)
        self._queries.pop(link, None)
        if link.target not in {one.target for one in self._queries}:
            self.counts.lost(link.target)
        self._logins.link_lost(link)

    def drain(self, draining: bool) -> None:
        """Take no new logins over any link, or take them again; those under way go on."""
        self._logins.draining = draining
        self.offer_again()

    def offer_again(self) -> None:
        """What the service answers has changed: say so over every link."""
        for link in self._queries:
            self._offer(link)

    @property
    def links(self) -> list[ActiveLink]:
        """Those that are registered now: of two to one server and domain, the newer."""
        return list({(link.target, link.domain): link for link in self._queries}.values())

    def _offer(self, link: ActiveLink) -> Deferred[None]:
        """Make the offer; fires when it is answered, and fails where that is cancelled."""
        capacity = 0 if link in self._draining else self._logins.capacity
        offer = Serve(capacity, tuple(self._logins.mechanisms), link.successor).to_element()
        iq = new_request("set", link.component, link.domain, offer)
        asked = link.request(iq, OFFER_TIMEOUT)
        return asked.addCallbacks(self._taken, self._not_taken, (link,), errbackArgs=(link,))

    def _taken(self, _: Element, link: ActiveLink) -> None:
        self.log.info(
            OFFER_TAKEN,
            step=Step.LOGIN,
            target=link.target,
        )

    def _not_taken(self, failure: Failure, link: ActiveLink) -> Failure | None:
        if failure.check(CancelledError):
            return failure
        if not failure.check(StreamLost):
            self.log.warn(
                OFFER_REFUSED,
                step=Step.LOGIN,
                target=link.target,
                why=failure.getErrorMessage() or type(failure.value).__name__,
            )
        return None

    def _session_ended(self, link: ActiveLink, iq: Element, payload: Element) -> None:
        try:
            over = SessionEnded.from_element(payload)
        except WireFault as fault:
            self._refuse(link, iq, fault)
            return
        if self.guests is not None:
            self.guests.ended(over.username, over.session)
        link.send(toResponse(iq, "result"))

    def _refuse(self, link: ActiveLink, iq: Element, fault: WireFault) -> None:
        self.log.warn(BAD_LOGIN, target=link.target, why=str(fault))
        link.send(StanzaError(fault.condition, type="modify").toResponse(iq))

    async def _answer(self, link: ActiveLink, iq: Element, payload: Element) -> None:
        about(target=link.target)
        try:
            request = LoginRequest.from_element(payload)
            reply = await self._logins.answer(request, link, str(link.target), link.domain)
        except WireFault as fault:
            self._refuse(link, iq, fault)
        except NoRoom:
            link.send(StanzaError("resource-constraint", type="wait").toResponse(iq))
        else:
            response = toResponse(iq, "result")
            response.addChild(reply.to_element())
            link.send(response)
