"""``/system/status`` and ``/system/alarms``: how the Call Bridge does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from bridgewire.steps import REFUSALS, Reason, Step
from callbridged.alarms.alarm import Alarm, Kind
from callbridged.alarms.service import Alarms
from callbridged.web.api.operation import Answer, Call, Operation
from callbridged.web.api.paging import PAGE, page
from callbridged.web.api.representation import camel_case

#: Kinds that CMS has a type for. The others are called as they are here.
_TYPES = {
    Kind.LINK_DOWN: "xmppRegistrationFailure",
    Kind.REGISTRATION_REFUSED: "xmppAuthenticationRegistrationFailure",
}


class SystemStatus:
    """The object: what ``callbridgectl status --json`` answers, with the names of CMS."""

    def __init__(self, status: Callable[[], Mapping[str, Any]]) -> None:
        self._status = status
        self.operations = {"GET": Operation(self.show)}

    async def show(self, call: Call) -> Answer:
        """Answer how the daemon does now."""
        status = dict(self._status())
        first = {
            "softwareVersion": status.pop("version"),
            "uptimeSeconds": status.pop("uptime_seconds"),
        }
        return Answer("status", {**first, **cast(dict[str, object], camel_case(status))})


class SystemAlarms:
    """The list of the alarms that are raised, the oldest first."""

    def __init__(
        self, alarms: Alarms, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._alarms = alarms
        self._now = now
        self.operations = {"GET": Operation(self.show, query=PAGE)}

    async def show(self, call: Call) -> Answer:
        """Answer a part of the list."""
        now = self._now()
        alarms = [_alarm(one, now) for one in self._alarms.active]
        return Answer("alarms", page("alarms", alarms, call.query))


def _alarm(alarm: Alarm, now: datetime) -> dict[str, object]:
    told = alarm.as_json()
    return {
        "id": told.pop("id"),
        "type": _TYPES.get(alarm.kind) or camel_case_of(alarm.kind),
        "activeTimeSeconds": max(0, int((now - alarm.since).total_seconds())),
        "failureReason": _failure_reason(alarm),
        **told,
    }


def camel_case_of(kind: Kind) -> str:
    """Answer a kind as a type of CMS's would be called: ``clockSkew``."""
    first, *others = kind.split("-")
    return first + "".join(word.capitalize() for word in others)


def _failure_reason(alarm: Alarm) -> str:
    """Answer which of the reasons that CMS has comes nearest."""
    if alarm.reason in REFUSALS and alarm.step in {Step.REGISTER, Step.REGISTERED}:
        return "authenticationFailure"
    if alarm.reason in {Reason.DNS_FAILURE, Reason.NO_SUCH_SERVICE}:
        return "dnsFailure"
    if alarm.step in {Step.CONNECT, Step.TLS, Step.CERTIFICATE, Step.REGISTER}:
        return "connectFailure"
    return "error"
