"""Tests for `bridgewire.parser`."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from bridgewire.limits import AFTER_LOGIN, BEFORE_LOGIN, COMPONENT_LINK, SERVER_LINK, Limits
from bridgewire.parser import Event, Footer, Header, Stanza, StreamFault, StreamParser

HEADER = (
    b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
    b"xmlns:stream='http://etherx.jabber.org/streams' to='example.com' version='1.0'>"
)


def parse(data: bytes, cuts: list[int] | None = None, limits: Limits = AFTER_LOGIN) -> list[str]:
    """What comes out for ``data``, cut into pieces of these sizes, as comparable text."""
    parser = StreamParser(limits)
    events: list[Event] = []
    for size in cuts or []:
        events += parser.feed(data[:size])
        data = data[size:]
    events += parser.feed(data)
    return [show(event) for event in events]


def show(event: Event) -> str:
    match event:
        case Header(element):
            return "header " + str(element["to"])
        case Stanza(element):
            return "stanza " + str(element.toXml())
        case Footer():
            return "footer"
        case StreamFault():
            return "fault " + event.condition


class Streams(SynchronousTestCase):
    """What a stream is made of."""

    def test_stream(self) -> None:
        """A header, its children and the end tag come out in order."""
        self.assertEqual(
            parse(HEADER + b"<a/> <b x='1'>t&amp;u</b></stream:stream>"),
            [
                "header example.com",
                "stanza <a xmlns='jabber:client'/>",
                "stanza <b xmlns='jabber:client' x='1'>t&amp;u</b>",
                "footer",
            ],
        )

    def test_short_stanza_is_not_held_back(self) -> None:
        """A stanza comes out with its last byte, also when its bytes came one by one."""
        parser = StreamParser(AFTER_LOGIN)
        parser.feed(HEADER)
        for stanza in (b"<iq id='1'/>", b"<a b='>'>&#x10FFFF;</a>", b"<c><![CDATA['<']]></c>") * 3:
            for byte in stanza[:-1]:
                self.assertEqual(parser.feed(bytes([byte])), [])
            self.assertEqual(len(parser.feed(stanza[-1:])), 1)

    def test_not_a_stream(self) -> None:
        """A root element that opens no XMPP stream is refused."""
        self.assertEqual(parse(b"<stream/>"), ["fault invalid-namespace"])
        self.assertEqual(parse(b"<html>"), ["fault bad-format"])
        self.assertEqual(parse(b"GET / HTTP/1.1\r\n"), ["fault not-well-formed"])
        self.assertEqual(parse(b"\x16\x03\x01"), ["fault not-well-formed"])

    def test_encoding(self) -> None:
        """Streams are UTF-8, and nothing else."""
        header = HEADER.replace(b"?>", b" encoding='ISO-8859-1'?>")
        self.assertEqual(parse(header), ["fault unsupported-encoding"])
        header = HEADER.replace(b"?>", b" encoding='utf-8'?>")
        self.assertEqual(parse(header), ["header example.com"])

    def test_nothing_after_the_end(self) -> None:
        """What follows the end of the stream is not looked at."""
        self.assertEqual(parse(HEADER + b"</stream:stream><a/>")[-1], "footer")


class Restricted(SynchronousTestCase):
    """RFC 6120 section 11.1: what XML allows and a stream does not."""

    def test_restricted_xml(self) -> None:
        """Document types, comments, processing instructions and entities are `restricted-xml`."""
        for text in (
            b"<!DOCTYPE a>",
            b"<!-- c -->",
            b"<?pi x?>",
            b"<a>&foo;</a>",
            b"<a b='&foo;'/>",
        ):
            self.assertEqual(parse(HEADER + text)[1:], ["fault restricted-xml"], text)

    def test_namespace_that_would_break_out(self) -> None:
        """A namespace that, written as it is, would end its attribute is refused."""
        for unsafe in (b"u&apos;/>&lt;evil/>", b"a&amp;b", b"&lt;", b"a&#10;b", b"&quot;"):
            for body in (b"<a xmlns='%s'/>", b"<a xmlns:p='%s'/>", b"<a><p:b xmlns:p='%s'/></a>"):
                self.assertEqual(parse(HEADER + body % unsafe)[1:], ["fault bad-format"], unsafe)

    def test_entity_expansion(self) -> None:
        """A document type in front of the stream is refused before its entities are read."""
        bomb = b"<!DOCTYPE x [<!ENTITY a 'aaaaaaaa'><!ENTITY b '&a;&a;&a;'>]>"
        self.assertEqual(parse(bomb + HEADER), ["fault restricted-xml"])

    def test_text_between_stanzas(self) -> None:
        """Only white space may stand between stanzas."""
        self.assertEqual(parse(HEADER + b"hello")[1:], ["fault bad-format"])


class LimitsHold(SynchronousTestCase):
    """Every limit holds while the element is still on its way."""

    def assert_refused(self, body: bytes, limits: Limits = BEFORE_LOGIN) -> None:
        self.assertEqual(parse(HEADER + body, limits=limits)[-1], "fault policy-violation")

    def test_attribute(self) -> None:
        """100 KB in one attribute are refused before login, without waiting for its end."""
        self.assert_refused(b"<a b='" + b"x" * 100_000)

    def test_text(self) -> None:
        """1 MB of text is refused before login."""
        self.assert_refused(b"<a>" + b"x" * 1_000_000)

    def test_depth(self) -> None:
        """2,000 nested elements are refused."""
        self.assert_refused(b"<a>" * 2000)

    def test_attributes(self) -> None:
        """Many attributes, or namespace declarations, are refused."""
        self.assert_refused(b"<a " + b" ".join(b"a%d='x'" % n for n in range(40)) + b"/>")
        self.assert_refused(b"<a " + b" ".join(b"xmlns:a%d='x'" % n for n in range(40)) + b"/>")

    def test_tag(self) -> None:
        """A tag that does not end is refused long before the stanza is too large."""
        self.assert_refused(b"<a x='" + b"x" * 10_240, AFTER_LOGIN)

    def test_namespaces(self) -> None:
        """A long namespace counts each time it is used: it may have to be written each time."""
        declared = b"<a xmlns:p='" + b"n" * 10_000 + b"'>"
        self.assert_refused(declared + b"<p:b/>" * 30, AFTER_LOGIN)
        self.assert_refused(declared + b"<b p:x=''/>" * 30, AFTER_LOGIN)

    def test_elements(self) -> None:
        """Many children of one stanza are refused."""
        self.assert_refused(b"<a>" + b"<b/>" * 5000, AFTER_LOGIN)

    def test_whole_stream_before_login(self) -> None:
        """Small stanzas add up before login: 32 elements and 8 KiB in all."""
        self.assert_refused(b"<a/>" * 32)
        self.assert_refused((b"<a>" + b"x" * 1000 + b"</a>") * 9)
        self.assert_refused(b" " * 10_000)

    def test_what_one_may_send_a_component_takes(self) -> None:
        """A client's largest stanza, written anew by the server, does not break a link."""
        many = "".join(f" a{number}=''" for number in range(31))
        foreign = "".join(f" p{number}:a=''" for number in range(28))
        prefixes = "".join(f" xmlns:p{number}='urn:{'n' * 40}:{number}'" for number in range(28))
        header = HEADER.replace(b" to=", prefixes.encode() + b" to=")
        quotes = ('<b a="' + "'" * 8000 + '"/>') * 31
        for body in (f"<a to=''{many}>{quotes}</a>", f"<a><b{foreign}/></a>", "<p1:a/>"):
            parser = StreamParser(AFTER_LOGIN)
            stanza = parser.feed(header + body.encode())[1]
            assert isinstance(stanza, Stanza)
            stanza.element["from"] = "alice@example.com/phone"
            written = stanza.element.toXml().encode()
            taken = parse(HEADER + written, limits=SERVER_LINK)
            self.assertEqual([one.partition(" ")[0] for one in taken], ["header", "stanza"])

    def test_after_login_stanzas_do_not_add_up(self) -> None:
        """After login each stanza has the limits for itself."""
        limits = replace(AFTER_LOGIN, stanza_bytes=4096, elements=4)
        body = (b"<a><b/>" + b"x" * 2000 + b"</a>" + b" " * 3000) * 10
        self.assertNotIn("fault policy-violation", parse(HEADER + body, limits=limits))


BODIES = st.lists(
    st.sampled_from(
        [
            b"<a/>", b"<b x='1'>t</b>", b" ", b"<c><d/></c>", b"<!DOCTYPE a>", b"<!--", b"<?p q?>",
            b"&x;", b"</stream:stream>", b"<", b"\xff", b"x" * 3000, b"<e>" + b"y" * 5000 + b"</e>",
            b"<f>" * 40, b"<h a='>' b=\"'>\"/>", b"<i>&#x10FFFF;]]&gt;&quot;</i>", b"<!", b"<![",
            b"]]>", b"<j><![CDATA[<it's & ]] ></it>]]></j>", b"<k a='<'/>", b"<l>a & b</l>", b"\r",
            b"&am",             b"<g xmlns='urn:x' xmlns:y='urn:y' y:z='1'/>", "<é/>".encode(),
            b"-->", b"?>", b"\n",
        ]
    ),
    max_size=12,
)  # fmt: skip


class LetGoTests(SynchronousTestCase):
    """Memory of a parser that waits."""

    def test_between_stanzas(self) -> None:
        """Expat goes after the header, a stanza and white space; within anything it stays."""
        parser = StreamParser(AFTER_LOGIN)
        gone = []
        for data in (HEADER, b"<a/>", b" \n", b"<b>", b"</b>", b"<c>t", b"t"):
            parser.feed(data)
            gone.append(parser.parser is None)
        self.assertEqual(gone, [True, True, True, False, True, False, False])

    def test_busy(self) -> None:
        """On the links of components it stays."""
        parser = StreamParser(COMPONENT_LINK)
        parser.feed(HEADER + b"<a/>")
        self.assertIsNotNone(parser.parser)

    def test_long_start_tag(self) -> None:
        """A start tag of the stream that is long is not kept, and expat stays."""
        parser = StreamParser(AFTER_LOGIN)
        events = parser.feed(HEADER[:-1] + b" x='%b'>" % (b"x" * 1024) + b"<a/>")
        events += parser.feed(b"<b/>")
        self.assertEqual(len(events), 3)
        self.assertIsNotNone(parser.parser)


class Properties(SynchronousTestCase):
    """What holds for any bytes."""

    @settings(max_examples=300, deadline=None)
    @given(BODIES, st.lists(st.integers(0, 700), max_size=60))
    def test_chunking(self, body: list[bytes], cuts: list[int]) -> None:
        """The same bytes give the same events, however they are cut."""
        data = HEADER + b"".join(body)
        for limits in (BEFORE_LOGIN, AFTER_LOGIN):
            self.assertEqual(parse(data, cuts, limits), parse(data, limits=limits))

    def test_text_after_a_stanza_in_pieces(self) -> None:
        """The end of CDATA that had no beginning, wherever the stanza before it was cut."""
        data = HEADER + b"<c><d/></c>]]>"
        for cut in range(1, len(data)):
            self.assertEqual(parse(data, [cut])[-1], "fault bad-format", cut)

    def test_cdata_between(self) -> None:
        """CDATA between stanzas is text there, even if it is empty: nothing can hide behind it."""
        for rest in (b"]]><a/>", b"]]>&#0;", b" ]]>", b"<!-- x --><a/>", b"]]>]]>"):
            data = HEADER + b"<![CDATA[" + rest
            for cut in range(1, len(data)):
                self.assertEqual(parse(data, [cut])[1:], ["fault bad-format"], (rest, cut))

    def test_character_cut(self) -> None:
        """What begins a character of several bytes is not forgotten where a piece ends with it."""
        parser = StreamParser(AFTER_LOGIN)
        parser.feed(HEADER)
        pieces = (b"<a/>", b"<b\xf4/>", b"<c/>")
        [fault] = [event for piece in pieces for event in parser.feed(piece)][1:]
        assert isinstance(fault, StreamFault)
        self.assertEqual(fault.condition, "not-well-formed")

    @settings(max_examples=300, deadline=None)
    @given(st.lists(BODIES, max_size=6))
    def test_parser_let_go(self, bodies: list[list[bytes]]) -> None:
        """An expat parser that is made anew between stanzas sees what the former one would have."""
        pieces = [HEADER, *(b"".join(body) for body in bodies)]
        cuts = [len(piece) for piece in pieces]
        data = b"".join(pieces)
        for limits in (BEFORE_LOGIN, AFTER_LOGIN):
            kept = replace(limits, keep_parser=True)
            self.assertEqual(parse(data, cuts, limits), parse(data, cuts, kept))

    @settings(max_examples=50, deadline=None)
    @given(BODIES)
    def test_byte_by_byte(self, body: list[bytes]) -> None:
        """Also one by one."""
        data = HEADER + b"".join(body)
        self.assertEqual(
            parse(data, [1] * len(data), BEFORE_LOGIN), parse(data, None, BEFORE_LOGIN)
        )

    @settings(max_examples=500, deadline=None)
    @given(st.binary(max_size=3000), st.booleans())
    def test_random_bytes(self, data: bytes, after_header: bool) -> None:
        """No bytes make the parser raise, and nothing comes out after a fault."""
        shown = parse((HEADER if after_header else b"") + data)
        faults = [text.startswith("fault") for text in shown]
        self.assertNotIn(True, faults[:-1])
