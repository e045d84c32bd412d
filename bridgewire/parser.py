"""Bytes to XML stream events, with a limit on everything, and no I/O.

The subset of XML is that of RFC 6120 section 11: comments, processing instructions, document type
declarations and entities are refused. Limits hold while an element is still on its way, so that a
peer cannot make us keep more than they say.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn
from xml.parsers.expat import ParserCreate, errors

from twisted.words.xish.domish import Element, ExpatElementStream

from bridgewire.limits import GRAIN, Limits
from bridgewire.namespaces import STREAMS
from bridgewire.xml_tokens import find_refused, finished, what_is

UNDEFINED_ENTITY = errors.codes[errors.XML_ERROR_UNDEFINED_ENTITY]

_TAG = re.compile(rb"""<(?![!?])(?:[^"'>]|"[^"]*"|'[^']*')*>""")
#: A longer start tag of a stream is not kept, and its parser stays.
_MAX_OPENING = 1024

# The serializer of Twisted Words writes namespaces as they are. One with any of these would not be
# the end of its own attribute when we pass it on, but whatever its author likes.
_UNSAFE_IN_NAMESPACE = re.compile(r"""[\s<>&"']""")


class StreamFault(Exception):
    """The peer broke a rule of the stream.

    ``condition`` is the defined stream error condition of RFC 6120 section 4.9.3 that it is told,
    ``application`` an application-specific one beside it (section 4.9.4).
    """

    def __init__(self, condition: str, text: str, application: Element | None = None) -> None:
        super().__init__(f"{condition}: {text}")
        self.condition = condition
        self.text = text
        self.application = application


@dataclass(frozen=True)
class Header:
    """The start tag of the stream's root element."""

    element: Element


@dataclass(frozen=True)
class Stanza:
    """A whole first-level child of the stream."""

    element: Element


@dataclass(frozen=True)
class Footer:
    """The end tag of the stream's root element."""


Event = Header | Stanza | Footer | StreamFault


def _text_between() -> StreamFault:
    return StreamFault("bad-format", "text between elements")


def _refusal(what: str) -> Callable[..., NoReturn]:
    def refuse(*_: object) -> NoReturn:
        raise StreamFault("restricted-xml", f"{what} not allowed")

    return refuse


_refuse_doctype = _refusal("document type declaration")
_refuse_instruction = _refusal("processing instruction")
_refuse_entity = _refusal("entity reference")


class StreamParser(ExpatElementStream):
    """One XML stream's parser. After a fault or the footer nothing more comes out of it.

    An expat parser is 11 KiB, a quarter of what an idle session costs, and between stanzas it knows
    nothing but the stream's start tag. So it is let go there, and made anew from that tag when more
    comes, which takes some 5 microseconds.
    """

    #: Expat's; None while it is let go.
    parser: Any

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self.limits = limits
        #: False while SASL2 is under way: XEP-0388 section 2.4 forbids even white space.
        self.white_space = True
        self._events: list[Event] = []
        self._over = False
        self._fed = 0
        self._held = b""
        self._in_cdata = False
        self._after_element = False
        self._stanza_start = 0
        self._depth = 0
        self._elements = 0
        self._expanded = 0
        self._total_elements = 0
        self._root_at = self._tag_at = 0
        #: The start tag of the stream; None until it has come.
        self._opening: bytes | None = None
        #: Where in the stream the first byte stands that the present expat parser has seen.
        self._base = 0
        self.DocumentStartEvent = self._document_started
        self.ElementEvent = self._stanza_ended
        self.DocumentEndEvent = self._document_ended
        self._attach()

    def _attach(self) -> None:
        """Let expat tell us what it sees."""
        expat = self.parser
        expat.StartElementHandler = self._onStartElement
        expat.EndElementHandler = self._onEndElement
        expat.CharacterDataHandler = self._onCdata
        expat.StartNamespaceDeclHandler = self._onStartNamespace
        expat.EndNamespaceDeclHandler = self._onEndNamespace
        expat.XmlDeclHandler = self._declaration
        expat.StartDoctypeDeclHandler = _refuse_doctype
        expat.StartCdataSectionHandler = self._cdata_started
        expat.EndCdataSectionHandler = self._cdata_ended
        expat.ProcessingInstructionHandler = _refuse_instruction
        expat.SkippedEntityHandler = _refuse_entity

    def feed(self, data: bytes) -> list[Event]:
        """Answer what ``data`` completes, in order; a fault is the last event that ever comes.

        The same bytes give the same events, however they are cut. Never raises.
        """
        at = 0
        try:
            while at < len(data) and not self._over:
                cut = at + GRAIN - self._fed % GRAIN
                piece = data[at:cut]
                at = cut
                self._parse(piece)
                if self._fed % GRAIN == 0:
                    self._check_bytes()
        except StreamFault as fault:
            self._end(fault)
        events, self._events = self._events, []
        return events

    def _look_back(self, whole: bytes) -> None:
        """Does expat keep something of ``whole`` back? If not, and between stanzas, it is freed."""
        kept = self._fed - len(self._held) - self._base - self.parser.CurrentByteIndex
        first = whole[len(whole) - kept :][:1] if kept <= len(whole) else b""
        if first in (b"<", b"&"):  # a whole tag or reference, with half a character in it
            raise StreamFault("not-well-formed", "a tag or a reference cannot be read")
        if self._depth > 1:
            return
        if first not in (b"", b"\r"):
            raise _text_between()
        if kept or self._held:  # which a parser that is made anew knew nothing of
            return
        if self._opening and not self.limits.keep_parser:
            self.parser = None
            self._base = self._fed - len(self._opening)

    def _is_text_between(self, whole: bytes, before: int) -> bool:
        """True where expat gave up ``whole`` for text between stanzas, rather than for a tag.

        Expat tells of text that comes before what it cannot read, or not, as the bytes were cut.
        ``before``: where the last event was when ``whole`` came.
        """
        if not self.documentStarted or self._depth != 1:
            return False
        start = self._fed - len(whole)
        last = max(self._stanza_start - start, 0)  # a CR was kept back, and its event came now
        if self._stanza_start == before:
            rest = whole
        else:
            rest = whole[last:]
            stanza = _TAG.match(whole, self._tag_at - start) if self._tag_at >= start else None
            empty = stanza is not None and stanza.end() == last and stanza[0].endswith(b"/>")
            tag = _TAG.match(rest)  # the event's own, unless it was told at its end
            if tag is not None and (last == self._root_at - start or rest.startswith(b"</")):
                rest = rest if empty else rest[tag.end() :]
        rest = rest.lstrip(b" \t\r\n")
        return bool(rest) and not rest.startswith((b"<", b"&"))

    def _take_up(self) -> None:
        """Bring an expat parser to where the former one was."""
        self.parser = ParserCreate("UTF-8", " ")
        self.parser.Parse(self._opening or b"")
        self._attach()

    @property
    def total_elements(self) -> int:
        """How many start tags came so far, the root's among them."""
        return self._total_elements

    def discard(self) -> None:
        """Free the memory now: expat's handlers and we hold each other. Nothing may follow."""
        self._over = True
        del self.parser, self.DocumentStartEvent, self.ElementEvent, self.DocumentEndEvent

    def _parse(self, piece: bytes) -> None:
        self._fed += len(piece)
        whole = self._held + piece
        refused = find_refused(whole, self._in_cdata, self._fed == len(whole))
        cut = finished(whole) if refused is None else refused.start()
        self._held = whole[cut:]
        if cut:
            self._let_expat_parse(whole, cut)
        if refused is not None:
            raise StreamFault("restricted-xml", f"{what_is(refused)} not allowed")

    def _let_expat_parse(self, whole: bytes, cut: int) -> None:
        if self.parser is None:
            self._take_up()
        last = self._stanza_start if self.documentStarted else -1
        try:
            self.parser.Parse(whole[:cut])
        except self.error as error:
            if error.code == UNDEFINED_ENTITY:
                raise StreamFault("restricted-xml", "entity reference not allowed") from None
            if self._is_text_between(whole, last):
                raise _text_between() from None
            raise StreamFault("not-well-formed", str(error)) from None
        if self._opening is None and self.documentStarted:
            tag = _TAG.match(whole, self._root_at - (self._fed - len(whole)))
            self._opening = tag[0] if tag is not None and len(tag[0]) <= _MAX_OPENING else b""
        if self._opening is not None and not self._over:
            self._look_back(whole[:cut])

    def _end(self, event: Event) -> None:
        if not self._over:
            self._over = True
            self._events.append(event)

    def _check_bytes(self) -> None:
        if self._fed - self._stanza_start > self.limits.stanza_bytes:
            raise StreamFault("policy-violation", "element too large")
        if len(self._held) > self.limits.tag_bytes:
            raise StreamFault("policy-violation", "tag too large")
        if 0 < self.limits.stream_bytes < self._fed:
            raise StreamFault("policy-violation", "too much sent before logging in")

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        try:
            if encoding is not None and codecs.lookup(encoding).name not in ("utf-8", "ascii"):
                raise LookupError
        except LookupError:
            raise StreamFault("unsupported-encoding", "streams are UTF-8") from None

    def _onStartElement(self, name: str, attrs: dict[str, str]) -> None:
        if self._over:
            raise StreamFault("not-well-formed", "text after the end of the stream")
        self._depth += 1
        self._elements += 1
        self._total_elements += 1
        limits = self.limits
        if self._depth == 2:
            self._tag_at = self._base + self.parser.CurrentByteIndex
            self.parser.buffer_text = True
        if self._depth > limits.depth:
            raise StreamFault("policy-violation", "elements nested too deep")
        if self._elements > limits.elements:
            raise StreamFault("policy-violation", "too many elements")
        if len(attrs) + len(self.localPrefixes) > limits.attributes:
            raise StreamFault("policy-violation", "too many attributes")
        # Names come with their namespaces, which count each time: they may be written each time.
        self._expanded += len(name) + sum(map(len, attrs))
        if self._expanded > limits.stanza_bytes:
            raise StreamFault("policy-violation", "namespaces too long")
        if 0 < limits.stream_elements < self._total_elements:
            raise StreamFault("policy-violation", "too many elements before logging in")
        super()._onStartElement(name, attrs)

    def _onStartNamespace(self, prefix: str | None, uri: str | None) -> None:
        if uri and _UNSAFE_IN_NAMESPACE.search(uri):
            raise StreamFault("bad-format", "no namespace has such characters")
        super()._onStartNamespace(prefix, uri)

    def _onEndElement(self, name: str) -> None:
        self._depth -= 1
        super()._onEndElement(name)

    def _onCdata(self, data: str) -> None:
        if self.currElem is None and self.documentStarted:
            if not data.isspace():
                raise _text_between()
            # go-xmpp ends each of its elements with a line break; that much is let pass.
            if not self.white_space and (data != "\n" or not self._after_element):
                raise StreamFault("policy-violation", "white space while SASL2 is under way")
            self._after_element = False
            self._next_stanza()  # white space keepalives do not add up
        else:
            super()._onCdata(data)

    def _cdata_started(self) -> None:
        if self._depth == 1:  # also where nothing is in it: what follows might be told as its text
            raise _text_between()
        self._in_cdata = True

    def _cdata_ended(self) -> None:
        self._in_cdata = False

    def _next_stanza(self) -> None:
        self._stanza_start = self._base + self.parser.CurrentByteIndex
        self._elements = 0
        self._expanded = 0
        # Text between stanzas is a fault, and has to be told before one that comes after it.
        self.parser.buffer_text = False

    def _document_started(self, root: Element) -> None:
        if (root.uri, root.name) != (STREAMS, "stream"):
            condition = "invalid-namespace" if root.name == "stream" else "bad-format"
            raise StreamFault(condition, "not the start of an XMPP stream")
        self._next_stanza()
        self._root_at = self._stanza_start
        self._events.append(Header(root))

    def _stanza_ended(self, element: Element) -> None:
        self._after_element = True
        self._next_stanza()
        self._events.append(Stanza(element))

    def _document_ended(self) -> None:
        self._end(Footer())
