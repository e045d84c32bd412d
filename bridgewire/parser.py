"""Bytes to XML stream events, with a limit on everything, and no I/O.

The subset of XML is that of RFC 6120 section 11: comments, processing instructions, document type
declarations and entities are refused. Limits hold while an element is still on its way, so that a
peer cannot make us keep more than they say.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NoReturn
from xml.parsers.expat import ParserCreate, errors

from twisted.words.xish.domish import Element, ExpatElementStream

from bridgewire.namespaces import STREAMS

#: Limits on bytes are looked at each time the stream passes a multiple of this, so that they do
#: not depend on how the bytes were cut into packets.
GRAIN = 1024

UNDEFINED_ENTITY = errors.codes[errors.XML_ERROR_UNDEFINED_ENTITY]

# Expat tries an unfinished token again only when twice its bytes are there ("reparse deferral",
# since 2.6.0 and in Debian's 2.5.0), so a stanza that comes in small pieces would wait for the next
# one. Python cannot always switch that off. Expat never sees an unfinished token here: what these
# match is held back until the rest has come.
_UNFINISHED = re.compile(
    rb"""<(?:
        (?:[^!?"'>][^"'>]*(?:"[^"]*"[^"'>]*|'[^']*'[^"'>]*)*(?:"[^"]*|'[^']*)?)?  # tag
        | !-?  # what may become a comment, CDATA or a declaration
        | \?(?:[^?]|\?(?!>))*  # processing instruction, XML declaration
    )\Z""",
    re.VERBOSE,
)
_UNFINISHED_TEXT = re.compile(rb"(?:&[^;<]*|\]\]?)\Z")

_TAG = re.compile(rb"""<(?![!?])(?:[^"'>]|"[^"]*"|'[^']*')*>""")
_WHITE_SPACE = re.compile(rb"[ \t\n]+")  # of a CR expat keeps back whether it is the last byte
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
class Limits:
    """How much a peer may send.

    ``stanza_bytes``, ``depth``, ``attributes`` and ``elements`` hold for each child of the stream;
    ``tag_bytes`` for one tag, which is looked at anew with each grain until its end has come;
    ``stream_bytes`` and ``stream_elements`` for the stream as a whole (0: no limit), which is what
    bounds a peer that has not proved who it is. ``unsent_bytes`` is how much may wait for a peer
    that reads slowly. ``keep_parser``: expat stays in memory between stanzas, for streams that are
    busy or short.
    """

    stanza_bytes: int = 256 * 1024
    depth: int = 32
    attributes: int = 32
    elements: int = 2000
    tag_bytes: int = 8 * 1024
    stream_bytes: int = 0
    stream_elements: int = 0
    unsent_bytes: int = 1024 * 1024
    keep_parser: bool = False


#: Before a peer has proved who it is: at most 8 KiB and 32 elements in all.
BEFORE_LOGIN = Limits(
    stanza_bytes=8192 - GRAIN,
    depth=8,
    attributes=16,
    elements=32,
    stream_bytes=8192 - GRAIN,
    stream_elements=32,
)
AFTER_LOGIN = Limits()
#: A Call Bridge or component carries the traffic of many users.
COMPONENT_LINK = replace(
    AFTER_LOGIN,
    stanza_bytes=1024 * 1024,
    elements=10_000,
    unsent_bytes=16 * 1024 * 1024,
    keep_parser=True,
)
#: What a component takes from its server: a stanza that just passed the server's own limits is
#: longer once it is written anew, with everything escaped and each namespace declared.
SERVER_LINK = replace(
    COMPONENT_LINK,
    stanza_bytes=16 * 1024 * 1024,
    depth=40,
    attributes=128,
    elements=20_000,
    tag_bytes=1024 * 1024,
)


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


def _refusal(what: str) -> Callable[..., NoReturn]:
    def refuse(*_: object) -> NoReturn:
        raise StreamFault("restricted-xml", f"{what} not allowed")

    return refuse


_refuse_doctype = _refusal("document type declaration")
_refuse_comment = _refusal("comment")
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
        self._tail = b""
        self._stanza_start = 0
        self._depth = 0
        self._elements = 0
        self._expanded = 0
        self._total_elements = 0
        self._root_at = 0
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
        expat.CommentHandler = _refuse_comment
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

    def _let_go(self, whole: bytes) -> None:
        """Free expat where all of ``whole``, which it was given last, went by as events."""
        last = self._stanza_start - (self._fed - len(self._held) - len(whole))
        if last < 0 or self._held:
            return
        event = _TAG.match(whole, last) or _WHITE_SPACE.match(whole, last)
        end = event.end() if event is not None else last  # an empty element's event is at its end
        if end == len(whole):
            self.parser = None
            self._base = self._fed - len(self._opening or b"")

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
        unfinished = _UNFINISHED.match(whole, max(whole.rfind(b"<"), 0))
        if unfinished is None:
            unfinished = _UNFINISHED_TEXT.search(whole, whole.rfind(b">") + 1)
        cut = unfinished.start() if unfinished else len(whole)
        cdata = whole.rfind(b"<![", 0, cut)
        if cdata >= 0 and cut - cdata < len(b"<![CDATA["):
            cut = cdata
        self._held = whole[cut:]
        recent = self._tail + whole[:cut]
        self._tail = recent[-2:]
        if not cut:
            return
        if self.parser is None:
            self._take_up()
        try:
            self.parser.Parse(whole[:cut])
        except self.error as error:
            before = self._fed - len(self._held) - len(recent)
            at = self._base + self.parser.ErrorByteIndex - before
            if at >= 2 and recent[at - 2 : at] == b"<!":  # only legal in front of the root element
                raise StreamFault("restricted-xml", "declaration not allowed") from None
            if error.code == UNDEFINED_ENTITY:
                raise StreamFault("restricted-xml", "entity reference not allowed") from None
            raise StreamFault("not-well-formed", str(error)) from None
        if self._opening is None and self.documentStarted:
            tag = _TAG.match(whole, self._root_at - (self._fed - len(whole)))
            self._opening = tag[0] if tag is not None and len(tag[0]) <= _MAX_OPENING else b""
        if self._opening and self._depth == 1 and not self._over and not self.limits.keep_parser:
            self._let_go(whole[:cut])

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
                raise StreamFault("bad-format", "text between elements")
            if not self.white_space:
                raise StreamFault("policy-violation", "white space while SASL2 is under way")
            self._next_stanza()  # white space keepalives do not add up
        else:
            super()._onCdata(data)

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
        self._next_stanza()
        self._events.append(Stanza(element))

    def _document_ended(self) -> None:
        self._end(Footer())
