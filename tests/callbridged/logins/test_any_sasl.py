"""Properties of all mechanisms: whatever a client sends, it is answered, and nobody gets in by it.

The same as the target ``sasl`` of ``tests.fuzz``, which can go on for longer.
"""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.fuzz.sasl import ABORT, AGAIN, NAMES, NEXT, NONCE, NOT_BASE64, SILENCE, seeds, walk

#: What messages are made of.
PARTS = st.sampled_from(
    [
        *(b"n,,", b"y,,", b"p=tls-exporter,,", b"p=tls-server-end-point,,", b"p=x,,"),
        *(b"a=alice@example.com,", b"n=alice,", b"n=bob,", b"n=", b"r=abc", b"m=x", b",", b"="),
        *(b"c=biws,", b"c=eSws,", b"r=" + NONCE, b",p=AAAA", b",p=!", b"=2C", b"=3D", b"=00"),
        *(b"\0", b"alice", b"guest", b"alice@example.com", b"bob@example.com", b"\xc3\xa4"),
        *(NEXT, SILENCE, ABORT, AGAIN, NOT_BASE64, b"x" * 9000),
    ]
)
MESSAGES = st.lists(PARTS | st.binary(max_size=8), max_size=12).map(b"".join)


class AnyMessages(SynchronousTestCase):
    """Bytes in any order."""

    @given(st.integers(0, len(NAMES) - 1), st.integers(0, 127), MESSAGES)
    @example(0, 0, b"")
    def test_any_messages(self, mechanism: int, flags: int, messages: bytes) -> None:
        """Each message is answered at once, or is out of order; nothing is logged as an error."""
        answers = walk(bytes([mechanism, flags]) + messages)
        known = {"challenge", "success", "failure", "out of order"}
        self.assertLessEqual(set(answers), known)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_seeds(self) -> None:
        """Messages as clients send them get to all kinds of answers."""
        answers = {answer for seed in seeds() for answer in walk(seed)}
        self.assertEqual(answers, {"challenge", "success", "failure", "out of order"})

    def test_after_the_end(self) -> None:
        """A second message after the end, and one before the first, are out of order, by every
        mechanism; the login itself ended as it ended."""
        for number, name in enumerate(NAMES):
            answers = walk(bytes([number, 0]) + b"\xc3" + NEXT + b"x" + NEXT + b"x")
            self.assertEqual(answers, ["failure", "out of order", "out of order"], name)
