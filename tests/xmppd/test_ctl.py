"""Tests of xmppd.ctl. A real daemon answers it in tests/integration/."""

from __future__ import annotations

import json

from daemonkit.calling import CommandError
from tests.xmppd.ctl_case import COM, ORG, STATUS, CtlTestCase


class StatusTests(CtlTestCase):
    """xmppctl status, paused and unpause."""

    def test_status(self) -> None:
        """The status is readable within 80 columns, and what is down takes one line."""
        self.answers["status"] = STATUS
        output = self.run_ctl("status")
        lines = output.splitlines()
        self.assertTrue(all(len(line) <= 80 for line in lines))
        for words in (
            *("example.com", "xmpp1.example.com", "12", "cb1  registered", "203.0.113.7:40112"),
            *("CN=cb1.example.com", "PLAIN, SCRAM-SHA-256", "2026-01-0"),
        ):
            self.assertIn(words, output)
        self.assertEqual(lines[-1], "cb2  down")

    def test_status_limits(self) -> None:
        """Connections are counted, and some of the paused networks are named."""
        paused = [{"network": f"203.0.113.{n}", "seconds_left": 250 + n} for n in range(100)]
        self.answers["status"] = {
            **STATUS,
            "connections": 20,
            "not_logged_in": 8,
            "paused_networks": paused,
            "paused_networks_total": 300,
        }
        output = self.run_ctl("status")
        self.assertIn("20, 8 of them not logged in", output)
        self.assertIn("\n203.0.113.0 may not log in by password for 4m 10s\n", output)
        self.assertEqual(output.count("may not log in"), 10)
        self.assertIn("and 290 more, see xmppctl paused", output)

    def test_paused(self) -> None:
        """The networks that are paused are listed, with the time that is left."""
        answer = {"total": 1, "paused": [{"network": "2001:db8::/64", "seconds_left": 250}]}
        self.answers["paused"] = answer
        self.assertIn("2001:db8::/64  4m 10s", self.run_ctl("paused"))
        self.assertEqual(json.loads(self.run_ctl("--json", "paused")), answer)

    def test_unpause(self) -> None:
        """A network is let in; whether it was kept out is told."""
        for was_paused, words in ((True, "may log in again"), (False, "was not paused")):
            answer = {"network": "2001:db8::/64", "was_paused": was_paused}
            self.answers["unpause"] = answer
            self.assertIn(f"2001:db8::/64 {words}", self.run_ctl("unpause", "2001:db8::7"))
            self.assertEqual(self.calls[-1], ("unpause", {"address": "2001:db8::7"}))
            self.assertEqual(json.loads(self.run_ctl("--json", "unpause", "::1")), answer)

    def test_status_for_programs(self) -> None:
        """With --json, the daemon's status is passed on as it is."""
        self.answers["status"] = STATUS
        self.assertEqual(json.loads(self.run_ctl("status", "--json")), STATUS)

    def test_status_without_daemon(self) -> None:
        """Without a daemon there is no status, but a remedy."""
        error = self.run_ctl("status", expect=1)
        self.assertEqual(error, "xmppctl: It is not running. Start it.\n")

    def test_status_refused(self) -> None:
        """What the daemon refuses is passed on."""
        self.answers["status"] = CommandError("not now")
        self.assertEqual(self.run_ctl("status", expect=1), "xmppctl: not now\n")

    def test_wrong_configuration(self) -> None:
        """A configuration that cannot be used is named with its faults."""
        self.ini.write_text("[xmppd]\ndomain = example.com\n")
        error = self.run_ctl("callbridge", "list", expect=1)
        self.assertIn(str(self.ini), error)
        self.assertIn("hostname", error)


class DomainsTests(CtlTestCase):
    """xmppctl where there are several domains."""

    def setUp(self) -> None:
        super().setUp()
        with self.ini.open("a") as file:
            file.write("[domain example.org]\ncertificate = x\nprivate_key = x\n")

    def test_add(self) -> None:
        """A Call Bridge is added to the domain that is named, else to the first."""
        self.assertIn(ORG, self.run_ctl("callbridge", "add", "cb1", "--domain", "EXAMPLE.org"))
        self.assertEqual((self.registry.names(COM), self.registry.names(ORG)), ([], ["cb1"]))
        self.run_ctl("callbridge", "add", "cb1")
        self.assertNotEqual(self.registry.secret(COM, "cb1"), self.registry.secret(ORG, "cb1"))
        output = self.run_ctl("callbridge", "add-secret", "cb2", "--domain", ORG, typed="x\n")
        self.assertEqual(output, "cb2.example.org may connect.\n")

    def test_unknown_domain(self) -> None:
        """A domain that is not served is refused, with those that are."""
        error = self.run_ctl("callbridge", "add", "cb1", "--domain", "example.net", expect=1)
        self.assertIn("It has: example.com, example.org.", error)
        error = self.run_ctl("callbridge", "add", "cb1", "--domain", "192.0.2.1", expect=1)
        self.assertIn("is an address", error)

    def test_name_that_is_a_domain(self) -> None:
        """A Call Bridge cannot have the address of a domain."""
        with self.ini.open("a") as file:
            file.write("[domain chat.example.com]\ncertificate = x\nprivate_key = x\n")
        error = self.run_ctl("callbridge", "add", "chat", expect=1)
        self.assertIn("chat.example.com is a domain of its own", error)

    def test_list(self) -> None:
        """The list has the domain, and what is left of one that is not served any more."""
        for domain in (COM, ORG, "example.net"):
            self.registry.add_secret(domain, "cb1", "x")
        down = {"name": "cb1", "domain": COM, "state": "down"}
        self.answers["status"] = {
            "callbridges": [down, {"name": "cb1", "domain": ORG, "state": "registered"}]
        }
        self.assertEqual(
            self.run_ctl("callbridge", "list").splitlines(),
            [
                "Call Bridge  Domain       State",
                "cb1          example.com  down",
                "cb1          example.org  registered",
                "cb1          example.net  domain not served",
            ],
        )
        output = self.run_ctl("callbridge", "list", "--domain", COM, "--json")
        nothing = {"secret_in_use": None, "rotation": None, "expires": None}
        self.assertEqual(json.loads(output), [{**down, **nothing}])

    def test_delete(self) -> None:
        """A Call Bridge is taken out of the domain that is named, also of one not served."""
        for domain in (COM, ORG, "example.net"):
            self.registry.add(domain, "cb1")
        self.answers["callbridge-removed"] = {"closed": True}
        for domain in (ORG, "example.net"):
            self.run_ctl("callbridge", "del", "cb1", "--domain", domain)
            self.assertEqual(self.calls[-1][1], {"name": "cb1", "domain": domain})
        self.assertEqual(self.registry.domains(), [COM])

    def test_status(self) -> None:
        """The status counts by domain and shows whose each Call Bridge is."""
        links = [{**one, "domain": ORG} for one in STATUS["callbridges"]]
        counts = [
            {"domain": COM, "sessions": 5, "waiting_logins": 1},
            {"domain": ORG, "sessions": 7, "waiting_logins": 2},
        ]
        self.answers["status"] = {**STATUS, "callbridges": links, "domains": counts}
        output = self.run_ctl("status")
        self.assertIn("example.org  7         2\n", output)
        self.assertIn("cb1.example.org  registered\n", output)
