"""Tests for `xmppd.login`: whom a login is asked of, one after the other."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.words.xish.domish import Element

from bridgewire.login import LoginReply, LoginRequest
from bridgewire.namespaces import SASL
from bridgewire.sasl import failure_condition, sasl_failure
from bridgewire.session_end import SessionEnded
from xmppd.login import Applicant, Login
from xmppd.logins import Logins

CANNOT_LOOK = "temporary-auth-failure"


class Bridge:
    """A Call Bridge that always says the same: a condition of SASL, or success."""

    outstanding = 0
    capacity = 1
    mechanisms = frozenset({"PLAIN", "HT-SHA-256-NONE"})

    def __init__(self, host: str, says: str) -> None:
        self.host = host
        self.says = says
        self.asked = 0

    def ask(self, request: LoginRequest, timeout: float) -> Deferred[LoginReply]:
        self.asked += 1
        if self.says == "success":
            return succeed(LoginReply(request.session, Element((SASL, "success")), "alice"))
        return succeed(LoginReply(request.session, sasl_failure(self.says)))

    def tell_ended(self, ended: SessionEnded) -> None: ...


class Asking(SynchronousTestCase):
    """Two Call Bridges, in the order in which they are asked."""

    def log_in(self, *says: str, mechanism: str = "PLAIN") -> str:
        logins = Logins(Clock(), deadline=10.0, max_waiting=10)
        self.bridges = [Bridge(f"cb{number}.example.com", one) for number, one in enumerate(says)]
        for bridge in self.bridges:
            logins.update(bridge)
        message = Element((SASL, "auth"))
        message["mechanism"] = mechanism
        login = Login(logins, Applicant("192.0.2.7"))
        reply = self.successResultOf(Deferred.fromCoroutine(login.relay(message)))
        self.assertEqual([bridge.outstanding for bridge in self.bridges], [0] * len(says))
        element = reply.element
        return failure_condition(element) if element.name == "failure" else element.name

    def asked(self) -> list[int]:
        return [bridge.asked for bridge in self.bridges]

    def test_cannot_look(self) -> None:
        """If one cannot look the user up, another one may."""
        self.assertEqual(self.log_in(CANNOT_LOOK, "success"), "success")
        self.assertEqual(self.log_in(CANNOT_LOOK, "not-authorized"), "not-authorized")
        self.assertEqual(self.log_in(CANNOT_LOOK, CANNOT_LOOK), CANNOT_LOOK)
        self.assertEqual(self.asked(), [1, 1])

    def test_refused(self) -> None:
        """Who has looked is believed: a guess is not tried at each Call Bridge."""
        self.assertEqual(self.log_in("not-authorized", "success"), "not-authorized")
        self.assertEqual(self.asked(), [1, 0])

    def test_token(self) -> None:
        """A token is known to its issuer, whom it is not refused for if that one cannot look."""
        token = "HT-SHA-256-NONE"
        self.assertEqual(self.log_in("not-authorized", "success", mechanism=token), "success")
        self.assertEqual(self.log_in(CANNOT_LOOK, "not-authorized", mechanism=token), CANNOT_LOOK)
        self.assertEqual(self.log_in("not-authorized", CANNOT_LOOK, mechanism=token), CANNOT_LOOK)
