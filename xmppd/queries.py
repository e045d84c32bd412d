"""What the server itself answers: about itself, and for the accounts of its users."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.words.xish.domish import Element

from bridgewire.namespaces import ROSTER, SESSION
from bridgewire.queries import Outlet, Queries


class ServerQueries(Queries):
    """The server's own entity: also the empty roster, and RFC 3921's session, now a no-op."""

    iqHandlers = {
        **Queries.iqHandlers,
        f"/iq[@type='get']/query[@xmlns='{ROSTER}']": "on_roster",
        f"/iq[@type='set']/session[@xmlns='{SESSION}']": "on_session",
    }

    def __init__(self, outlet: Outlet, components: Callable[[], Sequence[str]]) -> None:
        """``components`` answers the addresses of the connected components."""
        super().__init__(outlet, "xmppd", "server", "im")
        self._components = components

    def items(self) -> Sequence[str]:
        return self._components()

    def on_roster(self, iq: Element) -> Element:
        return Element((ROSTER, "query"))

    def on_session(self, iq: Element) -> None:
        """An empty result."""
