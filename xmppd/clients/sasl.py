"""The two forms of SASL on a client's stream: RFC 6120 section 6, and SASL2 (XEP-0388).

On the link to the Call Bridge there is one form, that of RFC 6120: what a client says in SASL2 is
put into it, and the answers are put back. The data inside stays closed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from twisted.words.xish.domish import Element

from bridgewire.login import TokenRequest
from bridgewire.namespaces import BIND2, CSI, FAST, MANAGEMENT, SASL, SASL2
from bridgewire.sasl import WireFault, sasl_failure, text_of

_AGENT = re.compile(r"[!-~]{1,128}")  # a UUID, says XEP-0388; it is only compared
_MECHANISM = re.compile(r"[A-Z0-9_-]{1,20}")
_TRUE = ("true", "1")


class SaslFault(Exception):
    """A SASL message that goes to nobody. ``condition`` is from RFC 6120 section 6.5."""

    def __init__(self, condition: str, text: str) -> None:
        super().__init__(text)
        self.condition = condition


class Profile(Protocol):
    """One form of SASL."""

    #: Of its elements, and the name of the one that begins an exchange.
    namespace: str
    begin: str
    #: True where the stream begins anew after success.
    restarts: bool

    def to_link(self, element: Element) -> Element:
        """Answer a client's message as the link has it. Raises SaslFault."""

    def from_link(self, element: Element) -> Element:
        """Answer a challenge or a failure as the client has it."""


class Sasl:
    """SASL as RFC 6120 has it, and as the link has it."""

    namespace = SASL
    begin = "auth"
    restarts = True

    def to_link(self, element: Element) -> Element:
        """Nothing to change."""
        return element

    def from_link(self, element: Element) -> Element:
        """Nothing to change."""
        return element


class Sasl2:
    """SASL2: no restart, and other things settled in the same exchange."""

    namespace = SASL2
    begin = "authenticate"
    restarts = False

    def to_link(self, element: Element) -> Element:
        """``authenticate``, ``response`` and ``abort``. Raises SaslFault."""
        if element.name != "authenticate":
            message = Element((SASL, element.name))
            if element.name == "response":
                message.addContent(_text(element))
            return message
        auth = Element((SASL, "auth"))
        auth["mechanism"] = element.getAttribute("mechanism", "")
        initial = next(element.elements(SASL2, "initial-response"), None)
        if initial is not None:
            auth.addContent(_text(initial) or "=")
        return auth

    def from_link(self, element: Element) -> Element:
        """``challenge`` and ``failure``."""
        answer = Element((SASL2, element.name))
        for child in element.children:
            if isinstance(child, str):
                answer.addContent("" if child == "=" else child)
            elif child.name == "text":
                answer.addElement((SASL2, "text"), content=str(child))
            else:
                answer.addElement((child.uri, child.name))
        return answer

    @staticmethod
    def success(from_link: Element, identifier: str) -> Element:
        """Answer ``<success/>`` for ``identifier``, the JID that is let in."""
        answer = Element((SASL2, "success"))
        data = str(from_link)
        if data:
            answer.addElement((SASL2, "additional-data"), content="" if data == "=" else data)
        answer.addElement((SASL2, "authorization-identifier"), content=identifier)
        return answer


@dataclass(frozen=True)
class BindRequest:
    """Bind 2 (XEP-0386): ``tag`` for the resource, ``enable`` as XEP-0198 has it, or None."""

    tag: str
    enable: Element | None
    active: bool


@dataclass(frozen=True)
class Inline:
    """What a SASL2 client wants settled in the same exchange.

    ``agent``: the id of the client's installation. ``resume``: XEP-0198's element.
    """

    agent: str | None = None
    bind: BindRequest | None = None
    resume: Element | None = None
    token: TokenRequest | None = None


def read_inline(authenticate: Element) -> Inline:
    """Answer what is in ``<authenticate/>`` besides SASL. Raises SaslFault."""
    mechanism = authenticate.getAttribute("mechanism", "")
    agent = _first(authenticate, SASL2, "user-agent")
    agent_id = agent.getAttribute("id") if agent is not None else None
    if agent_id is not None and not _AGENT.fullmatch(agent_id):
        raise SaslFault("malformed-request", "the user agent's id is no UUID")
    fast = _first(authenticate, FAST, "fast")
    if (fast is not None) != mechanism.startswith("HT-"):
        raise SaslFault("malformed-request", "<fast/> belongs to a token, and a token to <fast/>")
    request = _first(authenticate, FAST, "request-token")
    wanted = request.getAttribute("mechanism", "") if request is not None else None
    token = None
    if fast is not None or wanted is not None:
        if agent_id is None:
            raise SaslFault("malformed-request", "tokens are for a user agent with an id")
        if wanted is not None and not _MECHANISM.fullmatch(wanted):
            raise SaslFault("malformed-request", "the token is for no mechanism")
        invalidate = fast is not None and fast.getAttribute("invalidate") in _TRUE
        token = TokenRequest(agent_id, wanted, invalidate)
    resume = _first(authenticate, MANAGEMENT, "resume")
    return Inline(agent_id, _read_bind(authenticate), resume, token)


def _read_bind(authenticate: Element) -> BindRequest | None:
    bind = _first(authenticate, BIND2, "bind")
    if bind is None:
        return None
    tag = _first(bind, BIND2, "tag")
    enable = _first(bind, MANAGEMENT, "enable")
    inactive = _first(bind, CSI, "inactive")
    return BindRequest(str(tag) if tag is not None else "", enable, inactive is None)


def _first(parent: Element, uri: str, name: str) -> Element | None:
    return next(parent.elements(uri, name), None)


def _text(element: Element) -> str:
    try:
        return text_of(element)
    except WireFault as fault:
        raise SaslFault("malformed-request", str(fault)) from None


def failure(fault: SaslFault) -> Element:
    """Answer ``<failure/>`` as the link has it."""
    return sasl_failure(fault.condition, str(fault))
