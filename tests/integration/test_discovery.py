"""Steps 2 to 6 against a name server from Debian."""

from __future__ import annotations

import asyncio

from twisted.trial import unittest

from tests.support import people
from tests.support.site import Site
from tests.support.zones import Dnsmasq


class DnsmasqTests(unittest.SynchronousTestCase):
    """dnsmasq serves the zone of two nodes."""

    def setUp(self) -> None:
        self.site = Site(nameserver_class=Dnsmasq)
        self.addCleanup(self.site.close)
        self.first = self.site.server("xmpp1", "127.0.0.2")
        self.second = self.site.server("xmpp2", "127.0.0.3")
        self.bridge = self.site.bridge()
        self.site.enrol(self.bridge)

    def targets(self) -> dict[str, str]:
        """target -> address of every registered link."""
        return {link["target"]: link["address"] for link in self.bridge.registered()}

    def test_two_nodes(self) -> None:
        """SRV leads to both nodes, each at its own address, and a user logs in at each."""
        self.site.zone.hosts[self.second.fqdn] = ["127.0.0.3", "::1"]
        self.site.user("alice", "wonderland")
        self.site.start()
        self.bridge.wait_registered(2)
        for server in self.site.servers:
            found = [to for to in self.targets().items() if server.fqdn in to[0]]
            self.assertEqual(len(found), 1, self.targets())
            self.assertIn(server.address, found[0][1])
            login = asyncio.run(
                people.log_in(
                    server.address,
                    server.client_port,
                    "alice@example.com",
                    "wonderland",
                    self.site.ca.certificate_path,
                )
            )
            self.assertTrue(login.ok, f"{login}\n{server.explain()}")

    def test_moved_node(self) -> None:
        """A node that moves to another address is found there: nothing is remembered."""
        self.site.zone.srv.pop()
        self.site.nameserver.start()
        self.first.start()
        self.bridge.start()
        self.bridge.wait_registered(1)
        self.first.kill()
        text = self.first.ini.read_text()
        self.first.ini.write_text(text.replace("interface=127.0.0.2", "interface=127.0.0.4"))
        self.first.start()
        self.site.zone.hosts[self.first.fqdn] = ["127.0.0.4"]
        self.site.nameserver.update()
        self.first.wait_state("cb1", "registered")
        self.assertIn("127.0.0.4", next(iter(self.targets().values())))

    def test_server_address(self) -> None:
        """With a server address SRV is not asked: that host alone, at the port it names."""
        self.site.zone.srv.clear()
        where = f"{self.second.fqdn}:{self.second.component_port}"
        text = self.bridge.ini.read_text()
        self.bridge.ini.write_text(
            text.replace("[callbridge]", f"[callbridge]\nserver_address = {where}")
        )
        self.site.nameserver.start()
        for daemon in (self.first, self.second, self.bridge):
            daemon.start()
        self.second.wait_state("cb1", "registered")
        self.assertEqual(self.first.state("cb1"), "down")
