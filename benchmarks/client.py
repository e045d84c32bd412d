"""A client for load: blocking, and it looks for marks in the bytes instead of parsing XML.

So it costs about as much as its share of TLS, and little memory. It speaks to any XMPP server, over
STARTTLS, TLS from the first byte, or WebSocket.
"""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import ssl
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from benchmarks.sasl import Credentials, exchange

TRANSPORTS = ("STARTTLS", "TLS", "WebSocket")
_PATIENCE = 30.0
_SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
_SASL2 = "urn:xmpp:sasl:2"
_FEATURES = re.compile(rb"</(?:stream:)?features>|<(?:stream:)?features[^>]*/>")
_SAID = re.compile(rb"<(challenge|success|failure)\b[^>]*?(?:/>|>(.*?)</\1>)", re.DOTALL)
_BAD = re.compile(rb"<failure|<failed|(?:stream:)?error[ >]")
_TOKEN = re.compile(rb"<token\b[^>]*\btoken=['\"]([^'\"]+)")
_MECHANISM = re.compile(rb">([A-Z0-9-]+)</mechanism>")


@dataclass(frozen=True)
class Target:
    """A server. ``ports``: by transport, those that it has."""

    address: str
    domain: str
    ports: Mapping[str, int]
    tls: ssl.SSLContext = field(repr=False)


class Refused(Exception):
    """The server did not do what it was asked."""


class Client:
    """One connection, from TCP to session, step by step.

    ``forwarded``: over WebSocket, whom a proxy at ``source`` says that it is for.
    """

    def __init__(
        self, target: Target, transport: str, source: str = "127.0.0.1", forwarded: str = ""
    ) -> None:
        self.target = target
        self.transport = transport
        self.forwarded = forwarded
        place = (target.address, target.ports[transport])
        self.socket = socket.create_connection(place, _PATIENCE, (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        #: Stream features as they came last.
        self.features = b""
        self.agent = str(uuid.uuid4())
        self.token = ""

    def close(self) -> None:
        """As a good client does."""
        websocket = self.transport == "WebSocket"
        close = "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"
        self._send(close if websocket else "</stream:stream>")
        self.socket.close()

    def open(self) -> None:
        """A stream header, and the features."""
        domain = self.target.domain
        if self.transport == "WebSocket":
            framing = "urn:ietf:params:xml:ns:xmpp-framing"
            header = f"<open xmlns='{framing}' to='{domain}' version='1.0'/>"
        else:
            header = (
                f"<stream:stream to='{domain}' version='1.0' xmlns='jabber:client' "
                "xmlns:stream='http://etherx.jabber.org/streams'>"
            )
        self.features = self.ask(header, _FEATURES)

    def secure(self) -> None:
        """Until TLS is there, and WebSocket on it; leaves the stream unopened."""
        if self.transport == "STARTTLS":
            self.open()
            self.ask("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", b"<proceed")
        self.start_tls()
        if self.transport == "WebSocket":
            self.socket.sendall(
                b"GET /xmpp-websocket HTTP/1.1\r\nHost: %b\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: xmpp\r\n%b\r\n"
                % (self.target.domain.encode(), self._forwarded())
            )
            if b" 101 " not in self._read(b"\r\n\r\n").partition(b"\r\n")[0]:
                raise Refused("no WebSocket")

    def start_tls(self) -> None:
        """The TLS handshake."""
        context = self.target.tls
        self.socket = context.wrap_socket(self.socket, server_hostname=self.target.domain)

    def _forwarded(self) -> bytes:
        return f"X-Forwarded-For: {self.forwarded}\r\n".encode() if self.forwarded else b""

    def offered(self) -> set[str]:
        """The SASL mechanisms in the features that came last, FAST's among them."""
        return {name.decode() for name in _MECHANISM.findall(self.features)}

    def log_in(self, mechanism: str, who: Credentials) -> None:
        """SASL by RFC 6120, and the new stream's features."""
        self._authenticate(
            f"<auth xmlns='{_SASL}' mechanism='{mechanism}'>%s</auth>", mechanism, who
        )
        self.open()

    def log_in_inline(self, mechanism: str, who: Credentials, more: str = "") -> None:
        """SASL2 (XEP-0388) with Bind 2 (XEP-0386), all in one; ``more`` goes in beside it."""
        head = (
            f"<authenticate xmlns='{_SASL2}' mechanism='{mechanism}'><initial-response>%s"
            f"</initial-response><user-agent id='{self.agent}'/><bind xmlns='urn:xmpp:bind:0'>"
            f"<tag>bench</tag></bind>{more}</authenticate>"
        )
        success = self._authenticate(head, mechanism, who, _SASL2)
        if b"<bound" not in success:
            raise Refused(success.decode())
        if token := _TOKEN.search(success):
            self.token = token[1].decode()

    def _authenticate(
        self, head: str, mechanism: str, who: Credentials, namespace: str = _SASL
    ) -> bytes:
        if mechanism.endswith("-PLUS"):
            assert isinstance(self.socket, ssl.SSLSocket)
            certificate = self.socket.getpeercert(binary_form=True) or b""
            who = replace(who, end_point=hashlib.sha256(certificate).digest())  # it is ECDSA's too
        steps = exchange(mechanism, who)
        answer = self.ask(head % _base64(next(steps)), _SAID)
        while (said := _SAID.search(answer)) and said[1] == b"challenge":
            response = _base64(steps.send(base64.b64decode(said[2])))
            answer = self.ask(f"<response xmlns='{namespace}'>{response}</response>", _SAID)
        return answer

    def bind(self) -> None:
        self.ask(
            "<iq xmlns='jabber:client' type='set' id='b'>"
            "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
            b"</iq>",
        )

    def manage(self) -> None:
        """Stream management (XEP-0198), with resumption."""
        self.ask("<enable xmlns='urn:xmpp:sm:3' resume='true'/>", b"<enabled")

    def ask(self, question: str, wanted: re.Pattern[bytes] | bytes) -> bytes:
        """Send something, and answer what comes, once ``wanted`` is in it. Raises Refused."""
        self._send(question)
        return self._read(wanted)

    def _send(self, text: str) -> None:
        data = text.encode()
        if self.transport == "WebSocket":  # a mask of zeros is one, and costs nothing
            size = len(data)
            length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
            data = b"\x81" + length + bytes(4) + data
        self.socket.sendall(data)

    def _read(self, wanted: re.Pattern[bytes] | bytes) -> bytes:
        seen = b""
        while not re.search(wanted, seen):
            data = self.socket.recv(16384)
            seen += data
            if not data:
                raise Refused(seen.decode(errors="replace") or "closed")
        if _BAD.search(seen):
            raise Refused(seen.decode(errors="replace"))
        return seen


def _base64(data: bytes) -> str:
    """As RFC 6120 section 6.4.2 has it."""
    return base64.b64encode(data).decode() or "="
