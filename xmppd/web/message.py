"""WebSocket messages to XML elements: one complete element each (RFC 7395 section 3.3.3).

No I/O. The rules and limits are those of `bridgewire.parser`: each message is parsed as the only
child of a stream that we make up around it. Nothing is kept between messages but two counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from twisted.words.xish.domish import Element

from bridgewire.limits import Limits
from bridgewire.namespaces import STREAMS
from bridgewire.parser import Event, Footer, Stanza, StreamFault, StreamParser

# Its prefix is one that nobody uses, so that a message must declare its own; nor does it have a
# default namespace to give away.
_ROOT = f"<_:stream xmlns:_='{STREAMS}'>".encode()
_END = b"</_:stream>"
_DECLARATION = b"<?xml"
#: Bytes. A message may begin with an XML declaration, which is never as long as this.
_MAX_DECLARATION = 128


class MessageParser:
    """The messages of one stream, in order. It is of no use any more after a fault."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._parser: StreamParser | None = None
        self._element: Element | None = None
        self._beginning = b""
        self._bytes = 0
        self._elements = 0

    def feed(self, text: str, finished: bool) -> Element | None:
        """Take a part of a message; answer its element with the last part of it.

        However a message is cut, the outcome is the same. Raises StreamFault, also for a message
        that is still on its way.
        """
        data = text.encode()
        if self._parser is None:
            self._beginning += data
            content = self._content(self._beginning, finished)
            if content is None:
                return None
            data = self._beginning[:content] + _ROOT + self._beginning[content:]
            self._beginning = b""
            self._parser = StreamParser(self._remaining())
        self._bytes += len(data)
        self._take(self._parser.feed(data))
        return self._end(self._parser) if finished else None

    def _content(self, beginning: bytes, finished: bool) -> int | None:
        """Answer where the element begins; None as long as a declaration is still on its way."""
        if beginning[:1] not in (b"<", b""):
            raise StreamFault("bad-format", "a message begins with '<'")
        if _DECLARATION.startswith(beginning) and not finished:
            return None
        if not beginning.startswith(_DECLARATION) or not beginning[5:6].isspace():
            return 0
        end = beginning.find(b"?>", 0, _MAX_DECLARATION)
        if end < 0 and (finished or len(beginning) >= _MAX_DECLARATION):
            raise StreamFault("not-well-formed", "the XML declaration has no end")
        return end + 2 if end >= 0 else None

    def _remaining(self) -> Limits:
        """The limits, less what the messages before this one have used up."""
        limits = self.limits
        if 0 < limits.stream_bytes < self._bytes:
            raise StreamFault("policy-violation", "too much sent before logging in")
        self._element = None
        return replace(
            limits,
            stream_bytes=limits.stream_bytes and max(limits.stream_bytes - self._bytes, 1),
            stream_elements=limits.stream_elements
            and max(limits.stream_elements - self._elements, 0) + 1,
            keep_parser=True,  # its stream is one message
        )

    def _take(self, events: Sequence[Event]) -> None:
        for event in events:
            match event:
                case StreamFault():
                    raise event
                case Footer():
                    raise StreamFault("not-well-formed", "an end tag too many")
                case Stanza(element):
                    if self._element is not None:
                        raise StreamFault("bad-format", "a message holds one element only")
                    self._element = element

    def _end(self, parser: StreamParser) -> Element:
        events = parser.feed(_END)
        self._elements += parser.total_elements - 1
        parser.discard()
        self._parser = None
        for event in events:
            if isinstance(event, StreamFault):
                raise event
        if not any(isinstance(event, Footer) for event in events):
            raise StreamFault("not-well-formed", "the message ends within an element")
        if self._element is None:
            raise StreamFault("bad-format", "a message holds one element")
        element, self._element = self._element, None
        if not element.uri:
            raise StreamFault("invalid-namespace", "each message declares its own namespaces")
        return element
