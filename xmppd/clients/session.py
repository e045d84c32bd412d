"""A bound resource: its stanzas in both directions, and its life beyond one connection (XEP-0198).

A session outlives the stream that bound it where stream management says so: it is then *away*, and
keeps what comes for it until the client is back or the time is over.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.words.protocols.jabber.error import StanzaError
from twisted.words.xish.domish import Element

from bridgewire.jid import JID
from bridgewire.namespaces import CLIENT, CSI, MANAGEMENT
from bridgewire.parser import StreamFault
from bridgewire.session_end import SessionEnded
from xmppd.clients.management import Management, TooHigh, failed, read_count
from xmppd.clients.presence import Presence
from xmppd.events import ACKNOWLEDGEMENTS_MISSING
from xmppd.logins import CallBridge
from xmppd.sessions import SessionInfo

if TYPE_CHECKING:
    from xmppd.clients.connected import Clients
    from xmppd.clients.stream import ClientStream

#: Seconds that a client has for an acknowledgement until its connection is thought dead.
ACK_TIMEOUT = 60.0


@dataclass(frozen=True)
class Origin:
    """Where a client is: ``peer`` is its address, ``transport`` and ``tls`` as in `SessionInfo`."""

    peer: str
    transport: str
    tls: str | None


@dataclass(frozen=True)
class Vouched:
    """Who let a user in, and how. ``lifetime``: seconds; ``report``: it wants to hear of the end.

    ``session``: of the SASL exchange.
    """

    callbridge: CallBridge
    session: str
    username: str
    mechanism: str
    lifetime: float | None = None
    report: bool = False

    def ended(self) -> None:
        """The session is over, or was never bound."""
        if self.report:
            self.callbridge.tell_ended(SessionEnded(self.session, self.username))


class ClientSession:
    """One session (`xmppd.sessions.Session`)."""

    log = Logger()

    def __init__(self, clients: Clients, jid: JID, vouched: Vouched, stream: ClientStream) -> None:
        self._all = clients
        self._vouched = vouched
        self._stream: ClientStream | None = stream
        self._seen = stream.origin
        self._management: Management | None = None
        self._waiting: IDelayedCall | None = None
        self._asking: IDelayedCall | None = None
        self._active = True
        self._over = False
        self.jid = jid
        self.since = datetime.now(UTC)
        self.presence = Presence(jid.full(), self._own, clients.route)
        self._lifetime: IDelayedCall | None = None
        if vouched.lifetime is not None:
            self._lifetime = clients.clock.callLater(vouched.lifetime, self._lifetime_over)
        clients.sessions.bind(self)

    def _own(self) -> list[Any]:
        return self._all.sessions.of(self.jid.userhost())

    @property
    def priority(self) -> int | None:
        """Of its available presence; None while it is unavailable."""
        return self.presence.priority

    @property
    def away(self) -> bool:
        """True while it waits for its client to come back."""
        return self._stream is None

    @property
    def managed(self) -> bool:
        """True where stream management is on."""
        return self._management is not None

    @property
    def resumable(self) -> bool:
        """True where its client may come back to it (XEP-0198)."""
        return self._management is not None and self._management.id is not None

    # What comes from the client

    def receive(self, stanza: Element) -> None:
        """Take a stanza. Raises StreamFault where it ends the stream."""
        if stanza.uri != CLIENT or stanza.name not in ("message", "presence", "iq"):
            raise StreamFault("unsupported-stanza-type", "message, presence and iq are stanzas")
        if stanza.getAttribute("from") not in (None, self.jid.full(), self.jid.userhost()):
            raise StreamFault("invalid-from", "that is not your address")
        if self._management is not None:
            self._management.received()
        stanza["from"] = self.jid.full()
        to = stanza.getAttribute("to")
        if stanza.name == "iq" and not _is_good_iq(stanza):
            self.deliver(StanzaError("bad-request", type="modify").toResponse(stanza))
        elif stanza.name == "presence" and to is None:
            self.presence.broadcast(stanza, self)
        elif stanza.name == "presence" and not self.presence.directed(stanza, to or ""):
            self.deliver(StanzaError("resource-constraint", type="wait").toResponse(stanza))
        else:
            if stanza.name == "message" and to is None:
                stanza["to"] = self.jid.userhost()
            elif stanza.name == "iq" and to == self.jid.userhost():
                del stanza["to"]  # RFC 6120 section 10.3.3: the server answers for the account
            self._all.route(stanza)

    def manage(self, element: Element) -> None:
        """Take an element of XEP-0198 or XEP-0352. Raises StreamFault."""
        match (element.uri, element.name):
            case (str(uri), "active" | "inactive") if uri == CSI:
                self._active = element.name == "active"
            case (_, "enable"):
                self._send(self.enable(element))
            case (_, "r") if self._management is not None:
                self._send(self._management.answer())
            case (_, "a") if self._management is not None:
                self._acknowledged(element)
            case (_, "resume" | "r" | "a"):
                self._send(failed("unexpected-request"))
            case _:
                raise StreamFault("unsupported-stanza-type", f"no {element.name[:20]!r} is known")

    def enable(self, element: Element) -> Element:
        """Begin stream management; answer ``<enabled/>`` or ``<failed/>``."""
        if self._management is not None:
            return failed("unexpected-request")
        enabled = Element((MANAGEMENT, "enabled"))
        resumption = self._all.resumption_timeout
        if resumption and element.getAttribute("resume") in ("true", "1"):
            self._management = Management(secrets.token_urlsafe(16))
            self._all.resumable[self._management.id or ""] = self
            enabled["id"] = self._management.id
            enabled["resume"] = "true"
            enabled["max"] = f"{resumption:.0f}"
        else:
            self._management = Management(None)
        return enabled

    def set_active(self, active: bool) -> None:
        """What the client says of its user at the start (XEP-0352)."""
        self._active = active

    def _acknowledged(self, element: Element) -> None:
        self.take_count(element)
        if self._management and self._management.asked:
            self._management.asked = False
            self._stop("_asking")
            self._ask()

    def take_count(self, element: Element) -> None:
        """Take the ``h`` of ``<a/>`` or ``<resume/>``. Raises StreamFault where it cannot be."""
        count = read_count(element)
        if count is None or self._management is None:
            raise StreamFault("bad-format", "h is a number of 32 bits")
        try:
            self._management.acknowledge(count)
        except TooHigh as fault:
            raise StreamFault("undefined-condition", str(fault), fault.application) from None

    # What goes to the client

    def deliver(self, stanza: Element) -> None:
        """Send a stanza to the client, or keep it until it is back."""
        if self._over:
            return
        if self._management is None:
            self._send(stanza)
        elif self._management.sent(stanza):
            self._send(stanza)
            self._ask()
        elif self._stream is None:
            self.end("resource-constraint", "too many stanzas wait for the client")
        else:
            self._forget()
            self._send(stanza)

    def _forget(self) -> None:
        """Too much is not acknowledged, by a client that is there: some count wrongly."""
        if self._management is not None:
            self._all.resumable.pop(self._management.id or "", None)
            self._management.forget()
            self.log.warn(
                ACKNOWLEDGEMENTS_MISSING,
                user=self.jid.user,
                domain=self.jid.host,
                session=self.jid.full(),
            )

    def _send(self, element: Element) -> None:
        if self._stream is not None:
            self._stream.stream.send(element)

    def _ask(self) -> None:
        """Ask for an acknowledgement of what was sent since that was done last."""
        management = self._management
        if self._stream is None or management is None or management.asked or not management.fresh:
            return
        management.asked, management.fresh = True, False
        self._send(Element((MANAGEMENT, "r")))
        self._asking = self._all.clock.callLater(ACK_TIMEOUT, self._not_acknowledged)

    def _not_acknowledged(self) -> None:
        self._asking = None
        if self._stream is not None:
            self._stream.stream.abort()

    # Its life

    def resume(self, stream: ClientStream) -> Element:
        """Go on over another stream; answer ``<resumed/>``. `resend` comes after it was sent."""
        assert self._management is not None  # noqa: S101  it could not have been found else
        former, self._stream = self._stream, stream
        self._stop("_waiting", "_asking")
        self._management.asked = False
        self._active = True
        self._seen = stream.origin
        if former is not None:
            former.superseded()
        resumed = Element((MANAGEMENT, "resumed"))
        resumed["previd"] = self._management.id
        resumed["h"] = str(self._management.handled)
        return resumed

    def resend(self) -> None:
        """Send what the client has not got."""
        if self._management is not None:
            waiting = self._management.unacknowledged()
            for stanza in waiting:
                self._send(stanza)
            self._management.fresh = bool(waiting)
            self._ask()

    def lost(self) -> None:
        """The connection is gone, without a word."""
        self._stop("_asking")
        self._stream = None
        if self._over:
            return
        if self._management is None or not self.resumable:
            self.close()
            return
        self._management.asked = False
        timeout = self._all.resumption_timeout
        self._waiting = self._all.clock.callLater(timeout, self._not_resumed)

    def _not_resumed(self) -> None:
        self._waiting = None
        self.close()

    def _lifetime_over(self) -> None:
        self._lifetime = None
        self.end("not-authorized", "the time that you were let in for is over")

    def close(self) -> None:
        """The session is over: its client closed it, or does not come back."""
        if self._over:
            return
        self._over = True
        self._stop("_waiting", "_asking", "_lifetime")
        self._all.sessions.unbind(self)
        if self._management is not None and self._management.id is not None:
            self._all.resumable.pop(self._management.id, None)
        self.presence.leave()
        if self._management is not None:
            for stanza in self._management.unacknowledged():
                self._return(stanza)
        self._vouched.ended()

    def end(self, condition: str, text: str) -> None:
        """End it now, with a stream error (RFC 6120 section 4.9.3) where a client is there."""
        stream = self._stream
        self.close()
        if stream is not None:
            stream.machine.refused(condition, text)

    def _return(self, stanza: Element) -> None:
        """Treat what was not acknowledged as sent to nobody (XEP-0198 section 4)."""
        if stanza.name == "presence" or stanza.getAttribute("type") in ("error", "result"):
            return
        if stanza.hasAttribute("from"):
            error = StanzaError("recipient-unavailable", type="wait").toResponse(stanza)
            self._all.route(error)

    def _stop(self, *timers: str) -> None:
        for name in timers:
            timer: IDelayedCall | None = getattr(self, name)
            if timer is not None and timer.active():
                timer.cancel()
            setattr(self, name, None)

    def info(self) -> SessionInfo:
        """Answer what operators are told of it."""
        origin, lifetime = self._seen, self._vouched.lifetime
        return SessionInfo(
            jid=self.jid.full(),
            since=self.since,
            peer=origin.peer,
            transport=origin.transport,
            tls=origin.tls,
            mechanism=self._vouched.mechanism,
            callbridge=self._vouched.callbridge.host,
            away=self.away,
            active=self._active,
            resumable=self.resumable,
            until=None if lifetime is None else self.since + timedelta(seconds=lifetime),
        )


def _is_good_iq(iq: Element) -> bool:
    """RFC 6120 section 8.2.3: an id, a known type, and one child for a request."""
    kind = iq.getAttribute("type")
    if not iq.getAttribute("id") or kind not in ("get", "set", "result", "error"):
        return False
    return kind in ("result", "error") or len(list(iq.elements())) == 1
