"""A browser in memory: types HTTP and WebSocket frames for `xmppd.web`, and reads what comes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Event, Message, TextMessage

from tests.support.memory import MemoryTransport

FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = {
    "Host": "xmpp1.example.com:5443",
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": "xmpp",
}


class Browser:
    """The other end of one connection of a `xmppd.web.site.WebSite`."""

    def __init__(self, channel: Any) -> None:
        self.transport = MemoryTransport()
        # As TLS does it, a wrapper knows which protocol has the connection.
        self.wrapper = ProtocolWrapper(WrappingFactory(Factory()), channel)
        self.wrapper.makeConnection(self.transport)
        self.frames = Connection(ConnectionType.CLIENT)

    def type(self, data: bytes | str) -> bytes:
        """Send bytes and answer what came back for them."""
        self.wrapper.dataReceived(data.encode() if isinstance(data, str) else data)
        return self.read()

    def read(self) -> bytes:
        """Answer the bytes that came since the last time."""
        data = self.transport.value()
        self.transport.clear()
        return data

    def ask(self, path: str, method: str = "GET", body: str = "", **headers: str | None) -> bytes:
        """Send one HTTP request; ``user_agent="x"`` is the header User-Agent."""
        fields: dict[str, str | None] = {"Host": "xmpp1.example.com:5443"}
        fields |= {name.replace("_", "-").title(): value for name, value in headers.items()}
        shown = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
        return self.type(f"{method} {path} HTTP/1.1\r\n{shown}\r\n{body}")

    def upgrade(self, path: str = "/xmpp-websocket", **changes: str | None) -> bytes:
        """Ask for a WebSocket, with some headers changed, or left out with None."""
        named = {name.replace("-", "_").lower(): value for name, value in UPGRADE.items()}
        return self.ask(path, **(named | changes))

    def say(self, text: str) -> list[Event]:
        """Send one message, and answer what came back for it."""
        return self.send(TextMessage(text))

    def send(self, *events: Event) -> list[Event]:
        """Send frames in one piece, and answer what came back for them."""
        self.wrapper.dataReceived(b"".join(map(self.frames.send, events)))
        return self.hear()

    def hear(self) -> list[Event]:
        """Answer what came since the last time."""
        data = self.read()
        if data:  # wsproto minds to be fed when all is over, even with nothing
            self.frames.receive_data(data)
        return list(self.frames.events())

    def open(self, to: str | None = "example.com", version: str = "1.0") -> list[str]:
        """Open the stream, and answer the messages that came back."""
        address = f" to='{to}'" if to else ""
        return texts(self.say(f"<open xmlns='{FRAMING}'{address} version='{version}'/>"))

    def close(self) -> list[Event]:
        """Send the Close frame."""
        return self.send(CloseConnection(1000))

    @property
    def hung_up(self) -> bool:
        """True once the server wants to be rid of us."""
        return self.transport.disconnecting

    def lose(self) -> None:
        """Drop the connection."""
        self.wrapper.connectionLost(Failure(ConnectionDone()))


def texts(events: list[Event]) -> list[str]:
    """Answer the text messages among ``events``."""
    return [str(event.data) for event in events if isinstance(event, TextMessage)]


def message(text: str, *cuts: int) -> list[Message]:
    """Answer ``text`` as the fragments of one message, cut at these places."""
    places = [0, *cuts, len(text)]
    return [
        TextMessage(text[start:end], message_finished=end == len(text) and index == len(cuts))
        for index, (start, end) in enumerate(pairwise(places))
    ]
