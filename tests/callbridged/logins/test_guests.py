"""Tests for `callbridged.logins.guests`, ANONYMOUS, and `callbridged.logins.welcome`."""

from __future__ import annotations

import re
from typing import Any

from bridgewire.login import LoginReply
from bridgewire.namespaces import ERRORS
from bridgewire.sasl import failure_condition
from callbridged.backends import BackendUnavailable
from callbridged.logins.guests import Guests, GuestsFull
from callbridged.logins.login import LoginService
from tests.callbridged.accounts import Accounts
from tests.callbridged.login_case import LoginCase
from tests.callbridged.people import SCHEMES, MemoryBackend, ScramUser, auth, plain

CODE = "\uff4fpen sesame"  # a wide o, which SASLprep makes an ordinary one
NAME = re.compile(r"guest[0-9]{10}")


class GuestCase(LoginCase):
    """A service that lets three guests in, for a minute each."""

    code = ""

    def setUp(self) -> None:
        super().setUp()
        self.guests = self.make_guests()
        self.backend = Accounts()
        self.service = self.make_service(guests=self.guests)

    def make_guests(self) -> Guests:
        return Guests(self.clock, self.code, maximum=3, lifetime=60.0)

    def anonymous(self, session: str = "s1", trace: str | None = "") -> LoginReply:
        return self.ask(auth("ANONYMOUS", trace), session)

    def names(self) -> list[object]:
        return [one["name"] for one in self.guests.status()]


class Anonymous(GuestCase):
    """Guests without an access code."""

    def test_in(self) -> None:
        """A guest gets a name with digits, a lifetime, and the wish to hear of the end."""
        for number, trace in enumerate(("", "sirhc", None)):
            reply = self.anonymous(str(number), trace)
            self.assertRegex(reply.username or "", NAME)
            self.assertEqual((reply.lifetime, reply.report), (60.0, True))
            self.assertIn(f"by ANONYMOUS: success, as {reply.username} (", self.lines()[-1])
        self.assertEqual(len(set(self.names())), 3)
        self.assertNotIn("sirhc", "\n".join(self.logged))

    def test_trace(self) -> None:
        """What cannot be trace information is malformed, and lets nobody in."""
        for data in (b"\xff", b"x" * 256, b"a\0b", "ü".encode() * 256):
            self.assertEqual(self.refused(auth("ANONYMOUS", data)), "malformed-request")
        self.assertEqual(self.names(), [])
        self.assertEqual(self.ask(auth("ANONYMOUS", "ü" * 255)).element.name, "success")

    def test_full(self) -> None:
        """Beyond the number the failure is temporary, with one warning; who goes makes room."""
        replies = [self.anonymous(str(number)) for number in range(5)]
        self.assertEqual([one.username is not None for one in replies], [True] * 3 + [False] * 2)
        self.assertEqual(failure_condition(replies[3].element), "temporary-auth-failure")
        self.assertIsNotNone(next(replies[3].element.elements(ERRORS, "resource-limit"), None))
        self.assertEqual(sum("Raise max_guests" in line for line in self.logged), 1)
        self.guests.ended(str(replies[1].username), "1")
        self.assertIsNotNone(self.anonymous().username)

    def test_lifetime(self) -> None:
        """After their lifetime guests are gone, whatever became of their sessions."""
        self.anonymous("1")
        self.clock.advance(59)
        self.anonymous("2")
        self.clock.advance(2)
        self.assertEqual(len(self.names()), 1)
        self.clock.advance(60)
        self.assertEqual(self.names(), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_ended(self) -> None:
        """The end of a session removes its guest, and only its own."""
        name = str(self.anonymous("1").username)
        self.guests.ended(name, "2")
        self.guests.ended("guest1", "1")
        self.assertEqual(self.names(), [name])
        self.guests.ended(name, "1")
        self.guests.ended(name, "1")
        self.assertEqual(self.names(), [])

    def test_link_lost(self) -> None:
        """A guest whose link is lost stays: the session may go on at the server."""
        self.anonymous()
        self.service.link_lost("link")
        self.assertEqual(len(self.names()), 1)

    def test_one_network(self) -> None:
        """One network does not get all the places."""
        guests = Guests(self.clock, maximum=10, maximum_per_network=2)
        for peer in ("2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.1", "192.0.2.2"):
            guests.admit("s", peer)
        for peer in ("2001:db8::3", "192.0.2.1"):
            self.assertRaises(GuestsFull, guests.admit, "s", peer)
        self.assertEqual(sum("max_guests_per_network" in line for line in self.logged), 2)

    def test_directory_down(self) -> None:
        """Guests do not need the users' backend."""
        self.backend.error = BackendUnavailable("it is down")
        self.assertIsNotNone(self.anonymous().username)

    def test_no_code(self) -> None:
        """Without a code there is no way in as guest with a password, not even an empty one."""
        for password in ("guest", "x", "\u00ad"):
            self.assertEqual(self.refused(plain("guest", password)), "not-authorized")
        reply = self.log_in(ScramUser("guest", "guest"))
        self.assertEqual(failure_condition(reply.element), "not-authorized")

    def test_offer(self) -> None:
        """ANONYMOUS is answered only where guests are let in without a code."""
        self.assertEqual(self.service.mechanisms[-1], "ANONYMOUS")
        self.assertNotIn("ANONYMOUS", self.make_service().mechanisms)
        self.assertEqual(self.refused_by(self.make_service()), "invalid-mechanism")

    def refused_by(self, service: LoginService) -> str:
        sent = self.send(auth("ANONYMOUS", ""), service=service)
        return failure_condition(self.successResultOf(sent).element)


class AccessCode(GuestCase):
    """Guests with an access code."""

    code = CODE

    def test_right(self) -> None:
        """The code lets a guest in, with PLAIN and with SCRAM, however the name is written."""
        for number, name in enumerate(("guest", "GUEST", "Guest")):
            reply = self.ask(plain(name, "open sesame"), str(number))
            self.assertRegex(reply.username or "", NAME)
            self.assertEqual((reply.lifetime, reply.report), (60.0, True))
            self.guests.leave(str(reply.username))
        self.backend.mechanisms = frozenset({*SCHEMES, "PLAIN"})
        for scheme in SCHEMES:
            user = ScramUser("guest", CODE, mechanism=scheme)
            reply = self.log_in(user)
            user.check(reply.element)
            self.assertRegex(reply.username or "", NAME)

    def test_wrong(self) -> None:
        """Another code is a wrong password, also when all places are taken."""
        for number in range(4):
            self.ask(plain("guest", CODE), str(number))
        for code in ("opensesame", "OPEN SESAME", "x", "\u00ad", "\x01"):
            self.assertEqual(self.refused(plain("guest", code)), "not-authorized")
        reply = self.log_in(ScramUser("guest", "x"))
        self.assertEqual(failure_condition(reply.element), "not-authorized")
        self.assertEqual(self.refused(plain("guest", CODE)), "temporary-auth-failure")

    def test_authzid(self) -> None:
        """A client may ask to act as guest: many always ask for themselves. As nobody else."""
        reply = self.ask(plain("guest", CODE, "guest@example.com"))
        self.assertRegex(reply.username or "", NAME)
        for authzid in ("alice@example.com", f"{reply.username}@example.com"):
            self.assertEqual(self.refused(plain("guest", CODE, authzid)), "invalid-authzid")

    def test_anonymous(self) -> None:
        """Where there is a code, nobody comes in without it."""
        self.assertNotIn("ANONYMOUS", self.service.mechanisms)
        self.assertEqual(self.refused(auth("ANONYMOUS", "")), "invalid-mechanism")

    def test_backend_without_passwords(self) -> None:
        """Guests can use PLAIN where users cannot, and then still none of these can."""
        self.backend.mechanisms = frozenset({"SCRAM-SHA-256"})
        self.assertIn("PLAIN", self.service.mechanisms)
        self.assertRegex(self.ask(plain("guest", CODE)).username or "", NAME)
        self.assertEqual(self.refused(plain("alice", "wonderland")), "not-authorized")

    def test_code_is_secret(self) -> None:
        """The code is in no log."""
        self.ask(plain("guest", CODE))
        self.ask(plain("guest", "hunter2"))
        text = "\n".join(self.logged)
        self.assertNotIn("sesame", text)
        self.assertNotIn("hunter2", text)

    def test_impossible_code(self) -> None:
        """What no client could send cannot be a code."""
        self.assertRaises(ValueError, Guests, self.clock, "\U0001f600")


class Names(GuestCase):
    """Users with the names of guests."""

    def make_guests(self) -> Guests:
        class Crowd(Accounts):
            passwords = {"guest": "x", "guest1": "x", "guests": "x", "guest1a": "x"}

        self.crowd = Crowd
        return super().make_guests()

    def setUp(self) -> None:
        super().setUp()
        self.backend = self.crowd()
        self.service = self.make_service(guests=self.guests)

    def test_refused(self) -> None:
        """A user who is called like a guest cannot log in, and the log says why; similar names
        are nobody's business."""
        for name in ("guest", "guest1"):
            self.assertEqual(self.refused(plain(name, "x")), "not-authorized")
            reply = self.log_in(ScramUser(name, "x"))
            self.assertEqual(failure_condition(reply.element), "not-authorized")
        self.assertIn("names like this are kept for guests", self.lines()[-1])
        for name in ("guests", "guest1a"):
            self.assertEqual(self.ask(plain(name, "x")).username, name)

    def test_not_asked(self) -> None:
        """The backend is not asked for them: it sees neither the access code nor guesses."""
        for name in ("guest", "guest1"):
            self.ask(plain(name, "y"))
            self.log_in(ScramUser(name, "x"))
        self.assertEqual(self.backend.asked, [])

    def test_without_guests(self) -> None:
        """Without guests these names are like all others."""
        self.service = self.make_service()
        for name in ("guest", "guest1"):
            reply = self.ask(plain(name, "x"))
            self.assertEqual((reply.username, reply.lifetime, reply.report), (name, None, False))


class WithoutAccounts(GuestCase):
    """A backend that cannot say who is a user."""

    def test_in(self) -> None:
        """Guests are let in all the same: their names are kept free of users."""
        self.backend: Any = MemoryBackend()
        self.service = self.make_service(guests=self.guests)
        self.assertRegex(self.anonymous().username or "", NAME)
