"""The bound resources: which client stream has which full JID."""

from __future__ import annotations

from typing import Protocol

from twisted.words.xish.domish import Element

from bridgewire.jid import JID


class Session(Protocol):
    """One client's bound resource."""

    jid: JID
    #: Priority of its available presence (-128 to 127); None while it is unavailable.
    priority: int | None

    def deliver(self, stanza: Element) -> None:
        """Send a stanza to the client."""

    def replaced(self) -> None:
        """Another stream has bound the same resource."""


class Sessions:
    """All sessions, by user and resource."""

    def __init__(self) -> None:
        self._by_user: dict[str, dict[str | None, Session]] = {}

    def __len__(self) -> int:
        return sum(len(resources) for resources in self._by_user.values())

    def bind(self, session: Session) -> None:
        """Add a session; an older one with the same full JID is told that it was replaced."""
        resources = self._by_user.setdefault(session.jid.userhost(), {})
        older = resources.get(session.jid.resource)
        resources[session.jid.resource] = session
        if older is not None:
            older.replaced()

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

    def available(self, jid: JID) -> list[Session]:
        """Answer the user's sessions that want messages (RFC 6121 section 8.5.2.1.1)."""
        sessions = self._by_user.get(jid.userhost(), {}).values()
        return [one for one in sessions if one.priority is not None and one.priority >= 0]
