"""`systemctl reload`: certificates change, and nobody notices who is there already."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.systemd.installation import DOMAIN, installation


class ReloadTests(SynchronousTestCase):
    """An installation that works, with a link that has to stay."""

    def setUp(self) -> None:
        self.site = installation()
        self.before = self.site.await_link()

    def shown(self) -> bytes:
        """The certificate that xmppd shows to a client who comes now, in DER."""
        stream = self.site.connect()
        self.addCleanup(stream.close)
        return stream.start_tls(self.site.ca.certificate_path, DOMAIN)

    def test_server(self) -> None:
        """Clients who come now see the new certificate of xmppd; the link stays."""
        new = self.site.certify_server()
        self.assertNotEqual(self.shown(), new)
        self.site.edge.run("systemctl reload xmppd")
        self.assertEqual(self.shown(), new)
        self.assertEqual(self.site.link(), self.before)

    def test_bridge(self) -> None:
        """callbridged keeps its link, and shows the new certificate with the next one."""
        self.site.certify_bridge()
        self.site.inside.run("systemctl reload callbridged")
        self.assertEqual(self.site.link(), self.before)
        self.site.edge.run("systemctl restart xmppd")
        after = self.site.await_link(after=self.before["since"])
        self.assertNotEqual(after["certificate"], self.before["certificate"])

    def test_unusable(self) -> None:
        """With a file that is no certificate the reload fails, says why, and changes nothing."""
        for host, daemon, name, mend in (
            (self.site.edge, "xmppd", "xmpp", self.site.certify_server),
            (self.site.inside, "callbridged", "callbridge", self.site.certify_bridge),
        ):
            shown = self.shown()
            path = f"/etc/{daemon}/tls/{name}.crt"
            host.write(path, "not this one\n", 0o644)
            host.run(f"systemctl reload {daemon}", status=1)
            said = host.journal(daemon, "--lines=20")
            self.assertIn(path, said)
            host.wait(daemon, "StatusText", lambda now: "not reloaded" in now)
            self.assertEqual(host.show(daemon, "ActiveState"), "active")
            self.assertEqual(self.shown(), shown)
            self.assertEqual(self.site.link(), self.before)
            mend()
            host.run(f"systemctl reload {daemon}")
            host.wait(daemon, "StatusText", lambda now: "not reloaded" not in now)
