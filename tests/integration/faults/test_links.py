"""Step 11: what ends a link that was up, as both ends tell it."""

from __future__ import annotations

import functools

from tests.integration.faults.look import FaultCase, Seen, look
from tests.integration.faults.table import Row, provokes
from tests.support.site import small_site

PINGS = {"ping_interval": "500ms", "ping_timeout": "500ms"}
#: Long, so that status still says what ended the link, and not how the next attempt failed.
LINK = {"connect_timeout": "2s", "retry_initial": "60s", "retry_max": "60s"}


@functools.cache
def seen() -> dict[str, Seen]:
    """One link, ended in all ways one after the other, and up again each time."""
    found: dict[str, Seen] = {}
    site = small_site({"link": {**PINGS, **LINK}}, settings={"component": PINGS})
    try:
        server, bridge = site.servers[0], site.bridges[0]
        records = f"--nameserver={site.nameserver.where}"

        def again() -> None:
            bridge.command("reload")
            bridge.wait_registered(1)
            server.wait_state("cb1", "registered")

        def fails(name: str, reason: str) -> None:
            bridge.wait_failure("active", reason)
            found[name] = look(bridge)

        site.start()
        server.freeze()
        fails("frozen", "timeout")
        server.thaw()
        again()
        server.command("callbridge", "del", "cb1")
        fails("removed", "authentication-failure")
        site.enrol(bridge)
        again()
        server.stop()
        fails("stopped", "link-lost")
        server.start()
        again()
        bridge.freeze()
        server.wait_state("cb1", "down")
        found["bridge frozen"] = look(server, records)
        bridge.thaw()
        bridge.wait_failure("active", "link-lost")
        again()
        bridge.kill()
        server.wait_state("cb1", "down")
        found["bridge killed"] = look(server, records)
        bridge.start()
        bridge.wait_registered(1)
        server.kill()
        fails("killed", "link-lost")
        return found
    finally:
        site.close()


class LinkTests(FaultCase):
    """A link ends."""

    @provokes("callbridgectl", "sent nothing for ... s and did not answer a ping")
    def test_frozen(self, row: Row) -> None:
        """xmppd is frozen."""
        self.shows(row, seen()["frozen"])

    @provokes("callbridgectl", "took the registration of ... back")
    def test_removed(self, row: Row) -> None:
        """The name is removed from the registry."""
        self.shows(row, seen()["removed"])

    @provokes("callbridgectl", "The XMPP server is shutting down")
    def test_stopped(self, row: Row) -> None:
        """xmppd is stopped."""
        self.shows(row, seen()["stopped"])

    @provokes("callbridgectl", "The connection to the XMPP server was lost.")
    def test_killed(self, row: Row) -> None:
        """xmppd is killed."""
        self.shows(row, seen()["killed"])

    @provokes("xmppctl", "The link is down: it does not answer pings.")
    def test_bridge_frozen(self, row: Row) -> None:
        """callbridged is frozen."""
        self.shows(row, seen()["bridge frozen"])

    @provokes("xmppctl", "The link is down: the connection was lost.")
    def test_bridge_killed(self, row: Row) -> None:
        """callbridged is killed."""
        self.shows(row, seen()["bridge killed"])
