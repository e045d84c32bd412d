"""Presence of one session on a server without rosters (RFC 6121 section 4).

Nobody has a subscription but a user to their own other sessions. Whoever was told that the session
is there (directed presence, section 4.6: a conference room, say) is told when it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from twisted.words.xish.domish import Element

from bridgewire.copying import copy_element
from bridgewire.namespaces import CLIENT

#: Addresses that one session may have sent directed presence to.
MAX_DIRECTED = 500


class OwnSession(Protocol):
    """A session of the same user."""

    presence: Presence

    def deliver(self, stanza: Element) -> None:
        """Send a stanza to the client."""


class Presence:
    """What one session has said of itself, and to whom."""

    def __init__(
        self,
        address: str,
        siblings: Callable[[], Iterable[OwnSession]],
        route: Callable[[Element], None],
    ) -> None:
        """``siblings``: the user's sessions, this one among them."""
        self._address = address
        self._siblings = siblings
        self._route = route
        self._directed: frozenset[str] = frozenset()  # costs nothing while it is empty, as most are
        #: The available presence that was sent last; None while unavailable.
        self.current: Element | None = None
        #: Its priority, -128 to 127; None while unavailable.
        self.priority: int | None = None

    def directed(self, presence: Element, to: str) -> bool:
        """Note directed presence; False where it is too much to remember."""
        kind = presence.getAttribute("type")
        if kind == "unavailable":
            self._directed -= {to}
        elif kind is None and to not in self._directed:
            if len(self._directed) >= MAX_DIRECTED:
                return False
            self._directed |= {to}
        return True

    def broadcast(self, presence: Element, this: OwnSession) -> None:
        """Take presence without ``to`` (sections 4.2, 4.4 and 4.5)."""
        kind = presence.getAttribute("type")
        if kind == "unavailable":
            self.leave(presence)
        elif kind is None:
            initial = self.current is None
            self.current = presence
            self.priority = _priority(presence)
            for one in self._siblings():
                if one.presence.current is None:
                    continue
                one.deliver(copy_element(presence))
                if initial and one is not this:
                    this.deliver(copy_element(one.presence.current))

    def leave(self, presence: Element | None = None) -> None:
        """Become unavailable, and tell all who knew otherwise; None: without words."""
        if presence is None:
            presence = Element((CLIENT, "presence"))
            presence["from"] = self._address
            presence["type"] = "unavailable"
        was_there, self.current, self.priority = self.current, None, None
        if was_there is not None:
            for one in self._siblings():
                if one.presence.current is not None:
                    one.deliver(copy_element(presence))
        directed, self._directed = self._directed, frozenset()
        for to in sorted(directed):
            told = copy_element(presence)
            told["to"] = to
            self._route(told)


def _priority(presence: Element) -> int:
    text = next((str(child) for child in presence.elements(CLIENT, "priority")), "0")
    try:
        return max(-128, min(127, int(text)))
    except ValueError:
        return 0
