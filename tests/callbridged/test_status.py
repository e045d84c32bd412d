"""Tests of callbridged.status: what the daemon says of itself."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from callbridged.alarms.alarm import Alarm
from callbridged.status import Status
from tests.callbridged.alarms.conditions import condition


def a_bridge(registered: int = 1) -> Any:
    """What a status is made of, as far as it is asked; no guests, nobody paused."""
    return SimpleNamespace(
        config=SimpleNamespace(
            callbridge=SimpleNamespace(name="cb1", domain="example.com", state_directory="/")
        ),
        links=SimpleNamespace(
            registered=registered,
            status=lambda: ["a link"],
            former=lambda: ["a former link"],
            warnings=lambda: ["a warning"],
        ),
        logins=SimpleNamespace(outstanding=lambda: 2, draining=False),
        users=SimpleNamespace(status=lambda: ["a backend"]),
        guests=None,
        guessing=None,
    )


class StatusTests(SynchronousTestCase):
    """The answer, out of what the parts say."""

    def test_parts(self) -> None:
        """It has what each part says, how long the daemon has run, and which version it is."""
        clock, reload = Clock(), SimpleNamespace(last=None)
        alarm = Alarm(**vars(condition()), since=datetime(2026, 11, 25, tzinfo=UTC))
        alarms = SimpleNamespace(active=(alarm,))
        status = Status(clock, a_bridge(), reload, alarms)  # type: ignore[arg-type]
        clock.advance(90.7)
        said = status()
        self.assertRegex(said.pop("version"), r"^\d+\.\d+")
        self.assertEqual(said.pop("warnings")[0], "a warning")
        self.assertEqual(said.pop("alarms"), [alarm.as_json()])
        self.assertEqual(
            said,
            {
                "callbridge": "cb1",
                "domain": "example.com",
                "uptime_seconds": 90,
                "authentication_service": "registered",
                "links": ["a link"],
                "former": ["a former link"],
                "outstanding_logins": 2,
                "draining": False,
                "guests": None,
                "users": ["a backend"],
                "paused": 0,
                "reload": None,
            },
        )

    def test_down(self) -> None:
        """The authentication service is down where no link is registered."""
        nothing: Any = SimpleNamespace(last=None, active=())
        status = Status(Clock(), a_bridge(registered=0), nothing, nothing)
        self.assertEqual(status()["authentication_service"], "down")
