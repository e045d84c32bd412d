"""What the server itself answers: about itself, and for the accounts of its users."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from twisted.words.protocols.jabber.error import StanzaError
from twisted.words.xish.domish import Element

from bridgewire.jid import JID, parse_jid
from bridgewire.namespaces import EXTERNAL_SERVICES, OWN_SESSION, ROSTER, SESSION
from bridgewire.queries import Outlet, Queries
from xmppd.external_services import Credentials, ExternalServices
from xmppd.sessions import SessionInfo, Sessions


def _now() -> datetime:
    return datetime.now(UTC)


class ServerQueries(Queries):
    """The server's own entity: also the empty roster, RFC 3921's session, which is a no-op now,
    external services (XEP-0215), and what a session is (docs/client-protocol.md).
    """

    iqHandlers = {
        **Queries.iqHandlers,
        f"/iq[@type='get']/query[@xmlns='{ROSTER}']": "on_roster",
        f"/iq[@type='set']/session[@xmlns='{SESSION}']": "on_session",
        f"/iq[@type='get']/session[@xmlns='{OWN_SESSION}']": "on_own_session",
        f"/iq[@type='get']/services[@xmlns='{EXTERNAL_SERVICES}']": "on_services",
        f"/iq[@type='get']/credentials[@xmlns='{EXTERNAL_SERVICES}']": "on_credentials",
    }

    def __init__(
        self,
        outlet: Outlet,
        components: Callable[[], Sequence[str]],
        sessions: Sessions,
        external: ExternalServices,
        now: Callable[[], datetime] = _now,
    ) -> None:
        """``components`` answers the addresses of the connected components, ``now`` an aware time:
        TURN servers read it.
        """
        super().__init__(outlet, "xmppd", "server", "im")
        self._components = components
        self._sessions = sessions
        self.external = external
        self._now = now

    @property
    def features(self) -> Sequence[str]:  # type: ignore[override]
        more = (OWN_SESSION, EXTERNAL_SERVICES) if self.external.services else (OWN_SESSION,)
        return (*Queries.features, *more)

    def items(self) -> Sequence[str]:
        return self._components()

    def on_roster(self, iq: Element) -> Element:
        return Element((ROSTER, "query"))

    def on_session(self, iq: Element) -> None:
        """An empty result."""

    def on_own_session(self, iq: Element) -> Element:
        """What the server knows of the session that asks, and of no other."""
        _, info = self._asking(iq)
        answer = Element((OWN_SESSION, "session"))
        known = {
            "jid": info.jid,
            "since": _date_time(info.since),
            "peer": info.peer,
            "transport": info.transport,
            "tls": info.tls,
            "mechanism": info.mechanism,
            "callbridge": info.callbridge,
            "until": info.until and _date_time(info.until),
        }
        answer.attributes.update({name: value for name, value in known.items() if value})
        return answer

    def on_services(self, iq: Element) -> Element:
        """XEP-0215 sections 3.1 and 3.2: all services, or those of a type, with credentials."""
        credentials = self._credentials(iq)
        kind = iq.firstChildElement().getAttribute("type")
        answer = Element((EXTERNAL_SERVICES, "services"))
        if kind is not None:
            answer["type"] = kind
        for service in self.external.services:
            if kind in (None, service.kind):
                answer.addChild(service.to_element(credentials))
        return answer

    def on_credentials(self, iq: Element) -> Element:
        """XEP-0215 section 3.3: credentials for one server that the client knows already."""
        credentials = self._credentials(iq)
        kind, host, port = _service_asked_for(iq.firstChildElement())
        answer = Element((EXTERNAL_SERVICES, "credentials"))
        for service in self.external.services:
            same = (service.kind, service.host) == (kind, host)
            if service.restricted and same and port in (None, str(service.port)):
                answer.addChild(service.to_element(credentials))
        if not answer.children:
            raise StanzaError("item-not-found")
        return answer

    def _credentials(self, iq: Element) -> Credentials:
        if not self.external.services:
            raise StanzaError("service-unavailable")
        jid, info = self._asking(iq)
        return self.external.credentials(jid.user or "", self._now(), info.until)

    def _asking(self, iq: Element) -> tuple[JID, SessionInfo]:
        """Answer whose session asks. A component has none: it is not one of our users."""
        jid = parse_jid(iq["from"])
        session = self._sessions.find(jid)
        if session is None:
            raise StanzaError("forbidden")
        return jid, session.info()


def _service_asked_for(credentials: Element) -> tuple[str, str, str | None]:
    """Answer type, host and port, None for any. Raises StanzaError."""
    asked = list(credentials.elements(EXTERNAL_SERVICES, "service"))
    kind, host = (asked[0].getAttribute(name) for name in ("type", "host")) if asked else ("", "")
    if len(asked) != 1 or not kind or not host:
        raise StanzaError("bad-request", type="modify")
    return kind, host.lower(), asked[0].getAttribute("port")


def _date_time(time: datetime) -> str:
    """XEP-0082, in UTC."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
