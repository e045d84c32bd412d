"""The bound resources: which client has which full JID, and which it may come back to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from twisted.words.xish.domish import Element

from bridgewire.jid import JID


@dataclass(frozen=True)
class SessionInfo:
    """What operators are told of a session.

    ``since`` is aware. ``transport``: ``STARTTLS``, ``TLS`` or ``WebSocket``; ``tls``: as in
    ``TLSv1.3``. ``away``: the connection is lost, and the client may still come back (XEP-0198).
    ``active``: what the client says of its user (XEP-0352). ``until``: aware; when it ends at the
    latest; None: no such time is set.
    """

    jid: str
    since: datetime
    peer: str
    transport: str
    tls: str | None
    mechanism: str
    callbridge: str
    away: bool
    active: bool
    resumable: bool
    until: datetime | None = None


class Session(Protocol):
    """One client's bound resource."""

    jid: JID

    @property
    def priority(self) -> int | None:
        """Of its available presence, -128 to 127; None while it is unavailable."""

    @property
    def away(self) -> bool:
        """True while it waits for its client to come back."""

    def deliver(self, stanza: Element) -> None:
        """Send a stanza to the client."""

    def end(self, condition: str, text: str) -> None:
        """End it now, with a stream error (RFC 6120 section 4.9.3) where a client is there."""

    def info(self) -> SessionInfo:
        """Answer what operators are told of it."""


class TooManySessions(Exception):
    """The user has as many sessions as are allowed (RFC 6120 section 7.6.2.1)."""


class Sessions:
    """All sessions, by user and resource."""

    def __init__(self, limit: int = 10) -> None:
        """``limit``: sessions of one user at once."""
        self.limit = limit
        #: How many there are in each domain that has some.
        self.by_domain: Counter[str] = Counter()
        #: How many could not be bound, since their user had too many.
        self.refused = 0
        self._by_user: dict[str, dict[str | None, Session]] = {}

    def __len__(self) -> int:
        return self.by_domain.total()

    def make_room(self, jid: JID) -> None:
        """See that a session with this full JID may be bound.

        One that is replaced by it does not count; of those whose client is away, the one that was
        bound first makes room. Raises TooManySessions.
        """
        resources = self._by_user.get(jid.userhost(), {})
        others = [one for one in resources.values() if one.jid.resource != jid.resource]
        if len(others) < self.limit:
            return
        away = next((one for one in others if one.away), None)
        if away is None:
            self.refused += 1
            raise TooManySessions
        away.end("resource-constraint", "a newer session took the place")

    def bind(self, session: Session) -> None:
        """Add a session; an older one with the same full JID ends."""
        resources = self._by_user.setdefault(session.jid.userhost(), {})
        older = resources.get(session.jid.resource)
        resources[session.jid.resource] = session
        if older is None:
            self.by_domain[session.jid.host] += 1
        else:
            older.end("conflict", "this resource was bound by another stream")

    def unbind(self, session: Session) -> None:
        """Remove a session, unless its place was taken."""
        user = session.jid.userhost()
        resources = self._by_user.get(user, {})
        if resources.get(session.jid.resource) is session:
            del resources[session.jid.resource]
            self.by_domain[session.jid.host] -= 1
            if not resources:
                del self._by_user[user]

    def find(self, jid: JID) -> Session | None:
        """Answer the session with this full JID."""
        return self._by_user.get(jid.userhost(), {}).get(jid.resource)

    def of(self, user: str) -> list[Session]:
        """Answer the sessions of a bare JID, the oldest first."""
        return list(self._by_user.get(user, {}).values())

    def available(self, user: str) -> list[Session]:
        """Answer a bare JID's sessions that want messages (RFC 6121 section 8.5.2.1.1)."""
        return [one for one in self.of(user) if one.priority is not None and one.priority >= 0]

    def all(self) -> list[Session]:
        """Answer all sessions, those of one user together."""
        return [one for resources in self._by_user.values() for one in resources.values()]
