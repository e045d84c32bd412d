"""What one host can do to a server without having proved who it is."""

from __future__ import annotations

from twisted.trial import unittest

from tests.support.rawstream import RawStream
from tests.support.site import started_small_site
from xmppd.components.connected import MAX_UNREGISTERED


class CapTests(unittest.SynchronousTestCase):
    """Connections to the component port that do not register."""

    def test_one_address(self) -> None:
        """One address gets a quarter of the places; more are closed at once, with one log line."""
        site = started_small_site(settings={"component": {"registration_timeout": "60s"}})
        self.addCleanup(site.close)
        server = site.servers[0]
        held = [
            RawStream(server.address, server.component_port) for _ in range(MAX_UNREGISTERED // 4)
        ]
        for _ in range(3):
            one_more = RawStream(server.address, server.component_port)
            self.addCleanup(one_more.close)
            self.assertEqual(one_more.read_to_end(), b"")
        for stream in held:
            stream.close()
        log = server.process.text()
        self.assertEqual(log.count("resource-limit: too many are open"), 1)
        self.assertNotIn("Traceback", log)
