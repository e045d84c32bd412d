"""Tests of callbridged.backends.http.backend: logins as questions to a web hook."""

from __future__ import annotations

import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from callbridged.attempt import ATTEMPT, Attempt
from callbridged.backends import (
    AccountRefused,
    BackendUnavailable,
    IAccounts,
    IDecoySource,
    ISettingsReader,
    IUserBackend,
    IUserBackendFactory,
    configured,
    find_factory,
)
from callbridged.backends.http.backend import HttpBackend, HttpBackendWithAccounts
from callbridged.backends.http.factory import HttpBackendFactory
from daemonkit.ini import IniReader
from tests.callbridged.http.hooks import ALLOW, Hook, response
from tests.callbridged.http.test_messages import SCHEME, TEXT
from tests.callbridged.people import Threads


class BackendTests(SynchronousTestCase):
    """A backend, and a hook that tests type for."""

    def setUp(self) -> None:
        self.hook = Hook()
        self.backend = HttpBackendWithAccounts(self.hook, self.hook.settings, self.hook.client)
        self.question: dict[str, Any] = {}

    def ask(
        self, work: Coroutine[Any, Any, Any], answer: object, attempt: Attempt | None = None
    ) -> Any:
        """Let it ask, note the question, and answer it."""
        results: list[Any] = []

        async def login() -> Any:
            ATTEMPT.set(attempt)
            return await work

        Deferred.fromCoroutine(login()).addBoth(results.append)
        self.hook.settle()
        server = self.hook.connection()
        self.question = json.loads(server.read().partition("\r\n\r\n")[2])
        server.type(response(json.dumps(answer)))
        server.close()
        if isinstance(results[0], Failure):
            results[0].raiseException()
        return results[0]

    def test_password(self) -> None:
        """A password is the hook's to judge, and the login's mechanism and peer are told."""
        attempt = Attempt("203.0.113.7", "PLAIN", self.hook.seconds() + 100.0)
        work = self.backend.check_password("alice", "wonderland")
        self.assertIs(self.ask(work, {"result": "allow"}, attempt), True)
        self.assertEqual(
            self.question,
            {
                "version": 1,
                "method": "check-password",
                "username": "alice",
                "password": "wonderland",
                "mechanism": "PLAIN",
                "peer": "203.0.113.7",
                "deadline": 5.0,
            },
        )
        work = self.backend.check_password("alice", "x")
        self.assertIs(self.ask(work, {"result": "deny"}), False)
        work = self.backend.check_password("alice@example.org", "x")
        self.assertEqual(self.ask(work, {"result": "allow", "username": "alice"}), "alice")

    def test_deadline(self) -> None:
        """A login that has less time left than the timeout passes that on, and is given up."""
        attempt = Attempt(None, "PLAIN", self.hook.seconds() + 1.5)
        work = self.backend.check_password("alice", "x")
        self.ask(work, {"result": "deny"}, attempt)
        self.assertEqual(self.question["deadline"], 1.5)

    def test_refused(self) -> None:
        """An account that is locked is told so."""
        work = self.backend.check_password("alice", "wonderland")
        refused = self.assertRaises(AccountRefused, self.ask, work, {"result": "disabled"})
        self.assertEqual(refused.condition, "account-disabled")

    def test_bad_answer(self) -> None:
        """An answer of the wrong shape is no wrong password."""
        work = self.backend.check_password("alice", "wonderland")
        why = self.assertRaises(BackendUnavailable, self.ask, work, {"result": "wonderland"})
        self.assertIn("protocol-error: The web hook's answer to check-password has a", str(why))
        self.assertNotIn("wonderland", str(why))

    def test_keys(self) -> None:
        """Keys are asked for by mechanism, whichever the client's is bound to."""
        attempt = Attempt(None, f"{SCHEME}-PLUS", self.hook.seconds() + 100.0)
        work = self.backend.scram_keys("alice", SCHEME)
        keys = self.ask(work, {"keys": TEXT}, attempt)
        self.assertTrue(keys.check(SCHEME, "pencil"))
        self.assertEqual(self.question["mechanism"], SCHEME)
        self.assertNotIn("password", self.question)
        self.assertIs(self.ask(self.backend.scram_keys("x", SCHEME), {"keys": None}), None)

    def test_account(self) -> None:
        """A fingerprint is asked for by a question of its own."""
        attempt = Attempt(None, "EXTERNAL", self.hook.seconds() + 100.0)
        work = self.backend.fingerprint("alice")
        self.assertEqual(len(self.ask(work, {"fingerprint": "1"}, attempt)), 32)
        self.assertEqual(
            (self.question["method"], self.question["mechanism"]), ("account", "EXTERNAL")
        )
        self.assertIs(self.ask(self.backend.fingerprint("x"), {"fingerprint": None}), None)

    def test_stopped(self) -> None:
        """The connections that are kept end with the daemon."""
        self.backend.startService()
        self.hook.ask()
        server = self.hook.connection()
        server.type(response(ALLOW))
        self.assertFalse(server.lost)
        self.backend.stopService()
        self.hook.settle()
        self.assertTrue(server.lost)


class FactoryTests(SynchronousTestCase):
    """From ``backend = http:hook`` to a backend."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    def open(self, text: str) -> HttpBackend:
        self.path.write_text(text)
        backend = configured("http:hook", IniReader(self.path)).open(Threads())
        assert isinstance(backend, HttpBackend)
        return backend

    def test_plugin(self) -> None:
        """It is found as a Twisted plugin, and asks nothing before the first login."""
        factory, argument = find_factory("http:hook")
        self.assertIsInstance(factory, HttpBackendFactory)
        self.assertEqual(argument, "hook")
        verifyObject(IUserBackendFactory, factory)
        verifyObject(ISettingsReader, factory)

    def test_interfaces(self) -> None:
        """Accounts are there where the hook can answer for them."""
        url = "[http hook]\nurl = https://hook.example.com/\n"
        backend = self.open(url)
        verifyObject(IUserBackend, backend)
        verifyObject(IDecoySource, backend)
        self.assertFalse(IAccounts.providedBy(backend))
        backend = self.open(url + "accounts = yes\nmechanisms = SCRAM-SHA-256\niterations = 5000\n")
        verifyObject(IAccounts, backend)
        self.assertEqual(backend.mechanisms, {"SCRAM-SHA-256"})
        self.assertEqual(backend.iterations, 5000)
