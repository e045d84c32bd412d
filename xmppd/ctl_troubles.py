"""What ``xmppctl status`` says of what failed last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bridgewire.steps import describe_error
from daemonkit import open_files
from daemonkit.terminal import printable
from xmppd.ctl_sessions import local_time


def trouble_rows(status: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Answer rows of the whole server."""
    if "open_files" in status:  # else it is by an older daemon
        number, most = status["open_files"], status["open_files_limit"]
        few = f". {open_files.REMEDY}" if open_files.are_few(number, most) else ""
        yield "Open files", open_files.describe(number, most) + few
    for warning in status.get("warnings", []):
        yield "Warning", printable(warning)
    if status.get("registry_fault"):
        yield "Registry", printable(status["registry_fault"])
    for domain in status.get("domains", []):
        for trouble in domain.get("unanswered_logins", []):
            yield "Unanswered login", describe_trouble(trouble)
    for trouble in status.get("refused", []):
        yield "Refused", describe_trouble(trouble)


def describe_trouble(trouble: Mapping[str, str] | None) -> str:
    """Answer ``tls, tls-failure: text (from 192.0.2.1:4711, 2026-11-25 12:00:00 CET)``."""
    if trouble is None:
        return ""
    said = describe_error(trouble)
    return printable(f"{said} (from {trouble['peer']}, {local_time(trouble['at'])})")
