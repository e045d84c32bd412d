"""From one version of the packages to the next, and away."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from twisted.trial.unittest import SynchronousTestCase

from tests.support.debs import newer
from tests.support.rawstream import RawStream, client_header, plain
from tests.support.waiting import wait_until
from tests.systemd.installation import COMMON, DOMAIN, PASSWORD, SERVER, discard, installation


class PackageTests(SynchronousTestCase):
    """apt-get on hosts where the daemons run. The last test takes them away."""

    def setUp(self) -> None:
        self.site = installation()
        self.before = self.site.await_link()
        self.both = ((self.site.edge, "xmppd"), (self.site.inside, "callbridged"))

    def test_newer(self) -> None:
        """Daemons start anew, with their settings and state; users are away for that time only."""
        for host, daemon in self.both:
            host.run(f"echo '# ours' >>/etc/{daemon}/{daemon}.ini")
        overlay = "/var/lib/callbridged/overlay.ini"
        self.site.inside.run(
            f"printf '[callbridge]\\nserver_address = {SERVER}' >{overlay}; "
            f"chown callbridged:callbridged {overlay}; chmod 600 {overlay}"
        )
        stream = self.log_in()
        self.site.inside.install(newer(), COMMON, "callbridged")
        self.site.await_link(after=self.before)
        stream.send("<iq type='get' id='p' to='example.com'><ping xmlns='urn:xmpp:ping'/></iq>")
        stream.read_until("<iq[^>]*type='result'[^>]*>")
        with ThreadPoolExecutor(1) as thread:
            upgrade = thread.submit(self.site.edge.install, newer(), COMMON, "xmppd")
            self.assertEqual(stream.stream_error(), "system-shutdown")
            gone = time.monotonic()
            wait_until("alice is back", lambda: self.site.log_in().ok)
            print(f"\nxmppd was upgraded: its users were away for {time.monotonic() - gone:.1f} s")
            upgrade.result()
        for host, daemon in self.both:
            self.assertIn(" 99\n", host.run(f"{daemon.removesuffix('d')}ctl --version"))
            self.assertEqual(host.show(daemon, "NRestarts"), "0")
            host.run(f"grep '^# ours' /etc/{daemon}/{daemon}.ini")
        self.assertRegex(
            self.site.inside.run("callbridgectl config"), rf"server_address +{SERVER} +overlay"
        )
        self.assertEqual(self.site.inside.run(f"stat -c '%a %U' {overlay}"), "600 callbridged\n")

    def log_in(self) -> RawStream:
        """Alice, with a session that stays."""
        stream = self.site.connect()
        self.addCleanup(stream.close)
        stream.start_tls(self.site.authority, DOMAIN)
        stream.read_until("</stream:features>")
        stream.send(plain("alice", PASSWORD))
        stream.read_until("<success[^>]*/>")
        stream.send(client_header())
        stream.read_until("</stream:features>")
        stream.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
        stream.read_until("</iq>")
        return stream

    def test_removed_and_purged(self) -> None:
        """What runs is stopped; settings and state go with the purge, and not before."""
        self.addCleanup(discard)
        for host, daemon in self.both:
            kept = f"/etc/{daemon}/{daemon}.ini /etc/{daemon}/tls/ca.crt /var/lib/{daemon}"
            host.run(f"apt-get -qq --yes remove {daemon} {COMMON}")
            self.assertEqual(host.show(daemon, "ActiveState"), "inactive")
            host.run(f"ls -d {kept}")
            self.assertEqual(host.run("systemctl is-system-running"), "running\n")
            host.run(f"apt-get -qq --yes purge {daemon} {COMMON}")
            left = host.run("find /etc /usr /var /run -xdev -name 'xmpp*' -o -name 'callbridge*'")
            self.assertEqual(left, "")
