"""The daemons as services: what systemd does when they start, end, hang or cannot run."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from tests.support.booted import Host
from tests.systemd.installation import PASSWORD, SERVER, installation


class ServiceTests(SynchronousTestCase):
    """An installation that works, before each test and after it."""

    def setUp(self) -> None:
        self.site = installation()
        self.services = ((self.site.edge, "xmppd"), (self.site.inside, "callbridged"))
        self.before = self.site.await_link()

    def works_again(self) -> None:
        """There is another link, and it carries a login."""
        self.site.await_link(after=self.before)
        login = self.site.log_in()
        self.assertTrue(login.ok, login)

    def adjust(self, host: Host, daemon: str, *settings: str) -> None:
        """Settings of the unit, for the time of the test; the daemon is started with them."""
        place = f"/run/systemd/system/{daemon}.service"
        host.write(f"{place}.d/test.conf", "\n".join(["[Service]", *settings, ""]), 0o644)
        self.addCleanup(
            host.run, f"rm -r {place}.d; systemctl daemon-reload; systemctl restart {daemon}"
        )
        host.run(f"systemctl daemon-reload; systemctl restart {daemon}")

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
            self.before = self.site.link()

    def test_stuck(self) -> None:
        """A daemon that does nothing any more is killed by the watchdog, and started again."""
        for host, daemon in self.services:
            self.adjust(host, daemon, "WatchdogSec=2s")
        self.before = self.site.await_link(after=self.before)
        before = [host.show(daemon, "NRestarts") for host, daemon in self.services]
        for host, daemon in self.services:
            host.run(f"systemctl kill --signal=STOP {daemon}")
        for (host, daemon), count in zip(self.services, before, strict=True):
            self.restarted(host, daemon, count)
            self.assertIn("Watchdog timeout", host.journal(daemon))
        self.works_again()

    def test_reboot(self) -> None:
        """A host that boots starts its daemon, and the link is there again."""
        for host, _daemon in self.services:
            host.reboot()
            self.works_again()
            self.before = self.site.link()

    def test_status(self) -> None:
        """`systemctl status` says in a line what the daemon does."""
        for (host, daemon), line in zip(
            self.services,
            (
                r"cb1\.example\.com connected; sessions: \d+",
                rf"connected to {SERVER}:5223 \(secure\), registered as cb1",
            ),
            strict=True,
        ):
            host.wait(daemon, "StatusText", lambda now, line=line: re.match(line, now) is not None)
            self.assertRegex(host.run(f"systemctl status {daemon}"), f'Status: "{line}')

    def test_settings_that_cannot_be_used(self) -> None:
        """A daemon that cannot run is not tried for ever; `systemctl status` says what to mend."""
        for host, daemon in self.services:
            path = f"/etc/{daemon}/{daemon}.ini"
            host.run(f"sed -i 's/^private_key/privat_key/' {path}")
            host.run(f"systemctl restart {daemon}", status=1)
            # The Call Bridge that comes back asks for xmppd again, some times.
            for unit in (daemon, "xmppd.socket")[: 1 + (host is self.site.edge)]:
                host.wait(unit, "SubState", lambda now: now == "failed")
            self.assertEqual(host.show(daemon, "ExecMainStatus"), "78")
            self.assertEqual(host.show(daemon, "NRestarts"), "0")
            said = host.run(f"systemctl status --full {daemon}", status=3)
            self.assertIn("[tls] has no key privat_key. Did you mean private_key?", said)
            host.run(f"sed -i 's/^privat_key/private_key/' {path}")
            host.run(f"systemctl restart {daemon}")
            self.works_again()
            self.before = self.site.link()

    def test_sandbox(self) -> None:
        """systemd itself calls the units, as they run, safe."""
        for host, daemon in self.services:
            said = host.run(f"systemd-analyze --no-pager security {daemon}")
            print("", *re.findall("^(?:✗|→).*", said, re.MULTILINE), sep="\n")
            (level,) = re.findall(r"Overall exposure level for .*: ([0-9.]+) OK", said)
            self.assertLessEqual(float(level), 1.5)
