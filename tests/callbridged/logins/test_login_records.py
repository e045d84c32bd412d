"""Tests of what callbridged records of a login that has ended."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.words.xish.domish import Element

from bridgewire.login import LoginRequest
from bridgewire.namespaces import SASL
from callbridged.backends import BackendUnavailable
from callbridged.logins.login import LoginService, NoRoom
from daemonkit.login_record import LoginRecord
from tests.callbridged.login_case import LINK, LoginCase
from tests.callbridged.logins.test_guests import GuestCase
from tests.callbridged.people import ScramUser, auth, plain


def latest(service: LoginService, expected: int = 1) -> LoginRecord:
    """The record of the login that ended last, of as many as there should be."""
    feed = service.records.feed
    assert feed.total == expected, feed.total
    return feed.last(1, lambda _: True)[0]


class RecordsTests(LoginCase):
    """Users with passwords."""

    def record(self, expected: int = 1) -> LoginRecord:
        return latest(self.service, expected)

    def test_success(self) -> None:
        """Who is in is recorded, with the id that the server knows it by, and the server."""
        user = ScramUser("Alice", "wonderland")
        request = LoginRequest("s1", user.first(), "203.0.113.7", 10.0)
        answer = self.service.answer(request, LINK, "xmpp1.example.com:5223")
        challenge = self.successResultOf(Deferred.fromCoroutine(answer))
        self.assertEqual(self.service.records.feed.total, 0)
        self.clock.advance(0.5)
        self.ask(user.final(challenge.element))
        record = self.record()
        self.assertEqual((record.login, record.user), ("s1", "alice"))
        self.assertEqual((record.domain, record.peer), ("example.com", "203.0.113.7"))
        self.assertEqual(record.asked, ("xmpp1.example.com:5223",))
        self.assertEqual((record.mechanism, record.kind), ("SCRAM-SHA-256", "password"))
        self.assertEqual((record.outcome, record.seconds), ("success", 0.5))
        self.assertEqual((record.step, record.reason, record.text), ("", "", ""))

    def test_domain(self) -> None:
        """A login is one of the domain that its link is for, in the record and in the exchange."""
        for index, authzid in enumerate(("alice@example.org", "alice@example.com"), 1):
            element = plain("alice", "wonderland", authzid)
            request = LoginRequest(f"s{index}", element, "203.0.113.7", 10.0)
            answer = self.service.answer(request, LINK, domain="Example.Org")
            self.successResultOf(Deferred.fromCoroutine(answer))
            record = self.record(index)
            expected = "success" if index == 1 else "invalid-authzid"
            self.assertEqual((record.domain, record.outcome), ("example.org", expected))

    def test_wrong_password(self) -> None:
        """Who claims to be somebody is named, cut, and what they have typed besides is not."""
        name = "a" * 1000
        self.refused(plain("alice", "rabbit hole"))
        self.assertEqual((self.record().user, self.record().outcome), ("alice", "not-authorized"))
        self.assertNotIn("rabbit", repr(self.record()))
        self.refused(plain(name, "rabbit hole"), "s2")
        self.assertLessEqual(len(self.record(2).user), 64)

    def test_backend(self) -> None:
        """Where the backend cannot look, the record says what it says."""
        self.backend.error = BackendUnavailable("the directory is down")
        self.refused(plain("alice", "wonderland"))
        self.assertEqual(self.record().outcome, "temporary-auth-failure")
        self.assertIn("the directory is down", self.record().text)

    def test_aborted(self) -> None:
        """A login that the server gives up is aborted."""
        self.ask(ScramUser("alice", "wonderland").first())
        self.ask(Element((SASL, "abort")))
        self.assertEqual((self.record().outcome, self.record().user), ("aborted", "alice"))

    def test_time(self) -> None:
        """A login whose time is over, and one whose link is lost, say so at step 12."""
        self.ask(ScramUser("alice", "wonderland").first())
        self.clock.advance(10)
        record = self.record()
        self.assertEqual((record.outcome, record.reason), ("timeout", "timeout"))
        self.assertEqual(record.step, "login")
        self.ask(ScramUser("alice", "wonderland").first(), "s2")
        self.service.link_lost(LINK)
        record = self.record(2)
        self.assertEqual((record.outcome, record.reason), ("link-lost", "link-lost"))

    def test_no_room(self) -> None:
        """A login that there is no room for is recorded, though it never began."""
        self.service.draining = True
        self.failureResultOf(self.send(plain("alice", "wonderland"), "s7"), NoRoom)
        record = self.record()
        self.assertEqual((record.login, record.outcome), ("s7", "resource-constraint"))
        self.assertEqual((record.reason, record.user), ("resource-limit", ""))

    def test_unknown_mechanism(self) -> None:
        """A mechanism that there is not is unknown, and not what the peer calls it."""
        self.refused(auth("X" * 1000, "x"))
        self.assertEqual(self.record().mechanism, "unknown")


class GuestRecordsTests(GuestCase):
    """Guests."""

    def test_guest(self) -> None:
        """A guest is recorded by the name that it gets."""
        reply = self.anonymous()
        record = latest(self.service)
        self.assertEqual((record.user, record.kind), (reply.username, "guest"))
