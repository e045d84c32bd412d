"""The ports that systemd holds: nobody is refused while xmppd is away."""

from __future__ import annotations

import subprocess
import time

from twisted.trial.unittest import SynchronousTestCase

from tests.support.rawstream import RawStream, client_header
from tests.systemd.installation import installation

#: Seconds from one client to the next.
_PACE = 0.01


class RestartTests(SynchronousTestCase):
    """Clients come all the time, one every 10 ms."""

    def setUp(self) -> None:
        self.site = installation()
        self.before = self.site.await_link()
        self.clients: list[RawStream] = []

    def come(self) -> None:
        """One more connects, which must not take long, and says hello."""
        client = self.site.connect()
        self.addCleanup(client.close)
        client.send(client_header())
        self.clients.append(client)
        time.sleep(_PACE)

    def test_restart(self) -> None:
        """A restart refuses none of them, and each is answered by a stream."""
        edge = self.site.edge
        before = edge.show("xmppd", "MainPID")
        for _ in range(20):
            self.come()
        restart = subprocess.Popen(edge.words("systemctl restart xmppd"))
        self.addCleanup(restart.wait)
        while restart.poll() is None:
            self.come()
        self.assertEqual(restart.returncode, 0)
        for _ in range(20):
            self.come()
        for client in self.clients:
            client.read_until("<stream:stream ")
        self.assertNotEqual(edge.show("xmppd", "MainPID"), before)
        self.assertGreater(len(self.clients), 60)
        self.site.await_link(after=self.before)
        print(f"\nxmppd was restarted: {len(self.clients)} clients came, none was refused")
