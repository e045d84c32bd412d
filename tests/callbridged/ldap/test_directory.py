"""Tests of callbridged.backends.ldap.directory: one that cannot be asked, and why."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from bridgewire.steps import Reason, Step, StepFailure
from callbridged.backends import BackendUnavailable
from callbridged.backends.ldap.interface import Result, ResultCode
from callbridged.backends.ldap.settings import UserSearch
from callbridged.backends.ldap.templates import parse_filter
from tests.callbridged.ldap.directories import BASE, SERVICE, BackendCase


class Faults(BackendCase):
    """A directory that cannot be asked."""

    def test_search_account(self) -> None:
        """A search account that is refused is never a user's wrong password."""
        self.directory.passwords[SERVICE] = "another"
        said = str(self.check())
        self.assertIn("authentication-failure: ldap://ldap.example.com does not let the", said)
        self.assertIn(f"search account {SERVICE} in: invalid credentials (49)", said)
        self.assertIn("This is no user's password.", said)
        self.directory.passwords[SERVICE] = "hunter2"
        self.assertIs(self.check(), True)

    def test_search_account_policy(self) -> None:
        """A directory that wants TLS for the search account says so."""
        self.directory.results[SERVICE] = Result(ResultCode.CONFIDENTIALITY_REQUIRED)
        said = str(self.check())
        self.assertIn("policy: ", said)
        self.assertIn("use tls = starttls", said)

    def test_search(self) -> None:
        """A search that is refused has a remedy; a referral is one."""
        for code, remedy in {
            ResultCode.REFERRAL: "referrals are not followed",
            ResultCode.NO_SUCH_OBJECT: f"Correct base in [ldap office], which is {BASE}",
            ResultCode.INSUFFICIENT_ACCESS_RIGHTS: "Let the search account read",
            ResultCode.BUSY: "overloaded",
            3: "is there an index",
            80: "log may say why",
        }.items():
            self.directory.searched = Result(code, "words of its own")
            fault = self.check()
            self.assertIsInstance(fault, BackendUnavailable)
            self.assertIn(remedy, str(fault))
            self.assertIn(f"({code:d}): words of its own", str(fault))

    def test_anonymous_search(self) -> None:
        """A directory that wants to know who searches says so."""
        way = UserSearch(BASE, "sub", parse_filter("(uid={username})"), "", "")
        self.backend = self.make(way=way)
        self.directory.searched = Result(ResultCode.OPERATIONS_ERROR)
        self.assertIn("set bind_dn in [ldap office]", str(self.check()))
        self.assertEqual(self.asked("bind"), [])

    def test_unreachable(self) -> None:
        """No connection is no wrong password; the next login finds one."""
        text = "No connection to 192.0.2.1 port 389: connection refused."
        self.directory.failure = StepFailure(
            Step.CONNECT, Reason.CONNECT_REFUSED, text, "Is it up?"
        )
        fault = self.check()
        self.assertEqual(str(fault), f"connect-refused: {text} Is it up?")
        self.directory.failure = None
        self.assertIs(self.check(), True)

    def test_silent(self) -> None:
        """A directory that is silent is given up in time, search and bind together."""
        self.check()
        self.directory.hold = True
        outcome: list[Any] = []
        Deferred.fromCoroutine(self.backend.check_password("alice", "wonderland")).addBoth(
            outcome.append
        )
        self.clock.advance(3)
        self.directory.held.pop().callback(None)
        self.clock.advance(1.9)
        self.assertEqual(outcome, [])
        self.clock.advance(0.2)
        said = str(outcome[0].value)
        self.assertIn("what was waited for is the answer of ldap://ldap.example.com to a b", said)

    def test_start(self) -> None:
        """At the start of the daemon the log has whether the directory can be asked."""
        self.backend.startService()
        self.assertEqual(self.logged, ["[ldap office]: the directory answers"])
        self.assertNotIn(self.alice.dn, self.asked("bind"))
        self.directory.passwords[SERVICE] = "another"
        self.make().startService()
        self.assertIn(
            "[ldap office]: the directory cannot be asked: authentication-failure", self.logged[1]
        )

    def test_stop_early(self) -> None:
        """The end of the daemon does not wait for the directory."""
        self.directory.hold = True
        self.backend.startService()
        self.backend.stopService()
        self.assertFalse(any(one.usable for one in self.directory.connections))
        self.clock.advance(5)
        self.assertFalse(self.clock.getDelayedCalls())

    def test_stop(self) -> None:
        """The end of the daemon closes the connections."""
        self.backend.startService()
        self.check()
        self.backend.stopService()
        self.assertFalse(any(one.usable for one in self.directory.connections))
