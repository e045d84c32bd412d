"""Tests for where lines go: journald, files and stderr, and for the settings that say so."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
from pathlib import Path
from struct import unpack_from

from twisted.internet.task import Clock
from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase

from daemonkit.ini import ConfigurationFault, IniReader
from daemonkit.logging.event import Event
from daemonkit.logging.events import OTHER
from daemonkit.logging.journal import MAX_LATER, RETRY, JournalSink, is_output
from daemonkit.logging.line import Line
from daemonkit.logging.settings import LogSettings, read_log
from daemonkit.logging.stream import StreamSink, as_json, as_text, open_file

_SAID = Event("said", "{user} said {what}", "Somebody spoke.")
_LINE = Line(
    1_795_000_000.25,
    LogLevel.warn,
    _SAID,
    "alice said nöthing",
    {"user": "alice", "login": "8d0f"},
)
_FAULT = Line(1_795_000_000.25, LogLevel.critical, _SAID, "oh", {}, "Traceback:\n  here\nError: x")


def parsed(data: bytes) -> dict[str, bytes]:
    """What journald makes of a datagram (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/)."""
    fields = {}
    while data:
        end = data.index(b"\n")
        name, equals, value = data[:end].partition(b"=")
        if equals:
            data = data[end + 1 :]
        else:
            (length,) = unpack_from("<Q", data, end + 1)
            start = end + 9
            value = data[start : start + length]
            assert data[start + length : start + length + 1] == b"\n"
            data = data[start + length + 1 :]
        assert name.decode() not in fields
        fields[name.decode()] = value
    return fields


class JournalTests(SynchronousTestCase):
    """journald's end of the socket is ours."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.path = Path(self.mktemp())
        self.journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.addCleanup(self.journal.close)
        self.journal.bind(str(self.path))
        self.sink = JournalSink(self.clock, "xmppd", "XMPP_", self.path)
        self.addCleanup(self.sink.close)

    def test_entry(self) -> None:
        """An entry has message, priority, message id, and all fields."""
        self.sink.write(_LINE)
        self.assertEqual(
            parsed(self.journal.recv(65536)),
            {
                "MESSAGE": "alice said nöthing [login 8d0f]".encode(),
                "PRIORITY": b"4",
                "SYSLOG_IDENTIFIER": b"xmppd",
                "MESSAGE_ID": _SAID.message_id.hex.encode(),
                "XMPP_EVENT": b"said",
                "XMPP_USER": b"alice",
                "XMPP_LOGIN": b"8d0f",
            },
        )

    def test_lines(self) -> None:
        """A message of several lines is one entry."""
        self.sink.write(_FAULT)
        fields = parsed(self.journal.recv(65536))
        self.assertEqual(fields["MESSAGE"], b"oh\nTraceback:\n  here\nError: x")
        self.assertEqual(fields["PRIORITY"], b"2")

    def test_without_a_name(self) -> None:
        """What has no name has no message id."""
        self.sink.write(Line(0.0, LogLevel.info, OTHER, "twistd is starting"))
        self.assertNotIn("MESSAGE_ID", parsed(self.journal.recv(65536)))

    def test_longest(self) -> None:
        """The longest line that there can be fits."""
        fields = {f"field{number}": "\U0001f642" * 512 for number in range(20)}
        self.sink.write(Line(0.0, LogLevel.info, _SAID, "ü" * 4096, fields, "\n🙂" * 16384))
        self.assertEqual(len(parsed(self.journal.recv(1 << 20))), 25)

    def received(self) -> list[bytes]:
        """The messages that are there."""
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                found.append(parsed(self.journal.recv(1 << 20))["MESSAGE"])
        return found

    def write(self, *numbers: int) -> None:
        for number in numbers:
            self.sink.write(Line(0.0, LogLevel.info, _SAID, str(number)))

    def test_behind(self) -> None:
        """A journald that is behind is not waited for, and gets all of it, in order."""
        self.write(*range(MAX_LATER))
        found: list[bytes] = []
        while self.clock.getDelayedCalls():
            found += self.received()
            self.clock.advance(RETRY)
        found += self.received()
        self.assertEqual(found, [b"%d" % number for number in range(MAX_LATER)])

    def test_too_far_behind(self) -> None:
        """No more is kept than that, and what is lost is known to be."""
        with self.assertRaises(BlockingIOError):
            self.write(*range(100_000))
        self.assertEqual(len(self.sink._later), MAX_LATER)

    def test_away(self) -> None:
        """A journald that was away gets what was said meanwhile, also at another socket."""
        self.journal.close()
        self.write(1)
        self.path.unlink()
        self.write(2)
        self.clock.advance(RETRY)
        self.journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.addCleanup(self.journal.close)
        self.journal.bind(str(self.path))
        self.write(3)
        self.assertEqual(self.received(), [b"1", b"2", b"3"])
        self.clock.advance(RETRY)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_output(self) -> None:
        """That our output goes to journald is what systemd says, and true."""
        found = os.fstat(2)
        self.assertTrue(is_output({"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}))
        self.assertFalse(is_output({"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}1"}))
        self.assertFalse(is_output({}))


class StreamTests(SynchronousTestCase):
    """Files, and the like."""

    def test_text(self) -> None:
        """The text has time, level and event in front, and the login at its end."""
        self.assertRegex(
            as_text(_LINE),
            r"^20\d\d-\S+T\S+\.250[+-]\d\d:\d\d warn \[said\] alice said nöthing \[login 8d0f\]$",
        )

    def test_traceback(self) -> None:
        """A traceback is indented, so that each line that is not begins an event."""
        first, *others = as_text(_FAULT).split("\n")
        self.assertTrue(first.endswith("critical [said] oh"))
        self.assertEqual(others, ["    Traceback:", "      here", "    Error: x"])

    def test_json(self) -> None:
        """JSON has it all, in one line."""
        told = json.loads(as_json(_LINE))
        self.assertRegex(told.pop("time"), r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.250[+-]\d\d:\d\d$")
        self.assertEqual(
            told,
            {
                "level": "warn",
                "event": "said",
                "message": "alice said nöthing",
                "user": "alice",
                "login": "8d0f",
            },
        )
        self.assertNotIn("\n", as_json(_FAULT))
        self.assertEqual(json.loads(as_json(_FAULT))["traceback"], _FAULT.traceback)

    def test_file(self) -> None:
        """A file is made for nobody but its owner and group, and written to at its end."""
        path = Path(self.mktemp())
        for _ in range(2):
            sink = open_file(path, as_text)
            sink.write(_LINE)
            sink.close()
        self.assertEqual(path.read_text(encoding="utf-8"), f"{as_text(_LINE)}\n" * 2)
        self.assertEqual(stat.S_IMODE(path.stat().st_mode) & 0o027, 0)

    def test_full_pipe(self) -> None:
        """A pipe that nobody reads, and that does not wait, loses lines and raises OSError."""
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        os.set_blocking(write, False)
        sink = StreamSink(write, as_text)
        self.addCleanup(sink.close)
        with self.assertRaises(OSError):
            for _ in range(100_000):
                sink.write(_LINE)


class SettingsTests(SynchronousTestCase):
    """``[log]``."""

    def read(self, **keys: object) -> LogSettings:
        path = Path(self.mktemp())
        path.write_text("[log]\n" + "".join(f"{key} = {one}\n" for key, one in keys.items()))
        reader = IniReader(path)
        settings = read_log(reader.section("log"))
        reader.finish()
        return settings

    def refused(self, **keys: object) -> str:
        return str(self.assertRaises(ConfigurationFault, self.read, **keys))

    def test_defaults(self) -> None:
        """What is best is found out, as text, without what is for developers."""
        self.assertEqual(self.read(), LogSettings("auto", "text", "info"))

    def test_file(self) -> None:
        """A path is a file, there or not."""
        path = Path(self.mktemp()).absolute()
        self.assertEqual(self.read(to=path, format="json", level="warn").to, path)
        path.touch()
        self.assertEqual(self.read(to=path).to, path)

    def test_not_a_place(self) -> None:
        """Other words, and files that cannot be, are faults with a remedy."""
        self.assertIn("none of auto, journald, stderr", self.refused(to="syslog"))
        self.assertIn("Name a file in it", self.refused(to=Path(self.mktemp()).absolute().parent))
        self.assertIn("Make that directory", self.refused(to="/nowhere/xmppd/xmppd.log"))
        self.assertIn("one of debug, info, warn, error", self.refused(level="loud"))
        self.assertIn("one of text, json", self.refused(format="xml"))
