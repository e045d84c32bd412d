"""Tests of callbridged.alarms.ctl: alarms for people."""

from __future__ import annotations

from datetime import UTC, datetime

from twisted.trial.unittest import SynchronousTestCase

from callbridged.alarms.alarm import Alarm
from callbridged.alarms.ctl import lines, status_lines_of
from tests.callbridged.alarms.conditions import ONE, condition

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def alarm(**more: object) -> dict[str, str]:
    return Alarm(**vars(condition(**more)), since=NOON).as_json()


class LinesTests(SynchronousTestCase):
    """What is printed."""

    def test_alarm(self) -> None:
        """One says what it is, of what, since when, what was seen, and what to do."""
        head, since, *others = lines([alarm()])
        self.assertEqual(head, f"warning  link-down, {ONE}")
        shown = NOON.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        self.assertEqual(since, f"  since {shown}; connect, connect-refused")
        self.assertEqual(others, ["  It is down.", "  Start it."])

    def test_none(self) -> None:
        """That there is none is said."""
        self.assertEqual(list(lines([])), ["There is no alarm."])

    def test_status(self) -> None:
        """In the status it is what was seen, and where to read on; nothing where there is none."""
        said = [f"ALARM  link-down, {ONE}: It is down.", "callbridgectl alarms says what to do."]
        self.assertEqual(list(status_lines_of([alarm()])), said)
        self.assertEqual(list(status_lines_of([])), [])

    def test_width(self) -> None:
        """It fits into 80 columns."""
        found = [alarm(text="words " * 40, remedy="more words " * 30)]
        for line in (*lines(found), *status_lines_of(found)):
            self.assertLessEqual(len(line), 80)

    def test_words_of_a_peer(self) -> None:
        """What a peer has said moves no cursor."""
        said = "\n".join((*lines([alarm(text="a\x1b[2J")]), *status_lines_of([alarm(text="\x1b")])))
        self.assertNotIn("\x1b", said)
