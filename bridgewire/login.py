"""The messages of `urn:x-callbridge:login:1`, read and written (docs/link-protocol.md).

A peer may say more than what stands here, in other attributes and children: they are left alone.
What does stand here must be right, or reading it raises `WireFault`, and nothing else.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from twisted.words.xish.domish import Element

from bridgewire.login_values import (
    MAX_DEADLINE,
    MAX_LIFETIME,
    add_mechanisms,
    check_address,
    check_mechanism,
    check_time,
    check_visible,
    expect,
    only,
    parse_capacity,
    parse_localpart,
    parse_seconds,
    read_certificate,
    read_channel_bindings,
    read_mechanisms,
)
from bridgewire.namespaces import LOGIN, SASL
from bridgewire.sasl import WireFault, failure_condition, sasl_data

REQUESTS = frozenset({"auth", "response", "abort"})
REPLIES = frozenset({"challenge", "success", "failure"})


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
        add_mechanisms(element, self.mechanisms)
        return element

    @classmethod
    def from_element(cls, element: Element | None) -> Serve:
        """Read ``<serve/>``. Raises WireFault."""
        offer = expect(element, "serve")
        capacity = parse_capacity(offer.getAttribute("capacity", ""))
        successor = offer.getAttribute("successor", "")
        if successor:
            check_visible("successor", successor, shown=False)
        return cls(capacity, read_mechanisms(offer), successor)


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
            add_mechanisms(login.addElement((LOGIN, "offered")), self.offered)
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
        offered = only(login, "offered")
        return cls(
            session,
            sasl,
            None if peer is None else check_address(peer),
            None if deadline is None else parse_seconds("deadline", deadline, MAX_DEADLINE),
            read_channel_bindings(login),
            () if offered is None else read_mechanisms(offered),
            read_certificate(login),
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
        took = None if said is None else parse_seconds("took", said, MAX_DEADLINE)
        if username is None:
            return cls(session, sasl, took=took)
        lifetime = login.getAttribute("lifetime")
        return cls(
            session,
            sasl,
            parse_localpart(username),
            _token(login),
            None if lifetime is None else parse_seconds("lifetime", lifetime, MAX_LIFETIME),
            login.getAttribute("report") == "end",
            took,
        )


def _new_login(session: str) -> Element:
    login = Element((LOGIN, "login"))
    login["session"] = session
    return login


def _login(element: Element | None, names: frozenset[str]) -> tuple[Element, str, Element]:
    login = expect(element, "login")
    session = check_visible("session", login.getAttribute("session", ""))
    sasl = [one for one in login.elements() if one.uri == SASL]
    if len(sasl) != 1 or sasl[0].name not in names:
        raise WireFault(f"exactly one of {', '.join(sorted(names))} has to be in <login/>")
    return login, session, sasl[0]


def _token_request(login: Element) -> TokenRequest | None:
    element = only(login, "token")
    if element is None:
        return None
    mechanism = element.getAttribute("mechanism")
    return TokenRequest(
        check_visible("agent", element.getAttribute("agent", "")),
        None if mechanism is None else check_mechanism(mechanism),
        element.getAttribute("invalidate") in ("true", "1"),
    )


def _token(login: Element) -> Token | None:
    element = only(login, "token")
    if element is None:
        return None
    expiry = check_time("expiry", element.getAttribute("expiry", ""))
    return Token(check_visible("secret", element.getAttribute("secret", ""), shown=False), expiry)
