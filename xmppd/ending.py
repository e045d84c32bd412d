"""Ending sessions: on the order of a Call Bridge, or of an operator."""

from __future__ import annotations

from bridgewire.jid import JID, InvalidFormat, parse_jid
from bridgewire.session_end import EndSessions
from daemonkit.units import counted
from xmppd.sessions import Session, Sessions

#: What a client is told whom nobody gave a reason.
_NO_REASON = "the session was ended"


def end_for_callbridge(sessions: Sessions, domain: str, order: EndSessions) -> int:
    """Do what a Call Bridge of ``domain`` orders, and answer how many sessions it ended.

    Clients are told ``not-authorized``: they may be let in again, or not.
    """
    user = f"{order.username}@{domain}"
    try:
        jid = parse_jid(user if order.resource is None else f"{user}/{order.resource}")
    except InvalidFormat:  # nobody can have a session with this resource
        return 0
    return _end(sessions, jid, "not-authorized", order.reason)


def kick(sessions: Sessions, jid: JID, reason: str) -> int:
    """End the sessions of a bare JID, or the one of a full JID; answer how many there were."""
    return _end(sessions, jid, "policy-violation", reason)


def matching(sessions: Sessions, jid: JID) -> list[Session]:
    """Answer the sessions of a bare JID, or the one of a full JID."""
    found = sessions.of(jid.userhost())
    return [one for one in found if jid.resource in (None, one.jid.resource)]


def describe(count: int, user: str, reason: str) -> str:
    """Answer for the log what was ended: ``2 sessions of alice@example.com: account closed``."""
    return f"{counted(count, 'session')} of {user}" + (f": {reason}" if reason else "")


def _end(sessions: Sessions, jid: JID, condition: str, reason: str) -> int:
    found = matching(sessions, jid)
    for session in found:
        session.end(condition, reason or _NO_REASON)
    return len(found)
