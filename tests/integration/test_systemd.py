"""What the daemons tell systemd, over a socket like the one that it gives them."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable

from twisted.trial.unittest import TestCase

from tests.support.site import Daemon, Site, small_site
from tests.support.waiting import DEADLINE


class Systemd:
    """A notification socket, and what came over it."""

    def __init__(self, site: Site, daemon: Daemon, watchdog: float | None = None) -> None:
        path = site.directory / f"{daemon.name}.notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(DEADLINE)
        daemon.process.environment["NOTIFY_SOCKET"] = str(path)
        if watchdog is not None:
            daemon.process.environment["WATCHDOG_USEC"] = str(int(watchdog * 1e6))
        self.heard: list[str] = []

    def wait(self, wanted: Callable[[str], bool]) -> str:
        """The first message from now on that is wanted."""
        while True:
            message = self.socket.recv(4096).decode()
            self.heard.append(message)
            if wanted(message):
                return message


class SystemdTests(TestCase):
    """Type=notify, as the units have it."""

    def setUp(self) -> None:
        self.site = small_site()
        self.addCleanup(self.site.close)

    def systemd(self, daemon: Daemon, watchdog: float | None = None) -> Systemd:
        found = Systemd(self.site, daemon, watchdog)
        self.addCleanup(found.socket.close)
        return found

    def test_life(self) -> None:
        """READY, a line of status that follows what happens, and STOPPING."""
        server, bridge = self.site.servers[0], self.site.bridges[0]
        edge, inside = self.systemd(server), self.systemd(bridge)
        self.site.nameserver.start()
        server.process.start()
        edge.wait(lambda said: said == "READY=1")
        bridge.process.start()
        inside.wait(lambda said: said == "READY=1")
        self.assertEqual(len(bridge.registered()), 1)
        line = inside.wait(lambda said: "(secure)" in said)
        self.assertIn("STATUS=connected to xmpp1.example.com:", line)
        self.assertIn("registered as cb1", line)
        line = edge.wait(lambda said: "cb1.example.com connected" in said)
        self.assertEqual(line, "STATUS=cb1.example.com connected; sessions: 0")
        server.kill()
        wanted = "waiting, connect: connect-refused"
        inside.wait(lambda said: said.startswith("STATUS=xmpp1") and wanted in said)
        bridge.process.signal(signal.SIGTERM)
        inside.wait(lambda said: said == "STOPPING=1")

    def test_no_server(self) -> None:
        """A Call Bridge is ready, too, when its first attempt at a link has failed."""
        bridge = self.site.bridges[0]
        inside = self.systemd(bridge)
        self.site.nameserver.start()
        bridge.process.start()
        inside.wait(lambda said: said == "READY=1")
        bridge.wait_failure("connect", "connect-refused")

    def test_reload(self) -> None:
        """RELOADING with the time and then READY; a file with faults shows in the status, too."""
        self.site.nameserver.start()
        for daemon in (self.site.servers[0], self.site.bridges[0]):
            systemd = self.systemd(daemon)
            daemon.process.start()
            systemd.wait(lambda said: said == "READY=1")
            good = daemon.ini.read_text()
            for text in (good, good + "[nonsense]\n", good):
                daemon.ini.write_text(text)
                os.kill(daemon.process.pid, signal.SIGHUP)
                line = systemd.wait(lambda said: "RELOADING=1" in said)
                self.assertRegex(line, r"^RELOADING=1\nMONOTONIC_USEC=\d+$")
                systemd.wait(lambda said: said == "READY=1")
                if text != good:
                    systemd.wait(lambda said: "; not reloaded" in said)

    def test_watchdog(self) -> None:
        """The watchdog is fed in time."""
        server = self.site.servers[0]
        edge = self.systemd(server, watchdog=1.0)
        server.process.start()
        for _ in range(3):
            edge.wait(lambda said: said == "WATCHDOG=1")
