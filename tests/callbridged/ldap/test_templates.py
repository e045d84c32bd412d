"""Tests of callbridged.backends.ldap.templates: names in filters and DNs."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from callbridged.backends.ldap.templates import (
    escape_in_dn,
    escape_in_filter,
    parse_filter,
    parse_user_dn,
)


def unescape_filter(text: str) -> str:
    """As RFC 4515 section 3 says."""
    return re.sub(r"\\([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), text)


def unescape_dn(text: str) -> str:
    """As RFC 4514 section 3 says, for one value."""
    return re.sub(r"\\(00|.)", lambda one: "\0" if one[1] == "00" else one[1], text, flags=re.S)


class Escaping(SynchronousTestCase):
    """What a name is turned into."""

    def test_filter(self) -> None:
        """What means something in a filter is escaped by its number."""
        for name, escaped in {
            "*": r"\2a",
            ")(uid=*": r"\29\28uid=\2a",
            r"\2a": r"\5c2a",
            "a\0b": r"a\00b",
            "zoë": "zoë",
        }.items():
            self.assertEqual(escape_in_filter(name), escaped)

    def test_dn(self) -> None:
        """What means something in a DN is escaped, also at its edges."""
        for name, escaped in {
            "a,ou=x": r"a\,ou\=x",
            "#a#": r"\#a#",
            " a b ": r"\ a b\ ",
            " ": r"\ ",
            "\\ ": "\\\\\\ ",
            'a"+;<>': r"a\"\+\;\<\>",
            "a\0b": r"a\00b",
            "zoë": "zoë",
        }.items():
            self.assertEqual(escape_in_dn(name), escaped)

    @given(st.text())
    def test_filter_back(self, name: str) -> None:
        """In a filter a name is itself again, and brings no character that means something."""
        escaped = escape_in_filter(name)
        self.assertEqual(unescape_filter(escaped), name)
        self.assertFalse(set("*()\0") & set(escaped))

    @given(st.text())
    def test_dn_back(self, name: str) -> None:
        """In a DN a name is itself again, and ends neither its attribute nor its RDN."""
        escaped = escape_in_dn(name)
        self.assertEqual(unescape_dn(escaped), name)
        self.assertFalse(set('"+,;<>=\0') & set(re.sub(r"\\.", "", escaped, flags=re.S)))
        self.assertFalse(escaped.startswith((" ", "#")))


class Templates(SynchronousTestCase):
    """What stands in the configuration."""

    def test_fill(self) -> None:
        """The name is put wherever it is wanted, once, whatever it has in it."""
        both = parse_filter("(|(uid={username})(mail={username}@example.com))")
        self.assertEqual(both.fill("a*"), r"(|(uid=a\2a)(mail=a\2a@example.com))")
        self.assertEqual(both.fill("{username}").count("{username}"), 2)
        dn = parse_user_dn("uid={username},ou=people,dc=example,dc=com")
        self.assertEqual(dn.fill("a,b"), r"uid=a\,b,ou=people,dc=example,dc=com")

    def test_parentheses(self) -> None:
        """A filter without parentheses gets them."""
        self.assertEqual(str(parse_filter("uid={username}")), "(uid={username})")

    def test_faults(self) -> None:
        """What is no template has a reason."""
        for text, why in {
            "(uid=alice)": "the same for all",
            "(uid={username}": "lacks a closing parenthesis",
            "(uid={username}))": "more than one filter",
            "(a=b)(uid={username})": "more than one filter",
            "(uid={username})" + " " * 1024: "longer than 1024",
        }.items():
            self.assertIn(why, str(self.assertRaises(ValueError, parse_filter, text)))
        for text, why in {
            "uid=alice,dc=x": "the same for all",
            "{username}@example.com": "is no DN",
            "uid=x-{username},dc=x": "is no DN",
        }.items():
            self.assertIn(why, str(self.assertRaises(ValueError, parse_user_dn, text)))
