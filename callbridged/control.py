"""What callbridgectl may ask of a running daemon, over the control socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from callbridged.config import Config
from callbridged.links import Links
from callbridged.login import LoginService
from callbridged.relay import Relay


def commands(
    config: Config, links: Links, logins: LoginService, relay: Relay
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
            "draining": logins.draining,
        }

    def drain(_: dict[str, Any]) -> object:
        """Take no new logins; those under way go on."""
        relay.drain(True)
        return {"draining": True, "outstanding_logins": logins.outstanding()}

    def resume(_: dict[str, Any]) -> object:
        """Take logins again."""
        relay.drain(False)
        return {"draining": False, "outstanding_logins": logins.outstanding()}

    return {"status": status, "drain": drain, "resume": resume}
