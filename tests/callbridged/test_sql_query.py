"""Tests for `callbridged.backends.sql.query`."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from callbridged.backends.sql.query import DEFAULT_QUERY, parse_query


class Queries(SynchronousTestCase):
    """What may be asked, and how the name gets in."""

    def fault(self, text: str) -> str:
        return str(self.assertRaises(ValueError, parse_query, text))

    def test_default(self) -> None:
        """The default query is one."""
        self.assertEqual(parse_query(DEFAULT_QUERY).sqlite, DEFAULT_QUERY)

    def test_spellings(self) -> None:
        """The parameter is :username, for either database; a percent sign stays what it is."""
        query = parse_query("SELECT a FROM u WHERE n = :username AND d LIKE 'x%' ;")
        self.assertEqual(query.sqlite, "SELECT a FROM u WHERE n = :username AND d LIKE 'x%'")
        self.assertEqual(query.psycopg, "SELECT a FROM u WHERE n = %(username)s AND d LIKE 'x%%'")

    def test_twice(self) -> None:
        """The name may be looked for in several columns."""
        query = parse_query("select a from u where n=:username or m=:username||'@example.com'")
        self.assertEqual(
            query.psycopg,
            "select a from u where n=%(username)s or m=%(username)s||'@example.com'",
        )

    def test_no_parameters(self) -> None:
        """Colons in literals, quoted names, comments and casts are no parameters."""
        for text in (
            "':a'",
            "'it''s :a'",
            "E'\\':a'",
            '":a"',
            "/* :a\n; */ 1",
            "-- :a;\n 1",
            "$$:a;$$",
            "$x$ :a $$ $x$",
            "now()::text",
        ):
            query = f"SELECT {text} FROM u WHERE n = :username"
            self.assertEqual(parse_query(query).sqlite, query)

    def test_faults(self) -> None:
        """What is no query, or has no place for the name, is a fault that says what to do."""
        for text, said in (
            ("", "does not begin with SELECT"),
            ("DELETE FROM users WHERE name = :username", "does not begin with SELECT"),
            ("SELECTED", "does not begin with SELECT"),
            ("SELECT * FROM users", "as :username, without quotes"),
            ("SELECT * FROM users WHERE name = ':username'", "without quotes"),
            ("SELECT * FROM users WHERE name = %(username)s", "as :username"),
            ("SELECT * FROM users WHERE name = ?", "as :username"),
            ("SELECT * FROM users -- WHERE name = :username", "as :username"),
            ("SELECT * FROM users WHERE name = :user", "nobody knows :user."),
            ("SELECT :username; DELETE FROM users", "behind a semicolon"),
            ("SELECT :username AS 'x", "begins with ' in it does not end"),
            ('SELECT :username AS "x', 'begins with " in it does not end'),
            ("SELECT :username /* x", "begins with /* in it does not end"),
        ):
            self.assertIn(said, self.fault(text), text)

    @given(st.text("SELECT :username'\"-/*$;%ab\n\\eE", max_size=60))
    def test_anything(self, text: str) -> None:
        """Whatever an operator writes is a query with its parameter, or a fault with a sentence."""
        try:
            query = parse_query(f"SELECT {text}")
        except ValueError as fault:
            self.assertTrue(str(fault).endswith((".", DEFAULT_QUERY)), fault)
        else:
            self.assertIn(":username", query.sqlite)
            self.assertIn(query.sqlite, f"SELECT {text}")

    @given(st.text(st.characters(codec="utf-8", exclude_characters="\0'"), max_size=40))
    def test_sqlite_agrees(self, literal: str) -> None:
        """Where a literal ends is where SQLite says."""
        query = parse_query(f"SELECT '{literal}', :username, '%'")
        with closing(sqlite3.connect(":memory:")) as database:
            row = database.execute(query.sqlite, {"username": "' OR 1=1 --"}).fetchone()
        self.assertEqual(row, (literal, "' OR 1=1 --", "%"))
