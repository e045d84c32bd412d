"""From a login to a session: a resource is bound (RFC 6120, XEP-0386), or a session goes on."""

from __future__ import annotations

import hmac
import secrets
from copy import copy
from typing import TYPE_CHECKING

from twisted.words.protocols.jabber.error import StanzaError
from twisted.words.protocols.jabber.xmlstream import toResponse
from twisted.words.protocols.jabber.xmpp_stringprep import resourceprep
from twisted.words.xish.domish import Element

from bridgewire.namespaces import BIND, BIND2, STANZA_ERRORS
from bridgewire.parser import StreamFault
from xmppd.clients.management import failed
from xmppd.clients.sasl import BindRequest
from xmppd.clients.session import ClientSession
from xmppd.events import RESUMPTION_REFUSED
from xmppd.sessions import TooManySessions

if TYPE_CHECKING:
    from xmppd.clients.connected import Clients
    from xmppd.clients.stream import ClientStream

#: Octets of a resource (RFC 7622 section 3.4).
MAX_RESOURCE = 1023


def is_request(element: Element) -> bool:
    """True for an IQ that asks for a resource (RFC 6120 section 7)."""
    return bool(
        element.name == "iq"
        and element.getAttribute("type") == "set"
        and next(element.elements(BIND, "bind"), None) is not None
    )


def bind(
    clients: Clients, stream: ClientStream, iq: Element
) -> tuple[ClientSession | None, Element]:
    """Answer a session, if the user may have one more, and what to say (RFC 6120 section 7).

    It has the resource that the client wants, or one that the server makes up.
    """
    wanted = str(next(iq.elements(BIND, "bind")).firstChildElement() or "").strip()
    session = _bind(clients, stream, _prepare(wanted) or secrets.token_hex(8))
    if session is None:
        return None, StanzaError("resource-constraint", type="wait").toResponse(iq)
    result = toResponse(iq, "result")
    bind = result.addElement((BIND, "bind"))
    bind.addElement((BIND, "jid"), content=session.jid.full())
    return session, result


def bind_inline(
    clients: Clients, stream: ClientStream, request: BindRequest, agent: str | None
) -> tuple[ClientSession | None, Element]:
    """Answer a session, if the user may have one more, and what to say (XEP-0386).

    The same installation of a client (``agent``) has the same resource each time.
    """
    suffix = secrets.token_hex(8)
    if agent is not None:
        whose = f"{stream.jid.userhost()}\0{agent}\0{request.tag}".encode()
        suffix = hmac.digest(clients.resource_key, whose, "sha256").hex()[:16]
    tagged = _prepare(f"{request.tag}/{suffix}") if request.tag else None
    session = _bind(clients, stream, tagged or suffix)
    if session is None:
        answer = Element((BIND2, "failed"))
        answer.addElement((STANZA_ERRORS, "resource-constraint"))
        return None, answer
    answer = Element((BIND2, "bound"))
    if request.enable is not None:
        answer.addChild(session.enable(request.enable))
    session.set_active(request.active)
    return session, answer


def resume(
    clients: Clients, stream: ClientStream, element: Element
) -> tuple[ClientSession | None, Element]:
    """Answer the session that goes on over ``stream``, if any, and what to say (XEP-0198)."""
    session = clients.resumable.get(element.getAttribute("previd", ""))
    if session is None or session.jid.userhost() != stream.jid.userhost():
        return None, failed("item-not-found")
    try:
        session.take_count(element)
    except StreamFault as fault:
        stream.log.warn(
            RESUMPTION_REFUSED,
            who=stream.jid.full(),
            user=stream.jid.user,
            domain=stream.domain.name,
            session=session.jid.full(),
            peer=stream.peer,
            why=fault.text,
        )
        return None, failed("bad-request")
    return session, session.resume(stream)


def _bind(clients: Clients, stream: ClientStream, resource: str) -> ClientSession | None:
    vouched = stream.authentication.vouched
    assert vouched is not None  # noqa: S101  the table lets nobody else come here
    jid = copy(stream.jid)  # not parsed anew: names are prepared at some expense
    jid.resource = resource
    try:
        clients.sessions.make_room(jid)
    except TooManySessions:
        return None
    return ClientSession(clients, jid, vouched, stream)


def _prepare(wanted: str) -> str | None:
    """Answer the resource that a client wants in its normal form; None where it cannot be one."""
    if not 0 < len(wanted.encode()) <= MAX_RESOURCE:
        return None
    try:
        prepared: str = resourceprep.prepare(wanted)
    except UnicodeError:
        return None
    return prepared or None
