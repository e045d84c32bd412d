"""Conditions to try alarms on."""

from __future__ import annotations

from typing import Any

from bridgewire.steps import Reason, Step
from callbridged.alarms.alarm import Condition, Kind, Severity

ONE, TWO = "xmpp1.example.com:5223", "xmpp2.example.com:5223"


def condition(kind: Kind = Kind.LINK_DOWN, subject: str = ONE, **more: Any) -> Condition:
    """One that could be."""
    values: dict[str, Any] = {
        "severity": Severity.WARNING,
        "text": "It is down.",
        "remedy": "Start it.",
        "step": Step.CONNECT,
        "reason": Reason.CONNECT_REFUSED,
    }
    return Condition(kind, subject, **(values | more))
