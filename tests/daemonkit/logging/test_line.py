"""Tests for `daemonkit.logging.line`: what peers send cannot pretend to be more than it is."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis.strategies import text
from twisted.internet.task import Clock
from twisted.logger import Logger, LogLevel
from twisted.trial.unittest import SynchronousTestCase

from daemonkit.logging.event import Event
from daemonkit.logging.events import INTERNAL_ERROR, OTHER, PRINTED
from daemonkit.logging.line import MAX_FIELD, MAX_TEXT, MAX_TRACEBACK, Line, safe
from tests.support.logged import memory_log

_SAID = Event("said", "{user} said {what}", "Somebody spoke.")


class LineCase(SynchronousTestCase):
    """A logger, and the lines that it leads to."""

    def setUp(self) -> None:
        self.log, self.sink = memory_log(Clock(), "debug")
        self.logger = Logger("here", observer=self.log)

    def line(self) -> Line:
        (line,) = self.sink.lines
        return line


class LineTests(LineCase):
    """An event as a line."""

    def test_fields(self) -> None:
        """A line has its text, its level, its event, and the fields that are known."""
        self.logger.warn(_SAID, user="alice", what="nothing", peer="192.0.2.7", reason="")
        line = self.line()
        self.assertEqual(line.text, "alice said nothing")
        self.assertIs(line.level, LogLevel.warn)
        self.assertIs(line.event, _SAID)
        self.assertEqual(line.fields, {"user": "alice", "peer": "192.0.2.7"})

    def test_login(self) -> None:
        """Which login it is about stands at the end of the text."""
        self.logger.info(_SAID, user="alice", what="nothing", login="8d0f")
        self.assertEqual(self.line().said, "alice said nothing [login 8d0f]")
        self.assertEqual(self.line().text, "alice said nothing")

    def test_time(self) -> None:
        """The time is that of RFC 3339, with milliseconds and an offset."""
        self.logger.info(_SAID, user="alice", what="nothing")
        pattern = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d"
        self.assertIsNotNone(re.fullmatch(pattern, self.line().when))

    def test_no_event(self) -> None:
        """What a library or a plugin says has no name."""
        self.logger.info("{what} is so", what="it")
        self.assertIs(self.line().event, OTHER)
        self.assertEqual(self.line().text, "it is so")

    def test_printed(self) -> None:
        """What is printed on stderr, by whomever, has an event of its own."""
        Logger("stderr", observer=self.log).error("{log_io}", log_io="oh dear")
        self.assertIs(self.line().event, PRINTED)
        self.assertEqual(self.line().text, "oh dear")

    def test_traceback(self) -> None:
        """A fault of ours is one line with its traceback."""
        try:
            raise LookupError("gone")
        except LookupError:
            self.logger.failure("Error in {what}", what="looking")
        line = self.line()
        self.assertIs(line.event, INTERNAL_ERROR)
        self.assertEqual(line.text, "Error in looking")
        self.assertTrue(line.traceback.endswith("LookupError: gone"), line.traceback)
        self.assertIn("test_traceback", line.traceback)

    def test_own_affairs(self) -> None:
        """What Twisted says of its own doings matters as little as can be."""
        Logger("twisted.internet.protocol", observer=self.log).info("Starting factory")
        self.assertIs(self.line().level, LogLevel.debug)


class UnsafeTests(LineCase):
    """Nothing that a peer sends makes a line of its own, or hides one."""

    def test_control_characters(self) -> None:
        """What moves a cursor is spelled out, in texts and in fields."""
        self.logger.info(_SAID, user="a\nb", what="\x1b[2J\r\x85\u2028\u202e")
        line = self.line()
        self.assertEqual(line.text, "a\\x0ab said \\x1b[2J\\x0d\\x85\\u2028\\u202e")
        self.assertEqual(line.fields["user"], "a\\x0ab")

    def test_other_languages(self) -> None:
        """Names in other alphabets stay as they are."""
        self.logger.info(_SAID, user="アリス", what="שלום 🙂")
        self.assertEqual(self.line().text, "アリス said שלום 🙂")

    def test_formats(self) -> None:
        """What looks like a format in a value is none."""
        self.logger.info(_SAID, user="{what}", what="{user.__class__}")
        self.assertEqual(self.line().text, "{what} said {user.__class__}")

    def test_length(self) -> None:
        """What is too long is cut."""
        self.logger.info(_SAID, user="a" * 100_000, what="b")
        line = self.line()
        self.assertEqual(len(line.text), MAX_TEXT)
        self.assertEqual(len(line.fields["user"]), MAX_FIELD)

    def test_traceback(self) -> None:
        """A traceback keeps its lines, and no other control character; its middle is cut out."""
        try:
            raise ValueError("\x1b[2J" + "x" * 100_000 + "the end")
        except ValueError:
            self.logger.failure("oh")
        traceback = self.line().traceback
        self.assertNotIn("\x1b", traceback)
        self.assertTrue(traceback.endswith("the end"))
        self.assertLess(len(traceback), MAX_TRACEBACK + 100)

    @given(text())
    def test_any(self, what: str) -> None:
        """Whatever it is, it is one line, and can be written."""
        line = safe(what, MAX_FIELD)
        self.assertEqual(line.splitlines()[1:], [])
        line.encode("utf-8")
