"""The messages of `urn:x-callbridge:login:1`, read and written (docs/link-protocol.md).

A peer may say more than what stands here, in other attributes and children: they are left alone.
What does stand here must be right, or reading it raises `WireFault`, and nothing else.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from twisted.words.xish.domish import Element

from bridgewire.namespaces import LOGIN, SASL
from bridgewire.sasl import WireFault, failure_condition, from_base64, sasl_data, text_of
from bridgewire.username import parse_username

REQUESTS = frozenset({"auth", "response", "abort"})
REPLIES = frozenset({"challenge", "success", "failure"})

MAX_CAPACITY = 1_000_000
MAX_MECHANISMS = 64
MAX_CHANNEL_BINDINGS = 8
MAX_CHANNEL_BINDING = 1024  # octets
MAX_CERTIFICATE = 16 * 1024  # octets of DER
MAX_DEADLINE = 3600.0  # seconds
MAX_LIFETIME = 999_999.0  # seconds

_CAPACITY = re.compile(r"[0-9]{1,7}")
_SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_VISIBLE = re.compile(r"[!-~]{1,128}")
_MECHANISM = re.compile(r"[A-Z0-9_-]{1,20}")  # RFC 4422 section 3.1
_BINDING_TYPE = re.compile(r"[A-Za-z0-9.-]{1,64}")  # RFC 5056 section 7
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")  # XEP-0082


@dataclass(frozen=True)
class Serve:
    """A Call Bridge's offer: how many logins at once (0: draining), by which SASL mechanisms.

    ``successor``: what the link that is to take this one's place will show; empty: none will.
    """

    capacity: int
    mechanisms: tuple[str, ...]
    successor: str = field(default="", repr=False)

    def to_element(self) -> Element:
        """Answer ``<serve/>``."""
        element = Element((LOGIN, "serve"))
        element["capacity"] = str(self.capacity)
        if self.successor:
            element["successor"] = self.successor
        _add_mechanisms(element, self.mechanisms)
        return element

    @classmethod
    def from_element(cls, element: Element | None) -> Serve:
        """Read ``<serve/>``. Raises WireFault."""
        offer = expect(element, "serve")
        capacity = offer.getAttribute("capacity", "")
        if not _CAPACITY.fullmatch(capacity) or int(capacity) > MAX_CAPACITY:
            raise WireFault(f"capacity is {capacity!r:.40}, no number from 0 to {MAX_CAPACITY}")
        successor = offer.getAttribute("successor", "")
        if successor and not _VISIBLE.fullmatch(successor):
            raise WireFault("successor is not 1 to 128 visible characters of ASCII")
        return cls(int(capacity), _mechanisms(offer), successor)


@dataclass(frozen=True)
class TokenRequest:
    """What a client wants of its token (XEP-0484). ``agent``: its SASL2 user agent id.

    ``mechanism``: what it wants a token for; None: it wants none. ``invalidate``: the token that
    it logs in with is not to count again.
    """

    agent: str
    mechanism: str | None = None
    invalidate: bool = False


@dataclass(frozen=True)
class LoginRequest:
    """A client's SASL message, ``auth``, ``response`` or ``abort``, with what is known of it.

    ``peer``: the client's IP address. ``deadline``: seconds that the server still waits for the
    whole exchange. ``channel_bindings``: data of the client's TLS connection, by type.
    ``offered``: the SASL mechanisms that the client could choose from; empty: not said.
    ``certificate``: the client's own, in DER, proved by its TLS handshake. ``token``: XEP-0484.
    """

    session: str
    element: Element
    peer: str | None = None
    deadline: float | None = None
    channel_bindings: Mapping[str, bytes] = field(default_factory=dict)
    offered: tuple[str, ...] = ()
    certificate: bytes | None = None
    token: TokenRequest | None = None

    def to_element(self) -> Element:
        """Answer ``<login/>``."""
        login = _new_login(self.session)
        if self.peer:
            login["peer"] = self.peer
        if self.deadline is not None:
            login["deadline"] = f"{self.deadline:.1f}"
        for kind, data in self.channel_bindings.items():
            binding = login.addElement((LOGIN, "channel-binding"))
            binding["type"] = kind
            binding.addContent(base64.b64encode(data).decode("ascii"))
        if self.offered:
            _add_mechanisms(login.addElement((LOGIN, "offered")), self.offered)
        if self.certificate is not None:
            encoded = base64.b64encode(self.certificate).decode("ascii")
            login.addElement((LOGIN, "certificate"), content=encoded)
        if self.token is not None:
            token = login.addElement((LOGIN, "token"))
            token["agent"] = self.token.agent
            if self.token.mechanism is not None:
                token["mechanism"] = self.token.mechanism
            if self.token.invalidate:
                token["invalidate"] = "true"
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
        offered = _only(login, "offered")
        return cls(
            session,
            sasl,
            None if peer is None else _address(peer),
            None if deadline is None else _seconds("deadline", deadline, MAX_DEADLINE),
            _channel_bindings(login),
            () if offered is None else _mechanisms(offered),
            _certificate(login),
            _token_request(login),
        )


@dataclass(frozen=True)
class Token:
    """A token for FAST (XEP-0484). ``expiry``: as in ``2026-11-25T01:02:03Z``."""

    secret: str = field(repr=False)
    expiry: str


@dataclass(frozen=True)
class LoginReply:
    """A Call Bridge's SASL message; ``username`` is the localpart that ``success`` lets in.

    ``took``: seconds that the Call Bridge had the message that this answers; None: it does not say.
    All else belongs to ``success``. ``token``: for the client. ``lifetime``: seconds after which
    the server ends the session. ``report``: the Call Bridge wants `SessionEnded`.
    """

    session: str
    element: Element
    username: str | None = None
    token: Token | None = None
    lifetime: float | None = None
    report: bool = False
    took: float | None = None

    def to_element(self) -> Element:
        """Answer ``<login/>``."""
        login = _new_login(self.session)
        if self.username is not None:
            login["username"] = self.username
        if self.lifetime is not None:
            login["lifetime"] = f"{self.lifetime:.1f}"
        if self.report:
            login["report"] = "end"
        if self.took is not None:
            login["took"] = f"{self.took:.6f}"
        if self.token is not None:
            token = login.addElement((LOGIN, "token"))
            token["secret"] = self.token.secret
            token["expiry"] = self.token.expiry
        login.addChild(self.element)
        return login

    @classmethod
    def from_element(cls, element: Element | None) -> LoginReply:
        """Read ``<login/>`` with challenge, success or failure. Raises WireFault."""
        login, session, sasl = _login(element, REPLIES)
        username = login.getAttribute("username")
        if (sasl.name == "success") != (username is not None):
            raise WireFault("username belongs to success, and to nothing else")
        if sasl.name == "failure":
            failure_condition(sasl)
        else:
            sasl_data(sasl)
        said = login.getAttribute("took")
        took = None if said is None else _seconds("took", said, MAX_DEADLINE)
        if username is None:
            return cls(session, sasl, took=took)
        lifetime = login.getAttribute("lifetime")
        return cls(
            session,
            sasl,
            parse_localpart(username),
            _token(login),
            None if lifetime is None else _seconds("lifetime", lifetime, MAX_LIFETIME),
            login.getAttribute("report") == "end",
            took,
        )


def _new_login(session: str) -> Element:
    login = Element((LOGIN, "login"))
    login["session"] = session
    return login


def expect(element: Element | None, name: str) -> Element:
    """Answer the element, if it is ours with this name. Raises WireFault."""
    if element is None or (element.uri, element.name) != (LOGIN, name):
        raise WireFault(f"no <{name}/> of {LOGIN}")
    return element


def _login(element: Element | None, names: frozenset[str]) -> tuple[Element, str, Element]:
    login = expect(element, "login")
    session = _visible("session", login.getAttribute("session", ""))
    sasl = [one for one in login.elements() if one.uri == SASL]
    if len(sasl) != 1 or sasl[0].name not in names:
        raise WireFault(f"exactly one of {', '.join(sorted(names))} has to be in <login/>")
    return login, session, sasl[0]


def _only(login: Element, name: str) -> Element | None:
    """Answer the one child of ours with this name, or None."""
    found = list(login.elements(LOGIN, name))
    if len(found) > 1:
        raise WireFault(f"<{name}/> is there twice")
    return found[0] if found else None


def _add_mechanisms(element: Element, names: tuple[str, ...]) -> None:
    for name in names:
        element.addElement((LOGIN, "mechanism"), content=name)


def _mechanisms(element: Element) -> tuple[str, ...]:
    names = tuple(text_of(one).strip() for one in element.elements(LOGIN, "mechanism"))
    for name in names:
        _mechanism(name)
    if len(names) > MAX_MECHANISMS or len(set(names)) < len(names):
        raise WireFault("there are too many mechanisms, or one is there twice")
    return names


def _mechanism(name: str) -> str:
    if not _MECHANISM.fullmatch(name):
        raise WireFault(f"{name!r:.40} is not the name of a SASL mechanism")
    return name


def _channel_bindings(login: Element) -> Mapping[str, bytes]:
    bindings: dict[str, bytes] = {}
    for binding in login.elements(LOGIN, "channel-binding"):
        kind = binding.getAttribute("type", "")
        if not _BINDING_TYPE.fullmatch(kind) or kind in bindings:
            raise WireFault(f"channel-binding has the type {kind!r:.40}, or has it twice")
        data = from_base64(text_of(binding), "bad-request")
        if not 0 < len(data) <= MAX_CHANNEL_BINDING:
            raise WireFault(f"channel-binding has {len(data)} octets")
        bindings[kind] = data
    if len(bindings) > MAX_CHANNEL_BINDINGS:
        raise WireFault(f"there are {len(bindings)} channel bindings")
    return bindings


def _certificate(login: Element) -> bytes | None:
    element = _only(login, "certificate")
    if element is None:
        return None
    data = from_base64(text_of(element), "bad-request")
    if not 0 < len(data) <= MAX_CERTIFICATE:
        raise WireFault(f"certificate has {len(data)} octets")
    return data


def _token_request(login: Element) -> TokenRequest | None:
    element = _only(login, "token")
    if element is None:
        return None
    mechanism = element.getAttribute("mechanism")
    return TokenRequest(
        _visible("agent", element.getAttribute("agent", "")),
        None if mechanism is None else _mechanism(mechanism),
        element.getAttribute("invalidate") in ("true", "1"),
    )


def _token(login: Element) -> Token | None:
    element = _only(login, "token")
    if element is None:
        return None
    expiry = element.getAttribute("expiry", "")
    if not _TIME.fullmatch(expiry):
        raise WireFault(f"expiry is {expiry!r:.40}, no time of XEP-0082 in UTC")
    return Token(_visible("secret", element.getAttribute("secret", ""), shown=False), expiry)


def _visible(what: str, text: str, *, shown: bool = True) -> str:
    if not _VISIBLE.fullmatch(text):
        value = f" {text!r:.40}," if shown else ""
        raise WireFault(f"{what} is{value} not 1 to 128 visible ASCII characters")
    return text


def parse_localpart(username: str) -> str:
    """Answer a localpart that is in its normal form. Raises WireFault."""
    try:
        if parse_username(username) == username:
            return username
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


def _seconds(what: str, text: str, maximum: float) -> float:
    if not _SECONDS.fullmatch(text) or float(text) > maximum:
        raise WireFault(f"{what} is {text!r:.40}, no number of seconds up to {maximum:g}")
    return float(text)
