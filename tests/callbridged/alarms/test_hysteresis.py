"""Tests of callbridged.alarms.hysteresis: when a condition becomes an alarm."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from callbridged.alarms.alarm import Change, Condition, Kind, Severity, What
from callbridged.alarms.hysteresis import Delays, Hysteresis
from tests.callbridged.alarms.conditions import ONE, TWO, condition

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
RAISE, CLEAR = 30.0, 20.0
DOWN = condition()
REFUSED = condition(Kind.REGISTRATION_REFUSED)


class HysteresisTests(SynchronousTestCase):
    """Alarms after 30 seconds, and no more after 20."""

    def setUp(self) -> None:
        self.hysteresis = Hysteresis(lambda _: Delays(RAISE, CLEAR))

    def at(self, seconds: float, *conditions: Condition) -> list[tuple[str, str]]:
        """Let these conditions hold from ``seconds`` on; answer what changes."""
        changes = self.changes(seconds, *conditions)
        return [(str(one.what), str(one.alarm.kind)) for one in changes]

    def changes(self, seconds: float, *conditions: Condition) -> list[Change]:
        now = NOON + timedelta(seconds=seconds)
        return self.hysteresis.update(conditions, seconds, now)

    def test_raised(self) -> None:
        """A condition that lasts is an alarm, which says since when."""
        self.assertEqual(self.at(5, DOWN), [])
        self.assertEqual(self.hysteresis.remaining(5), RAISE)
        self.assertEqual(self.at(34, DOWN), [])
        self.assertEqual(self.at(35, DOWN), [("raised", "link-down")])
        (alarm,) = self.hysteresis.active
        self.assertEqual(alarm.since, NOON + timedelta(seconds=5))
        self.assertEqual((alarm.subject, alarm.text, alarm.remedy), (ONE, DOWN.text, DOWN.remedy))
        self.assertEqual((alarm.step, alarm.reason), (DOWN.step, DOWN.reason))
        self.assertEqual(self.at(100, DOWN), [])
        self.assertIsNone(self.hysteresis.remaining(100))

    def test_short(self) -> None:
        """One that does not last is none, and when it comes again it has to last again."""
        self.at(0, DOWN)
        self.at(29)
        self.assertIsNone(self.hysteresis.remaining(29))
        self.assertEqual(self.at(31, DOWN), [])
        self.assertEqual(self.at(60, DOWN), [])
        self.assertEqual(self.at(61, DOWN), [("raised", "link-down")])

    def test_cleared(self) -> None:
        """An alarm is over when its condition has been gone for a while; until then it is there."""
        self.at(0, DOWN)
        self.at(30, DOWN)
        (alarm,) = self.hysteresis.active
        self.assertEqual(self.at(40), [])
        self.assertEqual(self.hysteresis.remaining(50), 10)
        self.assertEqual(self.hysteresis.active, (alarm,))
        (change,) = self.changes(60)
        self.assertIs(change.what, What.CLEARED)
        self.assertEqual(change.alarm, alarm)
        self.assertEqual(change.at, NOON + timedelta(seconds=60))
        self.assertEqual(self.hysteresis.active, ())

    def test_comes_back(self) -> None:
        """A condition that comes back before that goes on to be the same alarm."""
        self.at(0, DOWN)
        self.at(30, DOWN)
        (alarm,) = self.hysteresis.active
        for begin in range(40, 400, 20):
            self.assertEqual(self.at(begin), [])
            self.assertEqual(self.at(begin + 19, DOWN), [])
        self.assertEqual(self.hysteresis.active, (alarm,))
        self.assertEqual(self.hysteresis.active[0].id, alarm.id)

    def test_next_time(self) -> None:
        """The next time it is another alarm, with an id of its own."""
        ids = []
        for begin in (0, 100):
            self.at(begin, DOWN)
            self.at(begin + 30, DOWN)
            ids.append(self.hysteresis.active[0].id)
            self.at(begin + 31)
            self.at(begin + 60)
        self.assertNotEqual(*ids)

    def test_subjects(self) -> None:
        """Each target has alarms of its own, and the oldest is the first."""
        self.at(0, condition(subject=TWO))
        self.at(10, condition(subject=TWO), DOWN)
        self.at(40, condition(subject=TWO), DOWN)
        self.assertEqual([one.subject for one in self.hysteresis.active], [TWO, ONE])
        self.at(41, DOWN)
        self.at(61, DOWN)
        self.assertEqual([one.subject for one in self.hysteresis.active], [ONE])

    def test_text(self) -> None:
        """The alarm says what is the matter now, which is nothing new; a severity is."""
        self.at(0, DOWN)
        self.at(30, DOWN)
        self.assertEqual(self.at(31, condition(text="It is worse.")), [])
        self.assertEqual(self.hysteresis.active[0].text, "It is worse.")
        critical = condition(severity=Severity.CRITICAL)
        self.assertEqual(self.at(32, critical), [("changed", "link-down")])
        self.assertIs(self.hysteresis.active[0].severity, Severity.CRITICAL)
        self.assertEqual(self.hysteresis.active[0].since, NOON)

    def test_refused(self) -> None:
        """A link that is refused is down, too, which is not said as well."""
        self.at(0, DOWN)
        self.at(2, DOWN, REFUSED)
        self.assertEqual(self.at(30, DOWN, REFUSED), [])
        self.assertEqual(self.at(32, DOWN, REFUSED), [("raised", "registration-refused")])
        self.assertIsNone(self.hysteresis.remaining(32))
        self.assertEqual(self.at(500, DOWN, REFUSED), [])

    def test_refused_no_longer(self) -> None:
        """When it is no longer refused, but still down, that is what is said."""
        self.at(0, DOWN, REFUSED)
        self.at(30, DOWN, REFUSED)
        self.assertEqual(self.at(40, DOWN), [])
        self.assertEqual(
            self.at(60, DOWN), [("cleared", "registration-refused"), ("raised", "link-down")]
        )

    def test_reasons_in_turns(self) -> None:
        """A link is said to be down also where none of the reasons lasts."""
        changes = []
        for seconds in range(0, 100, 10):
            reason = REFUSED if seconds % 20 else condition(Kind.CERTIFICATE)
            changes += self.at(seconds, DOWN, reason)
        self.assertEqual(changes, [("raised", "link-down")])

    def test_kinds(self) -> None:
        """Kinds may have delays of their own, and these may become others."""
        delays = {Kind.LINK_DOWN: Delays(30, 20), Kind.LOGIN_FAILURES: Delays(0, 20)}
        self.hysteresis = Hysteresis(lambda kind: delays[kind])
        failures = condition(Kind.LOGIN_FAILURES, "example.com")
        self.assertEqual(self.at(0, DOWN, failures), [("raised", "login-failures")])
        delays[Kind.LINK_DOWN] = Delays(5, 20)
        self.assertEqual(self.at(5, DOWN, failures), [("raised", "link-down")])

    @given(
        st.lists(
            st.tuples(
                st.floats(0, 50),
                st.sets(st.sampled_from([DOWN, REFUSED, condition(subject=TWO)])),
            ),
            max_size=40,
        ),
        st.floats(0, 60),
        st.floats(0, 60),
    )
    def test_never_flaps(
        self, course: Sequence[tuple[float, set[Condition]]], raise_after: float, clear_after: float
    ) -> None:
        """Whatever comes and goes: what is raised has held for `raise_after` without a gap, and
        what is cleared has been gone for `clear_after`; each in turns, and no sooner nor later
        than `remaining` says."""
        hysteresis = Hysteresis(lambda _: Delays(raise_after, clear_after))
        seconds = 0.0
        turned: dict[tuple[Kind, str], float] = {}
        there: set[tuple[Kind, str]] = set()
        raised: dict[tuple[Kind, str], float] = {}

        def update(conditions: set[Condition]) -> None:
            now = NOON + timedelta(seconds=seconds)
            for change in hysteresis.update(conditions, seconds, now):
                key = change.alarm.key
                if change.what is What.RAISED:
                    self.assertNotIn(key, raised)
                    self.assertIn(key, there)
                    self.assertGreaterEqual(seconds - turned[key], raise_after - 1e-6)
                    raised[key] = seconds
                else:
                    self.assertIs(change.what, What.CLEARED)
                    self.assertNotIn(key, there)
                    self.assertGreaterEqual(seconds - turned[key], clear_after - 1e-6)
                    self.assertGreaterEqual(seconds - raised.pop(key), clear_after - 1e-6)
            self.assertEqual({one.key for one in hysteresis.active}, set(raised))

        for wait, conditions in course:
            keys = {one.key for one in conditions}
            for key in keys ^ there:
                turned[key] = seconds
            there = keys
            update(conditions)
            end = seconds + wait
            while (left := hysteresis.remaining(seconds)) is not None and seconds + left <= end:
                before = hysteresis.active
                seconds += left
                update(conditions)
                self.assertNotEqual(hysteresis.active, before)
            seconds = end
