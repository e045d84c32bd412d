"""`systemctl reload`: certificates change, and nobody notices who is there already."""

from __future__ import annotations

import ssl
from pathlib import Path
from secrets import token_hex

from twisted.trial.unittest import SynchronousTestCase

from tests.support.ca import CertificateAuthority
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
        return stream.start_tls(self.site.authority, DOMAIN)

    def test_server(self) -> None:
        """Clients who come now see the new certificate of xmppd; the link stays."""
        old = self.shown()
        self.site.edge.run("xmppctl setup --renew")
        self.assertEqual(self.shown(), old)
        self.site.edge.run("systemctl reload xmppd")
        new = self.site.edge.read("/etc/xmppd/tls/xmpp.crt").decode()
        self.assertEqual(self.shown(), ssl.PEM_cert_to_DER_cert(new))
        self.assertNotEqual(self.shown(), old)
        self.assertEqual(self.site.link(), self.before)

    def test_bridge(self) -> None:
        """A Call Bridge goes to another authority: by a link that stays, and by the next one."""
        name = f"CA {token_hex(4)}"
        other = CertificateAuthority(Path(self.mktemp()), name)
        certificate, key = other.issue("callbridge", dns=[f"cb1.{DOMAIN}"])
        trusted = self.site.edge.read("/etc/xmppd/tls/ca.crt")
        self.site.edge.write("/etc/xmppd/tls/ca.crt", trusted + other.certificate_path.read_bytes())
        self.site.edge.run("systemctl reload xmppd")
        for file in (certificate, key):
            self.site.inside.write(f"/etc/callbridged/tls/{file.name}", file.read_bytes())
        self.site.inside.run("systemctl reload callbridged")
        self.assertEqual(self.site.link(), self.before)
        self.assertNotIn(name, self.before["certificate"])
        self.site.inside.run("callbridgectl reconnect")
        after = self.site.await_link(after=self.before)
        self.assertIn(f"issued by CN={name}", after["certificate"])

    def test_unusable(self) -> None:
        """With a file that is no certificate the reload fails, says why, and changes nothing."""
        for host, daemon, name in (
            (self.site.edge, "xmppd", "xmpp"),
            (self.site.inside, "callbridged", "callbridge"),
        ):
            shown = self.shown()
            path = f"/etc/{daemon}/tls/{name}.crt"
            good = host.read(path)
            host.write(path, "not this one\n")
            host.run(f"systemctl reload {daemon}", status=1)
            self.assertIn(path, host.journal(daemon, "--lines=20"))
            host.wait(daemon, "StatusText", lambda now: "not reloaded" in now)
            self.assertEqual(host.show(daemon, "ActiveState"), "active")
            self.assertEqual(self.shown(), shown)
            self.assertEqual(self.site.link(), self.before)
            host.write(path, good)
            host.run(f"systemctl reload {daemon}")
            host.wait(daemon, "StatusText", lambda now: "not reloaded" not in now)
