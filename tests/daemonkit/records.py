"""Login records to try on what shows them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from daemonkit.login_record import LoginRecord


def a_record(number: int = 0, **more: Any) -> LoginRecord:
    """One of alice's, with the id ``number`` in hexadecimal."""
    values: dict[str, Any] = {
        "ended": datetime(2026, 3, 1, 12, 0, 0, 500_000, UTC),
        "login": f"{number:032x}",
        "user": "alice",
        "domain": "example.com",
        "mechanism": "SCRAM-SHA-256",
        "peer": "203.0.113.7",
        "asked": ("cb1.example.com",),
        "outcome": "success",
        "seconds": 0.0123,
    }
    return LoginRecord(**(values | more))
