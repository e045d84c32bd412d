"""The bound resources: which client stream has which full JID."""

from __future__ import annotations

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
    ``active``: what the client says of its user (XEP-0352).
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


class Session(Protocol):
    """One client's bound resource."""

    jid: JID
    #: Priority of its available presence (-128 to 127); None while it is unavailable.
    priority: int | None

    def deliver(self, stanza: Element) -> None:
        """Send a stanza to the client."""

    def end(self, condition: str, text: str) -> None:
        """End it now, with a stream error (RFC 6120 section 4.9.3) where a client is there."""

    def info(self) -> SessionInfo:
        """Answer what operators are told of it."""


class Sessions:
    """All sessions, by user and resource."""

    def __init__(self) -> None:
        self._by_user: dict[str, dict[str | None, Session]] = {}

    def __len__(self) -> int:
        return sum(len(resources) for resources in self._by_user.values())

    def bind(self, session: Session) -> None:
        """Add a session; an older one with the same full JID ends."""
        resources = self._by_user.setdefault(session.jid.userhost(), {})
        older = resources.get(session.jid.resource)
        resources[session.jid.resource] = session
        if older is not None:
            older.end("conflict", "this resource was bound by another stream")

    def unbind(self, session: Session) -> None:
        """Remove a session, unless its place was taken."""
        user = session.jid.userhost()
        resources = self._by_user.get(user, {})
        if resources.get(session.jid.resource) is session:
            del resources[session.jid.resource]
            if not resources:
                del self._by_user[user]

    def find(self, jid: JID) -> Session | None:
        """Answer the session with this full JID."""
        return self._by_user.get(jid.userhost(), {}).get(jid.resource)

    def of(self, user: str) -> list[Session]:
        """Answer the sessions of a bare JID, the oldest first."""
        return list(self._by_user.get(user, {}).values())

    def all(self) -> list[Session]:
        """Answer all sessions, those of one user together."""
        return [one for resources in self._by_user.values() for one in resources.values()]

    def available(self, jid: JID) -> list[Session]:
        """Answer the user's sessions that want messages (RFC 6121 section 8.5.2.1.1)."""
        sessions = self._by_user.get(jid.userhost(), {}).values()
        return [one for one in sessions if one.priority is not None and one.priority >= 0]
