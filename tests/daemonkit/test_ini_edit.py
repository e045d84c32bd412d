"""Tests of daemonkit.ini_edit."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from daemonkit.ini_edit import Value, find, put
from daemonkit.inifile import parse

SHIPPED = Path(__file__).resolve().parents[2] / "etc"

_LINE = st.sampled_from(
    [
        "[a]", "[b]", "x = 1", "y = 2 ; two", "z =", "  more", "   # no ; value", "", "# comment",
        "; x = 3", "  indented = 4", "X=5",
    ]
)  # fmt: skip


def value(text: str, section: str, key: str) -> str | None:
    entry = find(text, section, key)
    return None if entry is None else entry.value


class PutTests(SynchronousTestCase):
    """Values that are put into a file."""

    def test_comments_stay(self) -> None:
        """Only the value is another one: comments, also behind it, and order stay."""
        text = "# about\n[a]\nKey = one  ; why\n# next\nother = 2\n"
        self.assertEqual(
            put(text, [Value("a", "key", "two")]),
            "# about\n[a]\nkey = two  ; why\n# next\nother = 2\n",
        )

    def test_further_lines(self) -> None:
        """A value of several lines goes whole."""
        text = "[a]\nlisten =\n    tcp:1\n    # not this\n    tcp:2\n\n# about next\nnext = 1\n"
        self.assertEqual(
            put(text, [Value("a", "listen", "tcp:3")]),
            "[a]\nlisten = tcp:3\n\n# about next\nnext = 1\n",
        )

    def test_new_keys(self) -> None:
        """New keys come in order behind those of their section, or in a new section."""
        text = "[a]\nx = 1\n\n# about b\n[b]"
        new = [
            Value("a", "y", "2"),
            Value("a", "z", "3"),
            Value("b", "x", ""),
            Value("c", "x", "5"),
        ]
        self.assertEqual(
            put(text, new), "[a]\nx = 1\ny = 2\nz = 3\n\n# about b\n[b]\nx =\n\n[c]\nx = 5\n"
        )
        self.assertEqual(put("", [Value("a", "x", "1")]), "[a]\nx = 1\n")

    def test_line_ends(self) -> None:
        """A file from another system keeps its ends of lines."""
        self.assertEqual(put("[a]\r\nx = 1\r\n", [Value("a", "x", "2")]), "[a]\r\nx = 2\r\n")

    def test_shipped(self) -> None:
        """In the shipped files, a value changes one line."""
        for path, new in (
            ("xmppd/xmppd.ini", Value("xmppd", "domain", "example.net")),
            ("callbridged/callbridged.ini", Value("callbridge", "server_address", "192.0.2.1")),
        ):
            before = (SHIPPED / path).read_text()
            after = put(before, [new])
            lines = zip(before.splitlines(), after.splitlines(), strict=True)
            self.assertEqual([two for one, two in lines if one != two], [f"{new.key} = {new.text}"])

    @given(
        st.lists(_LINE, max_size=12),
        st.sampled_from("abc"),
        st.sampled_from(["x", "y", "new"]),
        st.sampled_from(["", "1", "tcp:5223", "a;b"]),
    )
    def test_nothing_else_changes(self, lines: list[str], section: str, key: str, new: str) -> None:
        """In any file without a fault, the key has the value then, and all others have theirs."""
        text = "\n".join(lines)
        if parse(text).faults:
            return
        after = put(text, [Value(section, key, new)])
        self.assertEqual(parse(after).faults, [])
        self.assertEqual(value(after, section, key), new)
        for where, entries in parse(text).sections.items():
            for name, entry in entries.items():
                if (where, name) != (section, key):
                    self.assertEqual(value(after, where, name), entry.value)
        self.assertEqual(put(after, [Value(section, key, new)]), after)
