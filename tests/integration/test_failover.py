"""With two Call Bridges or two servers, the loss of one costs no login."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from twisted.trial import unittest

from tests.support import people
from tests.support.site import CLEAN, Site, XmppServer
from tests.support.waiting import wait_until


def log_in(site: Site, server: XmppServer, mechanism: str = "SCRAM-SHA-256") -> people.Login:
    """One login of alice's at ``server``."""
    return asyncio.run(
        people.log_in(
            server.address,
            server.client_port,
            "alice@example.com",
            "wonderland",
            site.ca.certificate_path,
            mechanism,
        )
    )


class TwoCallBridgesTests(unittest.SynchronousTestCase):
    """One xmppd, the Call Bridges cb1 and cb2."""

    def setUp(self) -> None:
        self.site = Site()
        self.addCleanup(self.site.close)
        self.server = self.site.server()
        for name in ("cb1", "cb2"):
            self.site.enrol(self.site.bridge(name))
        self.site.user("alice", "wonderland")
        self.site.start()

    def outstanding(self, name: str) -> int:
        entry = self.server.callbridge(name)
        return entry["outstanding"] if entry else 0

    def test_killed_between_messages(self) -> None:
        """Logins whose Call Bridge dies before its first answer are served by the other one."""
        frozen = self.site.bridges[0]
        frozen.freeze()
        with ThreadPoolExecutor() as pool:
            logins = [pool.submit(log_in, self.site, self.server) for _ in range(4)]
            wait_until(
                "a login waits for the frozen Call Bridge",
                lambda: self.outstanding("cb1") > 0,
                explain=self.server.explain,
            )
            frozen.kill()
            results = [one.result() for one in logins]
        self.assertEqual([one.failures for one in results], [[]] * 4, self.server.explain())
        self.assertTrue(all(one.ok for one in results), results)

    def test_killed_before(self) -> None:
        """Logins after the loss of one Call Bridge go to the other, whatever the mechanism."""
        for one in range(2):
            self.site.bridges[one].kill()
            self.server.wait_state(f"cb{one + 1}", "down")
            for mechanism in ("PLAIN", "SCRAM-SHA-256"):
                login = log_in(self.site, self.server, mechanism)
                self.assertTrue(login.ok, f"{login}\n{self.server.explain()}")
            self.site.bridges[one].start()
            self.server.wait_serving(f"cb{one + 1}")

    def test_drained(self) -> None:
        """A drained Call Bridge keeps its link, gets no login, and gets them again afterwards."""
        first, second = self.site.bridges
        first.command("drain")
        self.server.wait_state("cb1", "draining")
        for _ in range(3):
            self.assertTrue(log_in(self.site, self.server).ok)
        self.assertNotIn("'alice'", first.process.text())
        first.command("resume")
        self.server.wait_state("cb1", "registered")
        second.command("drain")
        self.server.wait_state("cb2", "draining")
        self.assertTrue(log_in(self.site, self.server).ok)
        self.assertIn("'alice'", first.process.text())

    def test_stopped_under_load(self) -> None:
        """A Call Bridge that is told to stop finishes its logins: none of many fails."""
        with ThreadPoolExecutor(4) as pool:
            logins = [pool.submit(log_in, self.site, self.server) for _ in range(16)]
            wait_until("some are done", lambda: sum(one.done() for one in logins) >= 4)
            self.assertIn(self.site.bridges[0].stop(), CLEAN)
            results = [one.result() for one in logins]
        failed = [one for one in results if not one.ok]
        self.assertEqual(failed, [], self.server.explain())


class TwoServersTests(unittest.SynchronousTestCase):
    """Two xmppd nodes in the SRV records, one Call Bridge."""

    def make(self, **callbridge: object) -> Site:
        site = Site()
        self.addCleanup(site.close)
        site.server("xmpp1", "127.0.0.2")
        site.server("xmpp2", "127.0.0.3")
        site.zone.srv = [(10 * at, *srv[1:]) for at, srv in enumerate(site.zone.srv, start=1)]
        site.enrol(site.bridge(settings={"callbridge": callbridge}))
        site.user("alice", "wonderland")
        return site

    def test_all_links(self) -> None:
        """With ``links = all`` every node serves logins, and goes on when another one is lost."""
        site = self.make()
        site.start()
        for server in site.servers:
            self.assertTrue(log_in(site, server).ok, server.explain())
        site.servers[0].kill()
        site.bridges[0].wait_registered(1)
        self.assertTrue(log_in(site, site.servers[1]).ok)
        site.servers[0].start()
        site.bridges[0].wait_registered(2)

    def test_one_link(self) -> None:
        """With ``links = 1`` it holds the preferred node, takes the next, and goes back."""
        site = self.make(links="1")
        site.nameserver.start()
        first, second = site.servers
        bridge = site.bridges[0]
        for daemon in (first, second, bridge):
            daemon.start()
        first.wait_serving("cb1")
        self.assertEqual(second.state("cb1"), "down")
        first.kill()
        second.wait_serving("cb1")
        self.assertTrue(log_in(site, second).ok)
        first.start()
        first.wait_serving("cb1")
        second.wait_state("cb1", "down")
        bridge.wait_registered(1)
