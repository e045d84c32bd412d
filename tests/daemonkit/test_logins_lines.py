"""Tests of daemonkit.logins_lines: a login as a line for people."""

from __future__ import annotations

import io
import os
import sys
from datetime import datetime
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from daemonkit.logins_lines import Lines
from tests.daemonkit.records import a_record


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


class LinesTests(SynchronousTestCase):
    """Lines for terminals of several widths, and for none."""

    def setUp(self) -> None:
        self.patch(sys, "stdout", io.StringIO())

    def line(self, width: int | None, **more: Any) -> str:
        """The last of a record's lines."""
        ended = more.pop("ended", datetime.now().astimezone())
        return list(self.lines(width).of(a_record(0xABC << 116, ended=ended, **more).as_json()))[-1]

    def lines(self, width: int | None) -> Lines:
        return Lines(width, "example.com", "Call Bridge")

    def test_narrow(self) -> None:
        """A login that went well fits into 80 columns, below its headings."""
        heading, line = self.lines(80).heading(), self.line(80)
        self.assertLessEqual(len(line), 80)
        self.assertLessEqual(len(self.line(80, outcome="not-authorized")), 80)
        for head, cell in (
            ("Login", "abc00000"),
            ("User", "alice"),
            ("From", "203.0.113.7"),
            ("Took", "12.3 ms"),
            ("Outcome", "success"),
        ):
            self.assertEqual(heading.index(head), line.index(cell), head)

    def test_wide(self) -> None:
        """With room for them, mechanism and Call Bridge are there, within 120 columns."""
        heading, line = self.lines(120).heading(), self.line(120)
        self.assertLessEqual(len(line), 120)
        self.assertEqual(heading.index("Mechanism"), line.index("SCRAM-SHA-256"))
        self.assertEqual(heading.index("Call Bridge"), line.index("cb1  "))

    def test_no_terminal(self) -> None:
        """What is no terminal gets all columns, and nothing is cut."""
        line = self.line(None, user="a" * 64)
        self.assertIn("a" * 64, line)
        self.assertIn("SCRAM-SHA-256", line)

    def test_long_name(self) -> None:
        """On a terminal a long name does not push the other columns away."""
        line = self.line(80, user="a" * 64)
        self.assertIn(" " + "a" * 15 + "…  203.0.113.7", line)

    def test_control_characters(self) -> None:
        """A made-up name cannot command the terminal, or make lines of its own."""
        line = self.line(None, user="a\x1b[2J\nb\u202e", mechanism="\x07", outcome="\x9b")
        self.assertNotRegex(line, "[\x00-\x1f\x7f-\x9f\u202e]")
        self.assertIn("a?[2J?b?", line)
        text = self.line(None, text="x\x1b]0;y")
        self.assertIn(": x?]0;y", text)

    def test_why(self) -> None:
        """A failure is told with its reason and its words, and none of them is cut."""
        line = self.line(
            80, outcome="temporary-auth-failure", reason="link-lost", text="word " * 30 + "end"
        )
        self.assertIn("temporary-auth-failure, link-lost: word", line)
        self.assertTrue(line.endswith("end"))
        self.assertNotIn("\n", line)

    def test_how(self) -> None:
        """A login without a password is told as what it was."""
        self.assertTrue(self.line(80, kind="guest").endswith("success, guest"))

    def test_slow(self) -> None:
        """Where a login took long, the line says who took longest; where not, it does not."""
        waited = {"callbridge": 0.5, "client": 2.0}
        self.assertIn("; 2.0 s for the client", self.line(80, seconds=2.6, waited=waited))
        self.assertNotIn("for the client", self.line(80, seconds=0.9, waited=waited))

    def test_second_try(self) -> None:
        """Who was asked in vain stands behind who answered; ports and the domain are left out."""
        asked = ("cb1.example.com", "cb2.example.com")
        self.assertIn("cb2 after cb1", self.line(None, asked=asked))
        self.assertIn("xmpp1  ", self.line(None, asked=("xmpp1.example.com:5223",)) + "  ")

    def test_unknown(self) -> None:
        """What is not known is a dash."""
        line = self.line(120, user="", login="", peer="", asked=())
        self.assertEqual(line.split()[1:4], ["-", "-", "-"])

    def test_other_domain(self) -> None:
        """A user of another domain than the first has it behind the name."""
        self.assertIn("alice@example.org", self.line(None, domain="example.org"))
        self.assertNotIn("@", self.line(None))

    def test_day(self) -> None:
        """Where the day changes, a line says so, once."""
        lines = self.lines(80)
        days = [datetime(2026, 3, day, 12).astimezone() for day in (1, 1, 2)]
        shown = [line for ended in days for line in lines.of(a_record(ended=ended).as_json())]
        self.assertEqual(
            [line[:18] for line in shown if line.startswith("-")],
            ["--- 2026-03-01 ---", "--- 2026-03-02 ---"],
        )
        self.assertEqual(len(shown), 5)

    def test_colour(self) -> None:
        """On a terminal: green for success, yellow for the user's fault, red for ours."""
        self.patch(os, "environ", {"TERM": "xterm"})
        self.patch(sys, "stdout", Terminal())
        for outcome, code in (("success", 32), ("not-authorized", 33), ("timeout", 31)):
            self.assertIn(f"\x1b[{code}m{outcome}\x1b[0m", self.line(80, outcome=outcome))
