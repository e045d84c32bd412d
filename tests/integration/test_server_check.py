"""``xmppctl check`` on real files, ports and records: what an operator reads of each fault."""

from __future__ import annotations

import json

from twisted.trial.unittest import TestCase

from tests.support.site import Site


class ServerCheckTests(TestCase):
    """One server with one Call Bridge, a name server, and faults."""

    def setUp(self) -> None:
        self.site = site = Site()
        self.addCleanup(site.close)
        self.server = site.server()
        site.enrol(site.bridge())
        port = self.server.client_port
        site.zone.hosts["xmpp1.example.com"] = ["127.0.0.2"]
        site.nameserver.start()
        self.records = [f"--nameserver={site.nameserver.where}"]
        self.port = port

    def check(self, *, ok: bool) -> dict[str, tuple[str, str]]:
        """What it says, by what it is about; ``ok``: is the exit status 0?"""
        done = self.server.command("--json", "check", *self.records, check=False)
        self.assertEqual(done.returncode, 0 if ok else 1, done.stdout + done.stderr)
        found: dict[str, tuple[str, str]] = {}
        for one in json.loads(done.stdout):
            said = (one["result"], f"{one['text']} {one['remedy']}")
            if found.get(one["about"], ("SUCCESS",))[0] == "SUCCESS":
                found[one["about"]] = said
        return found

    def test_well(self) -> None:
        """Everything that can be looked at is, and a daemon that runs has its ports."""
        before = self.check(ok=True)
        self.assertEqual(before["configuration"][0], "SUCCESS")
        self.assertEqual(before["Call Bridges of example.com"], ("SUCCESS", "cb1 may connect. "))
        self.assertIn("is free", before["[client] listen"][1])
        self.assertEqual(
            before["addresses of xmpp1.example.com"], ("SUCCESS", "127.0.0.2, of this host. ")
        )
        self.assertEqual(before["SRV _xmpp-component._tcp.example.com"][0], "SUCCESS")
        self.server.process.start()
        self.server.process.wait_for("ready: ")
        while_it_runs = self.check(ok=True)
        self.assertIn("xmppd runs", while_it_runs["daemon"][1])
        self.assertIn("as it should be", while_it_runs["[client] listen"][1])
        text = self.server.command("check", *self.records).stdout
        self.assertIn("SUCCESS  configuration: ", text)

    def test_other_port(self) -> None:
        """A record that leads to this host, and to a port that nobody listens on."""
        self.site.nameserver.stop()
        self.site.zone.srv = [(10, 10, 5269, "xmpp1.example.com")]
        self.site.nameserver.start()
        result, text = self.check(ok=False)["SRV _xmpp-component._tcp.example.com"]
        self.assertEqual(result, "FAILURE")
        self.assertIn(f"SRV 10 10 {self.server.component_port} xmpp1.example.com.", text)

    def test_configuration(self) -> None:
        """Every fault of the file has a line of its own."""
        text = self.server.ini.read_text()
        self.server.ini.write_text(text.replace("[client]", "[client]\nlogin_timeout = 5\nfoo = 1"))
        done = self.server.command("check", check=False)
        self.assertEqual((done.returncode, done.stdout.count("FAILURE  configuration")), (1, 2))
