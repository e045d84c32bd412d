"""The messages of `urn:x-callbridge:login:1` about a session's end (docs/link-protocol.md)."""

from __future__ import annotations

from dataclasses import dataclass

from twisted.words.xish.domish import Element

from bridgewire.login_values import expect, parse_localpart
from bridgewire.namespaces import LOGIN
from bridgewire.sasl import WireFault

#: Characters of a reason, and octets of a resource (RFC 7622 section 3.4).
MAX_REASON = 200
MAX_RESOURCE = 1023


def is_reason(text: str) -> bool:
    """True for what may be told a client: one line, not too long; also for none."""
    return len(text) <= MAX_REASON and text.isprintable()


@dataclass(frozen=True)
class EndSessions:
    """A Call Bridge ends the sessions of a user, or the one with ``resource``.

    ``reason``: told to the client, and in the log.
    """

    username: str
    resource: str | None = None
    reason: str = ""

    def to_element(self) -> Element:
        """Answer ``<end-sessions/>``."""
        element = Element((LOGIN, "end-sessions"))
        element["username"] = self.username
        if self.resource is not None:
            element["resource"] = self.resource
        if self.reason:
            element["reason"] = self.reason
        return element

    @classmethod
    def from_element(cls, element: Element | None) -> EndSessions:
        """Read ``<end-sessions/>``. Raises WireFault."""
        found = expect(element, "end-sessions")
        resource = found.getAttribute("resource")
        if resource is not None and not 0 < len(resource.encode()) <= MAX_RESOURCE:
            raise WireFault("resource is empty or too long")
        reason = found.getAttribute("reason", "")
        if not is_reason(reason):
            raise WireFault(f"reason has more than {MAX_REASON} characters, or unprintable ones")
        return cls(parse_localpart(found.getAttribute("username", "")), resource, reason)


@dataclass(frozen=True)
class SessionEnded:
    """A server says that a session is over whose Call Bridge wanted to know.

    ``session``: the SASL session in which the user was let in.
    """

    session: str
    username: str

    def to_element(self) -> Element:
        """Answer ``<session-ended/>``."""
        element = Element((LOGIN, "session-ended"))
        element["session"] = self.session
        element["username"] = self.username
        return element

    @classmethod
    def from_element(cls, element: Element | None) -> SessionEnded:
        """Read ``<session-ended/>``. Raises WireFault."""
        found = expect(element, "session-ended")
        session = found.getAttribute("session", "")
        if not 0 < len(session) <= 128:
            raise WireFault("session has no 1 to 128 characters")
        return cls(session, parse_localpart(found.getAttribute("username", "")))
