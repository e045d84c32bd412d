"""What callbridgectl may ask of a running daemon, over the control socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from callbridged.config import Config
from callbridged.links import Links
from callbridged.login import LoginService


def commands(
    config: Config, links: Links, logins: LoginService
) -> Mapping[str, Callable[[dict[str, Any]], object]]:
    """Answer the commands by name; each takes the arguments and answers something for JSON."""

    def status(_: dict[str, Any]) -> object:
        """The status of docs/operating.md: the links, and whether logins can be answered."""
        return {
            "callbridge": config.callbridge.name,
            "domain": config.callbridge.domain,
            "authentication_service": "registered" if links.registered else "down",
            "links": links.status(),
            "outstanding_logins": logins.outstanding(),
        }

    return {"status": status}
