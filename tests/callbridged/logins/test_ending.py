"""Tests for `callbridged.logins.ending`, the commands kick and guests, and ``user del``."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.words.xish.domish import Element

from bridgewire.iq import RequestTimedOut
from bridgewire.namespaces import LOGIN
from bridgewire.session_end import EndSessions
from callbridged import ending_ctl, users
from callbridged.control import commands
from callbridged.logins.guests import Guests
from callbridged.logins.login_records import LoginRecords
from daemonkit.calling import CommandError, NotRunning
from tests.callbridged.logins.test_relay import Link
from tests.callbridged.test_users import UserCase


def result(count: str) -> Element:
    iq = Element((None, "iq"))
    iq.addElement((LOGIN, "end-sessions"))["count"] = count
    return iq


class Relay:
    """Holds two links."""

    def __init__(self) -> None:
        self.links = [Link(), Link()]
        self.links[1].target = "xmpp2.example.com:5223"


class Commands(SynchronousTestCase):
    """What callbridgectl may ask the daemon."""

    def setUp(self) -> None:
        self.relay = Relay()
        self.guests = Guests(Clock())
        logins = SimpleNamespace(records=LoginRecords())
        bridge: Any = SimpleNamespace(relay=self.relay, guests=self.guests, logins=logins)
        nobody: Any = None
        self.commands = commands(bridge, nobody, nobody, nobody)

    def run_command(self, name: str, **arguments: Any) -> Any:
        answer: Any = self.commands[name](arguments)
        return Deferred.fromCoroutine(answer) if name == "kick" else answer

    def asked(self) -> list[EndSessions]:
        return [
            EndSessions.from_element(iq.firstChildElement())
            for link in self.relay.links
            for iq, _ in link.asked
        ]

    def test_everywhere(self) -> None:
        """All servers are asked at once, and what they ended is added up."""
        answer = self.run_command("kick", user="alice", resource="phone", reason="Bye.")
        self.assertEqual(self.asked(), [EndSessions("alice", "phone", "Bye.")] * 2)
        iq = self.relay.links[0].asked[0][0]
        self.assertEqual(
            (iq["type"], iq["from"], iq["to"]), ("set", "cb1.example.com", "example.com")
        )
        self.assertNoResult(answer)
        self.relay.links[1].asked[0][1].callback(result("2"))
        self.relay.links[0].asked[0][1].callback(result("1"))
        self.assertEqual(self.successResultOf(answer), {"ended": 3, "servers": 2, "silent": []})

    def test_silent(self) -> None:
        """A server that does not answer, or not rightly, is named; the others count."""
        answer = self.run_command("kick", user="alice")
        self.assertEqual(self.asked()[0], EndSessions("alice"))
        self.relay.links[0].asked[0][1].callback(result("1"))
        self.relay.links[1].asked[0][1].errback(Failure(RequestTimedOut()))
        expected = {"ended": 1, "servers": 1, "silent": ["xmpp2.example.com:5223"]}
        self.assertEqual(self.successResultOf(answer), expected)
        for wrong in (result(""), result("-1"), result("²"), Element((None, "iq"))):
            answer = self.run_command("kick", user="alice")
            for link in self.relay.links:
                link.asked[-1][1].callback(wrong)
            self.assertEqual(self.successResultOf(answer)["servers"], 0)

    def test_nobody_connected(self) -> None:
        """Without a link nothing can be ended, and that is said."""
        self.relay.links.clear()
        fault = self.failureResultOf(self.run_command("kick", user="alice"), CommandError)
        self.assertIn("no XMPP server is connected", str(fault.value))

    def test_bad(self) -> None:
        """What no server would take is refused, and nobody is asked."""
        for bad in (
            {},
            {"user": "Alice"},
            {"user": "a", "resource": ""},
            {"user": "a", "reason": "\n"},
        ):
            self.failureResultOf(self.run_command("kick", **bad), CommandError)
        self.failureResultOf(self.run_command("kick", user="a", resource=5), CommandError)
        self.assertEqual(self.asked(), [])

    def test_guests(self) -> None:
        """The guests that are there, with the seconds that they have left."""
        self.assertEqual(self.run_command("guests"), [])
        guest = self.guests.admit("s1", "192.0.2.7")
        (one,) = self.run_command("guests")
        self.assertEqual((one["name"], one["peer"]), (guest.name, "192.0.2.7"))
        self.assertEqual(one["seconds_left"], 28800)
        self.assertIn("T", one["since"])


class Ctl(UserCase):
    """The commands at the terminal, with a daemon that answers as the test wants."""

    group = ()

    def setUp(self) -> None:
        super().setUp()
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answer: Any = {"ended": 2, "servers": 1, "silent": []}

        def call(socket: object, command: str, timeout: float = 10.0, **arguments: Any) -> Any:
            self.asked.append((command, arguments))
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

        self.patch(ending_ctl, "call", call)
        self.patch(users, "call", call)

    def test_kick(self) -> None:
        """kick names a user, or one session, by name or by address."""
        said = self.ok("kick", "Alice", "--reason", "Bye.")
        self.assertEqual(said, "Sessions ended: 2, at 1 XMPP server.\n")
        self.ok("kick", "alice@Example.com/my/phone")
        self.assertEqual(
            self.asked,
            [
                ("kick", {"user": "alice", "resource": None, "reason": "Bye."}),
                ("kick", {"user": "alice", "resource": "my/phone", "reason": ""}),
            ],
        )

    def test_silent_server(self) -> None:
        """A server that did not answer is named."""
        self.answer = {"ended": 0, "servers": 0, "silent": ["xmpp1.example.com:5223"]}
        self.assertIn("No answer from xmpp1.example.com:5223", self.ok("kick", "alice"))

    def test_bad_user(self) -> None:
        """Who cannot be a user of this domain is refused at once."""
        for whom in ("", "a b", "alice/", "@example.com"):
            self.assertEqual(self.run_command("kick", whom)[0], 2, whom)
        self.assertEqual(self.run_command("kick", "a", "--reason", "x\n")[0], 2)
        self.assertIn("is not the domain", self.refused("kick", "alice@example.net"))
        self.assertEqual(self.asked, [])

    def test_guests(self) -> None:
        """guests are a table, or JSON; where there can be none, that is said."""
        one = {
            "name": "guest0123456789",
            "peer": None,
            "since": "2026-01-01T00:00:00+00:00",
            "seconds_left": 3600,
        }
        self.answer = [one]
        self.assertEqual(json.loads(self.ok("--json", "guests")), [one])
        self.assertIn("1h 0m", self.ok("guests").splitlines()[1])
        self.answer = None
        self.assertIn("enabled = yes", self.refused("guests"))

    def test_delete(self) -> None:
        """user del ends the user's sessions, too, and says how many."""
        self.ok("user", "add", "alice", stdin="x\n")
        said = self.ok("user", "del", "alice")
        self.assertEqual(
            said,
            "alice may not log in any more.\nSessions ended: 2, at 1 XMPP server.\n",
        )
        self.assertEqual(self.asked[0][1]["user"], "alice")

    def test_delete_without_daemon(self) -> None:
        """A daemon that does not run is no fault; one that cannot be asked is mentioned."""
        for answer, words in (
            (NotRunning(self.path, "It is down.", down=True), ""),
            (
                NotRunning(self.path, "You may not."),
                "Sessions of alice, if any, go on: You may not.",
            ),
            (CommandError("no server"), "Sessions of alice, if any, go on: no server"),
        ):
            self.ok("user", "add", "alice", stdin="x\n")
            self.answer = answer
            said = self.ok("user", "del", "alice")
            self.assertEqual(said, f"alice may not log in any more.\n{words}".strip() + "\n")
        self.ok("user", "add", "alice", stdin="x\n")
        found = json.loads(self.ok("user", "del", "alice", "--json"))
        self.assertEqual(found, {"user": "alice", "sessions_ended": None})
