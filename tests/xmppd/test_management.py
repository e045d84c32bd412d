"""Tests for `xmppd.clients.management`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from twisted.words.xish.domish import Element

from xmppd.clients.management import MAX_CHARACTERS, MAX_STANZAS, Management, TooHigh, read_count


def stanza(text: str = "") -> Element:
    """A message."""
    element = Element((None, "message"))
    element.addContent(text)
    return element


class ManagementTests(SynchronousTestCase):
    """The counters of XEP-0198."""

    def setUp(self) -> None:
        self.management = Management("id")

    def test_acknowledged(self) -> None:
        """What is acknowledged is forgotten, the rest is kept in order."""
        stanzas = [stanza(str(number)) for number in range(5)]
        for one in stanzas:
            self.management.sent(one)
        self.management.acknowledge(2)
        self.assertEqual(self.management.unacknowledged(), stanzas[2:])
        self.management.acknowledge(2)
        self.management.acknowledge(5)
        self.assertEqual(self.management.unacknowledged(), [])

    def test_too_high(self) -> None:
        """Nobody can acknowledge what was not sent, nor take an acknowledgement back."""
        self.management.sent(stanza())
        fault = self.assertRaises(TooHigh, self.management.acknowledge, 2)
        self.assertEqual((fault.application["h"], fault.application["send-count"]), ("2", "1"))
        self.management.acknowledge(1)
        self.assertRaises(TooHigh, self.management.acknowledge, 0)

    def test_bounded(self) -> None:
        """Only so many stanzas, and so much text, wait for an acknowledgement."""
        self.assertFalse(self.management.sent(stanza("x" * MAX_CHARACTERS)))
        self.management.acknowledge(1)
        self.assertTrue(all(self.management.sent(stanza()) for _ in range(MAX_STANZAS)))
        self.assertFalse(self.management.sent(stanza()))

    def test_wraps(self) -> None:
        """Counters begin anew after 2^32 - 1."""
        self.management.handled = 2**32 - 1
        self.management.received()
        self.assertEqual(self.management.answer()["h"], "0")
        self.management._acknowledged = 2**32 - 1
        self.management.sent(stanza())
        self.management.acknowledge(0)
        self.assertEqual(self.management.unacknowledged(), [])

    @given(st.text(max_size=12) | st.integers(-1, 2**33).map(str))
    def test_count(self, text: str) -> None:
        """A count is a number of 32 bits in plain digits, and anything else is none."""
        element = Element((None, "a"))
        element["h"] = text
        count = read_count(element)
        if count is not None:
            self.assertEqual(int(text), count)
            self.assertLess(count, 2**32)
