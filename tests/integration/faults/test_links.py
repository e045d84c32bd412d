"""Step 11: what ends a link that was up, as both ends tell it."""

from __future__ import annotations

import functools

from tests.integration.faults.look import FaultCase, Seen, look
from tests.integration.faults.table import Row, provokes
from tests.integration.test_reload import change
from tests.support.processes import free_port
from tests.support.site import CallBridge, Site, XmppServer, small_site
from tests.support.waiting import wait_until

PINGS = {"ping_interval": "500ms", "ping_timeout": "500ms"}
#: Long, so that status still says what ended the link, and not how the next attempt failed.
LINK = {"connect_timeout": "2s", "retry_initial": "60s", "retry_max": "60s"}


def rotate(site: Site, server: XmppServer, bridge: CallBridge, found: dict[str, Seen]) -> None:
    """Secrets that are not the same at both ends, while the link is up."""
    records = f"--nameserver={site.nameserver.where}"
    server.command("callbridge", "rotate", "cb1")
    found["rotation"] = look(server, records)
    server.command("callbridge", "rotate", "cb1", "--abort")
    server.command("callbridge", "add-secret", "cb1", typed="another\n")
    found["former"] = look(server, records)
    right = bridge.secret_file.read_text()
    bridge.secret_file.write_text("a third\n")
    bridge.command("reload")
    wait_until("the link is not renewed", lambda: bridge.status()["warnings"])
    found["not renewed"] = look(bridge)
    bridge.secret_file.write_text(right)
    site.enrol(bridge)


def move(server: XmppServer, bridge: CallBridge, found: dict[str, Seen]) -> None:
    """To an address where nobody listens, and back."""
    for port in (free_port(server.address), server.component_port):
        change(bridge, {"callbridge": {"server_address": f"{server.fqdn}:{port}"}})
        bridge.command("reload")
        if port != server.component_port:
            wait_until("the links do not move", lambda: bridge.status()["warnings"])
            found["not moved"] = look(bridge)
    bridge.wait_registered(1)


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

        site.nameserver.start()
        server.start()
        bridge.start()  # not before the server listens: the next attempt is far away
        server.wait_serving("cb1")
        rotate(site, server, bridge, found)
        again()
        move(server, bridge, found)
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

    @provokes("callbridgectl", "could not be renewed and goes on with the former secret")
    def test_not_renewed(self, row: Row) -> None:
        """The Call Bridge has another secret than before, and the server does not know it."""
        self.shows(row, seen()["not renewed"])

    @provokes("callbridgectl", "The links have not moved to ... yet")
    def test_not_moved(self, row: Row) -> None:
        """The Call Bridge has another server address than before, and nobody is there."""
        self.shows(row, seen()["not moved"])

    @provokes("xmppctl", "a rotation goes on for")
    def test_rotation(self, row: Row) -> None:
        """A secret is being rotated."""
        self.shows(row, seen()["rotation"])

    @provokes("xmppctl", "the link uses a former secret")
    def test_former_secret(self, row: Row) -> None:
        """The secret was changed while the link was up."""
        self.shows(row, seen()["former"])

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
