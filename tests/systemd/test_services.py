"""The daemons as services: what systemd does when they start, end, hang or cannot run."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.booted import Host
from tests.systemd.installation import PASSWORD, installation


class ServiceTests(SynchronousTestCase):
    """An installation that works, before each test and after it."""

    def setUp(self) -> None:
        self.site = installation()
        self.services = ((self.site.edge, "xmppd"), (self.site.inside, "callbridged"))
        self.since = self.site.await_link()["since"]

    def works_again(self) -> None:
        """There is another link, and it carries a login."""
        self.site.await_link(after=self.since)
        login = self.site.log_in()
        self.assertTrue(login.ok, login)

    def restarted(self, host: Host, daemon: str, before: str) -> None:
        """systemd has started it once more, and it is ready."""
        host.wait(daemon, "NRestarts", lambda now: int(now) > int(before))
        host.wait(daemon, "ActiveState", lambda now: now == "active")

    def test_login(self) -> None:
        """A user logs in from outside, and not with another password."""
        login = self.site.log_in()
        self.assertTrue(login.ok, login)
        self.assertEqual(self.site.log_in("wrong").failures, ["not-authorized"])

    def test_check(self) -> None:
        """The check on each host finds that all is well."""
        self.assertNotIn("FAILURE", self.site.edge.run("xmppctl check"))
        self.site.inside.run("callbridgectl check --login alice", typed=PASSWORD + "\n")

    def test_killed(self) -> None:
        """A daemon that is killed is started again, makes the link again, and logins work."""
        for host, daemon in self.services:
            before = host.show(daemon, "NRestarts")
            host.run(f"kill -9 $(systemctl show --property=MainPID --value {daemon})")
            self.restarted(host, daemon, before)
            self.works_again()
            self.since = self.site.link()["since"]
