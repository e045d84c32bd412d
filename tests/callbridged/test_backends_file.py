"""Tests for `callbridged.backends.file`."""

from __future__ import annotations

import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from bridgewire.login import LoginRequest
from callbridged.backends import BackendUnavailable
from callbridged.backends.file import LOOK_INTERVAL, MAX_FAULTS, FileBackend, FileBackendFactory
from callbridged.backends.users_file import put
from callbridged.logins.login import LoginService
from callbridged.scram_keys import ITERATIONS, SCHEMES, ScramKeys
from daemonkit.replace import replace_file
from tests.callbridged.people import ScramUser, Threads, iterations_of, salt_of

T = TypeVar("T")
SCHEME = "SCRAM-SHA-256"


class FileBackendCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp()).absolute()
        self.threads = Threads()
        self.write("alice", "wonderland")
        self.backend = FileBackend(self.path, self.threads)
        self.logged: list[str] = []

        def observe(event: Any) -> None:
            self.logged.append(formatEvent(event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)

    def write(self, name: str, password: str, iterations: int = 4096) -> None:
        content = self.path.read_bytes() if self.path.exists() else b""
        keys = {SCHEME: ScramKeys.derive(SCHEME, password, iterations)}
        replace_file(self.path, put(content, name, keys))

    def start(self, work: Coroutine[Deferred[Any], Any, T]) -> Deferred[T]:
        return Deferred.fromCoroutine(work)

    def check(self, name: str, password: str) -> bool:
        return self.successResultOf(self.start(self.backend.check_password(name, password)))

    def keys(self, name: str, mechanism: str = SCHEME) -> ScramKeys | None:
        return self.successResultOf(self.start(self.backend.scram_keys(name, mechanism)))


class Looking(FileBackendCase):
    """What the backend answers."""

    def test_password(self) -> None:
        """The right password of a user is right, and nothing else."""
        self.assertTrue(self.check("alice", "wonderland"))
        for name, password in (("alice", "x"), ("bob", "wonderland"), ("", "")):
            self.assertFalse(self.check(name, password))

    def test_keys(self) -> None:
        """Users have the keys in the file; unknown users and mechanisms have none."""
        keys = self.keys("alice")
        assert keys is not None
        self.assertTrue(keys.check(SCHEME, "wonderland"))
        self.assertIsNone(self.keys("bob"))
        self.assertIsNone(self.keys("alice", "SCRAM-SHA-1"))

    def test_same_work(self) -> None:
        """An unknown user costs a thread the same PBKDF2 as a known one, off the reactor."""
        asked = []
        derive = ScramKeys.derive

        def spy(*arguments: Any) -> ScramKeys:
            asked.append((arguments[0], arguments[2], len(arguments[3])))
            return derive(*arguments)

        self.patch(ScramKeys, "derive", spy)
        self.check("alice", "x")
        self.threads.at_once = False
        answer = self.start(self.backend.check_password("bob", "x"))
        self.assertEqual(asked, [(SCHEME, 4096, 16)])
        self.threads.work()
        self.assertFalse(self.successResultOf(answer))
        self.assertEqual(asked, [(SCHEME, 4096, 16)] * 2)

    def test_missing(self) -> None:
        """With no file nobody can look: that is not a wrong password. It may come later."""
        self.path.unlink()
        backend = FileBackendFactory().open(self.path, self.threads)
        self.assertTrue(any("no user can log in" in line for line in self.logged))
        failed = self.start(backend.check_password("alice", "wonderland"))
        fault = self.failureResultOf(failed, BackendUnavailable).value
        said = f"{self.path} cannot be read: No such file or directory. Make it with"
        self.assertIn(said, str(fault))
        self.write("alice", "wonderland")
        answer = self.start(backend.check_password("alice", "wonderland"))
        self.assertTrue(self.successResultOf(answer))

    def test_directory(self) -> None:
        """A directory in the place of the file is no traceback either."""
        self.path.unlink()
        self.path.mkdir()
        answer = self.start(self.backend.scram_keys("alice", SCHEME))
        self.failureResultOf(answer, BackendUnavailable)

    def test_broken_lines(self) -> None:
        """A broken line is logged with its number; its user cannot be looked up, others can."""
        self.check("alice", "x")
        with self.path.open("a") as file:
            file.write("bob:nonsense\n")
        self.assertTrue(self.check("alice", "wonderland"))
        answer = self.start(self.backend.check_password("bob", "x"))
        self.failureResultOf(answer, BackendUnavailable)
        self.assertFalse(self.check("carol", "x"))
        broken = [line for line in self.logged if "line 3:" in line]
        self.assertEqual(len(broken), 1, self.logged)
        self.assertIn(str(self.path), broken[0])

    def test_many_broken_lines(self) -> None:
        """Some other file in the place of the users file does not fill the log."""
        self.path.write_text("what is this\n" * 1000)
        self.assertFalse(self.check("alice", "wonderland"))
        self.assertEqual(len(self.logged), MAX_FAULTS + 2)
        self.assertIn(f"{1000 - MAX_FAULTS} more lines", self.logged[-1])


class Changes(FileBackendCase):
    """The file changes while the daemon runs."""

    def test_new_password(self) -> None:
        """A new password counts at once, and the old one no more."""
        self.assertTrue(self.check("alice", "wonderland"))
        self.write("alice", "other")
        self.assertFalse(self.check("alice", "wonderland"))
        self.assertTrue(self.check("alice", "other"))

    def test_in_place(self) -> None:
        """A file that was changed in its place, by an editor or cp, is read again too."""
        self.assertFalse(self.check("bob", "x"))
        line = put(b"", "bob", {SCHEME: ScramKeys.derive(SCHEME, "x", 4096)})
        with self.path.open("ab") as file:
            file.write(line.split(b"\n")[1] + b"\n")
        self.assertTrue(self.check("bob", "x"))

    def test_same_time(self) -> None:
        """Another file with the same time is noticed."""
        self.assertTrue(self.check("alice", "wonderland"))
        before = self.path.stat()
        self.write("alice", "other")
        os.utime(self.path, ns=(before.st_atime_ns, before.st_mtime_ns))
        self.assertTrue(self.check("alice", "other"))

    def test_read_once(self) -> None:
        """Many logins at once read a changed file once, in a thread, and all wait for it."""
        self.threads.at_once = False
        answers = [self.start(self.backend.scram_keys("alice", SCHEME)) for _ in range(20)]
        self.assertEqual(len(self.threads.jobs), 1)
        for answer in answers:
            self.assertNoResult(answer)
        self.threads.work()
        for answer in answers:
            self.assertIsNotNone(self.successResultOf(answer))
        self.assertIsNotNone(self.keys("alice"))
        self.assertEqual(len([line for line in self.logged if line.endswith(" 1 users")]), 1)

    def test_changed_while_reading(self) -> None:
        """A file that changes while it is read is read once more."""
        self.threads.at_once = False
        answer = self.start(self.backend.scram_keys("bob", SCHEME))
        self.threads.work()
        self.assertIsNone(self.successResultOf(answer))
        self.write("carol", "x")
        answer = self.start(self.backend.scram_keys("bob", SCHEME))
        self.write("bob", "x")
        self.threads.work()
        self.successResultOf(answer)
        self.threads.at_once = True
        self.assertIsNotNone(self.keys("bob"))

    def test_reader_gives_up(self) -> None:
        """When the login that reads is cancelled, those behind it read for themselves."""
        self.threads.at_once = False
        first = self.start(self.backend.scram_keys("alice", SCHEME))
        second = self.start(self.backend.scram_keys("alice", SCHEME))
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.threads.work()
        self.assertIsNotNone(self.successResultOf(second))

    def test_reading_fails(self) -> None:
        """A file that cannot be read is tried again by the next login."""
        self.threads.at_once = False
        first = self.start(self.backend.scram_keys("alice", SCHEME))
        content = self.path.read_bytes()
        self.path.unlink()
        self.threads.work()
        self.failureResultOf(first, BackendUnavailable)
        self.path.write_bytes(content)
        self.threads.at_once = True
        self.assertIsNotNone(self.keys("alice"))


class Mechanisms(FileBackendCase):
    """What all users can log in by."""

    def setUp(self) -> None:
        super().setUp()
        self.path.unlink()
        self.changes = 0

        def changed() -> None:
            self.changes += 1

        self.backend.changed = changed

    def write_for(self, name: str, *schemes: str) -> None:
        content = self.path.read_bytes() if self.path.exists() else b""
        keys = {scheme: ScramKeys.derive(scheme, "x", 4096) for scheme in schemes}
        replace_file(self.path, put(content, name, keys))
        self.check("nobody", "x")

    def test_all(self) -> None:
        """Where all users have all keys, all mechanisms are there."""
        self.write_for("alice", *SCHEMES)
        self.assertEqual(self.backend.mechanisms, {*SCHEMES, "PLAIN"})
        self.assertEqual(self.changes, 0)

    def test_missing(self) -> None:
        """A mechanism that one user has no keys for goes, with one warning that names the remedy,
        and comes back with the keys. The daemon hears of both."""
        self.write_for("alice", *SCHEMES)
        self.write_for("bob", SCHEME)
        self.assertEqual(self.backend.mechanisms, {SCHEME, "PLAIN"})
        self.write_for("carol", *SCHEMES)
        self.assertEqual(self.changes, 1)
        warnings = [line for line in self.logged if "callbridgectl user passwd" in line]
        self.assertEqual(len(warnings), 1, self.logged)
        self.assertIn("of 2 users, 1 have no SCRAM-SHA-512, 1 have no SCRAM-SHA-1", warnings[0])
        self.write_for("bob", *SCHEMES)
        self.assertEqual(self.backend.mechanisms, {*SCHEMES, "PLAIN"})
        self.assertEqual(self.changes, 2)

    def test_nothing_in_common(self) -> None:
        """Where no mechanism suits all users, the most usual one stays; passwords suit all."""
        self.write_for("alice", "SCRAM-SHA-512")
        self.write_for("bob", "SCRAM-SHA-1")
        self.write_for("carol", "SCRAM-SHA-1")
        self.assertEqual(self.backend.mechanisms, {"SCRAM-SHA-1", "PLAIN"})
        self.assertTrue(self.check("alice", "x"))

    def test_looks_by_itself(self) -> None:
        """A daemon that nobody logs in to notices a changed file, too, until it stops."""
        self.path.touch()
        self.backend.startService()
        content = put(b"", "bob", {SCHEME: ScramKeys.derive(SCHEME, "x", 4096)})
        self.path.write_bytes(content)
        self.threads.advance(LOOK_INTERVAL)
        self.assertEqual(self.changes, 1)
        self.path.unlink()
        self.threads.advance(LOOK_INTERVAL)
        self.path.touch()
        self.threads.advance(LOOK_INTERVAL)
        self.assertEqual(self.changes, 2)
        self.backend.stopService()
        self.assertEqual(self.threads.getDelayedCalls(), [])


class Accounts(FileBackendCase):
    """Who is a user, without a password."""

    def fingerprint(self, name: str) -> bytes | None:
        return self.successResultOf(self.start(self.backend.fingerprint(name)))

    def test_fingerprint(self) -> None:
        """A user has a fingerprint, which another password changes and other users do not; who is
        none has none."""
        before = self.fingerprint("alice")
        self.assertEqual(len(before or b""), 32)
        self.write("bob", "x")
        self.assertEqual(self.fingerprint("alice"), before)
        self.assertNotEqual(self.fingerprint("bob"), before)
        self.write("alice", "wonderland")
        self.assertNotEqual(self.fingerprint("alice"), before)
        self.assertIsNone(self.fingerprint("carol"))

    def test_broken(self) -> None:
        """Of a user whose line is broken, nobody can say."""
        with self.path.open("a") as file:
            file.write("bob:nonsense\n")
        self.failureResultOf(self.start(self.backend.fingerprint("bob")), BackendUnavailable)


class WithService(FileBackendCase):
    """The backend as the login service uses it."""

    def challenge(self, service: LoginService, name: str) -> Any:
        request = LoginRequest(name, ScramUser(name, "x").first())
        return self.successResultOf(self.start(service.answer(request, "link"))).element

    def test_decoys(self) -> None:
        """Users who do not exist have a salt that outlives the daemon, and the iterations of the
        others: all Call Bridges with this file answer alike."""
        salts = set()
        for _ in range(2):
            backend = FileBackend(self.path, self.threads)
            service = LoginService(self.threads, backend, "example.com")
            challenge = self.challenge(service, "bob")
            salts.add(salt_of(challenge))
            self.assertEqual(iterations_of(challenge), 4096)
        self.assertEqual(len(salts), 1)
        service = LoginService(self.threads, self.backend, "example.com")
        known = self.challenge(service, "alice")
        self.assertEqual(iterations_of(known), 4096)
        self.assertEqual(len(salt_of(known)), len(salts.pop()))

    def test_no_decoy_key(self) -> None:
        """A file without a key for decoys works as well."""
        self.path.write_bytes(b"")
        service = LoginService(self.threads, self.backend, "example.com")
        self.assertEqual(iterations_of(self.challenge(service, "bob")), ITERATIONS)
