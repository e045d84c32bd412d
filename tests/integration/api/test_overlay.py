"""Settings that are changed over the API: kept over restarts, taken out again, one at a time."""

from __future__ import annotations

import json
import signal
import stat
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.api.case import XMPP, ApiSite, Reply, started
from tests.support.shared import shared_site
from tests.support.site import XmppServer
from tests.support.waiting import wait_until

ADDRESS = "serverAddressOverride"


def two_servers() -> ApiSite:
    return started(servers=2)


class OverlayCase(SynchronousTestCase):
    """The same site for all tests: links to both servers by SRV, unless an address is set."""

    def setUp(self) -> None:
        site = shared_site(OverlayCase, two_servers)
        assert isinstance(site, ApiSite)
        self.site = site
        self.bridge = site.callbridge
        self.overlay = self.bridge.directory / "overlay.ini"
        self.addresses = [f"{one.fqdn}:{one.component_port}" for one in site.servers]
        self.addCleanup(self.put_right)
        self.wait_links(*self.addresses)

    def put_right(self) -> None:
        """However a test ended."""
        self.overlay.unlink(missing_ok=True)
        if self.bridge.process.running:
            self.bridge.command("reload")
        else:
            self.bridge.start()

    def wait_links(self, *targets: str) -> None:
        wait_until(
            f"links to {targets}",
            lambda: {one["target"] for one in self.bridge.registered()} == set(targets),
            explain=self.bridge.explain,
        )

    def put(self, user: str = "carol", if_match: str = "", **body: str) -> Reply:
        return self.site.ask(
            XMPP, "PUT", body, user=user, **({"if_match": if_match} if if_match else {})
        )

    def shown(self) -> Any:
        return self.site.ask(XMPP, accept="application/json").json

    def settings(self) -> dict[str, Any]:
        """``callbridgectl config``, by key of ``[callbridge]``."""
        every = json.loads(self.bridge.command("--json", "config").stdout)
        return {one["key"]: one for one in every if one["section"] == "callbridge"}


class RestartTests(OverlayCase):
    """What was changed stays changed, until it is reset."""

    def test_restart(self) -> None:
        """It is in use at once, and after a restart; config and check say where it is from."""
        address = self.addresses[1]
        self.assertEqual(self.put(serverAddressOverride=address).status, 200)
        self.wait_links(address)
        self.assertEqual(stat.S_IMODE(self.overlay.stat().st_mode), 0o600)
        self.assertNotIn(address, self.bridge.ini.read_text())
        self.bridge.stop()
        self.bridge.start()
        self.wait_links(address)
        self.assertEqual(self.shown()[ADDRESS], address)
        found = self.settings()["server_address"]
        self.assertEqual((found["origin"], found["value"]), ("overlay", address))
        self.assertEqual(found["instead_of"], "")
        said = " ".join(self.bridge.command("check").stdout.split())
        self.assertIn("server_address: not from callbridged.ini", said)

    def test_secret(self) -> None:
        """A secret is kept, too, and wins over the file; reset gives that back its say."""
        name = self.bridge.name
        secret = self.bridge.secret_file.read_text().strip()
        for server in self.site.servers:
            server.command("callbridge", "rotate", name, "--secret-stdin", typed="marker-5d1c\n")
        self.assertEqual(self.put(sharedSecret="marker-5d1c").status, 200)
        self.wait_rotated()
        self.bridge.stop()
        self.bridge.start()
        self.wait_links(*self.addresses)
        self.wait_rotated()
        for text in (self.bridge.command("config").stdout, self.bridge.process.text()):
            self.assertNotIn("marker-5d1c", text)
        for server in self.site.servers:
            server.command("callbridge", "rotate", name, "--secret-stdin", typed=f"{secret}\n")
        self.bridge.command("config", "reset", "secret")
        self.wait_rotated()
        self.assertFalse(self.overlay.exists())

    def wait_rotated(self) -> None:
        for server in self.site.servers:
            wait_until(
                f"{server.name} has a link with the one secret there is",
                partial(self.rotated, server),
                explain=self.bridge.explain,
            )

    def rotated(self, server: XmppServer) -> bool:
        entry = server.callbridge(self.bridge.name) or {}
        return entry.get("secret_in_use") == "current" and entry["rotation"] is None

    def test_reset(self) -> None:
        """Reset is obeyed at once by a daemon that runs, and by one that starts later."""
        address = self.addresses[0]
        self.put(serverAddressOverride=address)
        self.wait_links(address)
        said = self.bridge.command("config", "reset", "server_address").stdout
        self.assertIn("counts again: [callbridge] server_address.", said)
        audited = json.loads(self.bridge.command("audit", "--json").stdout)[-1]
        self.assertEqual((audited["who"], audited["what"]), ("root", "settings"))
        self.assertEqual(audited["values"], {"[callbridge] server_address": "as in the ini file"})
        self.wait_links(*self.addresses)
        self.put(serverAddressOverride=address)
        self.wait_links(address)
        self.bridge.stop()
        said = self.bridge.command("config", "reset").stdout
        self.assertIn("when callbridged starts: [callbridge] server_address.", said)
        self.bridge.start()
        self.wait_links(*self.addresses)
        self.assertIsNone(self.shown().get(ADDRESS))


class DamagedTests(OverlayCase):
    """Somebody has edited the overlay, and made a mistake."""

    def test_start(self) -> None:
        """The daemon does not start, and says which file and line; reset mends it."""
        self.bridge.stop()
        self.overlay.write_text("[callbridge]\nserver_adress = xmpp1.example.com\n")
        self.bridge.process.start()
        self.assertEqual(self.bridge.process.wait(), 78)
        said = self.bridge.process.text()
        self.assertIn(f"{self.overlay} cannot be used, it has one fault:", said)
        self.assertIn("line 2: [callbridge] server_adress cannot be here. Did you mean", said)
        refused = self.bridge.command("config", check=False)
        self.assertIn(str(self.overlay), refused.stderr)
        self.bridge.command("config", "reset")
        self.bridge.start()
        self.wait_links(*self.addresses)

    def test_running(self) -> None:
        """A daemon that runs goes on as it was, and takes neither a reload nor a change."""
        self.overlay.write_bytes(b"[callbridge]\nname = \xff\n")
        self.assertEqual(self.bridge.command("reload", check=False).returncode, 1)
        reply = self.put(serverAddressOverride=self.addresses[0])
        self.assertEqual(reply.status, 409)
        self.assertIn(f"{self.overlay}, line 2: this is not UTF-8 text", reply.body.decode())
        self.wait_links(*self.addresses)
        self.bridge.command("config", "reset")
        self.assertFalse(self.overlay.exists())
        self.assertEqual(self.put(serverAddressOverride=self.addresses[0]).status, 200)


class AtOnceTests(OverlayCase):
    """Several who change settings at the same time."""

    def test_conflict(self) -> None:
        """Of two administrators who have seen the same, the second one gets the conflict."""
        seen = self.site.ask(XMPP).headers["etag"]
        first, second = self.addresses
        self.assertEqual(self.put("carol", seen, serverAddressOverride=first).status, 200)
        reply = self.put("dave", seen, serverAddressOverride=second)
        self.assertEqual((reply.status, reply.reasons), (412, [("preconditionFailed",)]))
        self.assertEqual(self.shown()[ADDRESS], first)
        again = self.site.ask(XMPP, user="dave").headers["etag"]
        self.assertNotEqual(again, seen)
        self.assertEqual(self.put("dave", again, serverAddressOverride=second).status, 200)

    def test_all_at_the_same_time(self) -> None:
        """Of many changes of one version one succeeds, reloads in between or not; it is kept."""
        seen = self.site.ask(XMPP).headers["etag"]
        addresses = self.addresses * 4

        def change(address: str) -> Reply:
            self.bridge.process.signal(signal.SIGHUP)
            return self.put("carol", seen, serverAddressOverride=address)

        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(change, addresses))
        statuses = [one.status for one in replies]
        self.assertEqual((statuses.count(200), statuses.count(412)), (1, 7), statuses)
        winner = addresses[statuses.index(200)]
        self.assertEqual(self.shown()[ADDRESS], winner)
        self.assertIn(f"server_address = {winner}\n", self.overlay.read_text())
        self.wait_links(winner)
