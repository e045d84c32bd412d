"""The states that cost most memory, among those that a peer can reach without logging in.

Each leaves a connection just before a limit of xmppd's, with something unfinished in it. Other
servers get the same bytes; what they would take beyond is not tried.
"""

from __future__ import annotations

import base64
import os

from benchmarks.client import Client
from benchmarks.sasl import Credentials, exchange

#: Bytes, of the 8 KiB that may come before login; the header of the stream takes some.
_ROOM = 6500
#: Of the 32 elements, with the header's.
_ELEMENTS = 30


def half_text(client: Client, number: int) -> None:
    """In the middle of a long text."""
    _type(client, "<message xmlns='jabber:client'><body>" + "x" * _ROOM)


def half_tag(client: Client, number: int) -> None:
    """In the middle of a tag with a long attribute."""
    _type(client, "<message xmlns='jabber:client' id='" + "x" * _ROOM)


def many_elements(client: Client, number: int) -> None:
    """In an element with as many others, attributes and namespaces as are allowed."""
    attributes = "".join(f" a{n}='{number}'" for n in range(12))
    one = f"<b xmlns:c='urn:{number}'{attributes}/>"
    _type(client, "<message xmlns='jabber:client'>" + one * (_ELEMENTS - 2))


def half_longest_hello(client: Client, number: int) -> None:
    """In the middle of a ClientHello that is as long as OpenSSL takes it."""
    client.socket.sendall(_handshake(131_000, 130_000))


def half_long_hello(client: Client, number: int) -> None:
    """In the middle of one that is as long as xmppd takes it."""
    client.socket.sendall(_handshake(131_000, 16_000))


def half_short_hello(client: Client, number: int) -> None:
    """In the middle of one that is as long as those of clients are."""
    client.socket.sendall(_handshake(2000, 1900))


def half_record(client: Client, number: int) -> None:
    """After the handshake, in the middle of a TLS record of the greatest length."""
    record = b"\x17\x03\x03" + (16_384 + 17).to_bytes(2, "big") + os.urandom(16_000)
    os.write(client.socket.fileno(), record)  # below Python's TLS


def all_at_once(client: Client, number: int) -> None:
    """Many elements, and in the middle of a TLS record of the greatest length."""
    many_elements(client, number)
    half_record(client, number)


def challenged(client: Client, number: int) -> None:
    """In a SCRAM exchange that has been answered with a challenge."""
    first = next(exchange("SCRAM-SHA-256", Credentials(f"user{number}", "")))
    message = base64.b64encode(first).decode()
    sasl = "urn:ietf:params:xml:ns:xmpp-sasl"
    client.ask(f"<auth xmlns='{sasl}' mechanism='SCRAM-SHA-256'>{message}</auth>", b"<challenge")


def half_response(client: Client, number: int) -> None:
    """In a SCRAM exchange, in the middle of the response."""
    challenged(client, number)
    _type(client, "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + "x" * (_ROOM - 500))


def half_request(client: Client, number: int) -> None:
    """In the middle of an HTTP request with as many headers as are allowed."""
    headers = "".join(f"X-{n}: {'x' * 110}\r\n" for n in range(60))
    client.socket.sendall(f"GET /xmpp-websocket HTTP/1.1\r\nHost: x\r\n{headers}X-".encode())


def half_body(client: Client, number: int) -> None:
    """In the body of an HTTP request."""
    head = "POST /xmpp-websocket HTTP/1.1\r\nHost: x\r\nContent-Length: 4096\r\n\r\n"
    client.socket.sendall(head.encode() + b"x" * 4095)


def half_frame(client: Client, number: int) -> None:
    """In the middle of a WebSocket frame."""
    text = ("<message xmlns='jabber:client'><body>" + "x" * _ROOM).encode()
    client.socket.sendall(b"\x81\xfe" + (len(text) + 30).to_bytes(2, "big") + bytes(4) + text)


def many_frames(client: Client, number: int) -> None:
    """In the middle of a message in many fragments, with many elements."""
    one = f"<b xmlns:c='urn:{number}'" + "".join(f" a{n}='{number}'" for n in range(12)) + "/>"
    parts = ["<message xmlns='jabber:client'>", *[one] * (_ELEMENTS - 2)]
    frames = [
        bytes([0x01 if place == 0 else 0x00, 0xFE]) + len(part).to_bytes(2, "big") + bytes(4) + part
        for place, part in enumerate(part.encode().ljust(126) for part in parts)
    ]
    client.socket.sendall(b"".join(frames))


def _type(client: Client, text: str) -> None:
    client.socket.sendall(text.encode())


def _handshake(claimed: int, sent: int) -> bytes:
    """The beginning of a ClientHello that claims a length, in TLS records."""
    message = b"\x01" + claimed.to_bytes(3, "big") + b"\x03\x03" + os.urandom(sent)
    records = (message[at : at + 16_384] for at in range(0, len(message), 16_384))
    return b"".join(b"\x16\x03\x01" + len(one).to_bytes(2, "big") + one for one in records)
