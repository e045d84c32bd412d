"""What any entity answers about itself: disco (XEP-0030), version, ping and time (XEP-0202)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Protocol

from twisted.words.protocols.jabber.error import StanzaError
from twisted.words.xish import xpath
from twisted.words.xish.domish import Element
from wokkel.subprotocols import IQHandlerMixin, XMPPHandler

from bridgewire.namespaces import DISCO_INFO, DISCO_ITEMS, PING, TIME, VERSION


class Outlet(Protocol):
    """Where the answers go."""

    def send(self, element: Element) -> None:
        """Send one stanza."""


class Queries(XMPPHandler, IQHandlerMixin):  # type: ignore[misc]
    """Answers IQ requests to one entity; what it does not know gets `service-unavailable`.

    wokkel matches the requests and makes answers and errors. Subclasses add to ``iqHandlers``.
    """

    #: Of several that match, the last one counts.
    iqHandlers = {
        "/iq": "on_unknown",
        f"/iq[@type='get']/query[@xmlns='{DISCO_INFO}']": "on_disco_info",
        f"/iq[@type='get']/query[@xmlns='{DISCO_ITEMS}']": "on_disco_items",
        f"/iq[@type='get']/query[@xmlns='{VERSION}']": "on_version",
        f"/iq[@type='get']/ping[@xmlns='{PING}']": "on_ping",
        f"/iq[@type='get']/time[@xmlns='{TIME}']": "on_time",
    }
    features: Sequence[str] = (DISCO_INFO, DISCO_ITEMS, PING, TIME, VERSION)

    def __init__(self, outlet: Outlet, name: str, category: str, kind: str) -> None:
        """``name`` is shown to users; ``category`` and ``kind`` are the XEP-0030 identity."""
        super().__init__()
        self.name = name
        self.identity = (category, kind)
        self.makeConnection(outlet)
        for query in self.iqHandlers:  # compiled now: the first one takes a noticeable time
            xpath.internQuery(query)

    def deliver(self, iq: Element) -> None:
        """Take an IQ; requests are answered, answers that nobody waits for are dropped."""
        if iq.getAttribute("type") in ("get", "set"):
            self.handleRequest(iq)
        elif iq.getAttribute("type") not in ("result", "error"):
            self.send(StanzaError("bad-request", type="modify").toResponse(iq))

    def send(self, element: Element) -> None:
        """Send an answer; called by wokkel."""
        self.xmlstream.send(element)

    def items(self) -> Sequence[str]:
        """Answer the addresses of entities below this one."""
        return ()

    def on_unknown(self, iq: Element) -> None:
        """RFC 6120 section 8.4: what nobody here understands."""
        raise StanzaError("service-unavailable")

    def on_disco_info(self, iq: Element) -> Element:
        self._refuse_node(iq)
        query = Element((DISCO_INFO, "query"))
        identity = query.addElement((DISCO_INFO, "identity"))
        identity["category"], identity["type"] = self.identity
        identity["name"] = self.name
        for feature in self.features:
            query.addElement((DISCO_INFO, "feature"))["var"] = feature
        return query

    def on_disco_items(self, iq: Element) -> Element:
        self._refuse_node(iq)
        query = Element((DISCO_ITEMS, "query"))
        for item in self.items():
            query.addElement((DISCO_ITEMS, "item"))["jid"] = item
        return query

    def on_version(self, iq: Element) -> Element:
        query = Element((VERSION, "query"))
        query.addElement((VERSION, "name"), content=self.name)
        query.addElement((VERSION, "version"), content=version("callbridge-xmpp"))
        return query

    def on_ping(self, iq: Element) -> None:
        """An empty result."""

    def on_time(self, iq: Element) -> Element:
        """The time in UTC; where we are is nobody's business."""
        time = Element((TIME, "time"))
        time.addElement((TIME, "tzo"), content="+00:00")
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        time.addElement((TIME, "utc"), content=now.replace("+00:00", "Z"))
        return time

    def _refuse_node(self, iq: Element) -> None:
        if iq.firstChildElement().getAttribute("node"):
            raise StanzaError("item-not-found")
