"""XMPP over WebSocket by hand, over the library websockets, which is not ours."""

from __future__ import annotations

import re
import socket
import ssl
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
OPEN = f"<open xmlns='{FRAMING}' to='example.com' version='1.0'/>"

#: Seconds for one answer.
PATIENCE = 20.0


def connect_raw(
    address: str,
    port: int,
    authority: Path,
    *,
    source: str = "",
    subprotocols: tuple[str, ...] = ("xmpp",),
    **more: Any,
) -> ClientConnection:
    """Open a WebSocket over TLS from the address ``source``.

    Raises `websockets.exceptions.InvalidStatus` where it is refused.
    """
    context = ssl.create_default_context(cafile=str(authority))
    context.set_alpn_protocols(["h2", "http/1.1"])  # as browsers do
    plain = socket.create_connection((address, port), PATIENCE, (source, 0) if source else None)
    return connect(
        f"wss://xmpp1.example.com:{port}/xmpp-websocket",
        sock=plain,
        ssl=context,
        server_hostname="xmpp1.example.com",
        subprotocols=list(subprotocols),
        open_timeout=PATIENCE,
        close_timeout=PATIENCE,
        compression=None,
        proxy=None,
        **more,
    )


def read_until(connection: ClientConnection, pattern: str) -> str:
    """The first message with ``pattern`` in it; raises TimeoutError or ConnectionClosed."""
    compiled = re.compile(pattern, re.DOTALL)
    while True:
        message = connection.recv(PATIENCE)
        assert isinstance(message, str), message
        if compiled.search(message):
            return message


def join_as_guest(address: str, port: int, authority: Path) -> str:
    """Log in as a browser's guest does (SASL ANONYMOUS), leave, and answer the JID that it was."""
    with connect_raw(address, port, authority) as connection:
        connection.send(OPEN)
        read_until(connection, "<mechanism>ANONYMOUS<")
        connection.send(
            "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='ANONYMOUS'>"
            "<bind xmlns='urn:xmpp:bind:0'><tag>browser</tag></bind></authenticate>"
        )
        success = read_until(connection, "<success|<failure")
        found = re.search("<authorization-identifier>([^<]+)", success)
        assert found, success
        connection.send(f"<close xmlns='{FRAMING}'/>")
        return found[1]
