"""The messages of `urn:x-callbridge:login:1`, read and written (docs/link-protocol.md).

A peer may say more than what stands here, in other attributes and children: they are left alone.
What does stand here must be right, or reading it raises `WireFault`, and nothing else.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from twisted.words.xish.domish import Element

from bridgewire.namespaces import LOGIN, SASL
from bridgewire.username import parse_username

REQUESTS = frozenset({"auth", "response", "abort"})
REPLIES = frozenset({"challenge", "success", "failure"})
#: What a ``<failure/>`` may say: RFC 6120 section 6.5.
CONDITIONS = frozenset(
    {
        "aborted",
        "account-disabled",
        "credentials-expired",
        "encryption-required",
        "incorrect-encoding",
        "invalid-authzid",
        "invalid-mechanism",
        "malformed-request",
        "mechanism-too-weak",
        "not-authorized",
        "temporary-auth-failure",
    }
)

MAX_CAPACITY = 1_000_000
MAX_MECHANISMS = 64
MAX_CHANNEL_BINDINGS = 8
MAX_CHANNEL_BINDING = 1024  # octets
MAX_DEADLINE = 3600.0  # seconds

_CAPACITY = re.compile(r"[0-9]{1,7}")
_DEADLINE = re.compile(r"[0-9]{1,4}(\.[0-9]{1,6})?")
_SESSION = re.compile(r"[!-~]{1,128}")
_MECHANISM = re.compile(r"[A-Z0-9_-]{1,20}")  # RFC 4422 section 3.1
_BINDING_TYPE = re.compile(r"[A-Za-z0-9.-]{1,64}")  # RFC 5056 section 7


class WireFault(Exception):
    """A message that the peer should not have sent. The text is one line, and safe to log.

    ``condition`` is what to answer: a stanza error of RFC 6120 section 8.3.3, or, where reading
    the data of a SASL element found it, a SASL error of section 6.5.
    """

    def __init__(self, text: str, condition: str = "bad-request") -> None:
        super().__init__(text)
        self.condition = condition


@dataclass(frozen=True)
class Serve:
    """A Call Bridge's offer: how many logins at once (0: draining), by which SASL mechanisms."""

    capacity: int
    mechanisms: tuple[str, ...]

    def to_element(self) -> Element:
        """Answer ``<serve/>``."""
        element = Element((LOGIN, "serve"))
        element["capacity"] = str(self.capacity)
        for mechanism in self.mechanisms:
            element.addElement((LOGIN, "mechanism"), content=mechanism)
        return element

    @classmethod
    def from_element(cls, element: Element | None) -> Serve:
        """Read ``<serve/>``. Raises WireFault."""
        offer = _expect(element, "serve")
        capacity = offer.getAttribute("capacity", "")
        if not _CAPACITY.fullmatch(capacity) or int(capacity) > MAX_CAPACITY:
            raise WireFault(f"capacity is {capacity!r:.40}, no number from 0 to {MAX_CAPACITY}")
        names = tuple(_text(one).strip() for one in offer.elements(LOGIN, "mechanism"))
        for name in names:
            if not _MECHANISM.fullmatch(name):
                raise WireFault(f"{name!r:.40} is not the name of a SASL mechanism")
        if len(names) > MAX_MECHANISMS or len(set(names)) < len(names):
            raise WireFault("there are too many mechanisms, or one is there twice")
        return cls(int(capacity), names)


@dataclass(frozen=True)
class LoginRequest:
    """A client's SASL message, ``auth``, ``response`` or ``abort``, with what is known of it.

    ``peer``: the client's IP address. ``deadline``: seconds that the server still waits for the
    whole exchange. ``channel_bindings``: data of the client's TLS connection, by type.
    """

    session: str
    element: Element
    peer: str | None = None
    deadline: float | None = None
    channel_bindings: Mapping[str, bytes] = field(default_factory=dict)

    def to_element(self) -> Element:
        """Answer ``<login/>``."""
        login = Element((LOGIN, "login"))
        login["session"] = self.session
        if self.peer:
            login["peer"] = self.peer
        if self.deadline is not None:
            login["deadline"] = f"{self.deadline:.1f}"
        for kind, data in self.channel_bindings.items():
            binding = login.addElement((LOGIN, "channel-binding"))
            binding["type"] = kind
            binding.addContent(base64.b64encode(data).decode("ascii"))
        login.addChild(self.element)
        return login

    @classmethod
    def from_element(cls, element: Element | None) -> LoginRequest:
        """Read ``<login/>`` with auth, response or abort; the data in them is the client's own
        affair, and not looked at.

        Raises:
            WireFault: the server did something wrong.
        """
        login, session, sasl = _login(element, REQUESTS)
        peer = login.getAttribute("peer")
        deadline = login.getAttribute("deadline")
        return cls(
            session,
            sasl,
            None if peer is None else _address(peer),
            None if deadline is None else _seconds(deadline),
            _channel_bindings(login),
        )


@dataclass(frozen=True)
class LoginReply:
    """A Call Bridge's SASL message; ``username`` is the localpart that ``success`` lets in."""

    session: str
    element: Element
    username: str | None = None

    def to_element(self) -> Element:
        """Answer ``<login/>``."""
        login = Element((LOGIN, "login"))
        login["session"] = self.session
        if self.username is not None:
            login["username"] = self.username
        login.addChild(self.element)
        return login

    @classmethod
    def from_element(cls, element: Element | None) -> LoginReply:
        """Read ``<login/>`` with challenge, success or failure. Raises WireFault."""
        login, session, sasl = _login(element, REPLIES)
        username = login.getAttribute("username")
        if (sasl.name == "success") != (username is not None):
            raise WireFault("username belongs to success, and to nothing else")
        if username is not None:
            _check_username(username)
        if sasl.name == "failure":
            failure_condition(sasl)
        else:
            sasl_data(sasl)
        return cls(session, sasl, username)


def sasl_message(name: str, data: bytes | None = None) -> Element:
    """Answer a SASL element with ``data`` in base64; None: no text, empty: ``=``."""
    element = Element((SASL, name))
    if data is not None:
        element.addContent(base64.b64encode(data).decode("ascii") or "=")
    return element


def sasl_failure(condition: str, text: str | None = None) -> Element:
    """Answer ``<failure/>`` with a condition of RFC 6120 section 6.5."""
    failure = Element((SASL, "failure"))
    failure.addElement((SASL, condition))
    if text:
        failure.addElement((SASL, "text"), content=text)
    return failure


def failure_condition(failure: Element) -> str:
    """Answer the one condition in a ``<failure/>``. Raises WireFault where that is not so."""
    found = [one.name for one in failure.elements() if one.uri == SASL and one.name != "text"]
    if len(found) != 1 or found[0] not in CONDITIONS:
        raise WireFault("a failure has exactly one of the conditions of RFC 6120")
    return str(found[0])


def sasl_data(element: Element) -> bytes | None:
    """Answer the data of a SASL element: None for no text, empty for ``=`` (RFC 6120, 6.4.2).

    Raises:
        WireFault: `incorrect-encoding` for what is not base64, `malformed-request` for elements.
    """
    text = _text(element, "malformed-request")
    if not text:
        return None
    return b"" if text == "=" else _base64(text)


def _expect(element: Element | None, name: str) -> Element:
    if element is None or (element.uri, element.name) != (LOGIN, name):
        raise WireFault(f"no <{name}/> of {LOGIN}")
    return element


def _login(element: Element | None, names: frozenset[str]) -> tuple[Element, str, Element]:
    login = _expect(element, "login")
    session = login.getAttribute("session", "")
    if not _SESSION.fullmatch(session):
        raise WireFault(f"session is {session!r:.40}, not 1 to 128 visible ASCII characters")
    sasl = [one for one in login.elements() if one.uri == SASL]
    if len(sasl) != 1 or sasl[0].name not in names:
        raise WireFault(f"exactly one of {', '.join(sorted(names))} has to be in <login/>")
    return login, session, sasl[0]


def _channel_bindings(login: Element) -> Mapping[str, bytes]:
    bindings: dict[str, bytes] = {}
    for binding in login.elements(LOGIN, "channel-binding"):
        kind = binding.getAttribute("type", "")
        if not _BINDING_TYPE.fullmatch(kind) or kind in bindings:
            raise WireFault(f"channel-binding has the type {kind!r:.40}, or has it twice")
        data = _base64(_text(binding), "bad-request")
        if not 0 < len(data) <= MAX_CHANNEL_BINDING:
            raise WireFault(f"channel-binding has {len(data)} octets")
        bindings[kind] = data
    if len(bindings) > MAX_CHANNEL_BINDINGS:
        raise WireFault(f"there are {len(bindings)} channel bindings")
    return bindings


def _text(element: Element, condition: str = "bad-request") -> str:
    if not all(isinstance(child, str) for child in element.children):
        raise WireFault(f"<{element.name}/> has an element in it", condition)
    return "".join(str(child) for child in element.children)


def _base64(text: str, condition: str = "incorrect-encoding") -> bytes:
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise WireFault("the data is not base64", condition) from None


def _check_username(username: str) -> None:
    try:
        if parse_username(username) == username:
            return
    except ValueError:
        pass
    raise WireFault(f"username is {username!r:.40}, no normalised localpart")


def _address(text: str) -> str:
    try:
        ipaddress.ip_address(text)
        if len(text) <= 64 and text.isprintable():  # an IPv6 zone can be any text
            return text
    except ValueError:
        pass
    raise WireFault(f"peer is {text!r:.60}, no IP address")


def _seconds(text: str) -> float:
    if not _DEADLINE.fullmatch(text) or float(text) > MAX_DEADLINE:
        raise WireFault(f"deadline is {text!r:.40}, no number of seconds up to {MAX_DEADLINE:g}")
    return float(text)
