"""Who is let in at an HTTP port: so many connections in all, and so many from one address."""

from __future__ import annotations

from typing import Protocol

from twisted.logger import Logger

from daemonkit.logging.events import CONNECTIONS_FULL
from daemonkit.places import Places


class Door(Protocol):
    """What a `daemonkit.web.site.WebSite` asks about each connection."""

    def admit(self, host: str) -> bool:
        """Take a place for one from ``host``; False, and a log line, where none is left."""

    def dismiss(self, host: str) -> None:
        """Give it back."""


class CountingDoor:
    """A door with places of its own. ``port`` is what the log calls it."""

    log = Logger()

    def __init__(self, port: str, limit: int, per_address: int) -> None:
        self._port = port
        self.places = Places(limit, per_address)

    def admit(self, host: str) -> bool:
        """As `Door`."""
        if self.places.enter(host):
            return True
        self.log.warn(CONNECTIONS_FULL, peer=host, port=self._port)
        return False

    def dismiss(self, host: str) -> None:
        """As `Door`."""
        self.places.leave(host)
