"""Tests of callbridged.backends.ldap.framing: from octets to messages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from callbridged.backends.ldap.framing import MAX_MESSAGE, Framer, NotLdap


def message(content: bytes, form: int = 0) -> bytes:
    """BER, with the length in its shortest form, or in so many octets."""
    length = len(content)
    if not form and length < 0x80:
        return b"\x30" + bytes([length]) + content
    octets = length.to_bytes(form or (length.bit_length() + 7) // 8, "big")
    return b"\x30" + bytes([0x80 | len(octets)]) + octets + content


class Framing(SynchronousTestCase):
    """What comes in pieces."""

    @given(st.lists(st.tuples(st.binary(max_size=300), st.sampled_from((0, 2, 4)))), st.data())
    def test_any_split(self, contents: list[tuple[bytes, int]], data: st.DataObject) -> None:
        """However the network cuts them, the messages are the same."""
        messages = [message(*one) for one in contents]
        octets = b"".join(messages)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(octets)))))
        framer, found = Framer(), []
        for start, end in zip([0, *cuts], [*cuts, len(octets)], strict=True):
            found += framer.feed(octets[start:end])
        self.assertEqual(found, messages)
        self.assertFalse(framer.partial)

    def test_partial(self) -> None:
        """A message that has begun is known to have begun."""
        framer = Framer()
        self.assertEqual(framer.feed(b"\x30"), [])
        self.assertTrue(framer.partial)

    def test_something_else(self) -> None:
        """HTTP, TLS and lengths that nobody may have are refused at once."""
        for octets in (b"HTTP/1.1 400", b"\x15\x03\x01", b"\x30\x80", b"\x30\x85\0\0\0\0\1"):
            self.assertRaises(NotLdap, Framer().feed, octets)

    def test_too_large(self) -> None:
        """A message that would be too large is refused by its header; the largest is not."""
        for length in (MAX_MESSAGE, 0xFFFFFFFF):
            header = b"\x30\x84" + length.to_bytes(4, "big")
            self.assertIn("octets", str(self.assertRaises(NotLdap, Framer().feed, header)))
        self.assertEqual(len(Framer().feed(message(bytes(MAX_MESSAGE - 6), 4))), 1)

    @given(st.binary())
    def test_anything(self, octets: bytes) -> None:
        """Nothing raises what is not ours."""
        framer = Framer()
        try:
            for place in range(len(octets)):
                framer.feed(octets[place : place + 1])
        except NotLdap:
            pass
