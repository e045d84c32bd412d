"""The page that WebSocket connections come from: checks who asks, and hands the connection over."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import cast

import h11
from twisted.logger import Logger
from twisted.web import http
from twisted.web.server import NOT_DONE_YET, Request
from wsproto.connection import ConnectionType
from wsproto.events import AcceptConnection, RejectConnection
from wsproto.events import Request as Opening
from wsproto.handshake import H11Handshake
from wsproto.utilities import ProtocolError

from daemonkit.web.pages import Page, answer
from xmppd.clients.connected import Clients
from xmppd.events import ORIGIN_REFUSED, PROXY_UNNAMED, WEBSOCKET_REFUSED
from xmppd.proxies import TrustedProxies
from xmppd.web.channel import UpgradableChannel
from xmppd.web.stream import WebSocketStream
from xmppd.web.urls import parse_origin

#: RFC 7395 section 3.1.
SUBPROTOCOL = "xmpp"


@dataclass(frozen=True)
class Refusal(Exception):  # noqa: N818 - it is one of the answers
    """A handshake that is refused, with the HTTP status, a sentence, and headers for the peer."""

    code: int
    text: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


class XmppWebSocket(Page):
    """``/xmpp-websocket``. ``origins``: whose pages may use it; ``*`` among them for all."""

    log = Logger()
    methods = (b"GET",)

    def __init__(self, clients: Clients, origins: Collection[str], proxies: TrustedProxies) -> None:
        super().__init__()
        self._clients = clients
        self._origins = frozenset(origins)
        self._proxies = proxies

    def show(self, request: Request) -> bytes | int:
        channel = cast(UpgradableChannel, request.channel)
        peer = self._peer(request, channel.host)
        end_to_end_tls = channel.host not in self._proxies
        try:
            handshake = open_handshake(request)
            self._check_origin(request, peer)
        except Refusal as refusal:
            return self._refuse(request, peer, refusal)
        if not channel.move_place(peer):
            return answer(request, http.SERVICE_UNAVAILABLE, "Too many are logging in. Try later.")
        accepted = handshake.send(AcceptConnection(subprotocol=SUBPROTOCOL))
        make = partial(WebSocketStream, end_to_end_tls=end_to_end_tls)
        stream = self._clients.begin(peer, make, channel.age)
        channel.hand_over(stream, accepted)
        return NOT_DONE_YET

    def _peer(self, request: Request, host: str) -> str:
        """Answer whose connection it is: that of a trusted proxy's client, or else ``host``'s."""
        if host not in self._proxies:
            return host
        forwarded = request.requestHeaders.getRawHeaders("x-forwarded-for") or []
        client = self._proxies.client(forwarded)
        if client is None:
            self.log.warn(PROXY_UNNAMED, peer=host)
        return client or host

    def _check_origin(self, request: Request, peer: str) -> None:
        origins = request.requestHeaders.getRawHeaders("origin")
        if not origins or "*" in self._origins:  # only browsers send it, and they always do
            return
        try:
            (text,) = origins
            allowed = parse_origin(text.lower()) in self._origins
        except ValueError:  # several, or what stands for none
            allowed = False
        if not allowed:
            self.log.warn(ORIGIN_REFUSED, peer=peer, origin=", ".join(origins)[:200])
            raise Refusal(http.FORBIDDEN, "Pages of this origin may not log in here.")

    def _refuse(self, request: Request, peer: str, refusal: Refusal) -> bytes:
        if refusal.code != http.FORBIDDEN:
            self.log.warn(WEBSOCKET_REFUSED, peer=peer, text=refusal.text)
        for name, value in refusal.headers:
            request.setHeader(name, value)
        return answer(request, refusal.code, refusal.text)


def open_handshake(request: Request) -> H11Handshake:
    """Answer the handshake that ``request`` opens (RFC 6455 section 4.2). Raises Refusal."""
    if request.clientproto != b"HTTP/1.1":
        raise Refusal(http.BAD_REQUEST, "WebSocket begins with HTTP/1.1.")
    handshake = H11Handshake(ConnectionType.SERVER)
    raw = request.requestHeaders.getAllRawHeaders()
    headers = [(name, value) for name, values in raw for value in values]
    try:
        handshake.initiate_upgrade_connection(headers, request.uri)
    except ProtocolError as error:
        hint = getattr(error, "event_hint", None)
        text = f"This is no WebSocket handshake. {error}."
        if isinstance(hint, RejectConnection):
            more = tuple((bytes(name), bytes(value)) for name, value in hint.headers)
            raise Refusal(hint.status_code, text, more) from None
        raise Refusal(http.BAD_REQUEST, text) from None
    except (h11.ProtocolError, UnicodeError):
        raise Refusal(http.BAD_REQUEST, "This is no WebSocket handshake.") from None
    opening = next(handshake.events())
    if not isinstance(opening, Opening) or SUBPROTOCOL not in opening.subprotocols:
        raise Refusal(
            http.BAD_REQUEST, f"The WebSocket subprotocol spoken here is {SUBPROTOCOL} (RFC 7395)."
        )
    return handshake
