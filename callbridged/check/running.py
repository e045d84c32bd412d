"""What a callbridged that runs on this host says of itself, as far as a check needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridgewire.steps import Reason, describe_error
from daemonkit.calling import CommandError, NotRunning, call

#: Seconds for its answer.
_TIMEOUT = 5.0


@dataclass(frozen=True)
class Running:
    """``status``: its answer, None where there is none. ``warning``: why, and what to do.

    ``down``: it is certain that none runs.
    """

    status: Mapping[str, Any] | None = None
    warning: str = ""
    down: bool = False

    def may_hold(self, target: str) -> bool:
        """False where a link of our name to ``target`` is certainly not this host's."""
        error = self._link(target).get("last_error") or {}
        return not self.down and error.get("reason") != Reason.CONFLICT

    def clock_skew(self, target: str) -> float | None:
        """Answer what it has found of that server's clock."""
        skew: float | None = self._link(target).get("clock_skew")
        return skew

    def warnings(self) -> list[str]:
        """Answer what deserves a look, and is not seen from outside of the daemon."""
        status = self.status or {}
        found = [self.warning] if self.warning else []
        if status.get("draining"):
            found.append(
                "callbridged takes no new logins (draining). callbridgectl resume takes them again."
            )
        for one in status.get("users", []):
            error = one["last_error"]
            if error:
                found.append(describe_error(error))
        return found

    def _link(self, target: str) -> Mapping[str, Any]:
        links: list[Mapping[str, Any]] = (self.status or {}).get("links", [])
        return next((one for one in links if one["target"] == target), {})


def ask_running(control_socket: Path) -> Running:
    """Ask the daemon. Blocks; never raises."""
    try:
        return Running(call(control_socket, "status", _TIMEOUT))
    except NotRunning as why:
        return Running(warning=str(why), down=why.down)
    except CommandError as why:
        return Running(warning=str(why))
