"""Tests of xmppd.web.message: one element in each message, whatever the rest of it."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from bridgewire.limits import AFTER_LOGIN, BEFORE_LOGIN, Limits
from bridgewire.parser import StreamFault
from xmppd.web.message import MessageParser

GOOD = "<message xmlns='jabber:client' to='a@example.com'><body>hé &amp; &lt;o></body></message>"
BAD = {
    "": "bad-format",
    " ": "bad-format",
    " <a xmlns='x'/>": "bad-format",
    "\ufeff<a xmlns='x'/>": "bad-format",
    "text": "bad-format",
    "<a xmlns='x'/><b xmlns='x'/>": "bad-format",
    "<a xmlns='x'/>text": "bad-format",
    "<a/>": "invalid-namespace",
    "<stream:features/>": "not-well-formed",
    "<a xmlns='x'>": "not-well-formed",
    "<a xmlns='x'": "not-well-formed",
    "<a xmlns='x'/><": "not-well-formed",
    "<a xmlns='x'/>&": "not-well-formed",
    "<a xmlns='x'/><![CDATA[": "bad-format",
    "<a xmlns='x'/></_:stream>": "not-well-formed",
    "</_:stream>": "not-well-formed",
    "</_:stream><_:stream xmlns:_='x'>": "not-well-formed",
    "<!-- x --><a xmlns='x'/>": "restricted-xml",
    "<a xmlns='x'><!-- x --></a>": "restricted-xml",
    "<a xmlns='x'/><!-- x -->": "restricted-xml",
    "<a xmlns='x'/><!--": "restricted-xml",
    "<?pi?><a xmlns='x'/>": "restricted-xml",
    "<?xml-stylesheet href='x'?><a xmlns='x'/>": "restricted-xml",
    "<!DOCTYPE a [<!ENTITY b 'c'>]><a xmlns='x'>&b;</a>": "restricted-xml",
    "<a xmlns='x'>&b;</a>": "restricted-xml",
    "<?xml version='1.0'": "not-well-formed",
    "<?xml version='1.0'?>": "bad-format",
    "<?xml version='1.0'?><?xml version='1.0'?><a xmlns='x'/>": "restricted-xml",
    "<?xml version='1.0' encoding='latin1'?><a xmlns='x'/>": "unsupported-encoding",
    "<?xml " + " " * 200 + "version='1.0'?><a xmlns='x'/>": "not-well-formed",
    "<a xmlns='x\"y'/>": "bad-format",
    "<a xmlns='x'>\x00</a>": "not-well-formed",
}


def outcome(parser: MessageParser, *parts: str) -> str:
    """Answer the element as XML, or the condition of the fault."""
    try:
        for part in parts[:-1]:
            assert parser.feed(part, False) is None
        element = parser.feed(parts[-1], True)
    except StreamFault as fault:
        return fault.condition
    assert element is not None
    return element.toXml()


class MessageTests(SynchronousTestCase):
    """What comes out of a message."""

    def test_good(self) -> None:
        """One element, with an XML declaration in front and white space behind it at most."""
        plain = outcome(MessageParser(AFTER_LOGIN), GOOD)
        self.assertIn("<body>hé &amp; &lt;o", plain)
        for text in (
            "<?xml version='1.0'?>" + GOOD,
            "<?xml version='1.0' encoding='UTF-8'?>\n" + GOOD,
            GOOD + " \r\n",
        ):
            self.assertEqual(outcome(MessageParser(AFTER_LOGIN), text), plain)

    def test_bad(self) -> None:
        """Everything else is refused, with the condition that says why."""
        found = {text: outcome(MessageParser(AFTER_LOGIN), text) for text in BAD}
        self.assertEqual(found, BAD)

    def test_namespaces_do_not_leak(self) -> None:
        """What one message declares is not there for the next one."""
        parser = MessageParser(AFTER_LOGIN)
        outcome(parser, "<p:a xmlns:p='x' xmlns='y'/>")
        self.assertEqual(outcome(parser, "<p:a/>"), "not-well-formed")

    def test_cut_anywhere(self) -> None:
        """A message is the same in two fragments as in one, good or bad."""
        for text in (GOOD, "<?xml version='1.0'?>" + GOOD, *BAD):
            whole = outcome(MessageParser(AFTER_LOGIN), text)
            for cut in range(len(text)):
                parts = outcome(MessageParser(AFTER_LOGIN), text[:cut], text[cut:])
                self.assertEqual(parts, whole, (text, cut))

    @given(
        st.lists(
            st.sampled_from([GOOD, *BAD, "<a xmlns='x'>", "</a>", "<![CDATA[", "]]>", "&#0;"])
        ),
        st.lists(st.integers(0, 400), max_size=5),
    )
    def test_cut_property(self, pieces: list[str], cuts: list[int]) -> None:
        """However it is cut, a message has one outcome; nothing but a StreamFault is raised."""
        text = "".join(pieces)
        places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
        parts = [text[a:b] for a, b in pairwise(places)]
        self.assertEqual(
            outcome(MessageParser(AFTER_LOGIN), *parts), outcome(MessageParser(AFTER_LOGIN), text)
        )

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """Any text at all is either one element or a fault."""
        outcome(MessageParser(AFTER_LOGIN), text)


class LimitTests(SynchronousTestCase):
    """How much one may send."""

    def test_while_on_its_way(self) -> None:
        """A message is refused as soon as it is too long, long before its end."""
        parser = MessageParser(Limits(stanza_bytes=2048))
        self.assertIsNone(parser.feed("<a xmlns='x'>", False))
        sent = 0
        with self.assertRaises(StreamFault) as caught:
            while sent < 10_000:
                parser.feed("x" * 100, False)
                sent += 100
        self.assertEqual(caught.exception.condition, "policy-violation")
        self.assertLess(sent, 2048 + 1024 + 100)

    def test_depth_and_elements(self) -> None:
        """Elements that are nested too deep, or too many, or with too many attributes."""
        for text in (
            "<a xmlns='x'>" + "<a>" * 40,
            "<a xmlns='x'>" + "<a/>" * 3000,
            "<a xmlns='x' " + " ".join(f"a{n}='{n}'" for n in range(40)) + "/>",
        ):
            self.assertEqual(outcome(MessageParser(AFTER_LOGIN), text), "policy-violation")

    def test_bytes_before_login(self) -> None:
        """Before login the bytes of all messages together are limited."""
        parser = MessageParser(BEFORE_LOGIN)
        text = "<a xmlns='x'>" + "x" * 900 + "</a>"
        found = [outcome(parser, text) for _ in range(12)]
        self.assertEqual(found[-1], "policy-violation")
        self.assertNotEqual(found[5], "policy-violation")

    def test_elements_before_login(self) -> None:
        """And so are their elements."""
        parser = MessageParser(BEFORE_LOGIN)
        found = [outcome(parser, "<a xmlns='x'/>") for _ in range(33)]
        self.assertEqual(found.count("policy-violation"), 1)
        self.assertEqual(found[-1], "policy-violation")

    def test_after_login(self) -> None:
        """After it there is no limit to how many messages come."""
        parser = MessageParser(AFTER_LOGIN)
        for _ in range(300):
            self.assertNotEqual(outcome(parser, GOOD), "policy-violation")
