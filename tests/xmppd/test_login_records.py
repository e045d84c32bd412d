"""Tests of what xmppd records of a login that has ended, and of `daemonkit.waits`."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bridgewire.iq import StreamLost
from bridgewire.login import LoginReply
from bridgewire.namespaces import SASL
from bridgewire.sasl import sasl_failure, sasl_message
from bridgewire.steps import Reason
from daemonkit.login_record import LoginRecord
from daemonkit.waits import Waits
from tests.xmppd.client_case import AUTH, Bridge, ClientCase
from tests.xmppd.test_failed_logins import MOST, FailedLoginsCase
from tests.xmppd.test_sasl2 import AUTHENTICATE

RESPONSE = f"<response xmlns='{SASL}'>AA==</response>"


class RecordsCase(ClientCase):
    """Clients that log in, and the record of the login that ended last."""

    def record(self, expected: int = 1) -> LoginRecord:
        """The latest, of as many as there should be."""
        feed = self.clients.login_records
        self.assertEqual(feed.total, expected)
        return feed.last(1, lambda _: True)[0]

    def answer(self, **reply: Any) -> None:
        request, waiting = self.bridge.asked[-1]
        waiting.callback(LoginReply(request.session, **reply))


class RecordsTests(RecordsCase):
    """One Call Bridge."""

    def test_success(self) -> None:
        """Who is in is recorded when it is so, with the id that the Call Bridge knows it by."""
        peer = self.offered()
        peer.type(AUTH)
        self.assertEqual(self.clients.login_records.total, 0)
        self.clock.advance(0.25)
        self.bridge.reply("success", "alice")
        record = self.record()
        self.assertEqual(record.login, self.bridge.asked[0][0].session)
        self.assertEqual((record.user, record.domain), ("alice", "example.com"))
        self.assertEqual((record.mechanism, record.kind), ("PLAIN", "password"))
        self.assertEqual((record.peer, record.asked), ("192.0.2.7", ("cb1.example.com",)))
        self.assertEqual((record.outcome, record.step, record.reason), ("success", "", ""))
        self.assertEqual((record.seconds, record.waited), (0.25, {"callbridge": 0.25}))

    def test_link(self) -> None:
        """What the Call Bridge did not need of the time for its answers was spent on the link."""
        peer = self.offered()
        peer.type(AUTH)
        self.clock.advance(0.25)
        self.answer(element=sasl_message("challenge", b""), took=0.125)
        self.clock.advance(1)
        peer.type(RESPONSE)
        self.clock.advance(0.5)
        self.answer(element=sasl_failure("not-authorized"), took=0.25)
        record = self.record()
        self.assertEqual((record.link, record.waited["callbridge"]), (0.375, 0.75))

    def test_no_link(self) -> None:
        """Of a Call Bridge that does not say how long it needed nothing is said, and of one that
        says more than was waited for, nothing at all."""
        for number, (took, link) in enumerate([(None, None), (9.0, 0.0)], start=1):
            self.offered().type(AUTH)
            self.answer(element=sasl_failure("not-authorized"), took=took)
            self.assertEqual(self.record(number).link, link)

    def test_once(self) -> None:
        """What becomes of the session later is no login."""
        self.bound().lose()
        self.record()

    def test_sasl2(self) -> None:
        """A login by SASL2 is recorded in the same way."""
        self.offered().type(AUTHENTICATE.format("PLAIN", ""))
        self.bridge.reply("success", "alice")
        self.assertEqual(self.record().user, "alice")

    def test_refused(self) -> None:
        """A refusal has no user, since the password's owner is the Call Bridge's to know."""
        self.offered().type(AUTH)
        self.bridge.reply("failure")
        record = self.record()
        self.assertEqual((record.outcome, record.user, record.reason), ("not-authorized", "", ""))

    def test_claimed(self) -> None:
        """Where a client has said who it is, that is what is known."""
        peer = self.secured()
        peer.open("example.com", version="1.0", **{"from": "alice@example.com"})
        peer.type(AUTH)
        self.bridge.reply("failure")
        self.assertEqual(self.record().user, "alice")

    def test_reason(self) -> None:
        """The reason that a Call Bridge gives is kept; its words are, up to a length."""
        self.offered().type(AUTH)
        element = sasl_failure("temporary-auth-failure", "x" * 1000, Reason.RESOURCE_LIMIT)
        self.answer(element=element)
        record = self.record()
        self.assertEqual((record.step, record.reason), ("login", "resource-limit"))
        self.assertIn("cb1.example.com could not look the user up", record.text)
        self.offered().type(AUTH)
        self.answer(element=sasl_failure("not-authorized", "y" * 1000, Reason.POLICY))
        record = self.record(2)
        self.assertEqual((record.step, record.reason, record.text), ("login", "policy", "y" * 300))

    def test_nobody(self) -> None:
        """With no Call Bridge the record says so, in the words of the log."""
        self.bridge.mechanisms = frozenset()
        self.logins.update(self.bridge)
        self.offered().type(AUTH)
        record = self.record()
        self.assertEqual((record.outcome, record.asked), ("temporary-auth-failure", ()))
        self.assertEqual((record.step, record.reason), ("ready", "link-lost"))
        self.assertIn("no Call Bridge that takes logins by 'PLAIN'", record.text)

    def test_not_offered(self) -> None:
        """A mechanism that was not offered is recorded, cut, though nobody was asked."""
        self.offered().type(AUTH.replace("PLAIN", "X" * 1000))
        record = self.record()
        self.assertEqual((record.outcome, record.login), ("invalid-mechanism", ""))
        self.assertEqual(record.mechanism, "X" * 64)
        self.assertEqual(record.reason, "protocol-error")

    def test_left(self) -> None:
        """A client that goes away in between has aborted its login, once."""
        peer = self.offered()
        peer.type(AUTH)
        peer.lose()
        self.assertEqual(self.record().outcome, "aborted")

    def test_not_begun(self) -> None:
        """A client that goes away without a login leaves no record."""
        self.offered().lose()
        self.assertEqual(self.clients.login_records.total, 0)

    def test_waited(self) -> None:
        """The record says for whom it was waited how long."""
        peer = self.offered()
        peer.type(AUTH)
        self.clock.advance(0.5)
        self.bridge.reply("challenge")
        self.clock.advance(2)
        peer.type(RESPONSE)
        self.clock.advance(0.25)
        self.bridge.reply("success", "alice")
        record = self.record()
        self.assertEqual(record.waited, {"callbridge": 0.75, "client": 2.0})
        self.assertEqual(record.seconds, 2.75)

    def test_deadline(self) -> None:
        """A client that is too slow is the one who was waited for."""
        peer = self.offered()
        peer.type(AUTH)
        self.bridge.reply("challenge")
        self.clock.advance(10)
        peer.type(RESPONSE)
        record = self.record()
        self.assertEqual((record.outcome, record.reason), ("temporary-auth-failure", "timeout"))
        self.assertEqual(record.waited, {"client": 10.0})

    def test_guest(self) -> None:
        """A guest is one, whatever the mechanism."""
        self.offered().type(AUTH)
        self.answer(element=sasl_message("success"), username="guest1", lifetime=60.0, report=True)
        self.assertEqual((self.record().kind, self.record().user), ("guest", "guest1"))

    def test_no_username(self) -> None:
        """What a Call Bridge lets in that is no username is a failure, and no user."""
        self.offered().type(AUTH)
        self.bridge.reply("success", "a@b")
        record = self.record()
        self.assertEqual((record.outcome, record.user), ("temporary-auth-failure", ""))
        self.assertEqual(record.reason, "protocol-error")

    def test_no_secrets(self) -> None:
        """What the client proves itself with is in no part of the record."""
        self.offered().type(AUTH)
        self.bridge.reply("success", "alice")
        shown = repr(self.record()) + repr(self.record().as_json())
        for secret in ("secret", "AGFsaWNlAHNlY3JldA=="):
            self.assertNotIn(secret, shown)


class SecondTryTests(RecordsCase):
    """Two Call Bridges."""

    def test_second_try(self) -> None:
        """Both that were asked are named, in turn."""
        other = Bridge("cb2")
        self.logins.update(other)
        self.offered().type(AUTH)
        first, second = (self.bridge, other) if self.bridge.asked else (other, self.bridge)
        first.fail(StreamLost())
        second.reply("success", "alice")
        self.assertEqual(self.record().asked, (first.host, second.host))

    def test_full(self) -> None:
        """A login that waits until a Call Bridge has room waits for that."""
        self.bridge.capacity = 1
        self.offered().type(AUTH)
        self.offered().type(AUTH)
        self.clock.advance(3)
        self.bridge.reply("success", "alice")
        self.bridge.reply("success", "alice")
        self.assertEqual(self.record(2).waited, {"room": 3.0})


class PausedTests(FailedLoginsCase, RecordsCase):
    """A network that guesses."""

    def test_paused(self) -> None:
        """A login that is refused before anybody was asked says why, and what it waited for."""
        for _ in range(MOST):
            self.guess()
        waited = self.record(MOST).waited
        assert waited is not None
        self.assertGreater(waited["pause"], 0)
        self.guess()
        record = self.record(MOST + 1)
        self.assertEqual((record.outcome, record.reason), ("temporary-auth-failure", "policy"))
        self.assertIn("too many logins from your network", record.text)
        self.assertEqual(record.asked, ())


class WaitsTests(SynchronousTestCase):
    """Who was waited for."""

    def test_short(self) -> None:
        """What took no time is not named, and what nobody was waited for is not counted."""
        clock = Clock()
        waits = Waits(clock)
        clock.advance(1)
        waits.turn_to("room")
        waits.turn_to("callbridge")
        clock.advance(2)
        waits.turn_to("callbridge")
        clock.advance(4)
        self.assertEqual(waits.by_whom(), {"callbridge": 6.0})
        clock.advance(8)
        self.assertEqual((waits.by_whom(), waits.total()), ({"callbridge": 6.0}, 15.0))
