"""What journald has of both daemons, and what journalctl makes of it."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support.booted import Host
from tests.support.waiting import wait_until
from tests.systemd.installation import installation
from xmppd.events import LOGIN_ACCEPTED


def entries(host: Host, *matches: str) -> list[dict[str, Any]]:
    """What the journal has, with all fields."""
    found = host.run(f"journalctl --sync; journalctl --output=json {' '.join(matches)}")
    return [json.loads(line) for line in found.splitlines()]


class JournalTests(SynchronousTestCase):
    """The journals of both hosts."""

    def setUp(self) -> None:
        self.site = installation()
        self.site.await_link()

    def test_fields(self) -> None:
        """A login has the same name in the journals of both hosts, and fields to find it by."""
        login = self.site.log_in()
        self.assertTrue(login.ok, login)
        *_, entry = entries(self.site.edge, "XMPP_EVENT=login-accepted")
        self.assertEqual(entry["_SYSTEMD_UNIT"], "xmppd.service")
        self.assertEqual(entry["SYSLOG_IDENTIFIER"], "xmppd")
        self.assertEqual(entry["MESSAGE_ID"], LOGIN_ACCEPTED.message_id.hex)
        self.assertEqual(entry["PRIORITY"], "6")
        self.assertEqual(entry["XMPP_STEP"], "login")
        self.assertEqual(entry["XMPP_USER"], "alice")
        self.assertEqual(entry["XMPP_CALLBRIDGE"], "cb1.example.com")
        match = f"XMPP_LOGIN={entry['XMPP_LOGIN']}"

        def inside() -> list[dict[str, Any]]:
            return entries(self.site.inside, match)

        [other] = wait_until("the other half of the login", inside, explain=self.site.explain)
        self.assertEqual(other["_SYSTEMD_UNIT"], "callbridged.service")
        self.assertEqual(other["XMPP_EVENT"], "login-succeeded")
        for field in ("XMPP_PEER", "XMPP_USER", "XMPP_DOMAIN", "XMPP_MECHANISM"):
            self.assertEqual(other[field], entry[field])

    def test_catalog(self) -> None:
        """The packages bring texts that say what a line means, and journalctl knows them."""
        for host, unit, text in (
            (self.site.edge, "xmppd", "The server listens on all its ports."),
            (self.site.inside, "callbridged", "A step on the way to a link went well."),
        ):
            said = host.run(f"journalctl --sync; journalctl --catalog --boot --unit={unit}")
            self.assertIn(text, said)
            self.assertIn(f"man:{unit}(8)", said)

    def test_nothing_twice(self) -> None:
        """What the daemon logs is not on its standard output as well."""
        for host, unit in ((self.site.edge, "xmppd"), (self.site.inside, "callbridged")):
            # Not of reloads, nor of one that the watchdog ended, which said there where it was.
            daemon = f"_PID={host.show(unit, 'MainPID')}"
            run = f"_SYSTEMD_INVOCATION_ID={host.show(unit, 'InvocationID')}"
            printed = entries(host, daemon, run, "_TRANSPORT=stdout")
            self.assertEqual([one["MESSAGE"] for one in printed], [])
