"""Tests of /system/status and /system/alarms."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from bridgewire.steps import Reason, Step
from callbridged.alarms.alarm import Alarm, Kind, Severity
from callbridged.web.api.system import SystemAlarms, SystemStatus
from tests.callbridged.web.api.calls import ObjectCase

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def an_alarm(kind: Kind, step: Step, reason: Reason, subject: str = "x:5223") -> Alarm:
    since = NOW - timedelta(seconds=3919.5)
    return Alarm(kind, subject, Severity.CRITICAL, "It is.", "Mend it.", step, reason, since=since)


class StatusTests(ObjectCase):
    """What callbridgectl status answers, for scripts of CMS's."""

    def test_names(self) -> None:
        """Version and uptime have the names of CMS, and come first; the others are as in CMS."""
        status = {"callbridge": "cb1", "version": "1.2", "uptime_seconds": 9, "last_error": None}
        answer = self.run_it(SystemStatus(lambda: status).operations["GET"])
        self.assertEqual(answer.name, "status")
        self.assertEqual(
            list((answer.value or {}).items()),
            [
                ("softwareVersion", "1.2"),
                ("uptimeSeconds", 9),
                ("callbridge", "cb1"),
                ("lastError", None),
            ],
        )


class AlarmTests(ObjectCase):
    """Alarms that are raised."""

    def show(self, *active: Alarm, **query: str) -> Any:
        alarms: Any = SimpleNamespace(active=active)
        operation = SystemAlarms(alarms, lambda: NOW).operations["GET"]
        return self.run_it(operation, query=query).value

    def test_alarm(self) -> None:
        """An alarm has what CMS tells of it, and more."""
        alarm = an_alarm(Kind.LINK_DOWN, Step.CONNECT, Reason.CONNECT_REFUSED)
        self.assertEqual(
            self.show(alarm),
            {
                "total": 1,
                "alarms": [
                    {
                        "id": alarm.id,
                        "type": "xmppRegistrationFailure",
                        "activeTimeSeconds": 3919,
                        "failureReason": "connectFailure",
                        "kind": "link-down",
                        "subject": "x:5223",
                        "severity": "critical",
                        "since": alarm.since.isoformat(timespec="seconds"),
                        "text": "It is.",
                        "remedy": "Mend it.",
                        "step": "connect",
                        "reason": "connect-refused",
                    }
                ],
            },
        )

    def test_types_and_reasons(self) -> None:
        """Types and reasons are CMS's where it has one."""
        for kind, step, reason, type_, failure in (
            (Kind.LINK_DOWN, Step.SRV, Reason.NO_SUCH_SERVICE, "xmppRegistrationFailure", "dns"),
            (
                Kind.REGISTRATION_REFUSED,
                Step.REGISTERED,
                Reason.AUTHENTICATION_FAILURE,
                "xmppAuthenticationRegistrationFailure",
                "authentication",
            ),
            (Kind.CERTIFICATE, Step.CERTIFICATE, Reason.CERTIFICATE_EXPIRED, None, "connect"),
        ):
            (shown,) = self.show(an_alarm(kind, step, reason))["alarms"]
            self.assertEqual(shown["type"], type_ or str(kind))
            self.assertEqual(shown["failureReason"], f"{failure}Failure")
        (shown,) = self.show(an_alarm(Kind.CLOCK_SKEW, Step.ACTIVE, Reason.POLICY))["alarms"]
        self.assertEqual((shown["type"], shown["failureReason"]), ("clockSkew", "error"))

    def test_pages(self) -> None:
        """There may be many, which come a part at a time."""
        alarms = [
            an_alarm(Kind.LINK_DOWN, Step.TLS, Reason.TLS_FAILURE, f"x:{port}") for port in range(9)
        ]
        shown = self.show(*alarms, offset="7", limit="5")
        self.assertEqual(shown["total"], 9)
        self.assertEqual([one["subject"] for one in shown["alarms"]], ["x:7", "x:8"])
