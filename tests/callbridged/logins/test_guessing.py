"""Tests for `callbridged.logins.guessing`, on whole logins."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from bridgewire.login import LoginReply, LoginRequest
from bridgewire.namespaces import ERRORS
from bridgewire.sasl import failure_condition
from callbridged.backends import BackendUnavailable
from callbridged.logins.guessing import MAX_WAITING, Guessing
from callbridged.logins.guests import Guests
from callbridged.logins.login import LoginService
from daemonkit.throttle_limits import ThrottleLimits
from tests.callbridged.login_case import LINK, LoginCase
from tests.callbridged.people import ScramUser, plain

LIMITS = ThrottleLimits(free=2, most=6, window=600.0, pause=300.0)
HOME, ELSEWHERE = "192.0.2.1", "203.0.113.7"


class GuessingCase(LoginCase):
    """A service with few free failures."""

    def make_service(self, **more: Any) -> LoginService:
        self.guessing = Guessing(self.clock, LIMITS)
        self.number = 0
        return super().make_service(guessing=self.guessing, **more)

    def begin(self, name: str, password: str, peer: str) -> Deferred[LoginReply]:
        self.number += 1
        request = LoginRequest(f"s{self.number}", plain(name, password), peer, 10.0)
        return Deferred.fromCoroutine(self.service.answer(request, LINK))

    def outcome(self, name: str, password: str, peer: str = ELSEWHERE) -> str:
        """What a login comes to; waits for its turn."""
        answer = self.begin(name, password, peer)
        self.clock.pump([0.5] * 19)
        element = self.successResultOf(answer).element
        return failure_condition(element) if element.name == "failure" else str(element.name)

    def guess(self, times: int, name: str = "alice", peer: str = ELSEWHERE) -> None:
        for _ in range(times):
            self.outcome(name, "wrong", peer)

    def pause(self) -> None:
        """Guess until logins of alice are paused."""
        self.guess(25)
        self.assertEqual([user for user, _, _ in self.guessing.paused()], ["alice"])


class GuessingTests(GuessingCase):
    """Failed logins, by account."""

    def test_free(self) -> None:
        """A few failures cost nothing."""
        for _ in range(LIMITS.free):
            failure = self.successResultOf(self.begin("alice", "wrong", ELSEWHERE))
            self.assertEqual(failure_condition(failure.element), "not-authorized")
        reply = self.successResultOf(self.begin("alice", "wonderland", ELSEWHERE))
        self.assertEqual(reply.username, "alice")

    def test_slower(self) -> None:
        """More failures make the next login wait, whether it is right or wrong."""
        self.guess(LIMITS.free)
        for _ in range(2):
            self.begin("alice", "wrong", ELSEWHERE)
        answer = self.begin("alice", "wonderland", ELSEWHERE)
        self.assertNoResult(answer)
        self.clock.pump([0.5] * 10)
        self.assertEqual(self.successResultOf(answer).username, "alice")

    def test_paused(self) -> None:
        """Too many failures pause it: the backend is not asked, and it is no wrong password."""
        self.pause()
        asked = len(self.backend.asked)
        refusal = self.successResultOf(self.begin("alice", "wonderland", ELSEWHERE)).element
        self.assertIsNotNone(next(refusal.elements(ERRORS, "policy"), None))
        self.assertEqual(self.outcome("alice", "wonderland"), "temporary-auth-failure")
        self.assertEqual(len(self.backend.asked), asked)
        self.assertIn("logins of this account are paused", self.lines()[-1])
        self.assertEqual(len([line for line in self.logged if "are paused for" in line]), 1)
        self.clock.advance(LIMITS.pause)
        self.clock.advance(LIMITS.window)
        self.assertEqual(self.outcome("alice", "wonderland"), "success")

    def test_others(self) -> None:
        """Other accounts do not notice, not even from the same address."""
        self.pause()
        reply = self.successResultOf(self.begin("zoë", "käse,=brot", ELSEWHERE))
        self.assertEqual(reply.username, "zoë")

    def test_known_network(self) -> None:
        """From where the user has logged in before, guesses from elsewhere are not noticed."""
        self.assertEqual(self.outcome("alice", "wonderland", HOME), "success")
        self.pause()
        reply = self.successResultOf(self.begin("alice", "wonderland", HOME))
        self.assertEqual(reply.username, "alice")

    def test_guesses_at_home(self) -> None:
        """There, failures count as well: for that network alone."""
        self.outcome("alice", "wonderland", HOME)
        self.guess(50, peer=HOME)
        self.assertEqual(
            [(user, network) for user, network, _ in self.guessing.paused()], [("alice", HOME)]
        )
        self.assertEqual(self.outcome("alice", "wonderland", HOME), "temporary-auth-failure")
        self.assertEqual(self.outcome("alice", "wonderland", ELSEWHERE), "success")
        self.assertTrue(self.guessing.forgive("alice"))
        self.assertEqual(self.outcome("alice", "wonderland", HOME), "success")

    def test_scram(self) -> None:
        """SCRAM's proofs are guesses like others."""
        for number in range(LIMITS.free):
            challenge = self.ask(ScramUser("alice", "wrong").first(), f"a{number}")
            self.assertEqual(challenge.element.name, "challenge")
            user = ScramUser("alice", "wrong")
            challenge = self.ask(user.first(), f"b{number}")
            self.assertEqual(
                failure_condition(self.ask(user.final(challenge.element), f"b{number}").element),
                "not-authorized",
            )
        self.guess(50)
        self.assertEqual(self.outcome("alice", "wonderland"), "temporary-auth-failure")

    def test_open_exchanges(self) -> None:
        """Exchanges that are left open, to be ended all at once, are no way to guess more."""
        guesses = [ScramUser("alice", "wrong") for _ in range(50)]
        begun = {}
        for number, guess in enumerate(guesses):
            answer = self.send(guess.first(), f"open{number}")
            if answer.called:
                begun[number] = self.successResultOf(answer)
            self.clock.advance(0.1)
        self.assertEqual(len(begun), LIMITS.most)
        for number, challenge in begun.items():
            reply = self.ask(guesses[number].final(challenge.element), f"open{number}")
            self.assertEqual(failure_condition(reply.element), "not-authorized")
        self.assertEqual([user for user, _, _ in self.guessing.paused()], ["alice"])
        self.assertEqual(self.service.outstanding(), 0)

    def test_unpause(self) -> None:
        """An operator ends the pause."""
        self.pause()
        self.assertTrue(self.guessing.forgive("alice"))
        self.assertFalse(self.guessing.forgive("alice"))
        self.assertEqual(self.outcome("alice", "wonderland"), "success")

    def test_places(self) -> None:
        """Those who wait for a turn do not take all places; the others are refused at once."""
        names = [f"user{number}" for number in range(2 * MAX_WAITING)]
        for name in names:
            self.guess(LIMITS.free + 1, name)
            self.clock.advance(1.0)
        answers = []
        for name in names:
            self.guess(1, name)
            answers.append(self.begin(name, "x", ELSEWHERE))
        self.assertLessEqual(self.service.outstanding(), MAX_WAITING)

    def test_cannot_look(self) -> None:
        """Where the backend cannot look, nothing is counted."""
        self.backend.error = BackendUnavailable("it is down")
        self.guess(50)
        self.backend.error = None
        reply = self.successResultOf(self.begin("alice", "wonderland", ELSEWHERE))
        self.assertEqual(reply.username, "alice")


class SharedTests(GuessingCase):
    """The guests' account is everybody's."""

    def make_service(self, **more: Any) -> LoginService:
        guests = Guests(self.clock, "open sesame", 100, 3600.0)
        return super().make_service(guests=guests, **more)

    def test_access_code(self) -> None:
        """Guessing at the access code keeps nobody out but those of the same network."""
        self.guess(50, "guest")
        self.assertEqual(self.outcome("guest", "open sesame"), "temporary-auth-failure")
        self.assertEqual(self.outcome("guest", "open sesame", HOME), "success")
