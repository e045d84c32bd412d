"""Tests for `callbridged.logins.login` and `callbridged.logins.mechanisms`."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.words.xish.domish import Element

from bridgewire.namespaces import SASL
from bridgewire.sasl import failure_condition, sasl_data, sasl_failure, sasl_message
from callbridged.backends import BackendUnavailable
from callbridged.logins.login import LoginService, NoRoom, OutOfOrder
from callbridged.logins.session import MAX_SECONDS
from tests.callbridged.login_case import LINK, LoginCase
from tests.callbridged.people import MemoryBackend, ScramUser, auth, plain


class Plain(LoginCase):
    """PLAIN."""

    def test_took(self) -> None:
        """An answer says how long it was worked on, so that the server knows what the link took."""
        self.backend.hold = True
        asked = self.send(plain("alice", "wonderland"))
        self.clock.advance(0.25)
        self.backend.waiting.pop().callback(None)
        self.assertEqual(self.successResultOf(asked).took, 0.25)

    def test_right(self) -> None:
        """The right password lets the user in, under the normalised name."""
        reply = self.ask(plain("Alice", "wonderland"))
        self.assertEqual((reply.element.name, reply.username), ("success", "alice"))
        self.assertEqual(self.service.outstanding(), 0)

    def test_wrong(self) -> None:
        """A wrong password and an unknown user are the same: not-authorized."""
        for name, password in (("alice", "x"), ("bob", "wonderland"), ("a b", "x"), ("@", "x")):
            self.assertEqual(self.refused(plain(name, password)), "not-authorized")

    def test_authzid(self) -> None:
        """Users may ask to act as themselves, by their bare JID, and as nobody else."""
        for authzid in ("alice@example.com", "ALICE@Example.Com"):
            reply = self.ask(plain("alice", "wonderland", authzid))
            self.assertEqual(reply.username, "alice")
        for authzid in (
            "bob@example.com",
            "alice@example.net",
            "alice@example.com/x",
            "alice@example.com.",
            "alice",
            "example.com",
            "@",
            " ",
            "\u0221",
        ):
            condition = self.refused(plain("alice", "wonderland", authzid))
            self.assertEqual(condition, "invalid-authzid", authzid)

    def test_malformed(self) -> None:
        """What is not three parts of UTF-8, with a name and a password, is malformed."""
        for message in (
            b"",
            b"alice",
            b"\0alice",
            b"\0\0x",
            b"\0alice\0",
            b"\0alice\0x\0y",
            b"\0alice\0\xff",
            b"\0alice\0" + b"x" * 1025,
        ):
            self.assertEqual(self.refused(auth("PLAIN", message)), "malformed-request", message)

    def test_encoding(self) -> None:
        """What is not base64 is incorrect-encoding; an element in it is malformed."""
        element = auth("PLAIN", None)
        element.addContent("!")
        self.assertEqual(self.refused(element), "incorrect-encoding")
        element = auth("PLAIN", None)
        element.addElement("b")
        self.assertEqual(self.refused(element), "malformed-request")

    def test_no_initial_response(self) -> None:
        """Without a first message the client is asked for it with an empty challenge."""
        challenge = self.ask(auth("PLAIN", None))
        self.assertEqual(
            (challenge.element.name, sasl_data(challenge.element)), ("challenge", None)
        )
        response = sasl_message("response", b"\0alice\0wonderland")
        self.assertEqual(self.ask(response).username, "alice")


class Sessions(LoginCase):
    """What a session is, and when it ends."""

    def test_mechanisms(self) -> None:
        """What is offered is what the backend has an answer for, the best first."""
        mechanisms = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN")
        self.assertEqual(self.service.mechanisms, mechanisms)
        self.backend.mechanisms = frozenset({"PLAIN", "X-UNHEARD-OF"})
        service = LoginService(self.clock, self.backend, "example.com")
        self.assertEqual(service.mechanisms, ("PLAIN",))

    def test_unknown_mechanism(self) -> None:
        """A mechanism that was not offered is invalid-mechanism."""
        for name in ("SCRAM-SHA-1", "plain", "", "X" * 1000):
            self.assertEqual(self.refused(auth(name, "x")), "invalid-mechanism")
        self.assertEqual(self.service.outstanding(), 0)

    def test_no_session(self) -> None:
        """A response in no session is refused; so is one after the session ended."""
        response = sasl_message("response", b"x")
        self.failureResultOf(self.send(response), OutOfOrder)
        self.refused(plain("alice", "x"))
        self.failureResultOf(self.send(response), OutOfOrder)

    def test_other_link(self) -> None:
        """A session belongs to its link: another one has no part in it, under the same name."""
        self.ask(ScramUser("alice", "wonderland").first())
        response = sasl_message("response", b"x")
        self.failureResultOf(self.send(response, link="other"), OutOfOrder)
        self.ask(Element((SASL, "abort")), link="other")
        self.assertEqual(self.service.outstanding(), 1)
        self.ask(ScramUser("alice", "wonderland").first(), link="other")
        self.assertEqual(self.service.outstanding(), 2)
        self.assertEqual(self.service.outstanding(LINK), 1)

    def test_auth_twice(self) -> None:
        """A second auth in a session is refused, and the session goes on."""
        user = ScramUser("alice", "wonderland")
        challenge = self.ask(user.first())
        fault = self.failureResultOf(self.send(plain("alice", "wonderland")), OutOfOrder).value
        self.assertEqual(fault.condition, "unexpected-request")
        self.assertEqual(self.ask(user.final(challenge.element)).username, "alice")

    def test_message_while_working(self) -> None:
        """A message before the answer to the one before is refused; that one is answered."""
        self.backend.hold = True
        answer = self.send(plain("alice", "wonderland"))
        for element in (sasl_message("response", b"x"), plain("alice", "wonderland")):
            self.failureResultOf(self.send(element), OutOfOrder)
        self.backend.waiting.pop().callback(None)
        self.assertEqual(self.successResultOf(answer).username, "alice")

    def test_abort(self) -> None:
        """An abort ends the session, also one that is being worked on, and also none."""
        abort = Element((SASL, "abort"))
        self.assertEqual(self.refused(abort), "aborted")
        self.ask(ScramUser("alice", "wonderland").first())
        self.assertEqual(self.refused(abort), "aborted")
        self.backend.hold = True
        answer = self.send(plain("alice", "wonderland"))
        self.assertEqual(self.refused(abort), "aborted")
        self.assertEqual(failure_condition(self.successResultOf(answer).element), "aborted")
        self.assertEqual(self.service.outstanding(), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_deadline(self) -> None:
        """A session ends at its deadline, whoever is late."""
        self.ask(ScramUser("alice", "wonderland").first(), "client")
        self.backend.hold = True
        answer = self.send(plain("alice", "wonderland"), "backend")
        self.clock.advance(9.9)
        self.assertNoResult(answer)
        self.assertEqual(self.service.outstanding(), 2)
        self.clock.advance(0.2)
        reply = self.successResultOf(answer)
        self.assertEqual(failure_condition(reply.element), "temporary-auth-failure")
        self.assertEqual(self.service.outstanding(), 0)

    def test_longest_deadline(self) -> None:
        """No session lives longer than two minutes, whatever the server asks for."""
        for number, deadline in enumerate((None, 3600.0)):
            user = ScramUser("alice", "wonderland")
            self.successResultOf(self.send(user.first(), str(number), deadline=deadline))
        self.clock.advance(MAX_SECONDS)
        self.assertEqual(self.service.outstanding(), 0)

    def test_capacity(self) -> None:
        """As many sessions as there is room for; then none until one ends."""
        self.service = LoginService(self.clock, self.backend, "example.com", capacity=2)
        for session in ("1", "2"):
            self.ask(ScramUser("alice", "wonderland").first(), session)
        self.failureResultOf(self.send(plain("alice", "wonderland"), "3"), NoRoom)
        self.refused(Element((SASL, "abort")), "1")
        self.assertEqual(self.ask(plain("alice", "wonderland"), "3").username, "alice")

    def test_draining(self) -> None:
        """While draining, logins under way go on, and no new one begins."""
        user = ScramUser("alice", "wonderland")
        challenge = self.ask(user.first())
        self.service.draining = True
        self.assertEqual(self.service.capacity, 0)
        self.failureResultOf(self.send(plain("alice", "wonderland"), "2"), NoRoom)
        self.assertEqual(self.ask(user.final(challenge.element)).username, "alice")
        self.service.draining = False
        self.assertEqual(self.ask(plain("alice", "wonderland")).username, "alice")

    def test_idle(self) -> None:
        """A link is idle when its last login ended, and was answered."""
        self.successResultOf(self.service.idle(LINK))
        self.backend.hold = True
        answers = [self.send(plain("alice", "wonderland"), session) for session in ("1", "2")]
        idle = self.service.idle(LINK)
        given_up = self.service.idle(LINK)
        given_up.cancel()
        self.failureResultOf(given_up, CancelledError)
        self.backend.waiting.pop().callback(None)
        self.clock.advance(0)
        self.assertNoResult(idle)
        answers[0].addCallback(lambda _: self.assertNoResult(idle))
        self.backend.waiting.pop().callback(None)
        self.clock.advance(0)
        self.successResultOf(answers[0])
        self.successResultOf(idle)

    def test_idle_after_deadline(self) -> None:
        """A login that only ran out of time does not keep a link busy."""
        self.ask(ScramUser("alice", "wonderland").first())
        idle = self.service.idle(LINK)
        self.clock.pump([10.0, 0.0])
        self.successResultOf(idle)

    def test_link_lost(self) -> None:
        """With its link, all of its sessions are gone, and those of others stay."""
        self.ask(ScramUser("alice", "wonderland").first(), link="other")
        self.ask(ScramUser("alice", "wonderland").first())
        self.backend.hold = True
        answer = self.send(plain("alice", "wonderland"), "2")
        self.service.link_lost(LINK)
        self.service.link_lost(LINK)
        self.successResultOf(answer)
        self.assertEqual((self.service.outstanding(LINK), self.service.outstanding()), (0, 1))

    def test_cancelled(self) -> None:
        """Whoever asks may give up; that ends the session."""
        self.backend.hold = True
        answer = self.send(plain("alice", "wonderland"))
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.assertEqual(self.service.outstanding(), 0)

    def test_late_backend(self) -> None:
        """A backend that lets the user in after the session ended is too late."""

        class Stubborn(MemoryBackend):
            async def check_password(self, username: str, password: str) -> bool:
                try:
                    return await super().check_password(username, password)
                except CancelledError:
                    return True

        self.backend = Stubborn()
        self.backend.hold = True
        service = LoginService(self.clock, self.backend, "example.com")
        answer = self.send(plain("alice", "wonderland"), service=service)
        self.clock.advance(11)
        reply = self.successResultOf(answer)
        self.assertEqual((reply.element.name, reply.username), ("failure", None))
        self.assertEqual(service.outstanding(), 0)


class Backends(LoginCase):
    """What comes of a backend that fails."""

    def test_bug(self) -> None:
        """A backend that breaks is a temporary failure, with a traceback in the log."""
        self.backend.error = KeyError("ours")
        self.assertEqual(self.refused(plain("alice", "wonderland")), "temporary-auth-failure")
        user = ScramUser("alice", "wonderland")
        self.assertEqual(self.refused(user.first()), "temporary-auth-failure")
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 2)
        self.backend.error = None
        self.assertEqual(self.ask(plain("alice", "wonderland")).username, "alice")

    def test_unavailable(self) -> None:
        """A backend that says why it cannot look is the same, with that line in the log."""
        self.backend.error = BackendUnavailable("the directory does not answer")
        self.assertEqual(self.refused(plain("alice", "wonderland")), "temporary-auth-failure")
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertIn("the user backend cannot look: the directory does not answer", self.logged)


class Log(LoginCase):
    """One line for each login."""

    def test_one_line(self) -> None:
        """A login is one line, however many messages it took, with user, peer and outcome."""
        self.log_in(ScramUser("alice", "wonderland"))
        self.ask(plain("bob", "hunter2"))
        self.assertEqual(
            self.lines(),
            [
                "step 12 (login): 'alice' from 203.0.113.7 by SCRAM-SHA-256: success (0.0 ms)",
                "step 12 (login): 'bob' from 203.0.113.7 by PLAIN: not-authorized (0.0 ms)",
            ],
        )

    def test_no_payload(self) -> None:
        """Neither passwords nor messages are in the log."""
        self.ask(plain("alice", "wonderland"))
        self.ask(plain("alice", "hunter2"))
        self.ask(auth("PLAIN", "hunter2"))
        text = "\n".join(self.logged)
        for secret in ("wonderland", "hunter2", "AGFsaWNl"):
            self.assertNotIn(secret, text)

    def test_forged_lines(self) -> None:
        """What a client chooses makes no lines of its own, and no long ones."""
        self.ask(plain("a\nlogin: 'root'", "x"))
        self.ask(plain("x" * 1000, "x"))
        self.ask(auth("X\n" * 500, "x"))
        self.assertEqual(len(self.lines()), 3)
        for line in self.lines():
            self.assertNotIn("\n", line)
            self.assertLess(len(line), 200)

    def test_full(self) -> None:
        """That there is no room is said once a minute, not for each login."""
        self.service.draining = True
        for _ in range(5):
            self.failureResultOf(self.send(sasl_failure("aborted")), OutOfOrder)
            self.failureResultOf(self.send(plain("alice", "wonderland")), NoRoom)
        self.assertEqual(sum("was refused" in line for line in self.logged), 1)
