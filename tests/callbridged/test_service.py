"""Tests of callbridged.service: what systemd is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from callbridged import service
from callbridged.alarms.alarm import Alarm, Condition, Kind
from callbridged.service import READY_AFTER, Readiness, alarms_in_words, status_line
from daemonkit import pulse
from daemonkit.pulse import Pulse
from tests.callbridged.alarms.conditions import condition

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def link(target: str, state: str, **more: object) -> dict[str, object]:
    return {"target": target, "state": state, "since": NOW.isoformat(), "last_error": None, **more}


class ReadinessTests(SynchronousTestCase):
    """READY and STOPPING, over a clock."""

    def setUp(self) -> None:
        self.told: list[str] = []
        self.patch(service, "notify", self.told.append)
        self.clock = Clock()
        self.first: Deferred[None] = Deferred()
        self.patch(pulse, "notify", self.told.append)
        self.readiness = Readiness(self.clock, self.first, Pulse(self.clock, lambda: "connected"))
        self.readiness.startService()

    def test_attempt(self) -> None:
        """It is ready when the first attempt has been made, whatever came of it, and once; and
        says how it does."""
        self.assertEqual(self.told, [])
        self.first.callback(None)
        self.assertEqual(self.told, ["READY=1", "STATUS=connected"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_end(self) -> None:
        """systemd is not kept waiting for an attempt that does not end."""
        self.clock.advance(READY_AFTER - 1)
        self.assertEqual(self.told, [])
        self.clock.advance(1)
        self.first.callback(None)
        self.assertEqual(self.told, ["READY=1", "STATUS=connected"])

    def test_stopped(self) -> None:
        """What stops before that was never ready."""
        self.readiness.stopService()
        self.first.callback(None)
        self.assertEqual((self.told, self.clock.getDelayedCalls()), (["STOPPING=1"], []))


class AlarmsInWordsTests(SynchronousTestCase):
    """What that line says of alarms."""

    def said(self, *conditions: Condition) -> str:
        return alarms_in_words([Alarm(**vars(one), since=NOW) for one in conditions])

    def test_none(self) -> None:
        """Nothing where there is none."""
        self.assertEqual(self.said(), "")

    def test_some(self) -> None:
        """Each is named with what it is about, and of many the first three."""
        one = condition(Kind.BACKEND_DOWN, "file:users")
        self.assertEqual(self.said(one), "; alarm: backend-down file:users")
        self.assertEqual(
            self.said(one, *[condition(subject=f"xmpp{number}") for number in range(4)]),
            "; alarms: backend-down file:users, link-down xmpp0, link-down xmpp1, 2 more",
        )


class StatusLineTests(SynchronousTestCase):
    """The line for ``systemctl status``."""

    def test_connected(self) -> None:
        """It says where to and for how long, in a number that seldom changes."""
        one = link("xmpp1.example.com:5223", "registered")
        said = "connected to xmpp1.example.com:5223 (secure), registered as cb1"
        self.assertEqual(status_line("cb1", [one], NOW), said)
        lines = {status_line("cb1", [one], NOW + timedelta(seconds=at)) for at in range(7200, 7260)}
        self.assertEqual(lines, {f"{said} for 2 h"})

    def test_several(self) -> None:
        """With several links, the oldest says how long; what is down says why."""
        older = (NOW - timedelta(days=3)).isoformat()
        error = {"step": "connect", "reason": "connect-refused", "text": ""}
        links = [
            link("a:5223", "registered"),
            link("b:5223", "registered", since=older, secret_in_use="former"),
            link("c:5223", "waiting", last_error=error),
            link("", "resolving"),
        ]
        self.assertEqual(
            status_line("cb1", links, NOW),
            "connected to a:5223, b:5223 (secure), registered as cb1 for 3 d; "
            "with the former secret: b:5223; "
            "c:5223 waiting, connect: connect-refused; no XMPP server resolving",
        )

    def test_moving(self) -> None:
        """While links move, it says over which former ones logins go on."""
        error = {"step": "register", "reason": "host-unknown", "text": ""}
        whose = {"callbridge": "cb1", "domain": "example.com"}
        former = [link("a:5223", "registered", **whose), link("b:5223", "waiting", **whose)]
        self.assertEqual(
            status_line("cb2", [link("a:5223", "waiting", last_error=error)], NOW, former),
            "a:5223 waiting, register: host-unknown; still connected to a:5223 as cb1.example.com",
        )
