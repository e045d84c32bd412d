"""The messages of `urn:x-callbridge:login:1`, read and written (docs/link-protocol.md)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field

from twisted.words.xish.domish import Element

from bridgewire.namespaces import LOGIN, SASL

REQUESTS = frozenset({"auth", "response", "abort"})
REPLIES = frozenset({"challenge", "success", "failure"})
MAX_CAPACITY = 1_000_000
MAX_MECHANISMS = 64


class WireFault(Exception):
    """A message that the peer should not have sent."""


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
    def from_element(cls, element: Element) -> Serve:
        """Read ``<serve/>``. Raises WireFault."""
        _expect(element, "serve")
        capacity = element.getAttribute("capacity", "")
        if not capacity.isascii() or not capacity.isdigit() or len(capacity) > 7:
            raise WireFault(f"capacity is {capacity!r:.40}, no number from 0 to {MAX_CAPACITY}")
        names = tuple(str(one).strip() for one in element.elements(LOGIN, "mechanism"))
        if len(names) > MAX_MECHANISMS or not all(_is_mechanism(name) for name in names):
            raise WireFault("mechanism is not a SASL mechanism name, or there are too many")
        return cls(min(int(capacity), MAX_CAPACITY), names)


@dataclass(frozen=True)
class LoginRequest:
    """A client's SASL message. ``deadline``: seconds left; ``peer``: the client's IP address."""

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
            binding.addContent(base64.b64encode(data).decode())
        login.addChild(self.element)
        return login

    @classmethod
    def from_element(cls, element: Element) -> LoginRequest:
        """Read ``<login/>`` with auth, response or abort. Raises WireFault."""
        session, sasl = _login(element, REQUESTS)
        deadline = element.getAttribute("deadline")
        bindings = {}
        for binding in element.elements(LOGIN, "channel-binding"):
            data = sasl_data(binding)
            if data is None or not binding.getAttribute("type"):
                raise WireFault("channel-binding without type or data")
            bindings[str(binding["type"])] = data
        return cls(
            session,
            sasl,
            element.getAttribute("peer"),
            None if deadline is None else _seconds(deadline),
            bindings,
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
        session, sasl = _login(element, REPLIES)
        username = element.getAttribute("username") if element is not None else None
        if (sasl.name == "success") != bool(username):
            raise WireFault("username belongs to success, and to nothing else")
        return cls(session, sasl, username)


def sasl_failure(condition: str, text: str | None = None) -> Element:
    """Answer ``<failure/>`` with a condition of RFC 6120 section 6.5."""
    failure = Element((SASL, "failure"))
    failure.addElement((SASL, condition))
    if text:
        failure.addElement((SASL, "text"), content=text)
    return failure


def sasl_data(element: Element) -> bytes | None:
    """Answer the data of a SASL element: None for no text, empty for ``=`` (RFC 6120, 6.4.2).

    Raises:
        WireFault: the text is not base64 (`incorrect-encoding`).
    """
    text = str(element)
    if not text:
        return None
    if text == "=":
        return b""
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise WireFault("incorrect-encoding") from None


def _expect(element: Element | None, name: str) -> None:
    if element is None or (element.uri, element.name) != (LOGIN, name):
        raise WireFault(f"no <{name}/> of {LOGIN}")


def _login(element: Element | None, names: frozenset[str]) -> tuple[str, Element]:
    _expect(element, "login")
    assert element is not None  # noqa: S101 - _expect looked
    session = element.getAttribute("session", "")
    if not 0 < len(session) <= 128:
        raise WireFault("session is missing or too long")
    sasl = [one for one in element.elements() if one.uri == SASL]
    if len(sasl) != 1 or sasl[0].name not in names:
        raise WireFault(f"one of {', '.join(sorted(names))} has to be in <login/>")
    return session, sasl[0]


def _is_mechanism(name: str) -> bool:
    """RFC 4422 section 3.1: 1 to 20 upper-case letters, digits, hyphens and underscores."""
    return 0 < len(name) <= 20 and all(
        c.isascii() and (c.isupper() or c.isdigit() or c in "-_") for c in name
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0.0 <= seconds <= 3600.0:
        raise WireFault(f"deadline is {text!r:.40}, no number of seconds")
    return seconds
