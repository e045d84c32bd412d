"""XMPP over WebSocket by hand, over the library websockets, which is not ours.

Its part without I/O is used: the threads of its other one read and write a TLS socket at the same
time, which Python 3.11 does not bear, so that now and then a request was never sent.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Iterable
from pathlib import Path

from websockets.client import ClientProtocol
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Response
from websockets.typing import Origin, Subprotocol
from websockets.uri import parse_uri

from tests.support.waiting import NeverHappened

FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
OPEN = f"<open xmlns='{FRAMING}' to='example.com' version='1.0'/>"

#: Seconds for one answer.
PATIENCE = 20.0


class Ended(Exception):
    """The server has closed the WebSocket; with ``code``, or none if it just hung up."""

    def __init__(self, code: int | None) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


class RawWebSocket:
    """One connection from the address ``source``; ``status`` is how the handshake was answered."""

    def __init__(
        self,
        address: str,
        port: int,
        authority: Path,
        *,
        source: str = "",
        subprotocol: str = "xmpp",
        origin: str | None = None,
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        context = ssl.create_default_context(cafile=str(authority))
        context.set_alpn_protocols(["h2", "http/1.1"])  # as browsers do
        plain = socket.create_connection((address, port), PATIENCE, (source, 0) if source else None)
        self.socket = context.wrap_socket(plain, server_hostname="xmpp1.example.com")
        self._protocol = ClientProtocol(
            parse_uri(f"wss://xmpp1.example.com:{port}/xmpp-websocket"),
            origin=Origin(origin) if origin else None,
            subprotocols=[Subprotocol(subprotocol)],
            max_size=None,
        )
        request = self._protocol.connect()
        for name, value in headers:
            request.headers[name] = value
        self._protocol.send_request(request)
        self._events: list[object] = []
        self._fragments = b""
        self._flush()
        response = self._next(time.monotonic() + PATIENCE)
        assert isinstance(response, Response), response
        self.status = response.status_code
        self.subprotocol = response.headers.get("Sec-WebSocket-Protocol")

    def close(self) -> None:
        self.socket.close()

    def send(self, *fragments: str | bytes) -> None:
        """Send one message; bytes are a binary one. A server that hung up meanwhile is no error."""
        send_first = self._protocol.send_text
        if isinstance(fragments[0], bytes):
            send_first = self._protocol.send_binary
        for number, fragment in enumerate(fragments):
            data = fragment if isinstance(fragment, bytes) else fragment.encode()
            send = self._protocol.send_continuation if number else send_first
            send(data, number == len(fragments) - 1)
        self._flush()

    def ping(self, data: bytes) -> None:
        """Send a ping, and wait for its answer."""
        self._protocol.send_ping(data)
        self._flush()
        end = time.monotonic() + PATIENCE
        while True:
            frame = self._next(end)
            if isinstance(frame, Frame) and (frame.opcode, frame.data) == (Opcode.PONG, data):
                return

    def receive(self) -> str:
        """The next message. Raises Ended."""
        end = time.monotonic() + PATIENCE
        while True:
            frame = self._next(end)
            assert isinstance(frame, Frame), frame
            if frame.opcode is Opcode.CLOSE:
                self._flush()  # the answer to it
                raise Ended(int.from_bytes(frame.data[:2], "big") or CloseCode.NO_STATUS_RCVD)
            assert frame.opcode is not Opcode.BINARY, frame
            if frame.opcode in (Opcode.TEXT, Opcode.CONT):
                self._fragments += frame.data
                if frame.fin:
                    text, self._fragments = self._fragments.decode(), b""
                    return text

    def read_until(self, pattern: str) -> str:
        """The first message with ``pattern`` in it. Raises Ended."""
        compiled = re.compile(pattern, re.DOTALL)
        while not compiled.search(text := self.receive()):
            pass
        return text

    def read_to_end(self) -> tuple[list[str], int | None]:
        """All messages until the server closes, and with which code it does."""
        messages: list[str] = []
        try:
            while True:
                messages.append(self.receive())
        except Ended as ended:
            return messages, ended.code

    def _flush(self) -> None:
        try:
            for data in self._protocol.data_to_send():
                if data:
                    self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            pass  # what the server said before it hung up is still to be read

    def _next(self, end: float) -> object:
        while not self._events:
            left = end - time.monotonic()
            if left <= 0:
                raise NeverHappened("nothing came over the WebSocket")
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                continue
            except (ConnectionResetError, ssl.SSLError):
                data = b""
            if not data:
                raise Ended(None)
            self._protocol.receive_data(data)
            self._events += self._protocol.events_received()
        return self._events.pop(0)


def join_as_guest(address: str, port: int, authority: Path) -> str:
    """Log in as a browser's guest does (SASL ANONYMOUS), leave, and answer the JID that it was."""
    connection = RawWebSocket(address, port, authority)
    try:
        connection.send(OPEN)
        connection.read_until("<mechanism>ANONYMOUS<")
        connection.send(
            "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='ANONYMOUS'>"
            "<bind xmlns='urn:xmpp:bind:0'><tag>browser</tag></bind></authenticate>"
        )
        answer = connection.read_until("<success|<failure")
        found = re.search("<authorization-identifier>([^<]+)", answer)
        assert found, answer
        connection.send(f"<close xmlns='{FRAMING}'/>")
        connection.read_to_end()
        return found[1]
    finally:
        connection.close()
