"""What a running Call Bridge says of itself, for callbridgectl, the REST API and the web page."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from twisted.internet.interfaces import IReactorTime

from callbridged.alarms.service import Alarms
from callbridged.bridge import Bridge
from daemonkit import room
from daemonkit.reload import Reload


class Status:
    """Answers how the daemon does now, whenever it is called."""

    def __init__(
        self, clock: IReactorTime, bridge: Bridge, reload: Reload[Any], alarms: Alarms
    ) -> None:
        self._clock = clock
        self._began = clock.seconds()
        self._version = version("callbridge-xmpp")
        self._bridge = bridge
        self._reload = reload
        self._alarms = alarms

    def __call__(self) -> dict[str, Any]:
        """Answer the status of docs/settings.md: the links, and whether logins can be answered."""
        bridge = self._bridge
        return {
            "callbridge": bridge.config.callbridge.name,
            "domain": bridge.config.callbridge.domain,
            "version": self._version,
            "uptime_seconds": int(self._clock.seconds() - self._began),
            "authentication_service": "registered" if bridge.links.registered else "down",
            "links": bridge.links.status(),
            "former": bridge.links.former(),
            "outstanding_logins": bridge.logins.outstanding(),
            "draining": bridge.logins.draining,
            "guests": None if bridge.guests is None else len(bridge.guests.status()),
            "users": bridge.users.status(),
            "warnings": [
                *bridge.links.warnings(),
                *room.warnings(bridge.config.callbridge.state_directory),
            ],
            "alarms": [one.as_json() for one in self._alarms.active],
            "paused": 0 if bridge.guessing is None else len(bridge.guessing.paused()),
            "reload": self._reload.last and self._reload.last.as_json(),
        }
