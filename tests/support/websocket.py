"""A browser in memory: types HTTP and WebSocket frames for `xmppd.web`, and reads what comes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Event, Message, TextMessage

from tests.support.http import HttpClient

FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = {
    "Host": HttpClient.host,
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": "xmpp",
}


class Browser(HttpClient):
    """The other end of one connection of a `xmppd.web.site.XmppSite`."""

    def __init__(self, channel: Any) -> None:
        super().__init__(channel)
        self.frames = Connection(ConnectionType.CLIENT)

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
