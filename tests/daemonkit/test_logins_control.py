"""Tests of daemonkit.logins_control: which logins are answered, and how."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from daemonkit.calling import CommandError
from daemonkit.feed import Feed
from daemonkit.following import Following
from daemonkit.login_record import LoginRecord, kind_of
from daemonkit.logins_control import logins_command
from tests.daemonkit.records import a_record


class LoginsTests(SynchronousTestCase):
    """The command ``logins``, after four of them."""

    def setUp(self) -> None:
        self.feed: Feed[LoginRecord] = Feed()
        self.feed.add(a_record(0xA1))
        self.feed.add(a_record(0xA2, user="", outcome="not-authorized", peer="2001:db8::7"))
        self.feed.add(a_record(0xA3, domain="example.org", peer="203.0.113.8"))
        self.feed.add(a_record(0xA4, user="Bob", peer="fe80::1%eth0"))
        self.command = logins_command(self.feed, lambda: "example.com")

    def ask(self, **arguments: Any) -> list[str]:
        """The last two digits of the ids that are answered."""
        answer: Any = self.command(arguments)
        self.assertEqual((answer["domain"], answer["total"]), ("example.com", 4))
        return [one["login"][-2:] for one in answer["logins"]]

    def test_all(self) -> None:
        """Without conditions the latest are answered, oldest first."""
        self.assertEqual(self.ask(), ["a1", "a2", "a3", "a4"])
        self.assertEqual(self.ask(lines=2), ["a3", "a4"])

    def test_failed(self) -> None:
        """Those that did not succeed can be asked for."""
        self.assertEqual(self.ask(failed=True), ["a2"])

    def test_user(self) -> None:
        """A user is a localpart, or a bare JID where there are several domains; case is nothing."""
        self.assertEqual(self.ask(user="ALICE"), ["a1", "a3"])
        self.assertEqual(self.ask(user="alice@example.org"), ["a3"])
        self.assertEqual(self.ask(user="bob"), ["a4"])
        self.assertEqual(self.ask(user="ali"), [])

    def test_peer(self) -> None:
        """A peer is an address or a network, of either kind; a zone says nothing about it."""
        self.assertEqual(self.ask(peer="203.0.113.8"), ["a3"])
        self.assertEqual(self.ask(peer="203.0.113.9/24"), ["a1", "a3"])
        self.assertEqual(self.ask(peer="2001:db8::/64"), ["a2"])
        self.assertEqual(self.ask(peer="fe80::1"), ["a4"])
        self.feed.add(a_record(0xA5, peer=""))
        self.assertEqual(self.command({"peer": "::/0"})["logins"][-1]["peer"], "fe80::1%eth0")

    def test_login(self) -> None:
        """A login is found by the beginning of its id."""
        self.feed.add(a_record(0xFF << 120))
        answer: Any = self.command({"login": "FF0"})
        self.assertEqual([one["login"][:3] for one in answer["logins"]], ["ff0"])

    def test_nonsense(self) -> None:
        """What is no number and no address is refused in words."""
        for lines in (-1, 1001, "many", 1.5, None):
            self.assertRaises(CommandError, self.command, {"lines": lines})
        refusal = self.assertRaises(CommandError, self.command, {"peer": "there\n"})
        self.assertIn("'there\\n' is neither", str(refusal))

    def test_follow(self) -> None:
        """With ``follow`` the same goes on, for the same conditions."""
        following: Any = self.command({"follow": True, "failed": True, "lines": 0})
        self.assertIsInstance(following, Following)
        self.assertEqual(following.result["logins"], [])
        self.assertIsNone(following.shown(a_record()))
        self.assertEqual(following.shown(a_record(outcome="aborted"))["outcome"], "aborted")

    def test_json(self) -> None:
        """A record says all that is known, and None for what is not."""
        record = a_record(1, seconds=1.23456, waited={"client": 1.2}, reason="policy", step="login")
        self.assertEqual(
            record.as_json(),
            {
                "time": "2026-03-01T12:00:00.500+00:00",
                "login": "00000000000000000000000000000001",
                "user": "alice",
                "domain": "example.com",
                "kind": "password",
                "mechanism": "SCRAM-SHA-256",
                "peer": "203.0.113.7",
                "asked": ["cb1.example.com"],
                "outcome": "success",
                "step": "login",
                "reason": "policy",
                "text": None,
                "ms": 1234.6,
                "waited_ms": {"client": 1200.0},
                "link_ms": None,
            },
        )
        unknown = a_record(login="", user="", mechanism="", peer="").as_json()
        self.assertEqual(
            [unknown[key] for key in ("login", "user", "mechanism", "peer")], [None] * 4
        )

    def test_kinds(self) -> None:
        """What a login is proved with is known by its mechanism, but for a guest with a code."""
        kinds = [kind_of(one) for one in ("PLAIN", "EXTERNAL", "HT-SHA-256-NONE", "ANONYMOUS")]
        self.assertEqual(kinds, ["password", "certificate", "token", "guest"])
        self.assertEqual(kind_of("PLAIN", guest=True), "guest")
