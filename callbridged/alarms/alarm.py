"""What an alarm is, and what kinds there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import NAMESPACE_URL, uuid5

from bridgewire.steps import Reason, Step


class Kind(StrEnum):
    """What is wrong."""

    LINK_DOWN = "link-down"
    REGISTRATION_REFUSED = "registration-refused"
    CERTIFICATE = "certificate"
    SECRET_DIFFERS = "secret-differs"  # noqa: S105  it is no secret
    BACKEND_DOWN = "backend-down"
    LOGIN_FAILURES = "login-failures"
    CLOCK_SKEW = "clock-skew"


class Severity(StrEnum):
    """``critical``: logins fail because of it. ``warning``: they may, sooner or later."""

    CRITICAL = "critical"
    WARNING = "warning"


#: What an alarm is called by: its kind, and what it is about.
Key = tuple[Kind, str]


@dataclass(frozen=True)
class Condition:
    """Something that is wrong now, and may be an alarm if it stays so.

    ``subject``: a target (``host:port``), the path of a file, a backend, or the XMPP domain.
    ``text`` says what was seen, ``remedy`` what to do and on which host; whole sentences without
    secrets, and safe to log.
    """

    kind: Kind
    subject: str
    severity: Severity
    text: str
    remedy: str
    step: Step
    reason: Reason

    @property
    def key(self) -> Key:
        """What tells it apart from others."""
        return self.kind, self.subject


@dataclass(frozen=True)
class Alarm(Condition):
    """A condition that has lasted. ``since``: when it began, which is before it was raised."""

    since: datetime

    @property
    def id(self) -> str:
        """A UUID, the same from its beginning to its end, and another one the next time."""
        return str(uuid5(NAMESPACE_URL, f"{self.kind} {self.subject} {self.since.isoformat()}"))

    def as_json(self) -> dict[str, str]:
        """Answer it for JSON."""
        return {
            "id": self.id,
            "kind": str(self.kind),
            "subject": self.subject,
            "severity": str(self.severity),
            "since": self.since.isoformat(timespec="seconds"),
            "text": self.text,
            "remedy": self.remedy,
            "step": str(self.step),
            "reason": str(self.reason),
        }


class What(StrEnum):
    """What has become of an alarm."""

    RAISED = "raised"
    #: Its severity is another one.
    CHANGED = "changed"
    CLEARED = "cleared"


@dataclass(frozen=True)
class Change:
    """Something has become of ``alarm``, ``at`` that time."""

    what: What
    alarm: Alarm
    at: datetime

    def as_json(self) -> dict[str, object]:
        """Answer it for JSON."""
        return {
            "what": str(self.what),
            "at": self.at.isoformat(timespec="seconds"),
            "alarm": self.alarm.as_json(),
        }
