"""Who gets a stanza: a session, a component or the server itself (RFC 6120 section 10). No I/O."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.words.protocols.jabber.error import StanzaError
from twisted.words.xish.domish import Element

from bridgewire.copying import copy_element
from bridgewire.jid import JID, InvalidFormat, parse_jid
from xmppd.sessions import Sessions


class Destination(Protocol):
    """Somebody who takes stanzas."""

    def deliver(self, stanza: Element) -> None:
        """Take one."""


class Component(Destination, Protocol):
    """One that may not keep up."""

    @property
    def congested(self) -> bool:
        """True where it can be sent nothing more now."""


class Domains:
    """One router for each domain of the server, which knows nothing of the other domains.

    So nobody of one domain reaches anybody of another, as if they were on two servers that have no
    connection: the domains may belong to different tenants.
    """

    def __init__(self) -> None:
        self.routers: dict[str, Router] = {}

    def route(self, stanza: Element) -> None:
        """Let the router of its sender's domain have it. The ``from`` was checked."""
        host = parse_jid(stanza["from"]).host
        router = self.routers.get(host) or self.routers[host.partition(".")[2]]
        router.route(stanza)


class Router:
    """Takes stanzas whose ``from`` was checked, and delivers or bounces each at once."""

    def __init__(
        self,
        domain: str,
        sessions: Sessions,
        component: Callable[[str], Component | None],
        known: Callable[[str], bool],
    ) -> None:
        """``component`` answers who holds an address (``cb1.example.com``) now, ``known`` whether a
        name (``cb1``) might be held.
        """
        self._domain = domain
        self._sessions = sessions
        self._component = component
        self._known = known
        self.server: Destination | None = None

    def route(self, stanza: Element) -> None:
        """Deliver ``stanza``, or send its sender an error; never raises for what a peer sent."""
        try:
            to = parse_jid(stanza.getAttribute("to") or self._domain)
        except InvalidFormat:
            del stanza["to"]
            self._bounce(stanza, "jid-malformed", "modify")
            return
        if to.host != self._domain:
            self._to_component(to, stanza)
        elif to.user is None:
            self._to_server(stanza)
        elif to.resource is not None:
            self._to_session(to, stanza)
        else:
            self._to_user(to, stanza)

    def _to_component(self, to: JID, stanza: Element) -> None:
        name, _, domain = to.host.partition(".")
        component = self._component(to.host) if domain == self._domain else None
        if component is not None and component.congested:
            self._bounce(stanza, "resource-constraint", "wait")
        elif component is not None:
            component.deliver(stanza)
        elif domain == self._domain and self._known(name):
            self._bounce(stanza, "remote-server-timeout", "wait")
        else:
            self._bounce(stanza, "remote-server-not-found", "cancel")

    def _to_server(self, stanza: Element) -> None:
        if self.server is not None and stanza.name == "iq":
            self.server.deliver(stanza)
        elif stanza.name == "message":
            self._bounce(stanza, "service-unavailable", "cancel")

    def _to_session(self, to: JID, stanza: Element) -> None:
        """RFC 6121 section 8.5.3."""
        session = self._sessions.find(to)
        kind = stanza.getAttribute("type")
        if session is not None:
            session.deliver(stanza)
        elif stanza.name == "message" and kind == "chat":
            self._to_user(to, stanza)
        elif stanza.name == "iq" or (stanza.name == "message" and kind != "headline"):
            self._bounce(stanza, "service-unavailable", "cancel")

    def _to_user(self, to: JID, stanza: Element) -> None:
        """RFC 6121 section 8.5.2, for users who have no roster and no offline messages."""
        kind = stanza.getAttribute("type")
        if stanza.name == "iq" or (stanza.name == "message" and kind == "groupchat"):
            self._bounce(stanza, "service-unavailable", "cancel")
        elif stanza.name == "presence" and kind == "probe":
            return  # nobody has a subscription
        elif kind != "error":
            sessions = self._sessions.available(to.userhost())
            for session in sessions:
                session.deliver(copy_element(stanza))
            if not sessions and stanza.name == "message" and kind != "headline":
                self._bounce(stanza, "service-unavailable", "cancel")

    def _bounce(self, stanza: Element, condition: str, kind: str) -> None:
        if stanza.getAttribute("type") not in ("error", "result") and stanza.hasAttribute("from"):
            self.route(StanzaError(condition, type=kind).toResponse(stanza))
