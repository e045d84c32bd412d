"""A login service to try mechanisms on."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.words.xish.domish import Element

from bridgewire.login import LoginReply, LoginRequest
from bridgewire.sasl import failure_condition
from callbridged.logins.login import LoginService
from tests.callbridged.people import MemoryBackend, ScramUser
from tests.support.logged import written

LINK = "link"


class LoginCase(SynchronousTestCase):
    """A service over a backend in memory."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.backend = MemoryBackend()
        self.service = self.make_service()
        #: What the server says of the client besides.
        self.said: dict[str, Any] = {}
        self.written = self.enterContext(written(self.clock))

    @property
    def logged(self) -> list[str]:
        """What the log says."""
        return [line.text for line in self.written]

    def make_service(self, **more: Any) -> LoginService:
        return LoginService(self.clock, self.backend, "example.com", **more)

    def lines(self) -> list[str]:
        """What the log says of logins."""
        return [line for line in self.logged if line.startswith("step 12 (login): ")]

    def send(
        self,
        element: Element,
        session: str = "s1",
        link: str = LINK,
        deadline: float | None = 10.0,
        service: LoginService | None = None,
    ) -> Deferred[LoginReply]:
        request = LoginRequest(session, element, "203.0.113.7", deadline, **self.said)
        answer = (service or self.service).answer(request, link)
        return Deferred.fromCoroutine(answer)

    def ask(self, element: Element, session: str = "s1", link: str = LINK) -> LoginReply:
        reply = self.successResultOf(self.send(element, session, link))
        # What is answered can be read at the other end.
        return LoginReply.from_element(reply.to_element())

    def refused(self, element: Element, session: str = "s1") -> str:
        reply = self.ask(element, session)
        self.assertEqual(reply.element.name, "failure", reply.element.toXml())
        return failure_condition(reply.element)

    def log_in(self, user: ScramUser, session: str = "s1") -> LoginReply:
        challenge = self.ask(user.first(), session)
        self.assertEqual(challenge.element.name, "challenge", challenge.element.toXml())
        return self.ask(user.final(challenge.element), session)
