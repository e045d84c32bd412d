"""WebSocket frames (RFC 6455) as XMPP uses them (RFC 7395): text messages, one element each.

No I/O: bytes in, elements and other events out, and bytes to send.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from twisted.words.xish.domish import Element
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.frame_protocol import CloseReason

from bridgewire.limits import Limits
from bridgewire.parser import StreamFault
from xmppd.web.message import MessageParser


@dataclass(frozen=True)
class Answer:
    """What has to be sent for a ping."""

    data: bytes


@dataclass(frozen=True)
class Closed:
    """The peer has closed the WebSocket; ``data`` has to be sent first, if there is any."""

    data: bytes


@dataclass(frozen=True)
class Broken:
    """The peer broke a rule, and nothing more comes from it. ``code`` is for our Close frame."""

    fault: StreamFault
    code: CloseReason = CloseReason.POLICY_VIOLATION


Received = Element | Answer | Closed | Broken


class Frames:
    """The server's end of one WebSocket."""

    def __init__(self, limits: Limits) -> None:
        # No permessage-deflate: what is compressed together with a secret betrays it by its
        # length (as in CRIME), a short message can unpack to a huge one, and each connection
        # would cost some 300 KiB for the windows.
        self._connection = Connection(ConnectionType.SERVER)
        self._messages = MessageParser(limits)
        self._over = False

    def receive(self, data: bytes) -> Iterator[Received]:
        """Answer what ``data`` completes; ``restart`` may be called in between. Never raises.

        Closed and Broken are the last that ever comes; after ``stop`` nothing does.
        """
        if self._over:
            return
        messages = self._messages
        self._connection.receive_data(data)
        for event in self._connection.events():
            received = self._read(event, messages)
            if received is not None:
                if isinstance(received, Closed | Broken):
                    self._over = True
                yield received
            if self._over:
                return

    def _read(self, event: Event, messages: MessageParser) -> Received | None:
        match event:
            case TextMessage() if messages is not self._messages:
                # As over TCP: sent before our answer to what restarted the stream.
                return Broken(StreamFault("policy-violation", "sent too early"))
            case TextMessage():
                try:
                    return messages.feed(str(event.data), event.message_finished)
                except StreamFault as fault:
                    return Broken(fault)
            case BytesMessage():
                text = "XMPP goes in text messages, not in binary ones"
                return Broken(StreamFault("bad-format", text), CloseReason.UNSUPPORTED_DATA)
            case Ping() if self.open:
                return Answer(self._connection.send(event.response()))
            case CloseConnection() if self.open:  # how wsproto says that it cannot go on
                unreadable = event.code == CloseReason.INVALID_FRAME_PAYLOAD_DATA
                condition = "not-well-formed" if unreadable else "bad-format"
                text = f"not WebSocket (RFC 6455): {event.reason}"
                return Broken(StreamFault(condition, text), CloseReason(event.code))
            case CloseConnection() if self._connection.state is ConnectionState.REMOTE_CLOSING:
                return Closed(self._connection.send(event.response()))
            case CloseConnection():
                return Closed(b"")
            case _:
                return None

    @property
    def open(self) -> bool:
        """False once either side has sent a Close frame: nothing can be sent any more."""
        return self._connection.state is ConnectionState.OPEN

    def text(self, text: str) -> bytes:
        """Answer one message's bytes."""
        return self._connection.send(TextMessage(text))

    def ping(self) -> bytes:
        """Answer a ping's bytes."""
        return self._connection.send(Ping())

    def close(self, code: CloseReason) -> bytes:
        """Answer our Close frame's bytes."""
        return self._connection.send(CloseConnection(code))

    def stop(self) -> None:
        """Take nothing more, whatever comes."""
        self._over = True

    def set_limits(self, limits: Limits) -> None:
        """Limit the messages to come, on the stream that is under way."""
        self._messages.limits = limits

    def restart(self, limits: Limits) -> None:
        """Begin to count anew: the next message begins another stream."""
        self._messages = MessageParser(limits)
