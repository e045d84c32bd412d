"""[admin] and [metrics]: switched on, restarted, and on a port that the daemon may not have."""

from __future__ import annotations

import json
import re

from twisted.trial.unittest import SynchronousTestCase

from tests.support.booted import Host
from tests.systemd.installation import SERVER, installation

PASSWORD = "a quiet password"
_OVERLAY, _AUDIT = "/var/lib/callbridged/overlay.ini", "/var/lib/callbridged/audit.log"
_URL = "https://cb1.example.com:{port}/api/v1"
_CURL = (
    f"curl --silent --show-error --fail-with-body --user 'anna:{PASSWORD}' "
    "--cacert /etc/callbridged/tls/ca.crt --connect-to ::127.0.0.1: "
    "--header 'Accept: application/json' "
)


class WebTests(SynchronousTestCase):
    """An installation that works, and is as it was after each test."""

    def setUp(self) -> None:
        self.site = installation()
        self.inside = self.site.inside
        self.before = self.site.await_link()

    def switch_on(self, host: Host, daemon: str, section: str, port: int) -> None:
        """As the guide says it, for the time of the test. The daemon is not started anew."""
        path = f"/etc/{daemon}/{daemon}.ini"
        before = host.read(path)

        def undo() -> None:
            host.write(path, before, 0o644)
            host.run(f"systemctl restart {daemon}")

        self.addCleanup(undo)
        host.run(f"sed -i '/^.{section}.$/,/^.[a-z]/s/^listen =.*/listen = tcp:{port}/' {path}")

    def ask(self, path: str, *options: str, port: int = 8443) -> str:
        """What the API answers, asked on the host itself."""
        url = _URL.format(port=port) + path
        return self.inside.run(f"{_CURL} {' '.join(options)} {url}")

    def add_anna(self) -> None:
        self.inside.run("callbridgectl admin add anna", typed=PASSWORD + "\n")
        self.addCleanup(self.inside.run, "callbridgectl admin del anna")

    def test_admin(self) -> None:
        """The API answers by TLS. What is changed by it outlives a restart, and nobody reads it."""
        self.switch_on(self.inside, "callbridged", "admin", 8443)
        self.add_anna()
        self.inside.run("systemctl restart callbridged")
        self.before = self.site.await_link(after=self.before)
        [link] = json.loads(self.ask("/system/status"))["links"]
        self.assertEqual((link["target"], link["state"]), (f"{SERVER}:5223", "registered"))

        self.addCleanup(self.inside.run, "callbridgectl config reset")
        override = f"serverAddressOverride={SERVER}"
        self.ask("/system/configuration/xmpp", "--request PUT", f"--data {override}")
        self.inside.run("systemctl restart callbridged")
        self.before = self.site.await_link(after=self.before)
        self.assertRegex(
            self.inside.run("callbridgectl config"), rf"server_address +{SERVER} +overlay"
        )
        shown = json.loads(self.ask("/system/configuration/xmpp"))
        self.assertEqual(shown["serverAddressOverride"], SERVER)
        for path, owner in (
            (_OVERLAY, "600 callbridged callbridged"),
            (_AUDIT, "600 callbridged callbridged"),
            ("/etc/callbridged/admins", "640 root callbridged"),
        ):
            self.assertEqual(self.inside.run(f"stat -c '%a %U %G' {path}").strip(), owner)
        self.assertIn("serverAddressOverride", self.inside.run("callbridgectl audit"))

    def test_metrics(self) -> None:
        """Both daemons tell Prometheus what it may want to know, on their own hosts alone."""
        for host, daemon, port in (
            (self.inside, "callbridged", 9523),
            (self.site.edge, "xmppd", 9522),
        ):
            self.switch_on(host, daemon, "metrics", port)
            host.run(f"systemctl restart {daemon}")
            said = host.run(f"curl --silent --fail http://localhost:{port}/metrics")
            self.assertIn("# TYPE ", said)
            host.run(f"curl --silent --fail http://localhost:{port}/healthz")
            listening = host.run("cat /proc/net/tcp /proc/net/tcp6")
            self.assertIn(f"0100007F:{port:04X}", listening)
            self.assertNotIn(f"00000000:{port:04X}", listening)

    def test_not_allowed(self) -> None:
        """A port that the daemon may not have ends it, and it says what to write where."""
        self.switch_on(self.inside, "callbridged", "admin", 443)
        self.inside.run("systemctl restart callbridged", status=1)
        self.inside.wait("callbridged", "SubState", lambda now: now == "failed")
        self.assertEqual(self.inside.show("callbridged", "ExecMainStatus"), "78")
        said = self.inside.run("systemctl status --full --no-pager callbridged", status=3)
        self.assertIn("Choose one from 1024 on.", said)
        self.assertIn("write SocketBindAllow=tcp:443 below [Service]", said)

    def test_allowed(self) -> None:
        """The unit allows the ports that the manual names, and what a drop-in adds."""
        drop_in = "/run/systemd/system/callbridged.service.d"
        self.inside.write(f"{drop_in}/port.conf", "[Service]\nSocketBindAllow=tcp:9443\n", 0o644)
        self.addCleanup(self.inside.run, f"rm -r {drop_in}; systemctl daemon-reload")
        self.inside.run("systemctl daemon-reload")
        allowed = self.inside.show("callbridged", "SocketBindAllow")
        self.assertEqual(set(re.findall("[0-9]+", allowed)), {"8443", "9523", "9443"})
        self.assertEqual(self.inside.show("callbridged", "SocketBindDeny"), "any")
