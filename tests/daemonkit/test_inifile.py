"""Tests of daemonkit.inifile."""

from __future__ import annotations

from configparser import ConfigParser

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from daemonkit.inifile import IniFile, parse

_NAME = st.text("abcxyz_", min_size=1, max_size=4)
_VALUE = st.text("ab;# =:[]%\t", max_size=8)


def values(file: IniFile) -> dict[str, dict[str, str]]:
    return {
        name: {key: entry.value for key, entry in entries.items()}
        for name, entries in file.sections.items()
    }


def faults(text: str) -> list[str]:
    return [str(fault) for fault in parse(text).faults]


class ParseTests(SynchronousTestCase):
    """Lines of ini files."""

    def test_values_with_their_lines(self) -> None:
        """Every value is known with the line that it begins in."""
        file = parse("# comment\n[a]\n\nKey = one ; comment\n[b c]\nother=two;not\n")
        self.assertEqual(file.faults, [])
        self.assertEqual(values(file), {"a": {"key": "one"}, "b c": {"other": "two;not"}})
        self.assertEqual(file.headings, {"a": 2, "b c": 5})
        self.assertEqual(file.sections["a"]["key"].line, 4)

    def test_further_lines(self) -> None:
        """Indented lines belong to the value before, and comments between them to nobody."""
        file = parse("[a]\nlisten =\n  tcp:1 ; one\n# no\n\n  ; nor this\n  tcp:2\nnext = 1\n")
        self.assertEqual(values(file), {"a": {"listen": "tcp:1\ntcp:2", "next": "1"}})

    def test_other_ends_of_lines(self) -> None:
        """Files from other systems, with CR LF, are read the same."""
        self.assertEqual(values(parse("[a]\r\nkey = x\r\n")), {"a": {"key": "x"}})

    def test_no_inheritance(self) -> None:
        """DEFAULT is a section like others, and a percent sign is only that."""
        self.assertEqual(
            values(parse("[DEFAULT]\na = %(b)s\n[c]\n")), {"DEFAULT": {"a": "%(b)s"}, "c": {}}
        )

    def test_every_fault(self) -> None:
        """Each line that makes no sense is a fault with its number, and the others still count."""
        text = "early = 1\n[a]\nkey = 1\nnonsense\n  more of it\n[broken\nkey = 2\n[a]\nlate = 3\n"
        found = faults(text)
        self.assertEqual(
            [fault.partition(":")[0] for fault in found],
            ["line 1", "line 4", "line 6", "line 7", "line 8"],
        )
        self.assertIn("line 7: key was already set in line 3.", found[3])
        self.assertIn("line 8: [a] was already there in line 2.", found[4])
        self.assertEqual(values(parse(text)), {"a": {"key": "1", "late": "3"}})

    @given(st.dictionaries(_NAME, st.dictionaries(_NAME, st.lists(_VALUE, max_size=3))))
    def test_like_configparser(self, sections: dict[str, dict[str, list[str]]]) -> None:
        """Every file in which we find no fault means the same to Python's configparser."""
        text = "".join(
            f"[{name}]\n"
            + "".join(f"{key} = " + "\n  ".join(lines) + "\n" for key, lines in entries.items())
            for name, entries in sections.items()
        )
        file = parse(text)
        self.assertEqual(file.faults, [])
        theirs = ConfigParser(interpolation=None, inline_comment_prefixes=(";",), delimiters=("=",))
        theirs.read_string(text)
        expected = {
            name: {
                key: "\n".join(filter(None, map(str.strip, value.splitlines())))
                for key, value in theirs[name].items()
            }
            for name in theirs.sections()
        }
        self.assertEqual(values(file), expected)

    @given(st.text())
    def test_anything(self, text: str) -> None:
        """No text makes the parser raise, and every fault names a line of it."""
        last = text.count("\n") + text.count("\r") + 1
        for fault in parse(text).faults:
            self.assertTrue(fault.line is not None and 1 <= fault.line <= last)
